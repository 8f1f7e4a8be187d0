"""Groups of a rank's rows, and what a loss of ranking makes of them: derivatives and leaf sums, group by group."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.leaf_rows import LeafRows
from gbdist.boosting.rows import Rows
from gbdist.objectives.base import LeafScales, kernel_scales, kernel_weight
from gbdist.objectives.grouped import GroupBounds, Grouped, GroupParts, GroupRows
from gbdist.quantize.groups import group_starts

Result = TypeVar("Result")

_NO_KEYS = np.empty(0, np.uint64)
_RECORD = struct.Struct("<qd")


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Groups of rows, in the host's memory.

    Parameters
    ----------
    starts : int64 [n_groups + 1]
        Where each starts, and where the last one ends.
    first_rows : uint64 [n_groups]
        Numbers of their first rows in the whole data set.
    pair_starts : int64 [n_groups + 1] or None
        Where the given pairs of each start; None without any.
    """

    starts: NDArray[np.int64]
    first_rows: NDArray[np.uint64]
    pair_starts: NDArray[np.int64] | None

    @classmethod
    def of(cls, rows: Rows) -> "Groups":
        """The groups of a rank's rows; rows without groups are one group each."""
        begins = np.arange(rows.n_rows) if rows.group is None else group_starts(rows.group)
        starts = np.append(begins, rows.n_rows).astype(np.int64)
        pairs = None
        if rows.pairs is not None:
            group_of_pair = np.searchsorted(starts, rows.pairs.winner, side="right") - 1
            pairs = np.searchsorted(group_of_pair, np.arange(len(starts))).astype(np.int64)
        return cls(starts, rows.numbers()[begins], pairs)

    @property
    def largest(self) -> int:
        """Rows of the largest one."""
        return int(np.diff(self.starts).max(initial=0))


def bounds_of(rows: Rows, groups: Groups, collective: Collective) -> GroupBounds:
    """Facts of the groups of all ranks; a round."""
    weight = 0.0
    if rows.pairs is not None:
        of_row = np.zeros(rows.n_rows)
        for side in (rows.pairs.winner, rows.pairs.loser):
            np.add.at(of_row, side, rows.pairs.weight.astype(np.float64))
        weight = float(of_row.max(initial=0.0))
    told = [_RECORD.unpack(record) for record in collective.all_gather(_RECORD.pack(groups.largest, weight))]
    largest, weights = zip(*told, strict=True)
    # Sums of a row's pairs depend on their order in the last bit.
    return GroupBounds(max(1, *largest), max(weights) * (1.0 + 1e-9))


