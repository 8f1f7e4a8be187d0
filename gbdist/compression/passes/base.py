"""What a pass is, and what a rank gives it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows
from gbdist.compression.passes.columns import Columns
from gbdist.compression.passes.memo import Memo
from gbdist.elimination.losses import Losses, Measure
from gbdist.errors import ModelError
from gbdist.metrics import make_metrics
from gbdist.models.ensemble import Ensemble
from gbdist.models.loss import written_loss
from gbdist.objectives import RANKING, make_objective
from gbdist.objectives.base import Objective, Unbounded
from gbdist.objectives.grouped import Grouped

T = TypeVar("T")


def _go_on() -> None:
    """Nobody ends the run."""


@dataclass(frozen=True, eq=False)
class PassData:
    """What one rank gives a pass: its rows in the bins of the model's features, and whom it asks.

    Parameters
    ----------
    rows : Rows
        The rank's part of what passes may see, maybe none. Columns are ``ensemble.features``; labels are numbers, those of
        classes for a classifier; no baseline.
    columns : Columns
    collective : Collective
    measure : Measure
        The objective and the metric of the model's own loss.
    seed : int
        Of all that is random, together with global row numbers.
    threads : int
    teacher : Ensemble or None
        The model that the compression began with, for passes that come close to it; it has the features of the ensemble that a
        pass is given. None: that ensemble itself.
    memo : Memo
        Results that outlive the pipeline; see ``recall``.
    check : callable
        Asked between pieces of work of at most a second or so; raises if nobody waits for the result any more.
    """

    rows: Rows
    columns: Columns
    collective: Collective
    measure: Measure
    seed: int
    threads: int
    teacher: Ensemble | None = None
    memo: Memo = field(default_factory=Memo)
    check: Callable[[], None] = _go_on
    _losses: list[Losses] = field(default_factory=list, init=False, repr=False)

    @property
    def objective(self) -> Objective | Grouped | Unbounded:
        """The model's loss."""
        return self.measure.objective

    @property
    def losses(self) -> Losses:
        """The metric of the model's loss on all ranks' rows; all ranks ask for it together, which costs two rounds once."""
        # No cached_property: in Python 3.11 threads that are ranks would wait for each other at its lock.
        if not self._losses:
            self._losses.append(Losses(self.rows, self.measure, self.collective))
        return self._losses[0]

    def teacher_of(self, ensemble: Ensemble) -> Ensemble:
        """What a pass that is given an ensemble comes close to."""
        return ensemble if self.teacher is None else self.teacher

    def recall(self, key: bytes, make: Callable[[], T]) -> T:
        """What ``make`` returned before under this key, on all ranks, or what it returns now: for what is dear and does not
        follow from the parameters of a pass, so that the pipelines of a search share it. All ranks call; see ``Memo.recall``."""
        return self.memo.recall(key, make, self.collective)


class Pass(ABC):
    """Maps an ensemble to another one that is meant to be smaller; concrete ones are frozen dataclasses of their parameters.

    ``apply`` is called on every rank with the same ensemble and the rank's own rows, and returns the same ensemble on all of
    them, bit for bit, whoever holds which rows and however many ranks there are: what is summed over rows is an integer, and
    what is random is a hash of seed and global row number (DESIGN §4). ``ensemble.features`` stay as they are, so that the
    rows' bins stay valid: trees, values, weights of leaves and the bias may change, the ensemble that was given never does.
    """

    #: Under which pipelines, reports and errors know it.
    name: ClassVar[str]
    #: Whether ``apply`` must be given rows.
    needs_rows: ClassVar[bool]

    @abstractmethod
    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble after the pass.

        Parameters
        ----------
        data : this rank's rows, or None where the pass needs none

        Raises
        ------
        ModelError
            Where the pass does not apply to the ensemble.
        """


def measure_of(ensemble: Ensemble) -> Measure:
    """Objective and metric of the loss that a model was trained with.

    Raises
    ------
    ModelError
        Where the model does not tell its loss, or it is one that is not known here.
    """
    loss = written_loss(ensemble.options.get("loss_function"))
    if loss is None:
        raise ModelError(
            "the model does not tell which loss it was trained with",
            "Passes that look at rows need it: save the model with its metadata, or leave these passes out.",
        )
    name = loss.partition(":")[0]
    if name in RANKING:
        raise ModelError(
            f"rows of a model of loss {loss!r} are ranked in groups, which passes do not heed",
            "Leave out the passes that look at rows.",
        )
    n_classes = ensemble.dimension if ensemble.dimension > 1 else 2
    try:
        objective = make_objective(loss, n_classes)
        (metric,) = make_metrics(loss, n_classes, loss)
    except ValueError as error:  # ParameterError is one
        raise ModelError(
            f"the model was trained with the loss {loss!r}, which gbdist does not know ({error})",
            "Leave out the passes that look at rows.",
        ) from error
    return Measure(objective, metric)
