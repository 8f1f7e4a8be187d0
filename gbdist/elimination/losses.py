"""The loss of a data set whose rows lie on several ranks, at many predictions at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.population import survey_population, with_weights
from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.rows import Rows
from gbdist.kernels.cpu_leaves import add_by_leaf
from gbdist.metrics.base import Metric, Scored
from gbdist.metrics.evaluate import evaluate_many
from gbdist.objectives.base import Objective, Unbounded
from gbdist.objectives.cox import Cox
from gbdist.objectives.grouped import Grouped


@dataclass(frozen=True, eq=False)
class Measure:
    """What is lost, and how that is measured: the objective, which bounds predictions, and its metric."""

    objective: Objective | Grouped | Unbounded
    metric: Metric

    @property
    def worst(self) -> float:
        """The value of predictions that are too large to be measured."""
        return -math.inf if self.metric.is_max_optimal else math.inf

    def harm(self, change: float) -> float:
        """How much worse a change of the metric is, negative where it is better."""
        return -change if self.metric.is_max_optimal else change


class Losses:
    """The metric on a rank's rows, whose facts are agreed once; all ranks ask together."""

    def __init__(self, rows: Rows, measure: Measure, collective: Collective) -> None:
        self._population = survey_population(rows, collective)
        self._rows = with_weights(rows, self._population.weighted)
        self._measure, self._collective = measure, collective
        self._risk = RiskOrder(self._rows, collective) if isinstance(measure.objective, Cox) else None

    @property
    def n_rows(self) -> int:
        """Rows of all ranks."""
        return self._population.n_rows

    def at(self, predictions: Sequence[NDArray[np.float64]]) -> list[float]:
        """The metric at each of some raw predictions, float64 [dimension, n_rows]; as many rounds as for one."""
        ranges = ranges_of(predictions, self._measure.objective, self._collective)
        metrics = (self._measure.metric,)
        measured = [
            (metrics, self._scored(one, raw_range))
            for one, raw_range in zip(predictions, ranges, strict=True)
            if raw_range.in_bounds
        ]
        values, _ = evaluate_many(measured, np.empty(0, np.int64), self._collective.all_reduce)
        found = iter(values)
        name = self._measure.metric.name
        return [float(next(found)[name]) if raw_range.in_bounds else self._measure.worst for raw_range in ranges]

    def of_pieces(
        self, predictions: NDArray[np.float64], piece: NDArray[np.uint16], n_pieces: int
    ) -> NDArray[np.float64]:
        """The metric on the rows of each piece alone, float64 [n_pieces]; NaN for pieces without weight. A few rounds for all.

        Parameters
        ----------
        predictions : float64 [dimension, n_rows]
        piece : uint16 [n_rows], the piece of each row
        """
        (raw_range,) = ranges_of([predictions], self._measure.objective, self._collective)
        weight = np.ones(piece.shape[0], np.float32) if self._rows.weight is None else self._rows.weight
        scale = sum_scale(self._population.weight_bound, self.n_rows)
        sums = np.zeros(n_pieces, np.int64)
        add_by_leaf(weight.astype(np.float64), piece, scale, sums)
        totals = self._collective.all_reduce(sums) / scale
        found = np.where(totals > 0.0, self._measure.worst, np.nan)
        if not raw_range.in_bounds:
            return found
        # Rows of other pieces stay, without weight: they cost less than to put pieces together.
        whole, there = self._scored(predictions, raw_range), np.flatnonzero(totals > 0.0)
        each = [replace(whole, weight=weight * (piece == k), total_weight=float(totals[k])) for k in there.tolist()]
        metric = self._measure.metric
        values, _ = evaluate_many(
            [((metric,), one) for one in each], np.empty(0, np.int64), self._collective.all_reduce
        )
        found[there] = [float(one[metric.name]) for one in values]
        return found

    def _scored(self, predictions: NDArray[np.float64], raw_range: "RawRange") -> Scored:
        rows, population = self._rows, self._population
        return Scored(
            predictions=predictions,
            label=rows.label,
            weight=rows.weight,
            total_weight=population.total_weight,
            label_bound=population.label_bound,
            prediction_bound=raw_range.bound,
            prediction_top=raw_range.top,
            total_rows=population.n_rows,
            group=rows.group,
            risk=self._risk,
            pairs=rows.pairs,
            segments=rows.segments,
        )


@dataclass(frozen=True, eq=False)
class RawRange:
    """The smallest and the largest raw values of all ranks, float64 [dimension] each, and the loss that they have."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    objective: Objective | Grouped | Unbounded

    @cached_property
    def bound(self) -> float:
        """The largest |raw value|."""
        return float(max(np.abs(self.low).max(), np.abs(self.high).max()))

    @cached_property
    def top(self) -> float:
        """The largest exponent of the loss; infinite where it has none."""
        exponent = self.objective.exponent
        return math.inf if exponent is None else exponent.largest_between(self.low, self.high)

    @property
    def in_bounds(self) -> bool:
        """Whether the loss can be told: e to the largest exponent, and what is made of it, are numbers."""
        return (self.bound if self.objective.exponent is None else self.top) < self.objective.largest_prediction


def ranges_of(
    predictions: Sequence[NDArray[np.float64]], objective: Objective | Grouped | Unbounded, collective: Collective
) -> list[RawRange]:
    """The ranges of some raw predictions of a rank's rows, float64 [dimension, n_rows] each; one round for all."""
    mine = np.array([[one.min(axis=1, initial=np.inf), one.max(axis=1, initial=-np.inf)] for one in predictions])
    told = [np.frombuffer(item).reshape(mine.shape) for item in collective.all_gather(mine.tobytes())]
    low, high = np.min(told, axis=0)[:, 0], np.max(told, axis=0)[:, 1]
    return [RawRange(*each, objective) for each in zip(low, high, strict=True)]
