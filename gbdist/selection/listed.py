"""Folds that are listed: pairs of arrays of row numbers, as scikit-learn's splitters yield them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.selection.rules.predefined import TESTS, TRAINS, Patterns

#: Patterns times splits, a byte each, which go to every worker.
_MOST_CELLS = 1 << 26


def coded_pairs(pairs: Iterable[Any], n_rows: int, name: str) -> tuple[Patterns, NDArray[np.uint32]]:
    """Patterns of rows that are alike in all splits, and the number of each row's, uint32 [n_rows].

    Parameters
    ----------
    pairs : of arrays (train, test): row numbers, each at most once, or bool [n_rows]
    n_rows : of the data
    name : what errors call the pairs

    Raises DataError for what are no such pairs, rows on both sides, and sides without rows.
    """
    codes = np.zeros(n_rows, np.int64)
    patterns = np.zeros((1, 0), np.uint8)
    for split, pair in enumerate(pairs):
        side = _sides(pair, n_rows, f"{name}, split {split}")
        codes, different = pd.factorize(codes * (TESTS + 1) + side)
        patterns = np.column_stack((patterns[different // (TESTS + 1)], (different % (TESTS + 1)).astype(np.uint8)))
        if patterns.size > _MOST_CELLS:
            found = f"{patterns.shape[0]:,} rows that are unlike in {patterns.shape[1]} splits"
            fix = "Use a splitter of gbdist.selection, such as RepeatedKFold, or fewer splits."
            raise DataError(name, found, f"at most {_MOST_CELLS:,} sides in all", fix)
    if not patterns.shape[1]:
        raise DataError(name, "no splits", "at least one", "Pass pairs (train, test) of row numbers.")
    return Patterns(np.ascontiguousarray(patterns)), codes.astype(np.uint32)


def _sides(pair: Any, n_rows: int, where: str) -> NDArray[np.int64]:
    """What each row is in a split, int64 [n_rows]."""
    try:
        train, test = pair
    except (TypeError, ValueError):
        fix = "Pass pairs (train, test) of row numbers."
        raise DataError(where, f"a {type(pair).__name__}", "a pair (train, test)", fix) from None
    sides = np.zeros(n_rows, np.int64)
    for given, side, what in ((train, TRAINS, "train"), (test, TESTS, "test")):
        rows = _row_numbers(given, n_rows, f"{where}, {what}")
        both = rows[sides[rows] != 0]
        if both.size:
            fix = "Take it out of one of the two."
            raise DataError(where, f"row {both[0]} in train and in test", "rows that are in one of the two", fix)
        sides[rows] = side
    return sides


def _row_numbers(given: Any, n_rows: int, where: str) -> NDArray[np.int64]:
    """Numbers of rows, each once, int64."""
    rows = np.asarray(given)
    if rows.dtype == np.bool_ and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    if not rows.size:
        raise DataError(where, "no rows", "at least one", "Use fewer splits.")
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        found = f"{rows.dtype} {list(rows.shape)}"
        raise DataError(where, found, f"row numbers, or bool [{n_rows}]", "Pass integers from 0 on.")
    wrong = rows[(rows < 0) | (rows >= n_rows)]
    if wrong.size:
        raise DataError(where, f"row {wrong[0]}", f"rows from 0 to {n_rows - 1}", "Check what the numbers are of.")
    numbers, times = np.unique(rows, return_counts=True)
    if (times > 1).any():
        found = f"row {numbers[np.argmax(times > 1)]} more than once"
        fix = "Fit such splits one by one, with weights."
        raise DataError(where, found, "rows without repetition, as folds share bins", fix)
    return numbers.astype(np.int64)
