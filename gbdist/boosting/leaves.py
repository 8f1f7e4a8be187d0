"""Values of a tree's leaves: Newton or gradient steps on global sums, with CatBoost's backtracking.

The walk is that of CatBoost's gradient_walker.h: a step that does not improve the loss is halved, and each try counts as an
iteration. Every step costs one pass over the rows and one round.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows
from gbdist.kernels.cpu_leaves import solve_leaves
from gbdist.objectives.base import LeafScales, Objective

_FLOAT32_EPSILON = 2.0**-23


@dataclass(frozen=True)
class LeafSums:
    """Global sums of the leaves at one point of the walk, in float64: loss over all, the others by leaf.

    What was not asked for is 0.
    """

    loss: float
    weight: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


@dataclass(frozen=True)
class Leaves:
    """Leaf values before the learning rate, float64 [n_leaves, dimension], and weights, float64 [n_leaves]."""

    values: NDArray[np.float64]
    weights: NDArray[np.float64]


#: Sums at a point after a number of tries.
SumsAt = Callable[[NDArray[np.float64], int], LeafSums]


class LeafEstimator:
    """Estimates the leaves of one tree after the other."""

    def __init__(self, params: BoostParams, population: Population, collective: Collective, crew: Crew) -> None:
        self._params, self._population = params, population
        self._collective, self._crew = collective, crew
        self._l2 = params.l2_leaf_reg * population.total_weight / max(population.n_rows, 1)

    @property
    def l2(self) -> float:
        """Scaled regularizer, l2_leaf_reg × Σw / n (CatBoost's online_predictor.h, ScaleL2Reg)."""
        return self._l2

    def estimate(
        self,
        rows: Rows,
        predictions: NDArray[np.float64],
        leaf_of_row: NDArray[np.uint16],
        n_leaves: int,
        prediction_bound: float,
    ) -> Leaves:
        """Walk from 0 to the leaf values; ``predictions`` float64 [dimension, n] and ``leaf_of_row`` uint16 [n] are IN."""
        tries = self._params.leaf_estimation_iterations
        backtracks = tries > 1 and self._params.leaf_estimation_backtracking == "AnyImprovement"

        def sums_at(point: NDArray[np.float64], tried: int) -> LeafSums:
            """Sums after ``tried`` tries: weights are asked for once, derivatives as long as there is a try to come."""
            bound = prediction_bound + float(np.abs(point).max(initial=0.0))
            scales = self._scales(bound)
            scales = LeafScales(
                derivative=scales.derivative if tried < tries else 0.0,
                second_derivative=scales.second_derivative if tried < tries else 0.0,
                loss=scales.loss if backtracks else 0.0,
                weight=scales.weight if tried == 0 else 0.0,
            )
            return self._sums(rows, predictions, leaf_of_row, point, scales)

        start = np.zeros((n_leaves, self._params.objective.dimension))
        return self._walk_with_backtracking(start, tries, sums_at) if backtracks else self._walk(start, tries, sums_at)

    def _walk(self, point: NDArray[np.float64], tries: int, sums_at: SumsAt) -> Leaves:
        sums = sums_at(point, 0)
        weights = sums.weight
        for tried in range(1, tries):
            point = point + self._step(sums, weights)
            sums = sums_at(point, tried)
        return Leaves(point + self._step(sums, weights), weights)

    def _walk_with_backtracking(self, point: NDArray[np.float64], tries: int, sums_at: SumsAt) -> Leaves:
        sums = sums_at(point, 0)
        weights, tried = sums.weight, 0
        while tried < tries:
            step, scale = self._step(sums, weights), 1.0
            while tried < tries:
                tried += 1
                trial = point + scale * step
                trial_sums = sums_at(trial, tried)
                if trial_sums.loss < sums.loss:
                    point, sums = trial, trial_sums
                    break
                scale /= 2.0
        return Leaves(point, weights)

    def _scales(self, prediction_bound: float) -> LeafScales:
        population = self._population
        bounds = self._params.objective.bounds(population.label_bound, prediction_bound)
        n_rows, weight = population.n_rows, population.weight_bound
        return LeafScales(
            derivative=sum_scale(bounds.derivative * weight, n_rows),
            second_derivative=sum_scale(bounds.second_derivative * weight, n_rows),
            loss=sum_scale(bounds.loss * weight, n_rows),
            weight=sum_scale(weight, n_rows),
        )

    def _sums(
        self,
        rows: Rows,
        predictions: NDArray[np.float64],
        leaf_of_row: NDArray[np.uint16],
        shift: NDArray[np.float64],
        scales: LeafScales,
    ) -> LeafSums:
        objective = self._params.objective
        shape = (shift.shape[0], sum_columns(objective))

        def add(piece: slice) -> NDArray[np.int64]:
            sums = np.zeros(shape, np.int64)
            weight = None if rows.weight is None else rows.weight[piece]
            objective.add_leaf_sums(
                rows.label[piece], weight, predictions[:, piece], leaf_of_row[piece], shift, scales, sums
            )
            return sums

        parts = self._crew.each(add, self._crew.row_slices(rows.n_rows))
        total = self._collective.all_reduce(np.sum(parts, axis=0, dtype=np.int64))
        first = 2 + objective.dimension
        return LeafSums(
            loss=int(total[0, 0]) / (scales.loss or 1.0),
            weight=total[:, 1] / (scales.weight or 1.0),
            first=total[:, 2:first] / (scales.derivative or 1.0),
            second=total[:, first:] / (scales.second_derivative or 1.0),
        )

    def _step(self, sums: LeafSums, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """One step of every leaf, float64 [n_leaves, dimension] (CatBoost's online_predictor.h and hessian.cpp).

        ``weights`` are those of the walk's first sums, the only ones that were asked for.
        """
        if self._params.leaf_estimation_method == "Gradient":
            weight = weights[:, None]
            return np.divide(sums.first, weight + self._l2, out=np.zeros_like(sums.first), where=weight > 0)
        objective = self._params.objective
        if objective.second_order == "diagonal":
            curvature = self._l2 - sums.second
            return np.divide(sums.first, curvature, out=np.zeros_like(sums.first), where=curvature > 0)
        step = np.zeros_like(sums.first)
        solve_leaves(sums.second, sums.first, (self._l2, _FLOAT32_EPSILON), step)
        return step


def sum_columns(objective: Objective) -> int:
    """Columns of a leaf's sums: loss, weight, first derivatives, second derivatives (objectives/base.py)."""
    k = objective.dimension
    return 2 + k + (k if objective.second_order == "diagonal" else k * (k + 1) // 2)
