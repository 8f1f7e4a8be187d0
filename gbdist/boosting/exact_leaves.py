"""Values of a tree's leaves that are optimal for the rows as they stand: CatBoost's leaf_estimation_method "Exact".

For a quantile loss that is the weighted quantile of the leaf's residuals, CatBoost's (quantile.cpp, optimal_const_for_loss.h):
the first residual at which the weights up to it are α of all, moved by δ. It is found digit by digit in the order of all float64
numbers (``kernels.cpu_quantiles``): eight rounds for any number of rows, leaves and ranks, and exact. For LogCosh the median is
where a search for the root of the derivative begins, by Newton's steps as long as they stay in the bracket.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.leaf_rows import LeafRows, Leaves, Steps, Sums, WalkStart
from gbdist.boosting.rows import Rows
from gbdist.kernels import pointwise as kinds
from gbdist.kernels.cpu_quantiles import DIGIT_BITS, N_DIGITS
from gbdist.objectives.base import LeafScales, kernel_weight
from gbdist.objectives.pointwise import MultiQuantile, Pointwise

if TYPE_CHECKING:
    from gbdist.boosting.leaves import LeafEstimator

_KEY_BITS = 64
#: What CatBoost takes for equal sums of weights, and what rounding of α times their sum may come to, relative to it.
_EPSILON, _ROUNDING = Fraction(2) ** -52, Fraction(2) ** -50
#: The search for LogCosh ends with steps below this, CatBoost's APPROX_PRECISION, or after so many of them.
_PRECISION, _MOST_STEPS = 1e-9, 60


@dataclass(frozen=True, slots=True)
class QuantileRule:
    """Which quantile: α, the distance δ by which it is moved, and whether weights are divided by max(1, |label|)."""

    alpha: float
    delta: float
    relative: bool


def quantile_rules(objective: Any) -> tuple[QuantileRule, ...]:
    """The quantile that is optimal for each raw value of a loss, or near what is; none for losses without exact leaves."""
    if isinstance(objective, MultiQuantile):
        return tuple(QuantileRule(p, q, False) for _, p, q in objective.rules)
    if not isinstance(objective, Pointwise):
        return ()
    kind, p, q = objective.rule
    of_kind = {
        kinds.QUANTILE: QuantileRule(p, q, False),
        kinds.MAPE: QuantileRule(0.5, 0.0, True),
        kinds.LOG_COSH: QuantileRule(0.5, 0.0, False),
    }
    return (of_kind[kind],) if kind in of_kind else ()


class QuantileSearch:
    """The quantiles of some leaves, digit by digit; all arithmetic is of integers, units of weights."""

    def __init__(self, rule: QuantileRule, n_leaves: int, scale: float) -> None:
        self._rule, self._scale = rule, scale
        self._prefixes, self._below = np.zeros(n_leaves, np.uint64), [0] * n_leaves
        self._totals: list[int] = []
        self._equal = [0] * n_leaves
        self.shift = _KEY_BITS - DIGIT_BITS

    def own_sums(self, pieces: Sequence[LeafRows], keys: Sequence[Any], crew: Crew) -> Sums:
        """This rank's weights by the next digit, int64 [n_leaves, 256]."""

        def add(numbered: tuple[int, Any]) -> Sums:
            number, piece = numbered
            sums = np.zeros((self._prefixes.shape[0], N_DIGITS), np.int64)
            weights = (kernel_weight(piece.weight), piece.label, self._rule.relative)
            crew.kernels.add_key_digits(
                keys[number], piece.leaf_of_row, weights, self._prefixes, self.shift, self._scale, sums
            )
            return sums

        first, *others = crew.each(add, list(enumerate(pieces)))
        for sums in others:
            first += sums
        return first

    def hear(self, total: NDArray[np.int64]) -> None:
        """Take the next digit of every leaf, from the weights of all ranks."""
        if not self._totals:
            self._totals = [int(whole) for whole in total.sum(axis=1)]
        sums = np.cumsum(total, axis=1)
        digits = np.zeros(total.shape[0], np.uint64)
        for leaf, below in enumerate(self._below):
            if self._totals[leaf]:
                digit = int(np.searchsorted(sums[leaf], max(self._needed(leaf), 1) - below))
                digits[leaf], self._equal[leaf] = digit, int(total[leaf, digit])
                self._below[leaf] = below + int(sums[leaf, digit]) - self._equal[leaf]
        self._prefixes = (self._prefixes << np.uint64(DIGIT_BITS)) | digits
        self.shift -= DIGIT_BITS

    def _needed(self, leaf: int) -> int:
        """Weight at which the quantile is."""
        return math.ceil(self._target(leaf))

    def _target(self, leaf: int) -> Fraction:
        total = self._totals[leaf]
        return Fraction(self._rule.alpha) * total - _EPSILON * Fraction(self._scale) - _ROUNDING * total

    def values(self) -> NDArray[np.float64]:
        """The quantiles, float64 [n_leaves]; 0 of a leaf without weight."""
        sign = np.uint64(1 << 63)
        bits = np.where(self._prefixes & sign, self._prefixes ^ sign, ~self._prefixes)
        values = bits.view(np.float64).copy()
        alpha, delta = Fraction(self._rule.alpha), self._rule.delta
        for leaf, total in enumerate(self._totals):
            if not total:
                values[leaf] = 0.0
            elif delta > 0.0:
                above = self._below[leaf] + self._equal[leaf] * alpha >= self._target(leaf)
                values[leaf] += -delta if above else delta
        return values


