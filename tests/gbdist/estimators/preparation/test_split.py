"""Rows that are held out depend on their number alone, however they are cut."""

import numpy as np
import pytest

from gbdist.errors import ParameterError
from gbdist.estimators.preparation.split import split_for

FRACTIONS = [0.1, 0.25, 1 / 3, 0.5, 0.7, 0.999]


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_cut_rows_are_the_rows_of_the_whole(fraction: float) -> None:
    side = split_for(fraction)
    whole = side.mask(0, 2_000)
    cut = [side.mask(start, stop - start) for start, stop in ((0, 1), (1, 777), (777, 777), (777, 2_000))]
    assert np.array_equal(np.concatenate(cut), whole)
    assert np.array_equal(~whole, side.other().mask(0, 2_000))


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("held_out", [False, True])
def test_count_before_counts_the_mask(fraction: float, held_out: bool) -> None:
    side = split_for(fraction).other() if held_out else split_for(fraction)
    mask = side.mask(0, 1_000)
    assert [side.count_before(row) for row in range(1_001)] == [int(mask[:row].sum()) for row in range(1_001)]


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_share_of_rows_is_the_fraction_everywhere(fraction: float) -> None:
    # In every stretch of the data, so that sorted data are stratified.
    mask = split_for(fraction).other().mask(0, 30_000).reshape(3, 10_000)
    assert np.allclose(mask.sum(axis=1), 10_000 * fraction, rtol=0, atol=2)


def test_rows_are_drawn_not_counted_off() -> None:
    rows = np.flatnonzero(split_for(0.1).other().mask(0, 10_000))
    assert len(set((rows % 10).tolist())) == 10


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), True, "0.1"])
def test_other_values_are_refused(fraction: float) -> None:
    with pytest.raises(ParameterError) as refused:
        split_for(fraction)
    assert str(refused.value) == (
        f"eval_fraction={fraction!r} cannot be used: expected a number between 0 and 1. Try eval_fraction=0.1."
    )
