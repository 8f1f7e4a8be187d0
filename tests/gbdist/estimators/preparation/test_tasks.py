"""Rows that are cut out of what a task has left are copies, in their order."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.rows import Rows
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape, Shard, Shards, arena_of, assemble
from gbdist.estimators.preparation.tasks import cut_rows
from gbdist.quantize.cells import BINS
from gbdist_cluster.shards import ShardHandle

ROW = RowShape(2, BINS, weighted=True, dimension=1, hashed=(2,), n_labels=2)
GAP = 7  # rows of another rank between two pieces


def handle_of(sizes: Sequence[int], order: Sequence[int]) -> ShardHandle:
    """What a task leaves that has quantized pieces of these sizes, listed in any order; every row has values of its own."""
    spec = ArenaSpec("cut", sum(sizes), ROW, grouped=True)
    shards, start = [], 0
    for number, size in enumerate(sizes):
        rows = np.arange(start, start + size) + GAP * number
        shard = Shard(arena_of(spec), start, size, start + GAP * number)
        shard.cells[...] = rows, rows + 100
        shard.label[...] = rows, -rows
        shard.weight[...] = rows + 0.5
        shard.baseline[...] = rows * 0.25
        shard.group[...] = rows // 3
        shard.hashes[...] = rows + 2**31
        shards.append(shard)
        start += size
    return ShardHandle(Shards(shards[number] for number in order))


def assembled(shards: Sequence[Shard]) -> Rows:
    return assemble(shards, ROW)


def numbers_of(rows: Rows) -> list[int]:
    """Global numbers of some rows."""
    return [
        number for each in rows.segments for number in range(each.first_row, each.first_row + each.stop - each.start)
    ]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_cut_rows_are_those_of_a_slice(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5))
    order = data.draw(st.permutations(range(len(sizes))))
    start = data.draw(st.integers(0, sum(sizes) - 1))
    stop = data.draw(st.integers(start + 1, sum(sizes)))
    handle = handle_of(sizes, order)
    whole, found = assembled(handle.shard), assembled(cut_rows(handle, start, stop).shard)
    assert numbers_of(found) == numbers_of(whole)[start:stop]
    for name in ("bins", "label", "weight", "baseline", "group"):
        assert np.array_equal(getattr(found, name), getattr(whole, name)[..., start:stop]), name
    assert np.array_equal(found.unbinned[0].values, whole.unbinned[0].values[start:stop])


def test_cut_rows_do_not_keep_the_others() -> None:
    handle = handle_of([50, 30], [0, 1])
    cut = cut_rows(handle, 49, 52).shard
    assert [shard.n_rows for shard in cut] == [1, 2]
    assert [shard.arena.cells.shape for shard in cut] == [(2, 1), (2, 2)]
    before = [shard.label.copy() for shard in cut]
    for shard in handle.shard:
        shard.label[...] = -1
    assert all(np.array_equal(shard.label, label) for shard, label in zip(cut, before, strict=True))
