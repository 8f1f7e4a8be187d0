"""A row has one place in one block, whoever owns it."""

import numpy as np
import pytest

from gbdist.boosting.rows import Segment
from gbdist.custom import blocks
from gbdist.custom.blocks import Block, blocks_of


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 8)


@pytest.mark.parametrize("cuts", [[(0, 30)], [(0, 3), (3, 17), (17, 30)], [(20, 30), (0, 11)], [(8, 16), (24, 30)]])
def test_the_place_of_a_row_is_its_number(cuts: list[tuple[int, int]]) -> None:
    segments, start = [], 0
    for first, last in cuts:
        segments.append(Segment(start, start + last - first, first))
        start += last - first
    numbers = np.concatenate([np.arange(*cut) for cut in cuts])
    seen = []
    for block in blocks_of(segments, start):
        found = block.filled(numbers)
        assert found.shape == (8,)
        assert np.array_equal(found[block.places], numbers[block.rows])
        assert found[block.places][0] == block.first_row
        assert np.array_equal(found[block.places] % 8, np.arange(8)[block.places])
        seen += numbers[block.rows].tolist()
    assert seen == numbers.tolist()


def test_places_of_other_rows_hold_copies_of_a_neighbour() -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    found = Block(1, 3, 3, 11).filled(values)
    assert found.tolist() == [[2.0] * 4 + [3.0] * 4, [5.0] * 4 + [6.0] * 4]
    assert found.ctypes.data % 64 == 0


def test_rows_without_segments_are_numbered_from_0() -> None:
    assert list(blocks_of((), 10)) == [Block(0, 8, 0, 0), Block(8, 10, 0, 8)]
    assert list(blocks_of((), 0)) == []
