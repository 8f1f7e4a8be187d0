"""The binning kernel against its obvious twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.kernels import cpu_binning, reference_binning
from gbdist.kernels.reference_binning import bins_of_column
from gbdist.quantize.binning import bin_part
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import BINS, WIDE_BINS, cells_type
from gbdist.quantize.raw import RawPart

FLOAT_MAX = np.finfo(np.float32).max
CORNERS = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-39, FLOAT_MAX, -FLOAT_MAX, 1.0, -1.0], dtype=np.float32
)


def bins_of(values: np.ndarray, borders: list[FeatureBorders]) -> np.ndarray:
    out = np.empty((values.shape[1], values.shape[0]), dtype=cells_type(borders))
    bin_part(RawPart(values, None, None, None, 0), borders, out)
    return out


def expected_bins(values: np.ndarray, borders: list[FeatureBorders]) -> np.ndarray:
    return np.stack(
        [bins_of_column(values[:, f].astype(np.float32), each.values, _nan_bin(each)) for f, each in enumerate(borders)]
    )


def _nan_bin(borders: FeatureBorders) -> int:
    return len(borders.values) if borders.nan_treatment == "AsTrue" else 0


@pytest.mark.parametrize("n_borders", [0, 1, 2, 3, 7, 8, 127, 128, 253, 254, 255, 256, 1000, 65_535])
@pytest.mark.parametrize("nan_treatment", ["AsIs", "AsFalse", "AsTrue"])
def test_bins_equal_the_reference_at_and_beside_every_border(n_borders: int, nan_treatment: str) -> None:
    generator = np.random.default_rng(n_borders)
    values = np.unique(generator.standard_cauchy(n_borders + 50).astype(np.float32))[:n_borders]
    borders = [FeatureBorders(values, nan_treatment)]
    column = np.concatenate(
        [
            CORNERS,
            values,
            np.nextafter(values, np.float32(np.inf)),
            np.nextafter(values, np.float32(-np.inf)),
            generator.standard_cauchy(3000).astype(np.float32),
        ]
    )
    np.testing.assert_array_equal(
        bins_of(column[:, np.newaxis], borders), expected_bins(column[:, np.newaxis], borders)
    )


@given(
    borders=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=40, unique=True),
    values=st.lists(st.floats(width=32), min_size=1, max_size=60),
)
@settings(max_examples=150, deadline=None)
def test_bins_equal_the_reference_for_any_float(borders: list[float], values: list[float]) -> None:
    ascending = np.unique(np.array(borders, dtype=np.float32))
    feature = [FeatureBorders(ascending, "AsTrue")]
    matrix = np.array(values + ascending.tolist(), dtype=np.float32)[:, np.newaxis]
    np.testing.assert_array_equal(bins_of(matrix, feature), expected_bins(matrix, feature))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("order", ["C", "F", "strided", "read-only"])
def test_any_layout_and_type_gives_the_same_bins(dtype: type, order: str) -> None:
    generator = np.random.default_rng(3)
    values = (generator.normal(size=(5_000, 7)) * 3).astype(dtype)
    borders = [
        FeatureBorders(np.unique(generator.normal(size=k).astype(np.float32)), "AsIs")
        for k in (0, 1, 5, 30, 254, 255, 3)
    ]
    laid_out = {
        "C": np.ascontiguousarray(values),
        "F": np.asfortranarray(values),
        "strided": np.repeat(np.repeat(values, 2, axis=0), 3, axis=1)[::2, ::3],
        "read-only": values.copy(),
    }[order]
    laid_out.setflags(write=order != "read-only")
    np.testing.assert_array_equal(bins_of(laid_out, borders), expected_bins(values, borders))


def test_more_than_255_borders_take_two_bytes() -> None:
    few, many = (FeatureBorders(np.arange(k, dtype=np.float32), "AsIs") for k in (255, 256))
    assert cells_type([few]) == BINS
    assert cells_type([few, many]) == WIDE_BINS
    assert bins_of(np.array([[300.0, 300.0]]), [few, many]).ravel().tolist() == [255, 256]


def test_large_float64_becomes_infinite_as_in_catboost() -> None:
    borders = [FeatureBorders(np.array([0.0, FLOAT_MAX], dtype=np.float32), "AsIs")]
    assert bins_of(np.array([[1e300], [-1e300], [1e38]]), borders).ravel().tolist() == [2, 0, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiles_equal_the_twin(dtype: type) -> None:
    generator = np.random.default_rng(3)
    tables = np.full((4, 8), np.inf, np.float32)
    for feature, n_borders in enumerate((0, 1, 4, 7)):
        tables[feature, :n_borders] = np.sort(generator.normal(size=n_borders))
    tile = np.concatenate([generator.normal(size=(4, 5_000)), np.tile(CORNERS, (4, 1)), tables], axis=1)
    steps, nan_bins = np.array([0, 1, 4, 4], np.uint32), np.array([0, 1, 0, 7], np.uint32)
    fast, slow = np.full((2, *tile.shape), 99, dtype)
    for module, out in ((cpu_binning, fast), (reference_binning, slow)):
        module.bin_tile(tile.astype(np.float32), tables, steps, nan_bins, out)
    np.testing.assert_array_equal(fast, slow)
