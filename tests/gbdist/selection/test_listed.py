"""Folds that are listed: the same rows as in the pairs, by one number for each row, and errors that name what is wrong."""

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit

from gbdist.errors import DataError
from gbdist.selection import listed
from gbdist.selection.listed import coded_pairs
from gbdist.selection.rules.base import Run

N_ROWS = 37


@pytest.mark.parametrize(
    "splitter",
    [KFold(5), RepeatedKFold(n_splits=3, n_repeats=4, random_state=0), ShuffleSplit(4, random_state=1)],
    ids=repr,
)
def test_patterns_give_back_the_pairs(splitter: Any) -> None:
    pairs = list(splitter.split(np.zeros(N_ROWS)))
    patterns, codes = coded_pairs(iter(pairs), N_ROWS, "folds")
    assert codes.dtype == np.uint32
    assert patterns.n_splits == len(pairs)
    for first, stop in ((0, N_ROWS), (5, 20), (20, 20)):
        run = Run(first, stop - first, codes[first:stop])
        for split, pair in enumerate(pairs):
            for mask, rows in zip(patterns.masks(split, run), pair, strict=True):
                assert (np.flatnonzero(mask) + first).tolist() == [row for row in sorted(rows) if first <= row < stop]
    assert patterns.sizes(codes) == tuple(sum(len(pair[side]) for pair in pairs) for side in range(2))


def test_masks_are_pairs_too() -> None:
    train = np.arange(N_ROWS) % 3 == 0
    patterns, codes = coded_pairs([(train, ~train)], N_ROWS, "folds")
    assert np.array_equal(patterns.masks(0, Run(0, N_ROWS, codes))[0], train)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "folds: found no splits, expected at least one. Pass pairs (train, test) of row numbers."),
        ([3], "folds, split 0: found a int, expected a pair (train, test). Pass pairs (train, test) of row numbers."),
        (
            [([0, 1], [2]), ([0, 1], [1])],
            "folds, split 1: found row 1 in train and in test, expected rows that are in one of the two. "
            "Take it out of one of the two.",
        ),
        (
            [([0, 1, 1], [2])],
            "folds, split 0, train: found row 1 more than once, expected rows without repetition, as folds share bins. "
            "Fit such splits one by one, with weights.",
        ),
        (
            [([0], [4])],
            "folds, split 0, test: found row 4, expected rows from 0 to 3. Check what the numbers are of.",
        ),
        ([([], [0])], "folds, split 0, train: found no rows, expected at least one. Use fewer splits."),
        (
            [([0.5], [0])],
            "folds, split 0, train: found float64 [1], expected row numbers, or bool [4]. Pass integers from 0 on.",
        ),
    ],
)  # fmt: skip
def test_what_are_no_pairs(pairs: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        coded_pairs(pairs, 4, "folds")
    assert str(caught.value) == said


def test_rows_that_are_all_unlike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "_MOST_CELLS", 20)
    with pytest.raises(DataError) as caught:
        coded_pairs(ShuffleSplit(5, random_state=0).split(np.zeros(N_ROWS)), N_ROWS, "folds")
    assert str(caught.value) == (
        "folds: found 7 rows that are unlike in 3 splits, expected at most 20 sides in all. "
        "Use a splitter of gbdist.selection, such as RepeatedKFold, or fewer splits."
    )
