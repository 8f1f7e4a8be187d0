"""Pairs are read from what users have, and what is none is refused."""

import numpy as np
import pandas as pd
import pytest

from gbdist.errors import DataError
from gbdist.quantize.pairs import read_pairs, require_rows

FIX = "Pass an array [n_pairs, 2] of row numbers (winner, loser), or [n_pairs, 3] with a weight."


@pytest.mark.parametrize(
    "given", [[[3, 1], [0, 2]], np.array([[3.0, 1.0], [0.0, 2.0]]), pd.DataFrame({"w": [3, 0], "l": [1, 2]})]
)
def test_pairs_of_rows(given: object) -> None:
    pairs = read_pairs(given, "pairs")
    assert (pairs.winner.tolist(), pairs.loser.tolist(), pairs.number.tolist()) == ([3, 0], [1, 2], [0, 1])
    assert pairs.weight.tolist() == [1.0, 1.0]
    assert [part.number.tolist() for part in pairs.split(3)] == [[], [0], [1]]
    assert pairs.nbytes == 2 * (8 + 8 + 8 + 4)


def test_weights_of_pairs() -> None:
    assert read_pairs([[3, 1, 0.5], [0, 2, 2]], "pairs").weight.tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([1, 2], "pairs: found an array of shape (2,) and type int64, expected pairs of row numbers. " + FIX),
        ([["a", "b"]], "pairs: found an array of shape (1, 2) and type <U1, expected pairs of row numbers. " + FIX),
        ([[0, 1], [-1, 2]], "pairs: found [-1, 2] in pair 1, expected row numbers of at least 0. " + FIX),
        ([[0, 1.5]], "pairs: found [0.0, 1.5] in pair 0, expected row numbers of at least 0. " + FIX),
        ([[4, 4]], "pairs: found [4, 4] in pair 0, expected two different rows. " + FIX),
        ([[0, 1, -1]], "pairs: found [0, 1, -1] in pair 0, expected a finite weight of at least 0. " + FIX),
    ],
)
def test_what_is_no_pair_is_refused(given: object, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs(given, "pairs")
    assert str(caught.value) == words


def test_rows_that_there_are_not() -> None:
    pairs = read_pairs([[0, 1], [2, 7]], "pairs")
    require_rows(pairs, 8, "pairs")
    with pytest.raises(DataError) as caught:
        require_rows(pairs, 7, "eval_set, pairs")
    assert str(caught.value) == (
        "eval_set, pairs: found the rows 2 and 7 in pair 1, expected row numbers below 7. Count rows from 0, in the order of X."
    )
