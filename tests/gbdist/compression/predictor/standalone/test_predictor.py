import numpy as np
import pytest

from gbdist.compression.predictor.standalone.predictor import Column

BORDERS = np.array([-np.finfo(np.float32).max, -1.0, 0.0, 2.5, np.finfo(np.float32).max], dtype=np.float32)
VALUES = np.array([np.nan, -np.inf, BORDERS[0], -1.0, -0.5, 0.0, -0.0, 1.0, 2.5, 3.0, BORDERS[-1], np.inf], np.float32)


@pytest.mark.parametrize("times", [1, 400])  # few rows are looked up, many are compared
@pytest.mark.parametrize("nan_above", [False, True])
def test_a_bin_is_the_number_of_borders_below(times: int, nan_above: bool) -> None:
    values = np.tile(VALUES, times)
    bins = np.full(values.shape, 99, dtype=np.uint8)
    Column(0, BORDERS, nan_above).write_bins(values, bins)
    assert bins.tolist() == [5 if nan_above else 0, 0, 0, 1, 2, 2, 2, 3, 3, 4, 4, 5] * times


def test_a_column_may_have_more_borders_than_a_byte_counts() -> None:
    borders = np.arange(300, dtype=np.float32)
    values = np.tile(np.array([-1.0, 254.5, 255.5, 299.5], dtype=np.float32), 2000)
    bins = np.empty(values.shape, dtype=np.uint16)
    Column(0, borders, False).write_bins(values, bins)
    assert bins.tolist() == [0, 255, 256, 300] * 2000