class ExactWalk:
    """The exact values of one tree's leaves; see ``LeafWalk`` for what its methods yield."""

    def __init__(
        self,
        estimator: "LeafEstimator",
        pieces: Sequence[LeafRows],
        n_leaves: int,
        bounds_of_start: tuple[float, float],
        number: int,
    ) -> None:
        self._estimator, self._pieces, self._n_leaves = estimator, pieces, n_leaves
        self._bounds, self._number = bounds_of_start, number

    def run(self) -> Steps[Leaves]:
        """Find the quantiles, and for LogCosh the optimum near them."""
        estimator = self._estimator
        objective = estimator.params.objective
        rules = quantile_rules(objective)
        if not rules:
            raise ValueError(f"{objective.name} has no exact leaves")
        unmoved = np.zeros((self._n_leaves, len(rules)))
        unit = estimator.scales(self._bounds, unmoved).weight
        asked = LeafScales(derivative=0.0, second_derivative=0.0, loss=0.0, weight=unit)
        total = yield estimator.own_sums(self._pieces, unmoved, asked)
        weights = estimator.read(total, asked).weight
        searches = [QuantileSearch(rule, self._n_leaves, unit) for rule in rules]
        keys = [[self._keys(number, piece, k) for number, piece in enumerate(self._pieces)] for k in range(len(rules))]
        while searches[0].shift >= 0:
            own = [
                search.own_sums(self._pieces, each, estimator.crew) for search, each in zip(searches, keys, strict=True)
            ]
            for search, summed in zip(searches, (yield np.stack(own)), strict=True):
                search.hear(summed)
        values = np.stack([search.values() for search in searches], axis=1)
        if isinstance(objective, Pointwise) and objective.rule[0] == kinds.LOG_COSH:
            found = yield from self._root_near(values[:, 0], weights > 0.0)
            values = found.reshape(-1, 1)
        return Leaves(values, weights)

    def _keys(self, number: int, piece: LeafRows, dimension: int) -> Any:
        """Keys of the residuals of some rows in one dimension."""
        crew, name = self._estimator.crew, f"keys {dimension} of slice {number} of walk {self._number}"
        keys = crew.scratch.array(name, (piece.label.shape[0],), np.uint64)
        crew.kernels.residual_keys(piece.label, piece.predictions[dimension], keys)
        return keys

    def _root_near(self, values: NDArray[np.float64], weighted: NDArray[np.bool_]) -> Steps[NDArray[np.float64]]:
        """Where the derivative of each leaf is 0: it falls, so what it is at a point tells the side."""
        low, high = np.full_like(values, -math.inf), np.full_like(values, math.inf)
        reach = np.ones_like(values)
        for _ in range(_MOST_STEPS):
            scales = self._estimator.scales(self._bounds, values.reshape(-1, 1))
            asked = LeafScales(scales.derivative, scales.second_derivative, loss=0.0, weight=0.0)
            sums = self._estimator.read(
                (yield self._estimator.own_sums(self._pieces, values.reshape(-1, 1), asked)), asked
            )
            first, curvature = sums.first[:, 0], -sums.second[:, 0]
            low, high = np.where(first >= 0.0, values, low), np.where(first <= 0.0, values, high)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = np.where(first == 0.0, 0.0, first / curvature)
            step = np.clip(np.where(np.isfinite(step), step, np.sign(first) * reach), -reach, reach)
            moved = values + step
            outside = (moved <= low) | (moved >= high)
            with np.errstate(invalid="ignore"):
                moved = np.where(outside & np.isfinite(low + high), 0.5 * (low + high), moved)
            step = np.where(weighted, moved - values, 0.0)
            values, reach = values + step, 2.0 * reach
            if np.abs(step).max(initial=0.0) <= _PRECISION:
                break
        return values


def start_of_labels(estimator: "LeafEstimator", rows: Rows) -> NDArray[np.float64]:
    """Where ``boost_from_average`` starts: the exact value of one leaf of all rows, from 0, as CatBoost's float32.

    float64 [dimension]. A few rounds. ``rows`` lie where the estimator's crew works.
    """
    dimension = estimator.params.objective.dimension
    start = WalkStart(np.zeros((dimension, rows.n_rows)), np.zeros(rows.n_rows, np.uint16), 0.0)
    (leaves,) = estimator.estimate(rows, [start], 1)
    return np.asarray(leaves.values[0].astype(np.float32), np.float64)
