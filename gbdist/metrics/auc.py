"""Area under the ROC curve by radix refinement, the same for any number of ranks, to 1e-4.

A score becomes a 52-bit integer that grows with it. The first round adds up the positive and the negative weight of each
value of its top bits. Pairs in different cells are ordered; pairs within a cell are taken for half right. That is wrong by
at most U = ½ Σ positive × negative weight of the cells. While U is above 1e-4 of all pairs, the cells that matter are cut
by the next bits, in a round of their own, which also proves cells whose scores are all equal (where half is exact). So a
value is off by less than 1e-4, nearly always by far less, and a run costs one round, or two where few scores are distinct.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import cpu_metrics
from gbdist.metrics.base import Scored
from gbdist.metrics.sums import Rounds, Weighting, sum_scale, together, weighting

TOLERANCE = 1e-4
_IMAGE_BITS = 52
_FIRST_BITS = 14
_I8 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AUC:
    """Area under the curve of class ``positive`` against the others, −1: of labels that are probabilities.

    With several classes the score is the softmax probability, as in CatBoost, whatever the loss.
    """

    name: str
    use_weights: bool
    skip_train: bool
    positive: int = -1
    first_bits: int = _FIRST_BITS
    is_max_optimal: ClassVar[bool] = True

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        scored = scored.on_host()
        rows = yield from weighting(scored, self.use_weights)

        def ordered() -> _Ordered:
            score = scored.predictions[0]
            if self.positive >= 0:
                score = np.empty(scored.label.shape[0])
                cpu_metrics.class_log_odds(scored.predictions, self.positive, score)
            return scored.label, rows.weight, score

        curve = _Curve(ordered, rows.total, (self.positive, -1), self.first_bits)
        pairs_right, pairs = yield from curve.rounds()
        if pairs > 0.0:
            return pairs_right / pairs
        return math.nan if rows.total == 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class AUCMu:
    """AUC-µ (Kleiman and Page 2019), CatBoost's default for several classes: the mean over the pairs of classes.

    A pair of which one class has no rows counts as 0, as in CatBoost's auc_mu.cpp.
    """

    name: str
    use_weights: bool
    skip_train: bool
    n_classes: int
    first_bits: int = _FIRST_BITS
    is_max_optimal: ClassVar[bool] = True

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``."""
        scored = scored.on_host()
        rows = yield from weighting(scored, self.use_weights)
        total = np.zeros(scored.label.shape[0])
        for row in scored.predictions:
            total += row
        classes = scored.label.astype(np.uint16)  # 16 bits: numpy sorts those by radix
        by_class = np.argsort(classes, kind="stable")
        ends = np.searchsorted(classes[by_class], np.arange(self.n_classes + 1))
        rows_of = [by_class[ends[k] : ends[k + 1]] for k in range(self.n_classes)]
        curves = []
        for i in range(self.n_classes):
            for j in range(i + 1, self.n_classes):
                ordered = _pair(scored, rows, total, np.concatenate([rows_of[i], rows_of[j]]), i, j)
                curves.append(_Curve(ordered, rows.total, (j, i), self.first_bits).rounds())
        areas = yield from together(curves)
        value = 0.0
        for pairs_right, pairs in areas:
            value += pairs_right / pairs if pairs > 0.0 else 0.0
        return value / len(curves) if rows.total > 0.0 else math.nan


def _pair(
    scored: Scored, rows: Weighting, total: NDArray[np.float64], of_pair: NDArray[np.int64], i: int, j: int
) -> Callable[[], "_Ordered"]:
    """Rows of two classes, by the difference of what the other classes add up to (auc_mu.cpp); ``total`` is of them all."""

    def ordered() -> _Ordered:
        weight = rows.weight[of_pair] if rows.weight.shape[0] else rows.weight
        of_all = total[of_pair]
        score = (of_all - scored.predictions[i][of_pair]) - (of_all - scored.predictions[j][of_pair])
        return scored.label[of_pair], weight, score

    return ordered


_Ordered = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]
_Area = tuple[float, float]
_AreaRounds = Generator[_I8, _I8, _Area]


