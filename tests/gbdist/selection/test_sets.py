"""Sets of a size that the user names."""

from typing import Any

import numpy as np
import pytest
import sklearn.model_selection as theirs
from hypothesis import given
from hypothesis import strategies as st

from gbdist.errors import DataError, ParameterError
from gbdist.selection import ShuffleSplit

sizes = st.one_of(st.none(), st.integers(1, 60), st.floats(0.01, 0.99))


@given(st.integers(2, 150), sizes, sizes)
def test_sizes_are_scikit_learns(n_rows: int, test_size: Any, train_size: Any) -> None:
    rows = np.zeros(n_rows)
    arguments = {"test_size": test_size, "train_size": train_size}
    try:
        pairs = list(theirs.ShuffleSplit(2, **arguments).split(rows))
    except ValueError:  # and so do we
        with pytest.raises((DataError, ParameterError)):
            ShuffleSplit(2, **arguments).split(rows)
        return
    found = [(len(train), len(test)) for train, test in ShuffleSplit(2, **arguments).split(rows)]
    assert found == [(len(train), len(test)) for train, test in pairs]


def test_splits_draw_other_rows() -> None:
    first, second = (test.tolist() for _, test in ShuffleSplit(2, test_size=0.5).split(np.zeros(100)))
    assert 10 < len(set(first) & set(second)) < 40


@pytest.mark.parametrize(
    ("n_rows", "arguments", "text"),
    [
        (
            10,
            {"test_size": 6, "train_size": 0.5},
            "X: found 10 rows, expected at least the 11 of train_size=0.5 and test_size=6. Lower one of them.",
        ),
        (
            3,
            {"train_size": 0.1, "test_size": 1},
            "X: found 3 rows, none of which would train with train_size=0.1 and test_size=1, expected at least one. "
            "Change the sizes, or pass more rows.",
        ),
        (
            3,
            {"train_size": 3},
            "X: found 3 rows, none of which would test with train_size=3 and test_size=None, expected at least one. "
            "Change the sizes, or pass more rows.",
        ),
    ],
)
def test_sizes_that_do_not_go_with_the_rows_are_refused(n_rows: int, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError) as raised:
        ShuffleSplit(**arguments).split(np.zeros(n_rows))
    assert str(raised.value) == text


def test_shares_of_more_than_all_rows_are_refused() -> None:
    with pytest.raises(ParameterError) as raised:
        ShuffleSplit(train_size=0.75, test_size=0.5)
    assert str(raised.value) == (
        "train_size=0.75 cannot be used: expected at most 0.5, which test_size=0.5 leaves. Lower one of them."
    )


@pytest.mark.parametrize("name", ["test_size", "train_size"])
@pytest.mark.parametrize("value", [0, -3, 1.0, 0.0, 1.5, "half", True, float("nan")])
def test_sizes_that_are_none_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ParameterError) as raised:
        ShuffleSplit(**{name: value})
    assert str(raised.value) == (
        f"{name}={value!r} cannot be used: expected a share of the rows above 0 and below 1, or a number of rows. "
        "Change it."
    )
