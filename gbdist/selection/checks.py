"""Parameters of splitters, checked when they are given, and sizes of sets, checked against the rows."""

from collections.abc import Sequence
from math import ceil, floor
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import DataError, ParameterError


def integer(name: str, value: Any, least: int) -> int:
    """``value`` as an int; ParameterError unless it is one of at least ``least``."""
    if not _is_integer(value) or value < least:
        raise ParameterError(name, value, f"an integer of at least {least}", "Change it.")
    return int(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, Integral) and 0.0 < float(value) < 1.0


def true_or_false(name: str, value: object) -> None:
    """ParameterError unless ``value`` is a bool."""
    if not isinstance(value, bool):
        raise ParameterError(name, value, "True or False", "Change it.")


def seed_of(random_state: Any) -> int:
    """The seed of hashes: 0 for None, so that a splitter always splits the same way."""
    if random_state is None:
        return 0
    if not _is_integer(random_state) or not 0 <= random_state < 2**32:
        fix = "Rows are drawn by hash, which has no state; leave it out for 0."
        raise ParameterError("random_state", random_state, "an integer from 0 to 2**32 - 1, or None", fix)
    return int(random_state)


def shuffle_and_seed(shuffle: object, random_state: object) -> None:
    """ParameterError unless both are good, and a ``random_state`` is given only where something is shuffled."""
    true_or_false("shuffle", shuffle)
    seed_of(random_state)
    if not shuffle and random_state is not None:
        fix = "Leave it out, or set shuffle=True."
        raise ParameterError("random_state", random_state, "None, as shuffle=False draws nothing", fix)


def sizes(train_size: Any, test_size: Any) -> None:
    """ParameterError unless each is None, a share of the rows or a number of rows, and shares are no more than all rows."""
    for name, value in (("train_size", train_size), ("test_size", test_size)):
        size(name, value)
    if _is_share(train_size) and _is_share(test_size) and train_size + test_size > 1:
        expected = f"at most {1 - test_size:g}, which test_size={test_size!r} leaves"
        raise ParameterError("train_size", train_size, expected, "Lower one of them.")


def size(name: str, value: Any) -> None:
    """ParameterError unless ``value`` is None, a share of the rows or a number of rows."""
    if not (value is None or _is_share(value) or (_is_integer(value) and value >= 1)):
        raise ParameterError(name, value, "a share of the rows above 0 and below 1, or a number of rows", "Change it.")


def train_and_test(n_rows: int, train_size: Any, test_size: Any, default_test: float) -> tuple[int, int]:
    """Rows that train and rows that test, as scikit-learn rounds them: shares that test up, those that train down.

    What is left out is the rest; both left out, ``default_test`` of the rows test. Raises DataError for rows that are too few.
    """
    if train_size is None and test_size is None:
        test_size = default_test
    n_train = None if train_size is None else _rows(train_size, n_rows, floor)
    n_test = None if test_size is None else _rows(test_size, n_rows, ceil)
    n_train = n_rows - (n_test or 0) if n_train is None else n_train
    n_test = n_rows - n_train if n_test is None else n_test
    asked = f"train_size={train_size!r} and test_size={test_size!r}"
    if n_train + n_test > n_rows:
        raise DataError("X", f"{n_rows} rows", f"at least the {n_train + n_test} of {asked}", "Lower one of them.")
    for empty, name in ((n_train, "train"), (n_test, "test")):
        if empty <= 0:
            found = f"{n_rows} rows, none of which would {name} with {asked}"
            raise DataError("X", found, "at least one", "Change the sizes, or pass more rows.")
    return n_train, n_test


def _rows(size: Any, n_rows: int, rounded: Any) -> int:
    return int(size) if isinstance(size, Integral) else int(rounded(size * n_rows))


def enough_rows(n_rows: int, n_splits: int) -> None:
    """DataError unless every fold gets a row."""
    if n_splits > n_rows:
        raise DataError("X", f"{n_rows} rows", f"at least as many as folds, n_splits={n_splits}", "Use fewer folds.")


def enough_groups(n_groups: int, n_splits: int) -> None:
    """DataError unless every fold gets a group."""
    if n_splits > n_groups:
        raise DataError(
            "groups",
            f"{n_groups} different groups",
            f"at least as many as folds, n_splits={n_splits}",
            "Use fewer folds.",
        )


def enough_members(labels: Sequence[Any], counts: NDArray[np.int64], n_splits: int) -> None:
    """DataError naming the first class of y that has fewer rows than there are folds."""
    expected, fix = f"at least as many as folds, n_splits={n_splits}", "Use fewer folds, or drop or merge such classes."
    _require_members(labels, counts, n_splits, ("y", expected, fix))


def two_members(labels: Sequence[Any], counts: NDArray[np.int64]) -> None:
    """DataError naming the first class of ``stratify`` that cannot have a row on either side."""
    expected, fix = "one to train and one to test", "Drop or merge such classes, or leave stratify out."
    _require_members(labels, counts, 2, ("stratify", expected, fix))


def _require_members(labels: Sequence[Any], counts: NDArray[np.int64], least: int, words: tuple[str, str, str]) -> None:
    name, expected, fix = words
    for label, members in zip(labels, counts.tolist(), strict=True):
        if members < least:
            raise DataError(name, f"{members} row(s) of class {label!r}", expected, fix)
