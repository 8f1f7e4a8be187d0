"""Raw columns become the same inputs from every container, and errors name the column."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gbdist.categories.hashing import category_hashes
from gbdist.errors import DataError
from gbdist.estimators.networks.inputs import InputColumns, read_inputs
from gbdist.estimators.prediction.features import Expected, FeaturesError, UnbinnedFeature
from gbdist.quantize.scales import ScaleRules
from gbdist.quantize.unbinned import HASHED

TABLE = pd.DataFrame(
    {"a": [1.0, 2.0, 6.0, np.nan], "c": ["x", "y", "?", "x"], "b": [10, 20, 40, 30], "d": [1, 1, 2, 3]}
)
NAMES = tuple(TABLE.columns)
EXPECTED = Expected(
    4, NAMES, "DaskMLPClassifier", NAMES, (UnbinnedFeature(1, HASHED), UnbinnedFeature(3, HASHED)), "missing"
)
SCALES = tuple(ScaleRules("robust").choose(TABLE[name].to_numpy(np.float32), True, name) for name in "ab")
COLUMNS = InputColumns(SCALES, (category_hashes(["y", "x", "missing"]), category_hashes(["1", "3"])))
CONTAINERS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda table: table,
    "categories": lambda table: table.astype({"c": "category"}),
    "arrow": lambda table: pa.Table.from_pandas(table, preserve_index=False),
    "polars": pl.from_pandas,
    "objects": lambda table: table.to_numpy(dtype=object),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_inputs_of_every_container(container: str) -> None:
    numeric, codes = read_inputs(CONTAINERS[container](TABLE), EXPECTED, COLUMNS)
    # Medians 2 and 25; quartiles 1.5 and 4 of "a", 17.5 and 32.5 of "b".
    assert np.allclose(numeric, [[-0.4, -1.0], [0.0, -1 / 3], [1.6, 1.0], [0.0, 1 / 3]])
    assert codes.tolist() == [[2, 1], [1, 1], [0, 0], [2, 2]]
    assert (numeric.dtype, codes.dtype) == (np.float32, np.int32)
    assert numeric.flags.c_contiguous


def test_missing_category_is_a_category() -> None:
    _, codes = read_inputs(TABLE.assign(c=["x", None, "y", "x"]), EXPECTED, COLUMNS)
    assert codes[:, 0].tolist() == [2, 3, 1, 2]


def test_rows_without_numbers_and_tables_without_rows() -> None:
    text = TABLE[["c"]]
    expected = Expected(1, ("c",), "DaskMLPClassifier", ("c",), (UnbinnedFeature(0, HASHED),))
    for X in (text, pl.from_pandas(text)):
        numeric, codes = read_inputs(X, expected, InputColumns((), COLUMNS.vocabularies[:1]))
        assert numeric.shape == (4, 0)
        assert codes.tolist() == [[2], [1], [0], [2]]
    numeric, codes = read_inputs(TABLE.iloc[:0].astype(object), EXPECTED, COLUMNS)
    assert (numeric.shape, codes.shape) == ((0, 2), (0, 2))


def test_errors_name_column_and_partition() -> None:
    with pytest.raises(DataError, match=r"^column 'b' of partition 7: found 1 value"):
        read_inputs(TABLE.assign(b=[1, 2, np.inf, 4]), EXPECTED, COLUMNS, 7)
    with pytest.raises(DataError, match=r"^column 'd' of partition 7: found 1\.0"):
        read_inputs(TABLE.assign(d=[1, 2, 0.5, 4]), EXPECTED, COLUMNS, 7)
    with pytest.raises(FeaturesError, match="in the same order"):
        EXPECTED.check(TABLE[["c", "a", "b", "d"]])
