"""What one ``fit`` is to train: data sets, parameters and listeners, as they were given and first checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from gbdist.boosting.events import Event, Listener
from gbdist.errors import ParameterError
from gbdist.estimators.checkpoint import Checkpoint
from gbdist.estimators.columns import ColumnRules, Unbinned
from gbdist.estimators.folds import AnyFolds
from gbdist.estimators.initial import InitialModel
from gbdist.estimators.listeners import Asks, CallbackListener, heard_by
from gbdist.estimators.parameters.aggregation import Aggregation
from gbdist.estimators.parameters.cuts import QuantizeParams, quantize_params
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.pipeline import Source
from gbdist.estimators.profile import Profile
from gbdist.estimators.sources import GroupGiven, eval_name

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be trained. The first source is the training set, unless ``pool`` is; ``folds`` are those of it, if any."""

    parameters: Mapping[str, object]
    classifier: bool
    pool: DaskPool | None
    sources: tuple[Source, ...]
    eval_pools: tuple[tuple[int, DaskPool], ...]
    initial: InitialModel | None
    listener: Listener | None
    callbacks: CallbackListener | None
    aggregation: Aggregation | None
    columns: ColumnRules
    groups: tuple[GroupGiven, ...]
    checkpoint: Checkpoint | None = None
    on_disk: bool | None = None
    profile: Profile | None = None
    folds: AnyFolds | None = None

    def names(self) -> list[str]:
        """What errors call the data sets, the training set first."""
        return [""] + [eval_name(number, self.n_evals) for number in range(self.n_evals)]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return self.pool.feature_names if self.pool is not None else self.sources[0].parts.feature_names

    @property
    def unbinned(self) -> Unbinned:
        """Columns of the training set that are not binned."""
        return self.pool.columns.unbinned if self.pool is not None else self.sources[0].parts.unbinned

    @property
    def may_be_on_disk(self) -> bool:
        """Whether what is trained can read bins from disk: neither a GPU nor CatBoost's own trainer can."""
        return self.aggregation is None and self.parameters.get("task_type", "CPU") == "CPU"

    @property
    def bins_on_disk(self) -> bool | None:
        """Whether bins that are made go to disk. Where nobody says so: as those of the pool, or None, if they do not fit."""
        wanted = self.pool.data.on_disk if self.on_disk is None and self.pool is not None else self.on_disk
        return wanted if self.may_be_on_disk else False

    def refuse_disk(self, pools: Sequence[DaskPool]) -> None:
        """ParameterError where what is to be trained cannot read the bins of a pool, which are on disk."""
        if self.may_be_on_disk or not any(pool.data.on_disk for pool in pools):
            return
        fix = "Make the DaskPool with bins_on_disk=False."
        if self.aggregation is not None:
            raise ParameterError("aggregate", "models", "'histograms' with a DaskPool whose bins are on disk", fix)
        task_type = self.parameters.get("task_type")
        raise ParameterError("task_type", task_type, "'CPU' with a DaskPool whose bins are on disk", fix)

    def cuts(self) -> QuantizeParams:
        """How the columns of the training set are cut into bins."""
        return quantize_params(self.parameters, self.feature_names, [position for position, _ in self.unbinned])

    @property
    def n_folds(self) -> int:
        """How many models are trained side by side, 0 for a plain fit."""
        return 0 if self.folds is None else self.folds.n_folds

    @property
    def n_evals(self) -> int:
        """Number of eval sets."""
        return len(self.sources) - (self.pool is None) + len(self.eval_pools)

    def of_sets(self, of_sources: Sequence[T], of_pool: Callable[[DaskPool], T]) -> list[T]:
        """Things of all data sets, the training set first and the others as the user gave them: those of sources and pools."""
        things = list(of_sources)
        if self.pool is not None:
            things.insert(0, of_pool(self.pool))
        for number, pool in self.eval_pools:
            things.insert(number + 1, of_pool(pool))
        return things

    @property
    def listeners(self) -> list[Listener]:
        """All of them, one by one, as a run in this process takes them."""
        return [one for one in (self.listener, self.callbacks) if one is not None]

    @property
    def asks(self) -> Asks:
        """Whether what the callbacks answer counts."""
        return False if self.callbacks is None else self.callbacks.asks

    def heard(self) -> Callable[[Event], bool] | None:
        """One function for all listeners; None where there are none."""
        return heard_by(self.listener, self.callbacks)
