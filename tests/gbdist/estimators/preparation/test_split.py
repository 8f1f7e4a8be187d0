"""Rows that are held out depend on their number alone, however they are cut."""

import numpy as np
import pytest

from gbdist.errors import ParameterError
from gbdist.estimators.preparation.split import FoldSide, split_for
from gbdist.selection.rules.base import Run
from gbdist.selection.rules.predefined import one_fold_each
from gbdist.selection.rules.shuffled import HashedFolds

FRACTIONS = [0.1, 0.25, 1 / 3, 0.5, 0.7, 0.999]


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_cut_rows_are_the_rows_of_the_whole(fraction: float) -> None:
    side = split_for(fraction)
    whole = side.mask(0, 2_000)
    cut = [side.mask(start, stop - start) for start, stop in ((0, 1), (1, 777), (777, 777), (777, 2_000))]
    assert np.array_equal(np.concatenate(cut), whole)
    assert np.array_equal(~whole, side.other().mask(0, 2_000))


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_share_of_rows_is_the_fraction_everywhere(fraction: float) -> None:
    # In every stretch of the data, so that sorted data are stratified.
    mask = split_for(fraction).other().mask(0, 30_000).reshape(3, 10_000)
    assert np.allclose(mask.sum(axis=1), 10_000 * fraction, rtol=0, atol=2)


@pytest.mark.parametrize("coded", [False, True])
def test_sides_of_folds_are_those_of_their_rule_in_any_run_of_rows(coded: bool) -> None:
    rule = one_fold_each(3) if coded else HashedFolds(3, 0)
    codes = np.arange(50) * 7 % 4 if coded else None
    for fold in range(3):
        train, held_out = rule.masks(fold, Run(0, 50, codes))
        for side, expected in ((FoldSide(rule, fold, False), train), (FoldSide(rule, fold, True), held_out)):
            cut = [side.mask(a, b - a, None if codes is None else codes[a:b]) for a, b in ((0, 20), (20, 20), (20, 50))]
            assert np.array_equal(np.concatenate(cut), expected)


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
