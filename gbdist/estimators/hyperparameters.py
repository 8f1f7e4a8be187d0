"""The parameters of the estimators of trees, as the user gave them."""

from collections.abc import Mapping
from typing import Any

from gbdist.estimators.kept_parameters import KeptParameters


class Hyperparameters(KeptParameters):
    """Holds what the user asked for.

    All parameters default to None, which means CatBoost's default. Any other name of CatBoost's, and its and
    scikit-learn's aliases (``n_estimators``, ``max_depth``, ``eta``, ``random_state``, …) are taken too and are reported by
    ``get_params`` under the name they came with. Nothing is checked here; ``fit`` checks everything before it starts.

    Parameters
    ----------
    loss_function, eval_metric : str or object
        CatBoost's names, or objects with methods of their own, vectorised or in CatBoost's form (docs/custom.md).
    class_weights, auto_class_weights, scale_pos_weight
        Of the classifier; ``fit`` of the regressor refuses them.
    verbose : bool or int
        CatBoost's values, to stderr: False is silence, True a line every ``metric_period`` trees, n > 1 one every n trees.
        Not as in CatBoost, the default is a progress bar in a terminal and silence elsewhere; in a terminal the bar takes
        the place of the lines.
    aggregate : "histograms" or "models"
        How the work of the workers is added up. "histograms", the default, trains exactly: the model is that of one machine. With
        "models" every worker trains CatBoost itself on its own rows, on its GPU with ``task_type="GPU"``, and the models are
        merged in rounds; every CatBoost parameter is passed on, and ``text_features`` and ``embedding_features`` name columns
        that are neither numbers nor, as those of ``cat_features``, categories (docs/choosing.md).
    rounds : int
        How many rounds the ``iterations`` trees of a worker are grown in; left out: one for every 20 trees.
    merge : "average", "bagging" or "best"
        What becomes of the models of a round. "average", the default: the trees of all workers, with leaf values estimated on the
        rows of all (for the losses that "histograms" has; else as "bagging"). "bagging": the mean of the models. "best": the one
        with which the deciding metric is best.
    schedule : "sync", "groups" or "async"
        When workers wait for one another. "sync", the default: after every round. "groups": all of them every ``group_rounds``
        rounds, those of a group after every round. "async": a worker trains up to ``max_staleness`` rounds ahead of the merge;
        the model is that of "sync" (with merge="best" it is not).
    group_size, group_rounds : int
        With schedule="groups": workers of a group, which all go on from what the group has merged (left out: 1, measured
        best), and rounds until all groups meet (left out: 4).
    max_staleness : int
        With schedule="async": left out, 2; with 0 it is "sync".
    cat_nan : str
        The text that stands for missing values in categorical columns, here and in ``predict``, ``score`` and the like. Left out,
        missing values there are an error, as in CatBoost.
    bins_on_disk : "auto", True or False
        Whether quantized rows lie on the workers' disks rather than in their memory, in the folder that Dask gives each worker.
        "auto", the default: where they do not fit into memory, with a warning. The model is the same, training takes longer.
        Data that are trained on in this process stay in memory; a DaskPool says so for itself.
    client : distributed.Client, str or None
        The cluster, or the address of its scheduler. Default: the current client, else a local cluster of one worker per
        core. Kept by reference in a clone, left out of a pickle.
    """

    def __init__(
        self,
        *,
        iterations: int | None = None,
        learning_rate: float | None = None,
        depth: int | None = None,
        l2_leaf_reg: float | None = None,
        loss_function: Any = None,
        eval_metric: Any = None,
        custom_metric: str | list[str] | None = None,
        border_count: int | None = None,
        feature_border_type: str | None = None,
        nan_mode: str | None = None,
        random_seed: int | None = None,
        leaf_estimation_method: str | None = None,
        leaf_estimation_iterations: int | None = None,
        leaf_estimation_backtracking: str | None = None,
        score_function: str | None = None,
        boost_from_average: bool | None = None,
        bootstrap_type: str | None = None,
        subsample: float | None = None,
        bagging_temperature: float | None = None,
        mvs_reg: float | None = None,
        random_strength: float | None = None,
        rsm: float | None = None,
        min_data_in_leaf: int | None = None,
        class_weights: Mapping[Any, float] | list[float] | None = None,
        auto_class_weights: str | None = None,
        scale_pos_weight: float | None = None,
        early_stopping_rounds: int | None = None,
        od_type: str | None = None,
        od_wait: int | None = None,
        od_pval: float | None = None,
        use_best_model: bool | None = None,
        thread_count: int | None = None,
        metric_period: int | None = None,
        verbose: bool | int | None = None,
        aggregate: str | None = None,
        rounds: int | None = None,
        merge: str | None = None,
        schedule: str | None = None,
        group_size: int | None = None,
        group_rounds: int | None = None,
        max_staleness: int | None = None,
        cat_nan: str | None = None,
        bins_on_disk: bool | str | None = None,
        client: Any = None,
        **others: Any,
    ) -> None:
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.depth = depth
        self.l2_leaf_reg = l2_leaf_reg
        self.loss_function = loss_function
        self.eval_metric = eval_metric
        self.custom_metric = custom_metric
        self.border_count = border_count
        self.feature_border_type = feature_border_type
        self.nan_mode = nan_mode
        self.random_seed = random_seed
        self.leaf_estimation_method = leaf_estimation_method
        self.leaf_estimation_iterations = leaf_estimation_iterations
        self.leaf_estimation_backtracking = leaf_estimation_backtracking
        self.score_function = score_function
        self.boost_from_average = boost_from_average
        self.bootstrap_type = bootstrap_type
        self.subsample = subsample
        self.bagging_temperature = bagging_temperature
        self.mvs_reg = mvs_reg
        self.random_strength = random_strength
        self.rsm = rsm
        self.min_data_in_leaf = min_data_in_leaf
        self.class_weights = class_weights
        self.auto_class_weights = auto_class_weights
        self.scale_pos_weight = scale_pos_weight
        self.early_stopping_rounds = early_stopping_rounds
        self.od_type = od_type
        self.od_wait = od_wait
        self.od_pval = od_pval
        self.use_best_model = use_best_model
        self.thread_count = thread_count
        self.metric_period = metric_period
        self.verbose = verbose
        self.aggregate = aggregate
        self.rounds = rounds
        self.merge = merge
        self.schedule = schedule
        self.group_size = group_size
        self.group_rounds = group_rounds
        self.max_staleness = max_staleness
        self.cat_nan = cat_nan
        self.bins_on_disk = bins_on_disk
        self.client = client
        self._others = dict(others)
