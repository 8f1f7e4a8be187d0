"""Splits whose training rows overlap."""

from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest

from gbdist.errors import DataError, ParameterError
from gbdist.selection import OverlappingSplit

from .conftest import as_frame


def test_numbers_in_memory_repeat_as_rows_were_drawn(table: pd.DataFrame) -> None:
    splitter = OverlappingSplit(3)
    for (train, test), weights in zip(splitter.split(table), splitter.weights(table), strict=True):
        assert len(train) == weights.sum() == len(table)
        np.testing.assert_array_equal(np.bincount(train, minlength=len(table)), weights)
        np.testing.assert_array_equal(test, np.flatnonzero(weights == 0))


@pytest.mark.parametrize("n_parts", [1, 13])
@pytest.mark.parametrize("kind", ["bootstrap", "overlapping"])
def test_lazy_weights_are_those_in_memory(kind: str, n_parts: int, table: pd.DataFrame) -> None:
    splitter, X = OverlappingSplit(3, kind=kind), as_frame(table, n_parts)
    array = X[["number", "time"]].to_dask_array(lengths=True)
    found = [dask.compute(*splitter.weights(one)) for one in (X, array)]
    for of_frame, of_array, want in zip(*found, splitter.weights(table), strict=True):
        np.testing.assert_array_equal(of_frame, want)
        np.testing.assert_array_equal(of_array, want)
        assert of_frame.dtype == of_array.dtype == want.dtype == np.int64


def test_a_mask_cuts_weights_to_the_rows_that_train(table: pd.DataFrame) -> None:
    splitter, X = OverlappingSplit(2), as_frame(table, 3)
    for (train, _), weights in zip(splitter.split(X), splitter.weights(X), strict=True):
        in_training = weights[train].compute()
        assert in_training.min() == 1
        assert in_training.sum() == len(table)


def test_overlapping_folds_have_their_size_and_cover_rows_alike(table: pd.DataFrame) -> None:
    pairs = list(OverlappingSplit(4, kind="overlapping", train_size=0.6).split(table))
    assert {len(train) for train, _ in pairs} == {61}
    times = np.bincount(np.concatenate([train for train, _ in pairs]), minlength=len(table))
    assert times.max() - times.min() <= 1


@pytest.mark.parametrize("collection", [lambda table: table, lambda table: as_frame(table, 1)])
def test_a_bootstrap_that_leaves_no_row_out_is_refused(collection: Any) -> None:
    # Two rows, 20 splits: half of them draw both.
    with pytest.raises(DataError) as raised:
        OverlappingSplit(20).split(collection(pd.DataFrame({"number": [1, 2]})))
    name, found, expected, fix = raised.value.args
    assert (name, expected, fix) == ("X", "rows to test on", "Pass more rows, or another random_state.")
    assert found.startswith("2 rows, each of which split ")
    assert found.endswith(" drew")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"kind": "jackknife"}, "kind='jackknife' cannot be used: expected 'bootstrap' or 'overlapping'. Choose one."),
        (
            {"train_size": 0.5},
            "train_size=0.5 cannot be used: expected None, as a bootstrap draws as many rows as there are. "
            "Leave it out, or set kind='overlapping'.",
        ),
        ({"n_splits": 1}, "n_splits=1 cannot be used: expected an integer of at least 2. Change it."),
    ],
)
def test_bad_parameters_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterError) as raised:
        OverlappingSplit(**arguments)
    assert str(raised.value) == text
