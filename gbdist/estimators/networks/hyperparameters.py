"""The parameters of the estimators of networks, as the user gave them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gbdist.estimators.kept_parameters import KeptParameters


class NetworkHyperparameters(KeptParameters):
    """Holds what the user asked for; ``fit`` checks everything before it starts.

    All parameters default to None, which means what the preset says: see docs/networks.md, which lists both presets.

    Parameters
    ----------
    preset : "tabular" or "sklearn"
        What parameters that are left out mean. "tabular", the default: what measured better on tables. "sklearn": scikit-learn's
        defaults, and nothing that its MLP does not do; the two differ in the draws of the batches alone.
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate, learning_rate_init, power_t, max_iter, shuffle, \
tol, momentum, nesterovs_momentum, early_stopping, validation_fraction, beta_1, beta_2, epsilon, n_iter_no_change
        As scikit-learn's MLP has them. ``solver`` is "adam" or "sgd"; ``activation`` may be "silu" too, ``learning_rate``
        "cosine": from ``learning_rate_init`` down to 0 at the end of ``max_iter`` epochs. ``batch_size`` is over all workers.
        Rows are held out for ``early_stopping`` by a hash of their numbers, unless there is an ``eval_set``, which decides then.
    random_state : int or numpy.random.RandomState
        Seed of first parameters, batches and dropout. Left out, it is 0: a fit can be repeated.
    warm_start : bool
        Whether ``fit`` goes on from the parameters of the fit before.
    verbose : False, True or n for a line every n epochs; left out: a bar in a terminal, silence elsewhere
    scaling : "none", "standard", "robust" or "quantile"
        What numbers become: as with scikit-learn's StandardScaler, RobustScaler, or QuantileTransformer to normal scores, of a
        sample of at most 200,000 rows. Unless "none", missing values become the median, and targets of a regressor are
        standardized.
    numeric_embedding : "none", "periodic" or "piecewise"
        What a number becomes before the first layer: itself, or a learned vector of ``embedding_size`` numbers of it, by sines
        and cosines (of ``frequencies``, which begin with ``frequency_scale`` as their deviation) or by its place among quantiles.
    cat_features : names or positions of categorical columns; left out: the columns of categories and of strings, by their types
        Each becomes a learned vector; what was not seen in training has one of its own.
    cat_nan : str
        The text that stands for missing values in categorical columns, here and in ``predict``. Left out, they are an error.
    dropout : float
        Share of the hidden units that a row's step leaves out.
    residual : bool
        Whether a hidden layer that is as wide as the one before it is added to that one's output.
    label_smoothing : float
        Share of a label that is spread over all classes.
    warm_up : float
        Epochs over which the learning rate rises.
    decoupled : bool
        Whether ``alpha`` shrinks weights beside the gradient, as AdamW does, rather than as part of it.
    eval_metric : str or list of str
        CatBoost's names, such as "AUC"; the first one decides about ``early_stopping``. Left out: the loss, or with
        ``preset="sklearn"`` accuracy or R².
    class_weight : dict or "balanced"
        As scikit-learn's classifiers have it.
    precision : "float64", "float32", "fp16" or "bf16"
        What is computed in. With the last two parameters themselves are float32.
    task_type : "CPU", "GPU" or "auto", devices : which GPUs, as CatBoost's
    strategy : "sync", "local", "async", "pipeline" or "tensor"
        How workers share the work; docs/networks.md. ``sync_period`` and ``sync_groups`` are of "local", ``staleness`` of
        "async", ``model_ranks`` of "pipeline" and "tensor", ``micro_batches`` of "pipeline".
    compression : "none", "fp16" or "top-k", kept_share : share that "top-k" sends
        How gradients travel.
    save_snapshot, snapshot_file, snapshot_interval
        As the trees': where a fit that was cut off can be gone on with.
    client : distributed.Client, str or None
        The cluster, or the address of its scheduler. Default: the current client, else a local cluster of one worker per
        core. Kept by reference in a clone, left out of a pickle.
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | None = None,
        activation: str | None = None,
        *,
        preset: str | None = None,
        solver: str | None = None,
        alpha: float | None = None,
        batch_size: int | str | None = None,
        learning_rate: str | None = None,
        learning_rate_init: float | None = None,
        power_t: float | None = None,
        max_iter: int | None = None,
        shuffle: bool | None = None,
        random_state: Any = None,
        tol: float | None = None,
        verbose: bool | int | None = None,
        warm_start: bool | None = None,
        momentum: float | None = None,
        nesterovs_momentum: bool | None = None,
        early_stopping: bool | None = None,
        validation_fraction: float | None = None,
        beta_1: float | None = None,
        beta_2: float | None = None,
        epsilon: float | None = None,
        n_iter_no_change: float | None = None,
        scaling: str | None = None,
        numeric_embedding: str | None = None,
        embedding_size: int | None = None,
        frequencies: int | None = None,
        frequency_scale: float | None = None,
        cat_features: Sequence[str | int] | None = None,
        cat_nan: str | None = None,
        dropout: float | None = None,
        residual: bool | None = None,
        label_smoothing: float | None = None,
        warm_up: float | None = None,
        decoupled: bool | None = None,
        eval_metric: str | list[str] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        precision: str | None = None,
        task_type: str | None = None,
        devices: Any = None,
        strategy: str | None = None,
        sync_period: int | None = None,
        sync_groups: int | None = None,
        staleness: int | None = None,
        model_ranks: int | None = None,
        micro_batches: int | None = None,
        compression: str | None = None,
        kept_share: float | None = None,
        save_snapshot: bool | None = None,
        snapshot_file: Any = None,
        snapshot_interval: int | None = None,
        client: Any = None,
        **others: Any,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.preset = preset
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.scaling = scaling
        self.numeric_embedding = numeric_embedding
        self.embedding_size = embedding_size
        self.frequencies = frequencies
        self.frequency_scale = frequency_scale
        self.cat_features = cat_features
        self.cat_nan = cat_nan
        self.dropout = dropout
        self.residual = residual
        self.label_smoothing = label_smoothing
        self.warm_up = warm_up
        self.decoupled = decoupled
        self.eval_metric = eval_metric
        self.class_weight = class_weight
        self.precision = precision
        self.task_type = task_type
        self.devices = devices
        self.strategy = strategy
        self.sync_period = sync_period
        self.sync_groups = sync_groups
        self.staleness = staleness
        self.model_ranks = model_ranks
        self.micro_batches = micro_batches
        self.compression = compression
        self.kept_share = kept_share
        self.save_snapshot = save_snapshot
        self.snapshot_file = snapshot_file
        self.snapshot_interval = snapshot_interval
        self.client = client
        self._others = dict(others)
