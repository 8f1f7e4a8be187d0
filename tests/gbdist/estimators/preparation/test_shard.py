"""Shards of a rank share one matrix, and are put together the same way when they do not."""

import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from gbdist.boosting.rows import Segment, UnbinnedColumn
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape, Shard, arena_of, assemble, joined_shards
from gbdist.quantize.cells import BINS, NUMBERS, WIDE_BINS

ROW = RowShape(n_features=3, dtype=BINS, weighted=True, dimension=2, hashed=(2, 5), folded=True)
SPEC = ArenaSpec(key="test", n_rows=10, row=ROW, grouped=True)


def fill(spec: ArenaSpec) -> list[Shard]:
    """Rows 0…3, 4…5 and 20…23 of a data set, every cell another number."""
    shards = []
    for start, n_rows, first_row in ((0, 4, 0), (4, 2, 4), (6, 4, 20)):
        rows = np.arange(first_row, first_row + n_rows)
        words = UnbinnedColumn(1, "text", pa.array([f"word {row}" for row in rows], pa.large_string()))
        vectors = UnbinnedColumn(4, "embedding", np.outer(rows, [1, -1]).astype(np.float32))
        shard = Shard(arena_of(spec), start, n_rows, first_row, (words, vectors))
        shard.cells[...] = rows + 30 * np.arange(3)[:, None]
        shard.label[...] = rows
        shard.weight[...] = rows + 0.5
        shard.baseline[...] = [rows, -rows]
        shard.group[...] = rows // 2
        shard.fold[...] = rows % 3
        shard.hashes[...] = [rows, rows + 2**31]
        shards.append(shard)
    return shards


def test_shards_of_one_arena_are_put_together_without_a_copy() -> None:
    shards = fill(SPEC)
    rows = assemble(shards, ROW)
    assert rows.bins is shards[0].arena.cells
    assert rows.segments == (Segment(0, 6, 0), Segment(6, 10, 20))
    assert all(column.values.base is shards[0].arena.hashes for column in rows.unbinned if column.kind == "hash")


@pytest.mark.parametrize("moved", [[0], [1, 2], [0, 1, 2]])
def test_shards_that_moved_give_the_same_rows(moved: list[int]) -> None:
    shards = fill(SPEC)
    expected = assemble(shards, ROW)
    mixed = [pickle.loads(pickle.dumps(shard)) if i in moved else shard for i, shard in enumerate(shards)]
    rows = assemble(mixed[::-1], ROW)
    assert rows.segments == expected.segments
    words, first, vectors, second = rows.unbinned
    assert [column.kind for column in rows.unbinned] == ["text", "hash", "embedding", "hash"]
    assert [column.position for column in rows.unbinned] == [1, 2, 4, 5]
    for column, start in ((first, 0), (second, 2**31)):
        assert column.values.dtype == np.uint32
        assert column.values.tolist() == (rows.label.astype(np.int64) + start).tolist()
    assert words.values.to_pylist() == [f"word {row:.0f}" for row in rows.label]
    assert np.array_equal(vectors.values, np.outer(rows.label, [1, -1]))
    for name in ("bins", "label", "weight", "baseline", "group", "fold"):
        assert np.array_equal(getattr(rows, name), getattr(expected, name)), name
        assert getattr(rows, name).flags.c_contiguous, name


def test_pickle_carries_the_shards_rows_alone() -> None:
    spec = replace(SPEC, key="large", n_rows=100_000)
    assert len(pickle.dumps(Shard(arena_of(spec), 0, 10, 0))) < 2_000


def test_bytes_of_columns_that_are_not_binned_count() -> None:
    (shard, *_) = fill(SPEC)
    words = sum(buffer.size for buffer in shard.unbinned[0].values.buffers() if buffer is not None)
    assert shard.nbytes == 4 * (3 + 4 + 4 + 2 * 8 + 8 + 2 * 4 + 4) + 4 * 2 * 4 + shard.unbinned[0].nbytes
    assert words >= shard.unbinned[0].nbytes >= len("word 0") * 4


@pytest.mark.parametrize(("first", "last"), [(0, 4), (1, 3), (3, 4)])
def test_copied_rows_have_an_arena_of_their_own(first: int, last: int) -> None:
    (_, _, shard) = fill(SPEC)
    whole = assemble([shard], ROW)
    copied = shard.copied(first, last)
    assert (copied.first_row, copied.n_rows) == (20 + first, last - first)
    assert copied.arena.cells.shape == (3, last - first)
    found = assemble([copied], ROW)
    for name in ("bins", "label", "weight", "baseline", "group", "fold"):
        assert np.array_equal(getattr(found, name), getattr(whole, name)[..., first:last]), name
        theirs = shard.cells if name == "bins" else getattr(shard, name)
        assert not np.shares_memory(getattr(found, name), theirs), name
    words, hashes, vectors, _ = found.unbinned
    assert words.values.to_pylist() == [f"word {row}" for row in range(20 + first, 20 + last)]
    assert hashes.values.tolist() == list(range(20 + first, 20 + last))
    assert vectors.values.tolist() == [[row, -row] for row in range(20 + first, 20 + last)]
    assert copied.nbytes < shard.nbytes or last - first == 4


@pytest.mark.parametrize("n_features", [1, 3])
def test_numbers_lie_row_after_row_however_they_travel(n_features: int) -> None:
    spec = ArenaSpec("numbers", 10, RowShape(n_features, NUMBERS))
    shards = [Shard(arena_of(spec), start, n_rows, 5 + start) for start, n_rows in ((0, 6), (6, 4))]
    table = np.arange(10.0 * n_features, dtype=np.float32).reshape(10, n_features)
    for shard in shards:
        shard.cells[...] = table[shard.start : shard.start + shard.n_rows].T
    whole, segments = joined_shards(shards, spec.row)
    assert whole is shards[0].arena
    assert segments == (Segment(0, 10, 5),)
    frames: list[pickle.PickleBuffer] = []
    parcel = pickle.dumps(shards[0], protocol=5, buffer_callback=frames.append)
    sent = pickle.loads(parcel, buffers=frames)
    again, _ = joined_shards([shards[1], pickle.loads(pickle.dumps(shards[0]))], spec.row)
    cut = shards[0].copied(2, 5)
    for cells, rows in ((whole.cells, table), (sent.cells, table[:6]), (again.cells, table), (cut.cells, table[2:5])):
        assert cells.dtype == np.float32
        assert cells.T.flags.c_contiguous
        assert np.array_equal(cells.T, rows)
    assert not np.shares_memory(cut.cells, shards[0].cells)
    assert joined_shards([], spec.row)[0].cells.T.shape == (0, n_features)


def test_arena_goes_with_its_last_shard() -> None:
    spec = replace(SPEC, key="short-lived")
    first = Shard(arena_of(spec), 0, 4, 0)
    first.label[...] = 7
    assert arena_of(spec) is first.arena
    del first
    assert arena_of(spec).label.tolist() == [0] * 10


def test_rank_without_rows_has_the_shape_of_the_others() -> None:
    rows = assemble([], replace(ROW, dtype=WIDE_BINS))
    assert rows.bins.shape == (3, 0)
    assert rows.bins.dtype == np.uint16
    assert rows.weight is not None
    assert rows.baseline is not None
    assert rows.segments == ()
    assert [(column.position, column.kind) for column in rows.unbinned] == [(2, "hash"), (5, "hash")]
    assert all(column.values.dtype == np.uint32 and column.values.shape == (0,) for column in rows.unbinned)
