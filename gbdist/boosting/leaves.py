"""Values of a tree's leaves: Newton or gradient steps on global sums, with CatBoost's backtracking (or ``exact_leaves``).

The walk is that of CatBoost's gradient_walker.h: a step that does not improve the loss is halved, and each try counts as an
iteration. Where derivatives prove that a step improves the loss, the loss is not computed. Every try costs one pass over the
rows and one round. Leaves whose step after the next would be below ``SETTLED`` take the next one as their last, and their rows
are left out of the passes that follow (docs/decisions/0011).

"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.exact_leaves import ExactWalk
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.groups import GroupWork
from gbdist.boosting.leaf_rows import LeafRows, LeafSums, Leaves, Steps, Sums, WalkStart
from gbdist.boosting.measured import MeasuredLoss, MeasuredWalk
from gbdist.boosting.monotone import Orders, orders_of
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows, labels_of, part_of_label
from gbdist.kernels.cpu_leaves import bound_gain, bound_next_steps, find_settled, solve_leaves
from gbdist.objectives.base import LeafScales, Objective, with_bounds
from gbdist.objectives.grouped import Grouped

#: A leaf has settled when the step after its next one would be below this, or below this share of its value
SETTLED = 2.0**-22
#: steps above this are not foretold
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
            kind = ExactWalk if self.params.leaf_estimation_method == "Exact" else _Walk
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


_NOTHING = LeafSums(None, np.empty(0), np.empty((0, 0)), np.empty((0, 0)))


class _Walk:
    """The walk of one tree's leaves: where they stand, which of them still move, and whose rows are passed over.

    Its methods stop wherever sums over all ranks are needed: they yield this rank's, and are sent the total.
    """

    def __init__(
        self,
        estimator: LeafEstimator,
        pieces: Sequence[LeafRows],
        n_leaves: int,
        bounds_of_start: tuple[float, float],
        number: int,
    ) -> None:
        params = estimator.params
        self._estimator, self._pieces, self._bounds, self._number = estimator, pieces, bounds_of_start, number
        self._tries, self._tried, self._turn = params.leaf_estimation_iterations, 0, 0
        self._backtracks = self._tries > 1 and params.leaf_estimation_backtracking == "AnyImprovement"
        self._point = np.zeros((n_leaves, params.objective.dimension))
        self._active = np.ones(n_leaves, np.bool_)
        self._sums, self._weights = _NOTHING, _NOTHING.weight

    def run(self) -> "Steps[Leaves]":
        """Walk until the tries are used up or all leaves have settled."""
        # Where improvement cannot be proven the loss is needed; with the other sums it costs no pass of its own.
        unproven = self._backtracks and not math.isfinite(self._estimator.params.objective.curvature_change)
        self._sums = yield from self._sums_at(self._point, with_loss=unproven)
        self._weights = self._sums.weight
        while self._tried < self._tries:
            step = self._estimator.step(self._sums, self._weights)
            if self._estimator.is_monotone:
                step = self._estimator.monotone(self._point + step, self._sums, self._weights) - self._point
            elif self._estimator.groups is None:  # else rows of other leaves count too
                self._settle(step)
            if not self._active.any():
                break
            step = step * self._active[:, None]
            goes_on = yield from (self._go_if_better(step) if self._backtracks else self._go(step))
            if not goes_on:
                break
        values, groups = self._estimator.put_in_order(self._point), self._estimator.groups
        return Leaves(values if groups is None else groups.centred(values, self._weights), self._weights)

    def _go(self, step: NDArray[np.float64]) -> "Steps[bool]":
        self._tried += 1
        self._point = self._point + step
        if self._is_beyond(self._point):
            return False  # whoever takes such a step sees it
        if self._tried < self._tries:
            self._sums = yield from self._sums_at(self._point)
        return True

    def _go_if_better(self, step: NDArray[np.float64]) -> "Steps[bool]":
        """Take the step, or the largest of its halves that improves the loss; False if none did before the tries ended."""
        if self._estimator.improves(step, self._sums):
            return (yield from self._go(step))
        if self._sums.loss is None:
            here = yield from self._sums_at(self._point, loss_alone=True)
            self._sums = replace(self._sums, loss=here.loss)
        while self._tried < self._tries:
            self._tried += 1
            trial = self._point + step
            if self._is_beyond(trial):
                step = step / 2.0
                continue
            sums = yield from self._sums_at(trial, with_loss=True)
            if sums.loss is not None and self._sums.loss is not None and sums.loss < self._sums.loss:
                self._point, self._sums = trial, sums
                return True
            step = step / 2.0
        return False

    def _is_beyond(self, point: NDArray[np.float64]) -> bool:
        """Whether e^prediction may be no number at a point of an exponential loss."""
        objective = self._estimator.params.objective
        exponent = objective.exponent
        return exponent is not None and self._bounds[1] + exponent.largest(point) > objective.largest_prediction

    def _settle(self, step: NDArray[np.float64]) -> None:
        """Let leaves that will hardly move after this step take it, and leave them out, where that saves half of the rows."""
        if self._tries == 1:
            return
        settled = np.empty_like(self._active)
        find_settled(step, self._estimator.step_after(step, self._sums), self._point, self._active, SETTLED, settled)
        if not settled.any():
            return
        saved, whole = (math.fsum(self._weights[which].tolist()) for which in (settled, self._active))
        if 2.0 * saved < whole:
            return
        self._point = self._point + step * settled[:, None]
        self._active &= ~settled
        self._turn += 1
        place = f"of walk {self._number} in turn {self._turn % 2}"
        self._pieces = self._estimator.keep_leaves(self._pieces, self._active, place)
        self._sums = replace(self._sums, loss=None)  # losses are compared over the same rows

    def _sums_at(
        self, point: NDArray[np.float64], *, with_loss: bool = False, loss_alone: bool = False
    ) -> "Steps[LeafSums]":
        """Sums at a point: weights are asked for once, derivatives as long as there is a try to come."""
        scales = self._estimator.scales(self._bounds, point)
        ahead = self._tried < self._tries and not loss_alone
        asked = LeafScales(
            derivative=scales.derivative if ahead else 0.0,
            second_derivative=scales.second_derivative if ahead else 0.0,
            loss=scales.loss if with_loss or loss_alone else 0.0,
            weight=scales.weight if self._tried == 0 else 0.0,
        )
        total = yield self._estimator.own_sums(self._pieces, point, asked)
        return self._estimator.read(total, asked)


def sum_columns(objective: Objective | Grouped) -> int:
    """Columns of a leaf's sums: loss, weight, first derivatives, second derivatives (objectives/base.py)."""
    k = objective.dimension
    return 2 + k + (k if objective.second_order == "diagonal" else k * (k + 1) // 2)
