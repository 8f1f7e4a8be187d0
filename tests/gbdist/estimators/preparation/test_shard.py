"""Shards of a rank share one matrix, and are put together the same way when they do not."""

import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from gbdist.boosting.rows import Segment, UnbinnedColumn
from gbdist.estimators.preparation.shard import ArenaSpec, Shard, arena_of, assemble

SPEC = ArenaSpec(
    key="test", n_rows=10, n_features=3, wide=False, weighted=True, dimension=2, grouped=True, hashed=(2, 5)
)


def fill(spec: ArenaSpec) -> list[Shard]:
    """Rows 0…3, 4…5 and 20…23 of a data set, every cell another number."""
    shards = []
    for start, n_rows, first_row in ((0, 4, 0), (4, 2, 4), (6, 4, 20)):
        rows = np.arange(first_row, first_row + n_rows)
        words = UnbinnedColumn(1, "text", pa.array([f"word {row}" for row in rows], pa.large_string()))
        vectors = UnbinnedColumn(4, "embedding", np.outer(rows, [1, -1]).astype(np.float32))
        shard = Shard(arena_of(spec), start, n_rows, first_row, (words, vectors))
        shard.bins[...] = rows + 30 * np.arange(3)[:, None]
        shard.label[...] = rows
        shard.weight[...] = rows + 0.5
        shard.baseline[...] = [rows, -rows]
        shard.group[...] = rows // 2
        shard.hashes[...] = [rows, rows + 2**31]
        shards.append(shard)
    return shards


def test_shards_of_one_arena_are_put_together_without_a_copy() -> None:
    shards = fill(SPEC)
    rows = assemble(shards, 3, weighted=True, dimension=2, wide=False, hashed=(2, 5))
    assert rows.bins is shards[0].arena.bins
    assert rows.segments == (Segment(0, 6, 0), Segment(6, 10, 20))
    assert all(column.values.base is shards[0].arena.hashes for column in rows.unbinned if column.kind == "hash")


@pytest.mark.parametrize("moved", [[0], [1, 2], [0, 1, 2]])
def test_shards_that_moved_give_the_same_rows(moved: list[int]) -> None:
    shards = fill(SPEC)
    expected = assemble(shards, 3, weighted=True, dimension=2, wide=False, hashed=(2, 5))
    mixed = [pickle.loads(pickle.dumps(shard)) if i in moved else shard for i, shard in enumerate(shards)]
    rows = assemble(mixed[::-1], 3, weighted=True, dimension=2, wide=False, hashed=(2, 5))
    assert rows.segments == expected.segments
    words, first, vectors, second = rows.unbinned
    assert [column.kind for column in rows.unbinned] == ["text", "hash", "embedding", "hash"]
    assert [column.position for column in rows.unbinned] == [1, 2, 4, 5]
    for column, start in ((first, 0), (second, 2**31)):
        assert column.values.dtype == np.uint32
        assert column.values.tolist() == (rows.label.astype(np.int64) + start).tolist()
    assert words.values.to_pylist() == [f"word {row:.0f}" for row in rows.label]
    assert np.array_equal(vectors.values, np.outer(rows.label, [1, -1]))
    for name in ("bins", "label", "weight", "baseline", "group"):
        assert np.array_equal(getattr(rows, name), getattr(expected, name)), name
        assert getattr(rows, name).flags.c_contiguous, name


def test_pickle_carries_the_shards_rows_alone() -> None:
    spec = replace(SPEC, key="large", n_rows=100_000)
    assert len(pickle.dumps(Shard(arena_of(spec), 0, 10, 0))) < 2_000


def test_bytes_of_columns_that_are_not_binned_count() -> None:
    (shard, *_) = fill(SPEC)
    words = sum(buffer.size for buffer in shard.unbinned[0].values.buffers() if buffer is not None)
    assert shard.nbytes == 4 * (3 + 4 + 4 + 2 * 8 + 8 + 2 * 4) + 4 * 2 * 4 + shard.unbinned[0].nbytes
    assert words >= shard.unbinned[0].nbytes >= len("word 0") * 4


def test_arena_goes_with_its_last_shard() -> None:
    spec = replace(SPEC, key="short-lived")
    first = Shard(arena_of(spec), 0, 4, 0)
    first.label[...] = 7
    assert arena_of(spec) is first.arena
    del first
    assert arena_of(spec).label.tolist() == [0] * 10


def test_rank_without_rows_has_the_shape_of_the_others() -> None:
    rows = assemble([], 3, weighted=True, dimension=2, wide=True, hashed=(2, 5))
    assert rows.bins.shape == (3, 0)
    assert rows.bins.dtype == np.uint16
    assert rows.weight is not None
    assert rows.baseline is not None
    assert rows.segments == ()
    assert [(column.position, column.kind) for column in rows.unbinned] == [(2, "hash"), (5, "hash")]
    assert all(column.values.dtype == np.uint32 and column.values.shape == (0,) for column in rows.unbinned)
