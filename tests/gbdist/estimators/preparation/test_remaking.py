"""What a quantize task leaves, told by the pieces that it was given. That it is made again: ``test_regroup.py``."""

from types import SimpleNamespace
from typing import Any

import pytest

from gbdist.estimators.preparation.raw_parts import PartNumber
from gbdist.estimators.preparation.remaking import Batch
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape
from gbdist.estimators.preparation.stored import Stored
from gbdist.estimators.preparation.tasks import PieceTask
from gbdist.quantize.cells import BINS

ARENA = ArenaSpec("rank", 100, RowShape(2, BINS))
NUMBERS = tuple(PartNumber(number, 10 * number, 10 * number) for number in range(4))


def piece(part: int, start: int, stop: int) -> PieceTask:
    return PieceTask(NUMBERS[part], start, stop, 10 * part + start, 0, ARENA)


def stored(*pieces: PieceTask, cuts: Any = None) -> Stored:
    data: Any = SimpleNamespace(survey=SimpleNamespace(part_cuts=cuts), numbers=NUMBERS)
    future: Any = SimpleNamespace(status="finished")
    return Batch(data, pieces, future).stored((), None)


def test_rows_and_partitions_of_several_pieces() -> None:
    found = stored(piece(0, 4, 10), piece(2, 0, 3), piece(2, 5, 10))
    assert found.spans == ((4, 10), (20, 23), (25, 30))
    assert (found.n_rows, found.first_row, found.parts) == (14, 4, (0, 2))
    assert found.cuts is None


@pytest.mark.parametrize(
    ("pieces", "cuts"),
    [
        pytest.param([piece(1, 0, 10)], (0, 6), id="a whole partition"),
        pytest.param([piece(1, 6, 10), piece(2, 0, 10), piece(3, 0, 2)], (0, 4 + 3), id="neighbours, from a cut on"),
        pytest.param([piece(2, 0, 10)], (3,), id="one that begins within a group"),
        pytest.param([piece(2, 3, 10), piece(3, 0, 10)], (0, 7 + 9), id="a cut just before the end"),
    ],
)
def test_where_groups_begin(pieces: list[PieceTask], cuts: tuple[int, ...]) -> None:
    assert stored(*pieces, cuts=((0,), (0, 6), (3,), (9,))).cuts == cuts
