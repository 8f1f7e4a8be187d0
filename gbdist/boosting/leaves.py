"""Values of a tree's leaves: sums over their rows, and Newton or gradient steps on the sums of all ranks.

A ``leaf_walk`` takes the steps; values that are found at once are in ``exact_leaves``, derivatives that are measured in
``measured``.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.exact_leaves import ExactWalk
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.groups import GroupWork
from gbdist.boosting.leaf_rows import LeafRows, LeafSums, Leaves, Steps, Sums, WalkStart
from gbdist.boosting.leaf_walk import LeafWalk
from gbdist.boosting.measured import MeasuredLoss, MeasuredWalk
from gbdist.boosting.monotone import Orders, orders_of
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows, labels_of, part_of_label
from gbdist.kernels.cpu_leaves import bound_gain, bound_next_steps, solve_leaves
from gbdist.objectives.base import LeafScales, Objective, with_bounds
from gbdist.objectives.grouped import Grouped

#: Steps above this are not foretold,
_LONGEST_FORETOLD = 0.125
#: nor does one above this count as proven to improve the loss, or if less than this share of its first-order gain is certain
_LONGEST_PROVEN = 2.0
_PROVEN_SHARE = 0.05
#: What a leaf without curvature or weight counts among those that it must not fall behind.
_LEAST_COUNT = 1e-100
_FLOAT32_EPSILON = 2.0**-23
_ALL = np.empty(0, np.uint8)


class LeafEstimator:
    """Estimates the leaves of one tree after the other."""

    def __init__(
        self,
        params: BoostParams,
        population: Population,
        collective: Collective,
        crew: Crew,
        groups: GroupWork | None = None,
        measured: MeasuredLoss | None = None,
    ) -> None:
        self.params, self._population = params, population
        self._collective, self.crew, self.groups, self._measured = collective, crew, groups, measured
        self._tree = 0
        self._l2 = params.l2_leaf_reg * population.total_weight / max(population.n_rows, 1)
        self._orders: Orders | None = None

    @property
    def l2(self) -> float:
        """Scaled regularizer, l2_leaf_reg × Σw / n (CatBoost's online_predictor.h, ScaleL2Reg)."""
        return self._l2

    def estimate(
        self, rows: Rows, starts: Sequence[WalkStart], n_leaves: int, constraints: Sequence[int] = (), tree: int = 0
    ) -> list[Leaves]:
        """Walk from 0 to the leaf values, from each of several starts; walks share their rounds.

        ``constraints`` are those of the tree's splits, where values must be monotone (``monotone.orders_of``); ``tree`` is its
        number.
        """
        self._orders, self._tree = orders_of(constraints) if any(constraints) else None, tree
        walks = []
        for number, start in enumerate(starts):
            if self._measured is not None:
                told = (self._measured, rows, start, n_leaves, self._population, self._collective)
                walks.append(MeasuredWalk(self, *told).run())
                continue
            pieces = [
                LeafRows(
                    part_of_label(rows.label, piece),
                    None if rows.weight is None else rows.weight[piece],
                    start.predictions[:, piece],
                    start.leaf_of_row[piece],
                )
                for piece in (self.crew.row_slices(rows.n_rows) if self.groups is None else [slice(0, rows.n_rows)])
            ]
            kind = ExactWalk if self.params.leaf_estimation_method == "Exact" else LeafWalk
            walks.append(kind(self, pieces, n_leaves, (start.prediction_bound, start.top), number).run())
        return self._together(walks)

    def _together(self, walks: Sequence["Steps[Leaves]"]) -> list[Leaves]:
        """Take the walks to their ends; what they ask for at the same time is added up in one round."""
        leaves: dict[int, Leaves] = {}
        asked = {number: next(walk) for number, walk in enumerate(walks)}
        while asked:
            summed = self._collective.all_reduce(np.concatenate([mine.ravel() for mine in asked.values()]))
            edges = np.cumsum([mine.size for mine in asked.values()])[:-1]
            answers = zip(list(asked.items()), np.split(summed, edges), strict=True)
            for (number, mine), total in answers:
                try:
                    asked[number] = walks[number].send(total.reshape(mine.shape))
                except StopIteration as end:
                    leaves[number] = end.value
                    del asked[number]
        return [leaves[number] for number in range(len(walks))]

    def keep_leaves(self, pieces: Sequence[LeafRows], active: NDArray[np.bool_], place: str) -> list[LeafRows]:
        """Copy the rows of the active leaves (bool [n_leaves]) together, to memory that ``place`` names."""
        slot_of_leaf = np.where(active, np.arange(active.shape[0]), -1).astype(np.int32)
        scratch, kernels = self.crew.scratch, self.crew.kernels

        def keep(numbered: tuple[int, LeafRows]) -> LeafRows:
            number, piece = numbered
            name = f"of slice {number} {place}"
            n_rows = piece.leaf_of_row.shape[0]
            rows = scratch.array(f"moving rows {name}", (n_rows + 1,), np.uint32)
            leaves = scratch.array(f"moving leaves {name}", (n_rows + 1,), np.uint16)
            count = kernels.pick_rows(piece.leaf_of_row, slot_of_leaf, _ALL, 0, rows, leaves)
            rows, shape = rows[:count], (piece.predictions.shape[0], count)
            predictions = scratch.array(f"moving predictions {name}", shape, np.float64)
            for k in range(shape[0]):
                kernels.take_rows(piece.predictions[k], rows, predictions[k])
            label = scratch.array(f"moving labels {name}", (*piece.label.shape[:-1], count), np.float32)
            for source, target in zip(labels_of(piece.label), labels_of(label), strict=True):
                kernels.take_rows(source, rows, target)
            weight = None
            if piece.weight is not None:
                weight = scratch.array(f"moving weights {name}", (count,), np.float32)
                kernels.take_rows(piece.weight, rows, weight)
            return LeafRows(label, weight, predictions, leaves[:count])

        return self.crew.each(keep, list(enumerate(pieces)))

    def scales(self, bounds_of_start: tuple[float, float], point: NDArray[np.float64]) -> LeafScales:
        """Scales of everything at a point, float64 [n_leaves, dimension], from bounds of |predictions| and predictions at 0."""
        population = self._population
        objective = with_bounds(self.params.objective)
        size, top = bounds_of_start[0] + float(np.abs(point).max()), bounds_of_start[1]
        if objective.exponent is not None:
            top += objective.exponent.largest(point)
        bounds = objective.bounds(population.label_bound, size, top)
        n_rows, weight = population.n_rows, population.weight_bound
        return LeafScales(
            derivative=sum_scale(bounds.derivative * weight, n_rows),
            second_derivative=sum_scale(bounds.second_derivative * weight, n_rows),
            loss=sum_scale(bounds.loss * weight, n_rows),
            weight=sum_scale(weight, n_rows),
        )

    def own_sums(self, pieces: Sequence[LeafRows], shift: NDArray[np.float64], scales: LeafScales) -> NDArray[np.int64]:
        """Sums over some of this rank's rows at their predictions + ``shift`` (float64 [n_leaves, dimension])."""
        objective = with_bounds(self.params.objective)
        if isinstance(objective, Grouped):
            if self.groups is None:
                raise ValueError(f"{objective.name} needs groups")
            return self.groups.own_sums(pieces[0], shift, scales, self._tree)
        shape = (shift.shape[0], sum_columns(objective))

        def add(piece: LeafRows) -> Sums:
            sums = np.zeros(shape, np.int64)
            objective.add_leaf_sums(
                piece.label, piece.weight, piece.predictions, piece.leaf_of_row, shift, scales, sums, self.crew.kernels
            )
            return sums

        first, *others = self.crew.each(add, pieces)
        for sums in others:
            first += sums
        return first

    def read(self, total: NDArray[np.int64], scales: LeafScales) -> LeafSums:
        """Sums over the rows of all ranks."""
        first = 2 + self.params.objective.dimension
        return LeafSums(
            loss=int(total[0, 0]) / scales.loss if scales.loss else None,
            weight=total[:, 1] / (scales.weight or 1.0),
            first=total[:, 2:first] / (scales.derivative or 1.0),
            second=total[:, first:] / (scales.second_derivative or 1.0),
        )

    def step(self, sums: LeafSums, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """One step of every leaf, float64 [n_leaves, dimension] (CatBoost's online_predictor.h and hessian.cpp).

        ``weights`` are those of the walk's first sums, the only ones that were asked for.
        """
        if self.params.leaf_estimation_method == "Gradient":
            weight = weights[:, None]
            return np.divide(sums.first, weight + self._l2, out=np.zeros_like(sums.first), where=weight > 0)
        objective = self.params.objective
        if objective.second_order == "diagonal":
            curvature = self._l2 - sums.second
            # With hardly any l2 and no curvature left a step is too long; whoever takes it sees that.
            with np.errstate(over="ignore"):
                return np.divide(sums.first, curvature, out=np.zeros_like(sums.first), where=curvature > 0)
        step = np.zeros_like(sums.first)
        solve_leaves(sums.second, sums.first, (self._l2, _FLOAT32_EPSILON), step)
        return step

    @property
    def is_monotone(self) -> bool:
        """Whether the tree's values must be isotonic, so that leaves cannot be left to themselves."""
        return self._orders is not None

    def monotone(
        self, values: NDArray[np.float64], sums: LeafSums, weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The nearest values that the constraints allow, float64 [n_leaves, dimension] (CatBoost's approx_calcer.cpp).

        Each counts as its step's denominator does.
        """
        if self._orders is None:
            return values
        by_weight = self.params.leaf_estimation_method == "Gradient"
        counts = np.broadcast_to(weights[:, None], values.shape) if by_weight else -sums.second
        return self._orders.isotonic(values, np.maximum(counts + self._l2, _LEAST_COUNT))

    def put_in_order(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values that are monotone but for rounding, monotone in every bit."""
        return values if self._orders is None else self._orders.isotonic(values, np.ones_like(values))

    @property
    def _has_bounds(self) -> bool:
        """Whether the derivatives at one point bound those nearby."""
        objective = self.params.objective
        return objective.second_order == "diagonal" and math.isfinite(objective.curvature_change)

    def improves(self, step: NDArray[np.float64], sums: LeafSums) -> bool:
        """Whether the derivatives alone prove that a step lowers the loss.

        With H = −Σder2 and |third derivative| ≤ c·|second|, a step s changes a leaf's loss by at most −Σder·s + ½H·s²·e^(c|s|).
        """
        if not self._has_bounds or np.abs(step).max() > _LONGEST_PROVEN:
            return False
        gain, most = bound_gain(step, sums.first, sums.second, self.params.objective.curvature_change)
        return bool(most < (1.0 - _PROVEN_SHARE) * gain)

    def step_after(self, step: NDArray[np.float64], sums: LeafSums) -> NDArray[np.float64]:
        """Bound of |the step that would follow a step|, like it; inf where nothing can be said.

        With H = −Σder2, λ = l2 and |third derivative| ≤ c·|second|, a Newton step s = Σder / (H + λ) leaves a first
        derivative of at most |s|λ + ½c·H·s²·e^(c|s|), and a curvature of at least H·e^(−c|s|).
        """
        if self.params.leaf_estimation_method != "Newton" or not self._has_bounds:
            return np.full_like(step, math.inf)
        out = np.empty_like(step)
        bound_next_steps(step, sums.second, (self._l2, self.params.objective.curvature_change, _LONGEST_FORETOLD), out)
        return out


def sum_columns(objective: Objective | Grouped) -> int:
    """Columns of a leaf's sums: loss, weight, first derivatives, second derivatives (objectives/base.py)."""
    k = objective.dimension
    return 2 + k + (k if objective.second_order == "diagonal" else k * (k + 1) // 2)
