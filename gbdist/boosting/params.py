"""Everything a training run is told, resolved: no defaults left to fill in, no names left to check."""

from dataclasses import dataclass

from gbdist.boosting.penalties import Penalties
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.categories.rules import CategoryRules
from gbdist.metrics.base import Metric
from gbdist.objectives.base import Objective, Unbounded
from gbdist.objectives.grouped import Grouped


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How rows are drawn for the structure of a tree. ``kind`` is CatBoost's bootstrap_type."""

    kind: str = "No"
    subsample: float = 1.0
    bagging_temperature: float = 1.0
    mvs_reg: float | None = None


@dataclass(frozen=True, slots=True)
class Stopping:
    """CatBoost's overfitting detector. ``kind``: "None", "Iter" or "IncToDec"; ``wait`` iterations after the best one.

    ``min_trees`` is CatBoost's best_model_min_trees: ``use_best_model`` keeps at least that many.
    """

    kind: str = "None"
    wait: int = 20
    p_value: float = 0.0
    min_trees: int = 1


@dataclass(frozen=True, slots=True)
class Card:
    """The GPU that a rank works on, by the number that CUDA gives it in the rank's process, and how many ranks share it.

    ``memory`` is how many bytes the rank may use; None: its share of what is free when it begins.
    """

    number: int
    sharers: int = 1
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class BoostParams:
    """Resolved parameters of one run, under CatBoost's names; ``eval_metric`` is a position in ``metrics``.

    ``listeners_may_stop`` costs one more round a tree; ``overlap`` says in how many spans features are added up between ranks,
    ``table_budget`` how many bytes the tables of a level may take (None: ``histogram.TABLE_BUDGET``), ``shares`` how many rows
    each rank gets, in proportion, where they are dealt (none: all as many). All four are the same on all ranks; ``threads`` and
    ``card`` (None: the CPU) may differ. ``categories`` is None without categorical columns,
    ``penalties`` where columns cost nothing,
    ``shrinkage`` where the model is not shrunk; columns whose positions are ``ignored`` are never used.
    ``monotone_constraints`` are those of the binned columns: −1, 0 or 1, all 0 where trees are not symmetric. ``max_leaves`` is
    for grow_policy "Lossguide" alone, ``min_data_in_leaf``, which is 1 at least, for "Depthwise" too.
    """

    objective: Objective | Grouped | Unbounded
    metrics: tuple[Metric, ...]
    eval_metric: int = 0
    iterations: int = 1000
    learning_rate: float = 0.03
    depth: int = 6
    grow_policy: str = "SymmetricTree"
    max_leaves: int = 31
    min_data_in_leaf: int = 1
    l2_leaf_reg: float = 3.0
    score_function: str = "Cosine"
    leaf_estimation_method: str = "Newton"
    leaf_estimation_iterations: int = 1
    leaf_estimation_backtracking: str = "AnyImprovement"
    bootstrap: Bootstrap = Bootstrap()
    random_strength: float = 1.0
    rsm: float = 1.0
    random_seed: int = 0
    boost_from_average: bool = False
    stopping: Stopping = Stopping()
    use_best_model: bool = False
    metric_period: int = 1
    listeners_may_stop: bool = False
    overlap: int = 1
    table_budget: int | None = None
    shares: tuple[int, ...] = ()
    threads: int = 1
    card: Card | None = None
    categories: CategoryRules | None = None
    penalties: Penalties | None = None
    shrinkage: Shrinkage | None = None
    monotone_constraints: tuple[int, ...] = ()
    ignored: frozenset[int] = frozenset()
