"""The walk to the values of a tree's leaves, with CatBoost's backtracking.

It is that of CatBoost's gradient_walker.h: a step that does not improve the loss is halved, and each try counts as an iteration.
Where derivatives prove that a step improves the loss, the loss is not computed. Every try costs one pass over the rows and one
round. Leaves whose step after the next would be below ``SETTLED`` take the next one as their last, and their rows are left out
of the passes that follow (docs/decisions/0011).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.leaf_rows import LeafRows, LeafSums, Leaves, Steps
from gbdist.kernels.cpu_leaves import find_settled
from gbdist.objectives.base import LeafScales

if TYPE_CHECKING:
    from gbdist.boosting.leaves import LeafEstimator

#: A leaf has settled when the step after its next one would be below this, or below this share of its value
SETTLED = 2.0**-22
_NOTHING = LeafSums(None, np.empty(0), np.empty((0, 0)), np.empty((0, 0)))


class LeafWalk:
    """The walk of one tree's leaves: where they stand, which of them still move, and whose rows are passed over.

    Its methods stop wherever sums over all ranks are needed: they yield this rank's, and are sent the total.
    """

    def __init__(
        self,
        estimator: "LeafEstimator",
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