@dataclass(frozen=True, slots=True)
class _Curve:
    """One curve: positive and negative rows by ``classes`` (see ``reference_metrics``).

    ``ordered`` makes label, weight and score of the rows anew in each round that reads them, so that many curves do not
    hold their scores while they wait. ``total`` is the weight over all ranks.
    """

    ordered: Callable[[], _Ordered]
    total: float
    classes: tuple[int, int]
    first_bits: int

    def rounds(self) -> _AreaRounds:
        """Return (weight of the pairs in the right order, weight of all pairs), in squared fixed-point units."""
        cells = (yield self._first_cells().ravel()).reshape(-1, 2)
        right, half = _areas(cells, self.first_bits)
        pairs, within = 2.0 * half, _pairs_within(cells)
        refinement = _Refinement(TOLERANCE * pairs, _in_order(within))
        slots = refinement.choose(within)
        if slots is None:
            return right, pairs
        left = _IMAGE_BITS - self.first_bits
        gained = yield from refinement.refine(self._rows_of_slots(slots), left, int(slots.max()) + 1)
        return right + gained, pairs

    def _first_cells(self) -> _I8:
        cells = np.zeros((1 << self.first_bits, 2), np.int64)
        left, scale = _IMAGE_BITS - self.first_bits, sum_scale(self.total)
        cpu_metrics.add_score_histogram(*self.ordered(), self.classes, scale, left, cells)
        return cells

    def _rows_of_slots(self, slots: NDArray[np.int32]) -> _I8:
        label, weight, score = self.ordered()
        left, scale = _IMAGE_BITS - self.first_bits, sum_scale(self.total)
        taken = np.empty((cpu_metrics.count_scores(score, left, slots) + 1, 4), np.int64)
        count = cpu_metrics.take_scores(label, weight, score, self.classes, scale, left, slots, taken)
        return taken[:count]


class _Refinement:
    """Cuts the cells that matter until what is not known of their pairs is below the tolerance."""

    def __init__(self, tolerance: float, unknown: float) -> None:
        self._tolerance = tolerance
        self._unknown = unknown

    def choose(self, within: NDArray[np.float64]) -> NDArray[np.int32] | None:
        """Number the cells to cut: int32 [n_cells], −1 for the others; None when enough is known.

        ``within`` float64 [n_cells] is what is not known of each cell, half its pairs. The largest are cut, ties by
        number, until the others together take no more than half of what tolerance is left.
        """
        if self._unknown <= self._tolerance:
            return None
        current = _in_order(within)
        room = 0.5 * (self._tolerance - (self._unknown - current))
        order = np.argsort(-within, kind="stable")
        ascending = within[order[::-1]]
        dropped = int(np.searchsorted(np.cumsum(ascending), room, side="right"))
        chosen = np.sort(order[: order.shape[0] - dropped])
        slots = np.full(within.shape[0], -1, np.int32)
        slots[chosen] = np.arange(chosen.shape[0], dtype=np.int32)
        self._unknown = (self._unknown - current) + _in_order(ascending[:dropped])
        return slots

    def refine(self, taken: _I8, left: int, n_slots: int) -> Generator[_I8, _I8, float]:
        """Cut ``n_slots`` cells, whose rows are ``taken``, by the ``left`` bits; return what is gained over half right."""
        gained = 0.0
        while True:
            bits = min(left, max(2, _FIRST_BITS - n_slots.bit_length()))
            cells, ties = np.zeros((n_slots << bits, 2), np.int64), np.zeros((n_slots, 9), np.int64)
            cpu_metrics.add_taken_cells(taken, left, bits, cells, ties)
            sums = yield np.concatenate([cells.ravel(), ties.ravel()])
            cells, ties = sums[: cells.size].reshape(-1, 2), sums[cells.size :].reshape(-1, 9)
            within = _pairs_within(cells)
            left -= bits
            if left == 0:
                within[:] = 0.0
            for slot, slot_ties in enumerate(ties.tolist()):
                if _all_equal(slot_ties):
                    within[slot << bits : (slot + 1) << bits] = 0.0
            right, half = _areas(cells, bits)
            gained += right - half
            self._unknown += _in_order(within)
            slots = self.choose(within)
            if slots is None:
                return gained
            kept = np.empty((taken.shape[0] + 1, 4), np.int64)
            count = cpu_metrics.keep_taken(taken, left + bits, bits, slots, kept)
            taken, n_slots = kept[:count], int(slots.max()) + 1


def _all_equal(ties: list[int]) -> bool:
    """Whether all rows of a slot have the same bits left: n Σh² = (Σh)² for each limb h, in Python's integers."""
    n = ties[0]
    return all(n * squares == total * total for total, squares in zip(ties[1:5], ties[5:9], strict=True))


def _areas(cells: _I8, slot_bits: int) -> _Area:
    """Pairs in the right order, and half of all pairs, within slots of 2^slot_bits cells."""
    area = np.zeros(2)
    cpu_metrics.add_areas(cells, slot_bits, area)
    return float(area[0]), float(area[1])


def _pairs_within(cells: _I8) -> NDArray[np.float64]:
    """Half of the pairs within each cell, float64 [n_cells]."""
    up, down = cells[:, 0].astype(np.float64), cells[:, 1].astype(np.float64)
    return np.asarray(0.5 * up * down, dtype=np.float64)


def _in_order(values: NDArray[np.float64]) -> float:
    """Sum in one order on every machine: the decision to go on must be the same on all ranks."""
    return float(np.cumsum(values)[-1]) if values.shape[0] else 0.0
