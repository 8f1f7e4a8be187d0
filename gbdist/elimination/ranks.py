"""One step of a selection: which columns a model needs least, found on the ranks that hold the rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.rows import Rows
from gbdist.elimination.algorithms import Algorithm
from gbdist.elimination.explained import Asked, Explained, Explainer
from gbdist.elimination.losses import Losses, Measure
from gbdist.elimination.sample import most_rows, sampled
from gbdist.quantize.borders import FeatureBorders

#: Losses that are found at a time: predictions of as many are in memory.
_TOGETHER = 16


@dataclass(frozen=True, eq=False)
class Question:
    """Which ``count`` of some columns a model needs least; with a ``count`` of 0 its loss alone is asked for.

    Parameters
    ----------
    model : the bytes of its ``.cbm``
    columns : positions of those that may go, ascending
    effects : float64 [n_columns] or None
        How much predictions change with each, for RecursiveByPredictionValuesChange.
    kind : CatBoost's shap_calc_type
    """

    model: bytes
    measure: Measure
    borders: tuple[FeatureBorders, ...]
    names: tuple[str, ...]
    algorithm: Algorithm
    columns: tuple[int, ...]
    count: int
    effects: NDArray[np.float64] | None = None
    kind: str = "Regular"


@dataclass(frozen=True, slots=True)
class Eliminated:
    """The loss of the model, the columns that go, in that order, and the loss after each, if it was estimated."""

    loss: float
    columns: tuple[int, ...]
    losses: tuple[float, ...]


def eliminate(
    rows: Rows,
    question: Question,
    collective: Collective,
    threads: int,
    check: Callable[[], None] = lambda: None,
) -> Eliminated:
    """Find them; the same answer on every rank, whoever holds which rows.

    ``rows`` are a rank's of the data set that is looked at. ``check`` is called now and then, and raises if nobody waits for the
    answer any more. Columns that are as good as others go in their order.
    """
    explains = question.count > 0 and question.effects is None
    dimension = question.measure.objective.dimension
    rows = sampled(rows, most_rows(len(question.columns) if explains else 1, dimension), collective)
    losses = Losses(rows, question.measure, collective)
    explainer = Explainer(question.model, question.borders, question.names, threads)
    columns = question.columns if explains else ()
    explained = explainer.explain(rows, Asked(dimension, columns, question.kind, losses.n_rows), check)
    (loss,) = losses.at([explained.predictions])
    if not question.count:
        return Eliminated(loss, (), ())
    if question.effects is not None:
        order = np.argsort(question.effects, kind="stable")[: question.count]
        return Eliminated(loss, tuple(question.columns[at] for at in order.tolist()), ())
    if question.algorithm == "RecursiveByLossFunctionChange":
        return _by_loss_change(question, explained, losses, loss)
    return _by_shares(question, explained, losses, loss)


def _by_loss_change(question: Question, explained: Explained, losses: Losses, loss: float) -> Eliminated:
    """Those whose absence harms least, each taken from the whole model."""
    changes = _changes(explained, range(len(question.columns)), losses, loss)
    harms = np.array([question.measure.harm(change) for change in changes])
    order = np.argsort(harms, kind="stable")[: question.count].tolist()
    # As if each harmed as much without those before.
    estimated = loss + np.cumsum([changes[at] for at in order])
    return Eliminated(loss, tuple(question.columns[at] for at in order), tuple(estimated.tolist()))


def _by_shares(question: Question, explained: Explained, losses: Losses, loss: float) -> Eliminated:
    """One after the other, each the one whose share in the predictions helps least without those before."""
    left = list(range(len(question.columns)))
    predictions, gone, estimated, now = explained.predictions, [], [], loss
    for _ in range(question.count):
        changes = _changes(Explained(predictions, explained.shares), left, losses, now)
        at, change = min(zip(left, changes, strict=True), key=lambda pair: (question.measure.harm(pair[1]), pair[0]))
        predictions, now = predictions - explained.shares[at], now + change
        left.remove(at)
        gone.append(question.columns[at])
        estimated.append(now)
    return Eliminated(loss, tuple(gone), tuple(estimated))


def _changes(explained: Explained, columns: Sequence[int], losses: Losses, loss: float) -> list[float]:
    """How the loss changes without the share of each of some columns."""
    found: list[float] = []
    for start in range(0, len(columns), _TOGETHER):
        some = columns[start : start + _TOGETHER]
        found += losses.at([explained.predictions - explained.shares[at] for at in some])
    return [value - loss for value in found]
