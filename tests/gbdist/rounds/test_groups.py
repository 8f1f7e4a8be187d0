"""Every rank says the same of a group that comes back, whoever holds its rows."""

from typing import Any

import numpy as np
import pytest

from gbdist.boosting.rows import Rows, Segment
from gbdist.errors import DataError
from gbdist.rounds.groups import require_whole_groups
from gbdist_cluster.collective.threads import run_threads


def rows_of(*segments: tuple[int, list[int]]) -> Rows:
    """Rows of some runs of neighbouring rows: number of the first one, and groups."""
    ids = [group for _, groups in segments for group in groups]
    edges = np.cumsum([0, *(len(groups) for _, groups in segments)]).tolist()
    placed = tuple(
        Segment(start, stop, first) for start, stop, (first, _) in zip(edges[:-1], edges[1:], segments, strict=True)
    )
    label = np.zeros(len(ids), np.float32)
    group = np.array(ids, np.uint64)
    return Rows(np.empty((0, len(ids)), np.uint8), label, None, None, placed, group=group)


def check(ranks: list[Rows], numbered: bool = False) -> list[str]:
    def work(collective: Any) -> str:
        try:
            require_whole_groups(ranks[collective.rank], "group_id", collective, numbered=numbered)
        except DataError as error:
            return str(error)
        return ""

    return run_threads(len(ranks), work)


def test_whole_groups_are_let_through() -> None:
    empty = Rows(np.empty((0, 0), np.uint8), np.empty(0, np.float32), None, None, ())
    assert check([rows_of((0, [5, 5, 2]), (6, [9, 9])), rows_of((3, [7, 7, 8])), empty]) == ["", "", ""]


@pytest.mark.parametrize(
    "ranks",
    [
        [rows_of((0, [5, 5, 2, 2])), rows_of((4, [7, 5]))],
        [rows_of((0, [5, 5, 2, 2, 7, 5])), rows_of((6, [8]))],
        [rows_of((0, [5, 5]), (4, [7, 5])), rows_of((2, [2, 2]))],
    ],
    ids=["on another rank", "within a rank", "in another run of a rank"],
)
def test_group_that_comes_back(ranks: list[Rows]) -> None:
    words = (
        "group_id: found the group of row 0 once more in row 5, after another one, "
        "expected the rows of a group next to each other. "
        "Sort the rows by group_id, so that the rows of a group are neighbours."
    )
    assert check(ranks) == [words, words]
    assert check(ranks, numbered=True) == [words.replace("the group of", "group 5 of")] * 2


def test_negative_id_is_told_as_it_is() -> None:
    ids = np.array([-3, 4, -3]).view(np.uint64).tolist()
    assert check([rows_of((0, ids))], numbered=True)[0].startswith(
        "group_id: found group -3 of row 0 once more in row 2"
    )
