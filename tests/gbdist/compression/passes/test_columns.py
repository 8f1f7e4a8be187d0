"""Bins of an ensemble's columns, against the outcomes of its splits on raw values."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.compression.passes.columns import binned, columns_of
from gbdist.errors import DataError
from gbdist.models.statistics import CategoricalPart, OneHotFeature
from gbdist.quantize.borders import FeatureBorders


def test_columns_are_the_features_in_their_order(make_categorical: Callable[..., Any]) -> None:
    ensemble = make_categorical().ensemble
    columns = columns_of(ensemble)
    n_numbers, n_one_hot = len(ensemble.borders), len(ensemble.categories.one_hot)
    assert columns.is_one_hot.tolist() == [
        n_numbers <= f < n_numbers + n_one_hot for f in range(len(ensemble.features))
    ]
    assert columns.n_bins.tolist() == [
        *(len(feature.values) + 1 for feature in (*ensemble.borders, *ensemble.categories.one_hot)),
        *(feature.border_count + 1 for feature in ensemble.categories.statistics),
    ]
    assert columns.dtype == np.uint8


@pytest.mark.parametrize(("n_borders", "dtype"), [(255, np.uint8), (256, np.uint16)])
def test_bins_are_as_wide_as_they_must_be(make_ensemble: Callable[..., Any], n_borders: int, dtype: Any) -> None:
    ensemble = make_ensemble([1])
    borders = (FeatureBorders(np.arange(n_borders, dtype=np.float32), "AsIs"), *ensemble.borders[1:])
    bins = binned(replace(ensemble, borders=borders), np.full((1, 6), 1e9, np.float32))
    assert (bins.dtype, bins[0, 0]) == (dtype, n_borders)


def test_not_a_number_goes_where_the_model_sends_it(make_ensemble: Callable[..., Any]) -> None:
    ensemble = make_ensemble([1])
    bins = binned(ensemble, np.full((1, 6), np.nan, np.float32))
    assert bins[:, 0].tolist() == [0, 0, len(ensemble.borders[2].values), 0, 0, 0]


def test_values_that_a_one_hot_feature_has_not_share_its_last_bin(make_ensemble: Callable[..., Any]) -> None:
    ensemble = replace(make_ensemble([1]), categories=CategoricalPart((6,), (OneHotFeature(0, (3, 5, 9)),)))
    hashes = np.array([[9], [5], [4], [3], [2**32 - 1]], np.uint32)
    bins = binned(ensemble, np.zeros((5, 6), np.float32), hashes)
    assert bins[6].tolist() == [2, 1, 3, 0, 3]


def test_rows_of_another_number_of_columns_are_refused(make_ensemble: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="found 5 columns, expected 6 columns"):
        binned(make_ensemble([1]), np.zeros((3, 5), np.float32))
