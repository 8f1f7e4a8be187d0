"""Histograms of single leaves, for trees whose leaves are split one by one (decision 0021).

Each leaf that may be split has its table, int64 [n_features, dimensions, width], in a *pool* of as many places as
``TABLE_BUDGET`` allows. Of two siblings the smaller one is counted; the other one is what is left of their parent, in the
parent's place. Where there are more leaves than places, some tables are let go, and the children of such leaves are both counted.
Sums are the same in either way, and all ranks have the same rounds, which follow from sums over all of them.
"""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting import histogram
from gbdist.boosting.collective import Collective
from gbdist.boosting.counting import Counted, RowPicker
from gbdist.boosting.crew import Crew
from gbdist.boosting.features import Block
from gbdist.boosting.histogram import LevelTable, add_up, bytes_of_leaf, counter_of, spans_of


@dataclass(frozen=True, slots=True)
class Siblings:
    """Children of one leaf, the left one under its number; the root has no sibling.

    ``right_is_smaller`` tells which one to count; tables are made of those that are ``wanted``, one at least.
    """

    left: int
    right: int | None
    right_is_smaller: bool
    wanted: tuple[int, ...]


@dataclass(frozen=True)
class LeafTable:
    """Summed histograms of some leaves for the features ``first … first + n_features − 1`` of a block.

    Parameters
    ----------
    cells : int64 [n_places, n, dimensions, width]
        The pool; ``offset`` says which of its n features is the first one here.
    leaves, places : int64 [n_leaves]
        Numbers of the leaves, and their places in the pool.
    complete : whether every rank holds the same features
    crew : works where the cells are
    """

    block: Block
    first: int
    n_features: int
    cells: NDArray[np.int64]
    offset: int
    leaves: NDArray[np.int64]
    places: NDArray[np.int64]
    complete: bool
    crew: Crew = field(repr=False)


@dataclass(frozen=True)
class _Pool:
    """A block of features, what counts its rows, and the pool of its leaves' tables."""

    block: Block
    counter: Any
    leaf_bytes: int
    cells: NDArray[np.int64]


