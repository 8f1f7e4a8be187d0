"""Derivatives that are measured, and the leaves that follow from them: of an object of the user's (decision 0023), and Cox's.

How large they may be is not known in advance, as it is of other losses, so the largest of all ranks is measured: one round more
a tree, and one for each step of its leaves. Wherever the rows lie, they are computed on the host, by one thread of a rank at a
time: an object need not stand more.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.leaf_rows import LeafSums, Leaves, Steps, WalkStart
from gbdist.boosting.population import Population
from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.rows import Rows
from gbdist.custom.objective import CustomObjective
from gbdist.errors import ParameterError
from gbdist.kernels.cpu_leaves import add_by_leaf

if TYPE_CHECKING:
    from gbdist.boosting.leaves import LeafEstimator
    from gbdist.objectives.base import Objective, Unbounded


class MeasuredLoss(Protocol):
    """A loss whose derivatives are known at given predictions alone; all ranks ask together."""

    def derivatives(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """First, then second derivatives times the weights of a rank's rows, float64 [n_values, n]; predictions [dimension, n].

        Both in the host's memory; a whole Hessian is its upper triangle, row by row.
        """
        ...


class _OfObject:
    """That of an object of the user's."""

    def __init__(self, objective: CustomObjective, rows: Rows, crew: Crew) -> None:
        self._objective, self._segments = objective, rows.segments
        self._label = crew.fetch(rows.label)
        self._weight = None if rows.weight is None else crew.fetch(rows.weight)

    def derivatives(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``MeasuredLoss``."""
        return self._objective.derivatives(predictions, self._label, self._weight, self._segments)


class _OfRisk:
    """Cox's."""

    def __init__(self, order: RiskOrder) -> None:
        self._order = order

    def derivatives(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """See ``MeasuredLoss``."""
        return self._order.derivatives(predictions[0])


def measured_loss(
    objective: "Objective | Unbounded", rows: Rows, order: RiskOrder | None, crew: Crew
) -> MeasuredLoss | None:
    """The loss of a rank's training rows, which lie where the crew works; None if bounds of its derivatives are known."""
    if isinstance(objective, CustomObjective):
        return _OfObject(objective, rows, crew)
    return None if order is None else _OfRisk(order)


def largest_of(values: Iterable[NDArray[np.float64]], collective: Collective) -> NDArray[np.float64]:
    """Largest absolute value of each row of values [m, n], or of each of m arrays, over all ranks, float64 [m]; one round."""
    mine = np.array([np.abs(each).max(initial=0.0) for each in values])
    every = [np.frombuffer(answer) for answer in collective.all_gather(mine.tobytes())]
    return np.asarray(np.max(every, axis=0))


class MeasuredWalk:
    """The walk of one tree's leaves by steps that are taken as they come, CatBoost's for such a loss; see ``LeafWalk``."""

    def __init__(
        self,
        estimator: "LeafEstimator",
        loss: MeasuredLoss,
        rows: Rows,
        start: WalkStart,
        n_leaves: int,
        population: Population,
        collective: Collective,
    ) -> None:
        self._estimator, self._loss, self._rows, self._n_leaves = estimator, loss, rows, n_leaves
        self._population, self._collective = population, collective
        crew = estimator.crew
        self._predictions: NDArray[np.float64] = crew.fetch(start.predictions)
        self._leaf_of_row: NDArray[np.uint16] = crew.fetch(start.leaf_of_row)
        self._objective: Any = estimator.params.objective

    def run(self) -> Steps[Leaves]:
        """Take all steps."""
        estimator = self._estimator
        point = np.zeros((self._n_leaves, self._objective.dimension))
        weights = yield from self._weights()
        for _ in range(estimator.params.leaf_estimation_iterations):
            sums = yield from self._sums_at(point, weights)
            self._check_curvature(sums)
            point = estimator.monotone(point + estimator.step(sums, weights), sums, weights)
        return Leaves(estimator.put_in_order(point), weights)

    def _weights(self) -> Steps[NDArray[np.float64]]:
        rows, crew = self._rows, self._estimator.crew
        weight = np.ones(rows.n_rows) if rows.weight is None else crew.fetch(rows.weight).astype(np.float64)
        scale = sum_scale(self._population.weight_bound, self._population.n_rows)
        total = yield self._own_sums(weight[None, :], np.array([scale]))
        return np.asarray(total[:, 0] / scale)

    def _sums_at(self, point: NDArray[np.float64], weights: NDArray[np.float64]) -> Steps[LeafSums]:
        predictions = self._predictions + np.ascontiguousarray(point.T)[:, self._leaf_of_row]
        k = self._objective.dimension
        values = self._loss.derivatives(predictions)
        bounds = largest_of(values, self._collective)
        scales = np.array([sum_scale(bound, self._population.n_rows) for bound in bounds.tolist()])
        total = yield self._own_sums(values, scales)
        sums = total / scales
        return LeafSums(loss=None, weight=weights, first=sums[:, :k], second=sums[:, k:])

    def _own_sums(self, values: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.int64]:
        """This rank's sums of values [m, n] by leaf, int64 [n_leaves, m]."""
        sums = np.zeros((values.shape[0], self._n_leaves), np.int64)
        for row, scale, of_leaf in zip(values, scales.tolist(), sums, strict=True):
            add_by_leaf(row, self._leaf_of_row, scale, of_leaf)
        return np.ascontiguousarray(sums.T)

    def _check_curvature(self, sums: LeafSums) -> None:
        """ParameterError for second derivatives of the wrong sign, with which CatBoost would step away from the minimum."""
        params = self._estimator.params
        if params.leaf_estimation_method == "Gradient" or not isinstance(self._objective, CustomObjective):
            return
        k = self._objective.dimension
        diagonal = [i * k - i * (i - 1) // 2 for i in range(k)] if self._objective.second_order == "full" else range(k)
        curvature = sums.second[:, list(diagonal)] - self._estimator.l2
        if (curvature > 0.0).any():
            leaf = int(np.flatnonzero((curvature > 0.0).any(axis=1))[0])
            found = float((curvature[leaf] + self._estimator.l2).max())
            name = type(self._objective.given).__name__
            expected = f"second derivatives of minus the loss, which add up to at most 0 in a leaf, not to {found:g}"
            fix = "Correct their sign, or set leaf_estimation_method='Gradient'."
            raise ParameterError("loss_function", name, expected, fix)