class GroupWork:
    """A loss of ranking at work on a rank's training rows, which lie where the crew works."""

    def __init__(self, objective: Grouped, rows: Rows, groups: Groups, seed: int, crew: Crew) -> None:
        self._objective, self._rows, self._groups, self._seed, self._crew = objective, rows, groups, seed, crew
        self._starts, self._first_rows = crew.load(groups.starts), crew.load(groups.first_rows)
        pairs = rows.pairs
        self._pairs = None
        self._pair_starts = None
        if pairs is not None and groups.pair_starts is not None:
            listed = (pairs.winner, pairs.loser, pairs.weight)
            # A kernel of a card cannot be given an array without elements.
            winner, loser, weight = (crew.load(each if len(each) else np.zeros(1, each.dtype)) for each in listed)
            self._pairs = (winner, loser, weight)
            self._pair_starts = crew.load(groups.pair_starts)
        n_rows = rows.n_rows
        self._scratch = tuple(crew.empty((n_rows,), kind) for kind in (np.float64, np.float64, np.int32))
        first, second = (crew.empty((n_rows,), np.float64) for _ in range(2))
        losses = crew.zeros((len(groups.first_rows),), np.float64)
        self._parts = GroupParts(first, second, crew.empty((n_rows,), np.float32), losses)
        self._moved = crew.empty((n_rows,), np.float64)

    @property
    def counts(self) -> NDArray[np.float32] | None:
        """What each row counted for in the last derivatives, float32 [n]: the weights of its pairs; None: its weight."""
        return self._parts.count if self._objective.counts_pairs else None

    def derivatives(self, predictions: NDArray[np.float64], out: NDArray[np.float64], tree: int) -> None:
        """Write the derivatives by which tree number ``tree`` is grown; ``predictions`` IN and ``out`` OUT are [1, n]."""
        parts = GroupParts(out[0], self._parts.second, self._parts.count, self._parts.loss)
        keys = self._keys(Purpose.PAIRS_OF_STRUCTURE, tree)
        self._each(lambda some, _: self._write(some, (predictions[0],) * 2, parts, keys, with_loss=False))

    def own_sums(self, whole: LeafRows, shift: NDArray[np.float64], scales: LeafScales, tree: int) -> NDArray[np.int64]:
        """Sums over this rank's rows at their predictions + ``shift``, int64 [n_leaves, 4], for tree number ``tree``.

        As ``Objective.add_leaf_sums`` adds them; what is scaled out is 0.
        """
        keys, kernels = self._keys(Purpose.PAIRS_OF_LEAVES, tree), self._crew.kernels
        predictions, leaf_of_row = whole.predictions, whole.leaf_of_row
        steps, units = np.ascontiguousarray(shift[:, 0]), kernel_scales(scales)
        there = self._crew.load(steps)

        def add(some: slice, rows: slice) -> NDArray[np.int64]:
            sums = np.zeros((shift.shape[0], 4), np.int64)
            if rows.start == rows.stop:
                return sums
            leaves, weight = leaf_of_row[rows], kernel_weight(self._rows.weight)
            kernels.shift_predictions(predictions[0, rows], leaves, there, self._moved[rows])
            with_loss = scales.loss != 0.0
            self._write(some, (predictions[0], self._moved), self._parts, keys, with_loss=with_loss)
            first, second = self._parts.first[rows], self._parts.second[rows]
            kernels.add_row_leaf_sums(first, second, weight[rows] if weight.shape[0] else weight, leaves, units, sums)
            if with_loss:
                kernels.add_group_losses(self._parts.loss[some], scales.loss, sums)
            return sums

        first, *others = self._each(add)
        for sums in others:
            first += sums
        return first

    def centred(self, values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Leaf values less their weighted mean, where only their differences count (CatBoost's NormalizeLeafValues).

        ``values`` are float64 [n_leaves, 1], ``weights`` float64 [n_leaves]. Leaves without weight stay as they are.
        """
        if not self._objective.counts_pairs:
            return values
        total = math.fsum(weights.tolist())
        mean = math.fsum((values[:, 0] * weights).tolist()) / total if total > 0.0 else 0.0
        return np.where(weights[:, None] > 0.0, values - mean, values)

    def _write(
        self,
        some: slice,
        predictions: tuple[NDArray[np.float64], NDArray[np.float64]],
        parts: GroupParts,
        keys: NDArray[np.uint64],
        *,
        with_loss: bool,
    ) -> None:
        """Write what a slice of the groups has at the second ``predictions``; pairs are drawn by the first."""
        starts = slice(some.start, some.stop + 1)
        if some.start == some.stop:
            return
        rows = GroupRows(
            label=self._rows.label,
            weight=self._rows.weight,
            starts=self._starts[starts],
            ranked_by=predictions[0],
            prediction=predictions[1],
            first_rows=self._first_rows[some],
            draw_keys=keys,
            pairs=self._pairs,
            pair_starts=None if self._pair_starts is None else self._pair_starts[starts],
            scratch=self._scratch,  # type: ignore[arg-type]
        )
        of_groups = GroupParts(parts.first, parts.second, parts.count, parts.loss[some])
        self._objective.write(rows, of_groups, with_loss=with_loss, kernels=self._crew.kernels)

    def _keys(self, purpose: Purpose, tree: int) -> NDArray[np.uint64]:
        draws = range(self._objective.n_draws)
        return np.array([key_of(self._seed, purpose, tree, draw) for draw in draws], np.uint64) if draws else _NO_KEYS

    def _each(self, work: Callable[[slice, slice], Result]) -> list[Result]:
        """Do work for slices of the groups, given with the slices of their rows."""
        return self._crew.each(lambda pair: work(*pair), self._slices())

    def _slices(self) -> Sequence[tuple[slice, slice]]:
        starts = self._groups.starts
        edges = [0, *(piece.stop for piece in self._crew.row_slices(self._rows.n_rows))]
        cuts = np.searchsorted(starts, edges).tolist()
        return [(slice(a, b), slice(int(starts[a]), int(starts[b]))) for a, b in pairwise(cuts)]