class LeafTables:
    """Makes the tables of one tree; ``most_leaves`` is how many leaves may have theirs at a time."""

    def __init__(
        self,
        blocks: Sequence[Block],
        picker: RowPicker,
        collective: Collective,
        overlap: int,
        most_leaves: int,
        budget: int | None = None,
    ) -> None:
        self._collective, self._crew, self._wide = collective, picker.crew, picker.cells.scales.wide
        # Between ranks tables are added up, and lie, in the host's memory.
        self._at = self._crew if collective.size == 1 else self._crew.host
        half = (histogram.TABLE_BUDGET if budget is None else budget) // 2
        each = sum(block.rows.n_features * bytes_of_leaf(block, picker.cells) for block in blocks)
        #: Whether tables wait for the next step; where not even two fit, features go in spans that share their memory.
        self._keeps = 2 * each <= half
        self._n_spans = (overlap if collective.size > 1 else 1) if self._keeps else -(-2 * each // half)
        self._capacity = min(most_leaves, half // max(each, 1)) if self._keeps else 2
        self._pools = [self._pool(block, picker) for block in blocks if block.rows.n_features]
        self._free = list(range(self._capacity))
        self._place_of: dict[int, int] = {}
        self._dealt = False
        self._step = -1

    def _pool(self, block: Block, picker: RowPicker) -> _Pool:
        spans = spans_of(block.rows.n_features, 1 if self._keeps else self._n_spans)
        dimensions = picker.cells.values.shape[0]
        leaf_bytes = bytes_of_leaf(block, picker.cells)
        shape = (self._capacity, max(stop - start for start, stop in spans), dimensions, leaf_bytes // (8 * dimensions))
        cells = self._at.scratch.array(f"tables of leaves of {block.name}", shape, np.int64)
        return _Pool(block, counter_of(block, picker), leaf_bytes, cells)

    def let_go(self, leaf: int) -> None:
        """Forget the table of a leaf, if it has one."""
        place = self._place_of.pop(leaf, None)
        if place is not None:
            self._free.append(place)

    def tables(
        self, leaf_of_row: NDArray[np.uint16], n_leaves: int, siblings: Sequence[Siblings]
    ) -> Iterator[LeafTable]:
        """Yield tables of all wanted leaves; every rank yields as many. Each is valid until the next one is asked for.

        Parameters
        ----------
        leaf_of_row : uint16 [n], IN
            Below ``n_leaves``; rows have moved since the last call.
        siblings
            Those of leaves that had a table are made of it, which they take over.
        """
        self._step += 1
        waiting = deque(siblings)
        while waiting:
            yield from self._together(leaf_of_row, n_leaves, self._next(waiting))

    def _next(self, waiting: "deque[Siblings]") -> list[Siblings]:
        """Take as many as there are places for, one at least, for which others are let go."""
        if self._needed(waiting[0]) > len(self._free):
            wanted = max(self._needed(waiting[0]), min(sum(map(self._needed, waiting)), self._capacity // 2))
            self._make_room(wanted, waiting)
        taken, room = [waiting.popleft()], len(self._free)
        room -= self._needed(taken[0])
        while waiting and self._needed(waiting[0]) <= room:
            room -= self._needed(waiting[0])
            taken.append(waiting.popleft())
        return taken

    def _needed(self, siblings: Siblings) -> int:
        """Free places that siblings take."""
        return 1 if siblings.left in self._place_of else len(siblings.wanted)

    def _make_room(self, wanted: int, waiting: Collection[Siblings]) -> None:
        """Let tables go until so many places are free: first those that are not of the next parents, and latest ones first."""
        parents = dict.fromkeys(siblings.left for siblings in waiting)
        others = [leaf for leaf in self._place_of if leaf not in parents]
        for leaf in [*reversed(others), *reversed(list(parents)[1:])]:
            if len(self._free) >= wanted:
                return
            self.let_go(leaf)

    def _together(
        self, leaf_of_row: NDArray[np.uint16], n_leaves: int, siblings: Sequence[Siblings]
    ) -> Iterator[LeafTable]:
        counted, places, parents = self._planned(siblings)
        wanted = np.array([leaf for each in siblings for leaf in each.wanted], np.int64)
        at = np.array([self._place_of[leaf] for leaf in wanted.tolist()], np.int64)
        leaves = Counted(self._step, n_leaves, counted)
        for pool, start, summed in self._summed(leaf_of_row, leaves):
            offset, n_features = summed.first - start, summed.cells.shape[0]

            def place(piece: slice, pool: _Pool = pool, offset: int = offset, summed: LevelTable = summed) -> None:
                first = offset + piece.start
                summed.crew.kernels.place_children(summed.cells[piece], first, places, parents, pool.cells)

            if n_features:
                with self._crew.stage("histograms"):
                    summed.crew.each(place, summed.crew.feature_slices(n_features))
            yield LeafTable(
                pool.block, summed.first, n_features, pool.cells, offset, wanted, at, summed.complete, summed.crew
            )
        keep = set(wanted.tolist()) if self._keeps else set()
        for each in siblings:
            for leaf in (each.left, each.right):
                if leaf is not None and leaf not in keep:
                    self.let_go(leaf)

    def _planned(self, siblings: Sequence[Siblings]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Which leaves to count, where their tables go, and where those of their parents are, −1 for none: int64 [n_counted]."""
        plan: list[tuple[int, int, int]] = []
        for each in siblings:
            parent = self._place_of.pop(each.left, None)
            if parent is None or each.right is None:
                for leaf in each.wanted:
                    self._place_of[leaf] = self._free.pop()
                    plan.append((leaf, self._place_of[leaf], -1))
                continue
            small, large = (each.right, each.left) if each.right_is_smaller else (each.left, each.right)
            self._place_of[small], self._place_of[large] = self._free.pop(), parent
            plan.append((small, self._place_of[small], parent))
        counted, places, parents = np.array(plan, np.int64).T
        return np.ascontiguousarray(counted), np.ascontiguousarray(places), np.ascontiguousarray(parents)

    def _summed(self, leaf_of_row: NDArray[np.uint16], leaves: Counted) -> Iterator[tuple[_Pool, int, LevelTable]]:
        """Tables of the counted leaves, summed over the ranks, with the feature that their pool begins with.

        Small ones of all blocks are summed whole in one round, as long as none was dealt.
        """
        n_counted, collective = leaves.leaves.shape[0], self._collective
        n_bytes = sum(pool.block.rows.n_features * pool.leaf_bytes for pool in self._pools) * n_counted
        whole = self._keeps and not self._dealt and n_bytes <= histogram.ALL_REDUCE_BYTES
        if collective.size > 1 and whole:
            with self._crew.stage("histograms"):
                mine = [
                    self._begin(pool, leaf_of_row, leaves, (0, pool.block.rows.n_features), 0)() for pool in self._pools
                ]
            if not mine:
                return
            summed = collective.all_reduce(np.concatenate([table.ravel() for table in mine]), halves=not self._wide)
            edges = np.cumsum([table.size for table in mine])[:-1]
            for pool, table, cells in zip(self._pools, mine, np.split(summed, edges), strict=True):
                yield pool, 0, LevelTable(0, cells.reshape(table.shape), True, self._at)
            return
        self._dealt = collective.size > 1
        jobs = [
            (pool, i, span)
            for pool in self._pools
            for i, span in enumerate(spans_of(pool.block.rows.n_features, self._n_spans))
        ]
        ahead = [self._begin(pool, leaf_of_row, leaves, span, i) for pool, i, span in jobs] if self._keeps else None
        for number, (pool, _, span) in enumerate(jobs):
            with self._crew.stage("histograms"):
                counted = (self._begin(pool, leaf_of_row, leaves, span, 0) if ahead is None else ahead[number])()
            table = add_up(counted, span[0], 0, collective, self._crew, wide=self._wide)
            yield pool, 0 if self._keeps else span[0], table

    @staticmethod
    def _begin(
        pool: _Pool, leaf_of_row: NDArray[np.uint16], leaves: Counted, span: tuple[int, int], number: int
    ) -> Any:
        return pool.counter.begin(leaf_of_row, leaves, span, f"{pool.block.name} {number}")
