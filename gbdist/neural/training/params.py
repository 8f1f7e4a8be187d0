"""What decides a run of the network trainer, beside the rows and the network."""

from dataclasses import dataclass, field
from typing import Final

from gbdist.boosting.params import Card
from gbdist.metrics.base import Metric

SOLVERS: Final = ("sgd", "adam")
SCHEDULES: Final = ("constant", "invscaling", "adaptive", "cosine")
STRATEGIES: Final = ("sync", "local", "async", "pipeline", "tensor")
COMPRESSIONS: Final = ("none", "fp16", "top-k")
#: What is computed in which numbers: the parameters themselves are float32 with the last two.
PRECISIONS: Final = ("float64", "float32", "fp16", "bf16")


@dataclass(frozen=True, slots=True)
class StrategyParams:
    """How ranks share the work.

    Parameters
    ----------
    kind : one of STRATEGIES
    period : int
        "local": steps between two averages.
    groups : int
        "local": groups of ranks that average among themselves at each period, and with the other groups at each epoch's end.
    staleness : int
        "async": how many batches a rank may be ahead of the last one whose step it has made; with 0 it is "sync".
    model_ranks : int
        "pipeline" and "tensor": ranks that share one network; 0 for all. Several such groups are kept alike as by "sync".
    micro_batches : int
        "pipeline": pieces of a batch that are under way at the same time.
    compression : one of COMPRESSIONS
        How gradients travel.
    kept_share : float
        "top-k": share of the gradient that is sent; the rest is added to the next one.
    """

    kind: str = "sync"
    period: int = 16
    groups: int = 1
    staleness: int = 1
    model_ranks: int = 0
    micro_batches: int = 4
    compression: str = "none"
    kept_share: float = 0.01


@dataclass(frozen=True, slots=True)
class TrainParams:
    """A run; names that scikit-learn's MLP has mean what they mean there.

    Parameters
    ----------
    solver : one of SOLVERS
    schedule : one of SCHEDULES
        scikit-learn's ``learning_rate``, or "cosine": from ``learning_rate_init`` down to 0 at the end of ``max_iter`` epochs.
    warm_up : float
        Epochs over which the learning rate rises from 0 at the start.
    decoupled : bool
        Whether ``alpha`` shrinks weights beside the gradient (AdamW; Loshchilov and Hutter, 2019) rather than as part of it.
    batch_size : int
        Rows of a step, over all ranks.
    seed : int
    early_stopping : bool
        Whether the last eval set decides about stopping, and the best parameters are kept; else the training loss does.
    precision : one of PRECISIONS
    metrics : metrics of the eval sets (and nothing else) after each epoch; the first one decides
    target_scale : tuple of (center, spread)
        Of each output, what was taken from its targets before they were divided by ``spread``; none: they are as given. Losses
        are those of what is trained on; metrics are told in the targets' own units: of spread × output + center.
    threads : int
        Threads of a rank's matrix products; may differ between ranks, as ``card`` may.
    card : Card or None
        The GPU of this rank; None: the CPU.
    """

    solver: str = "adam"
    learning_rate_init: float = 1e-3
    schedule: str = "constant"
    power_t: float = 0.5
    warm_up: float = 0.0
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    alpha: float = 1e-4
    decoupled: bool = False
    batch_size: int = 200
    max_iter: int = 200
    shuffle: bool = True
    seed: int = 0
    tol: float = 1e-4
    n_iter_no_change: float = 10
    early_stopping: bool = False
    precision: str = "float32"
    metrics: tuple[Metric, ...] = ()
    target_scale: tuple[tuple[float, float], ...] = ()
    threads: int = 1
    card: Card | None = None
    listeners_may_stop: bool = False
    strategy: StrategyParams = field(default_factory=StrategyParams)
