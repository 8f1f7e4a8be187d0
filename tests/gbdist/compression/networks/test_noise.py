"""Copies of rows in which cells have changed places."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from gbdist.compression.networks.noise import SWAPPED, with_copies
from gbdist.errors import DataError, ParameterError

N_ROWS = 2000


@pytest.fixture
def table() -> pd.DataFrame:
    rows = np.arange(N_ROWS)
    return pd.DataFrame({"a": rows, "b": rows + 0.5, "c": pd.Categorical.from_codes(rows % 3, ["x", "y", "z"])})


def test_rows_come_first_and_each_copy_has_some_cells_of_others(table):
    found = with_copies(table, 2, 0)
    assert len(found) == 3 * N_ROWS
    pd.testing.assert_frame_equal(found.iloc[:N_ROWS], table)
    copies = [found.iloc[N_ROWS * at : N_ROWS * (at + 1)] for at in (1, 2)]
    for copy in copies:
        assert (copy.dtypes == table.dtypes).all()
        for name in ("a", "b"):
            changed = (copy[name].to_numpy() != table[name].to_numpy()).mean()
            assert abs(changed - SWAPPED) < 0.03
            assert copy[name].isin(table[name]).all()
        # Columns change apart from one another.
        both = (copy["a"].to_numpy() != table["a"].to_numpy()) & (copy["b"].to_numpy() != table["b"].to_numpy())
        assert abs(both.mean() - SWAPPED**2) < 0.03
    assert not copies[0].equals(copies[1])


def test_the_seed_decides(table):
    pd.testing.assert_frame_equal(with_copies(table, 1, 3), with_copies(table, 1, 3))
    assert not with_copies(table, 1, 3).equals(with_copies(table, 1, 4))
    assert with_copies(table, 0, 3) is table


def test_arrays_and_other_tables(table):
    values = table[["a", "b"]].to_numpy()
    expected = with_copies(table[["a", "b"]], 1, 0).to_numpy()
    np.testing.assert_array_equal(with_copies(values, 1, 0), expected)
    np.testing.assert_array_equal(with_copies(pl.from_pandas(table[["a", "b"]]), 1, 0).to_numpy(), expected)


def test_partitions_are_copied_where_they_are(table):
    with dask.config.set(scheduler="sync"):
        lazy = with_copies(dd.from_pandas(table, npartitions=2), 1, 0)
        assert lazy.npartitions == 2
        found = lazy.compute()
        first = with_copies(table.iloc[: N_ROWS // 2], 1, 0)
        pd.testing.assert_frame_equal(found.iloc[:N_ROWS], first)
        second = found.iloc[N_ROWS:]
        moved = [np.flatnonzero(part["a"].diff().fillna(1) != 1).tolist() for part in (first, second)]
        assert moved[0] != moved[1]  # each partition has draws of its own
        values = table[["a", "b"]].to_numpy()
        array = with_copies(da.from_array(values, chunks=(1000, 2)), 1, 0)
        assert array.chunks == ((2000, 2000), (2,))
        np.testing.assert_array_equal(array.compute()[:2000], with_copies(values[:1000], 1, 0))


def test_bad_input_is_named(table):
    def text(error, *arguments):
        with pytest.raises(error) as caught:
            with_copies(*arguments)
        return str(caught.value)

    assert text(ParameterError, table, -1, 0) == (
        "copies=-1 cannot be used: expected a whole number of at least 0. Each copy is as many rows more."
    )
    assert text(ParameterError, table, 1, 0.5) == (
        "seed=0.5 cannot be used: expected a whole number of at least 0. Use 0, or another one for other copies."
    )
    assert text(DataError, scipy.sparse.eye_array(3).tocsr(), 1, 0) == (
        "X: found a sparse matrix, expected a table whose cells can change places. Pass copies=0."
    )
