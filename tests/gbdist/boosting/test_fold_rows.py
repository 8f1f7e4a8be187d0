"""Rows of folds: the rows, numbers and errors of a fit on the subset, however rows are spread."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.crew import Crew
from gbdist.boosting.fold_rows import Fold, number_folds, take_rows
from gbdist.boosting.rows import RowPairs, Rows, Segment, UnbinnedColumn
from gbdist.errors import DataError
from gbdist.file_matrix import FileMatrix
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable


def taken(rows: Rows, mask: np.ndarray) -> Rows:
    """Rows of a mask on a single rank."""
    numbers = number_folds(rows, [Fold(mask, ~mask)], SingleRank())
    with Crew(2) as crew:
        return take_rows(rows, mask, numbers.segments[0][0], crew)


def test_rows_are_numbered_by_their_place_among_the_folds_rows_of_all_ranks(make_table: MakeTable) -> None:
    """Also where a rank's pieces lie among another one's, are empty, or have no row of the fold."""
    table, rng = make_table(100), np.random.default_rng(0)
    mask = rng.random(100) < 0.6
    mask[40:55] = False
    pieces = [[(0, 20), (55, 80)], [(20, 40), (40, 55), (80, 100)], []]

    def work(rank: int) -> tuple[Rows, Fold]:
        sizes = np.cumsum([0, *(stop - start for start, stop in pieces[rank])]).tolist()
        chosen = np.concatenate([np.arange(a, b) for a, b in pieces[rank]] or [np.empty(0, int)])
        segments = [Segment(sizes[i], sizes[i + 1], start) for i, (start, _) in enumerate(pieces[rank])]
        rows = replace(
            table.rows,
            bins=np.ascontiguousarray(table.rows.bins[:, chosen]),
            label=table.rows.label[chosen],
            segments=tuple(segments),
        )
        return rows, Fold(mask[chosen], ~mask[chosen])

    parts = [work(rank) for rank in range(3)]
    numbers = run_threads(3, lambda c: number_folds(parts[c.rank][0], [parts[c.rank][1]], c))
    place = {True: np.cumsum(mask) - 1, False: np.cumsum(~mask) - 1}
    for (rows, fold), told in zip(parts, numbers, strict=True):
        assert told.n_rows == 100
        for side, side_mask, segments in zip((True, False), fold.masks, told.segments[0], strict=True):
            with Crew(1) as crew:
                found = take_rows(rows, side_mask, segments, crew)
            assert found.numbers().tolist() == place[side][rows.numbers()[side_mask]].tolist()
    # Pieces that are neighbours in the fold are one: kernels that draw run once for each.
    assert [len(segments) for segments in numbers[1].segments[0]] == [2, 2]


def test_everything_that_a_row_has_goes_with_it(make_table: MakeTable, tmp_path: Path) -> None:
    table = make_table(60, weighted=True)
    rows = replace(
        table.rows,
        label=np.stack([table.rows.label, -table.rows.label]),
        baseline=np.arange(120.0).reshape(2, 60),
        unbinned=(
            UnbinnedColumn(6, "hash", np.arange(60, dtype=np.uint32)),
            UnbinnedColumn(7, "text", pa.array([f"row {i}" for i in range(60)])),
            UnbinnedColumn(8, "embedding", np.arange(120, dtype=np.float32).reshape(60, 2)),
        ),
        group=np.arange(60, dtype=np.uint64) // 3,
    )
    mask = np.arange(60) // 3 % 2 == 1
    found, at = taken(rows, mask), np.flatnonzero(mask)
    assert np.array_equal(found.bins, table.rows.bins[:, at])
    assert np.array_equal(found.label, rows.label[:, at])
    assert np.array_equal(np.asarray(found.weight), np.asarray(table.rows.weight)[at])
    assert found.baseline is not None
    assert found.baseline.flags.c_contiguous
    assert np.array_equal(found.baseline, np.stack([at, at + 60]))
    assert found.group is not None
    assert found.group.tolist() == (at // 3).tolist()
    hashes, text, embedding = (column.values for column in found.unbinned)
    assert hashes.tolist() == at.tolist()
    assert text.to_pylist() == [f"row {i}" for i in at]
    assert embedding.tolist() == [[2 * i, 2 * i + 1] for i in at]
    in_file = FileMatrix.create(str(tmp_path), (6, 60), np.uint8)
    in_file[...] = table.rows.bins
    on_disk = taken(replace(rows, bins=in_file), mask)
    assert isinstance(on_disk.bins, FileMatrix)
    assert np.array_equal(np.asarray(on_disk.bins), found.bins)


def test_pairs_go_with_their_groups() -> None:
    group = np.array([5, 5, 5, 9, 9, 2, 2], np.uint64)
    pairs = RowPairs(*(np.array(rows, np.int32) for rows in ([1, 2, 4, 6], [0, 0, 3, 5])), np.float32([1, 2, 3, 4]))
    rows = Rows(np.zeros((1, 7), np.uint8), np.zeros(7, np.float32), None, None, (Segment(0, 7, 0),), (), group, pairs)
    found = taken(rows, group != 9).pairs
    assert found is not None
    assert (found.winner.tolist(), found.loser.tolist(), found.weight.tolist()) == ([1, 2, 4], [0, 0, 3], [1, 2, 4])
    assert found.winner.dtype == found.loser.dtype == np.int32


EVEN = np.arange(20) % 2 == 0
GROUPS = np.repeat(np.arange(5, dtype=np.uint64), 4)
Masks = Callable[[], list[Fold]]
#: What is wrong, the folds of rank 1, whether rows have groups, and what is said.
BAD: dict[str, tuple[Masks, bool, str]] = {
    "no folds": (
        list,
        False,
        "folds: found none, expected at least one fold. Give the rows that each fit trains on and is scored on.",
    ),
    "numbers instead of a mask": (
        lambda: [Fold(np.arange(20), EVEN)],
        False,
        "fold 0: found a mask of the rows trained on that is int64 [20], expected bool [20]. "
        "Give True or False for each of the rank's rows.",
    ),
    "a short mask": (
        lambda: [Fold(~EVEN, EVEN), Fold(EVEN, EVEN[:5])],
        False,
        "fold 1: found a mask of the rows held out that is bool [5], expected bool [20]. "
        "Give True or False for each of the rank's rows.",
    ),
    "a row on both sides": (
        lambda: [Fold(EVEN, EVEN & (np.arange(20) > 5))],
        False,
        "fold 0: found row 26 both trained on and held out, expected rows that are one of the two, or neither. "
        "Take it out of one of the masks.",
    ),
    "a group that is cut": (
        lambda: [Fold(np.arange(20) < 9, np.arange(20) > 11)],
        True,
        "fold 0: found the group of row 28 with some of its rows trained on, expected groups that are whole. "
        "Split by groups, such as with GroupKFold.",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_folds_are_refused_on_all_ranks(make_table: MakeTable, name: str) -> None:
    """Rank 1 alone has them; nobody is left to wait for it."""
    folds, grouped, said = BAD[name]
    table = make_table(40)
    parts = [table.part(0, 20), table.part(20, 40)]
    if grouped:
        parts = [replace(part, group=GROUPS + 10 * rank) for rank, part in enumerate(parts)]
    given = [[Fold(GROUPS < 2, GROUPS >= 2)], folds()]

    def work(collective: Collective) -> str:
        rank = collective.rank
        with pytest.raises(DataError) as caught:
            number_folds(parts[rank], given[rank], collective)
        return str(caught.value)

    assert run_threads(2, work) == [said, said]


@pytest.mark.parametrize(("side", "words"), [(0, "trained on"), (1, "held out")])
def test_a_side_without_rows_on_any_rank_is_refused(make_table: MakeTable, side: int, words: str) -> None:
    """A rank alone may be without."""
    table, none = make_table(40), np.zeros(20, np.bool_)
    parts = [table.part(0, 20), table.part(20, 40)]
    some = [[EVEN, none] if rank else [none, EVEN] for rank in range(2)]
    spread = run_threads(2, lambda c: number_folds(parts[c.rank], [Fold(*some[c.rank])], c))
    assert [len(sides) for told in spread for sides in told.segments[0]] == [0, 1, 1, 0]
    masks = [none, EVEN] if side == 0 else [EVEN, none]

    def work(collective: Collective) -> str:
        folds = [Fold(EVEN, ~EVEN), Fold(*masks)]
        with pytest.raises(DataError) as caught:
            number_folds(parts[collective.rank], folds, collective)
        return str(caught.value)

    said = f"fold 1: found no rows that are {words}, expected at least one. Use fewer folds, or other masks."
    assert run_threads(2, work) == [said, said]
