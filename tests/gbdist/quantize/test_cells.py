"""Scaled numbers are the same from every container, and lie as they are asked to."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from gbdist.errors import DataError
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import BINS, NUMBERS, WIDE_BINS, bins_type, cells_type, scale_part, write_cells
from gbdist.quantize.raw import RawPart
from gbdist.quantize.scales import ScaleRules

RNG = np.random.default_rng(8)
N_ROWS, N_FEATURES = 9_000, 3  # several tiles
VALUES = RNG.normal(size=(N_ROWS, N_FEATURES)) * [1.0, 10.0, 1e4]
VALUES[RNG.random(N_ROWS) < 0.1, 1] = np.nan
RULES = ScaleRules("robust")
SCALES = tuple(RULES.choose(VALUES[:, f].astype(np.float32), f == 1, "abc"[f]) for f in range(N_FEATURES))
CONTAINERS: dict[str, Callable[[NDArray[np.float64]], Any]] = {
    "float64": lambda values: values,
    "Fortran order": np.asfortranarray,
    "pandas": lambda values: pd.DataFrame(values, columns=list("abc")),
    "arrow": lambda values: pa.table({name: values[:, f] for f, name in enumerate("abc")}),
    "polars": lambda values: pl.DataFrame(values, schema=list("abc")),
    "sparse": csr_matrix,
}


def scaled(features: Any) -> NDArray[np.float32]:
    out = np.empty((N_ROWS, N_FEATURES), np.float32)
    write_cells(RawPart(features, None, None, None, 0), SCALES, out.T)
    return out


def test_numbers_are_those_of_each_column() -> None:
    columns = VALUES.astype(np.float32).T
    expected = [scale.encode(values, "x") for scale, values in zip(SCALES, columns, strict=True)]
    assert np.array_equal(scaled(VALUES).T, expected)


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_agree(container: str) -> None:
    assert scaled(CONTAINERS[container](VALUES)).tobytes() == scaled(VALUES).tobytes()


def test_part_without_rows() -> None:
    empty = pd.DataFrame({name: pd.Series([], dtype=object) for name in "abc"})
    scale_part(RawPart(empty, None, None, None, 0), SCALES, np.empty((3, 0), np.float32))


def test_errors_name_column_and_partition() -> None:
    wrong = VALUES.copy()
    wrong[7_000, 2] = -np.inf
    for features, name in ((wrong, "2"), (pd.DataFrame(wrong, columns=list("abc")), "c")):
        with pytest.raises(DataError, match=f"^column '{name}' of partition 4: found 1 value"):
            scale_part(RawPart(features, None, None, None, 4), SCALES, np.empty((3, N_ROWS), np.float32))
    with pytest.raises(DataError, match="2 columns, expected 3 columns"):
        scale_part(RawPart(VALUES[:, :2], None, None, None, 4), SCALES, np.empty((3, N_ROWS), np.float32))


def test_types_of_cells() -> None:
    few, many = (FeatureBorders(np.arange(count, dtype=np.float32), "AsIs") for count in (255, 256))
    assert cells_type(()) == BINS
    assert (cells_type([few]), cells_type([few, many])) == (BINS, WIDE_BINS)
    assert (bins_type(255), bins_type(256)) == (BINS, WIDE_BINS)
    assert cells_type(SCALES) == NUMBERS == RULES.cells
