"""The columns that an ensemble's trees test, as bins: what each is like, and the bins of raw rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.categories.keys import projection_keys
from gbdist.categories.values import counts_of_keys, statistic_bins
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature, Projection, StatisticFeature
from gbdist.quantize.binning import bin_part
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import bins_type
from gbdist.quantize.raw import RawPart


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What growing and applying trees must know of ``ensemble.features``, one each and in their order.

    Parameters
    ----------
    n_bins : int64 [n_columns]
        A number has one more than borders, a statistic likewise, a one-hot feature one more than values: that of all others.
    is_one_hot : bool [n_columns]
        Whether a split is true for rows with ``bins == border``; else for rows with ``bins > border``.
    """

    n_bins: NDArray[np.int64]
    is_one_hot: NDArray[np.bool_]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the bins, one for all columns: uint8 where none has more than 256 bins, else uint16."""
        return bins_type(int(self.n_bins.max(initial=1)) - 1)


def columns_of(ensemble: Ensemble) -> Columns:
    """The columns of an ensemble."""
    features = ensemble.features
    return Columns(
        np.array([n_borders_of(feature) + 1 for feature in features], np.int64),
        np.array([isinstance(feature, OneHotFeature) for feature in features], np.bool_),
    )


def n_borders_of(feature: FeatureBorders | OneHotFeature | StatisticFeature) -> int:
    """How many tests there are of a feature: borders, or values of a one-hot feature."""
    return feature.border_count if isinstance(feature, StatisticFeature) else len(feature.values)


def binned(ensemble: Ensemble, features: NDArray[np.float32], hashes: NDArray[np.uint32] | None = None) -> Any:
    """Bins of raw rows, [n_columns, n_rows] of ``columns_of(ensemble).dtype``, C order.

    A statistic's bin is what the model's own table gives, as in prediction; so no tree tells rows apart whose bins are the same.

    Parameters
    ----------
    features : float32 [n_rows, n_binned], IN
        Raw values of the binned columns, NaNs among them.
    hashes : uint32 [n_rows, n_categorical], IN
        CatBoost's hashes of the categorical columns, for an ensemble that has some.

    Raises
    ------
    DataError
        Where there are more or fewer binned columns than the ensemble has.
    """
    numbers = np.empty((len(ensemble.borders), features.shape[0]), bins_type(_most_borders(ensemble)))
    bin_part(RawPart(features, None, None, None, 0), ensemble.borders, numbers)
    if hashes is None:
        return numbers
    return with_categories(ensemble, numbers, [np.ascontiguousarray(column) for column in hashes.T])


def with_categories(ensemble: Ensemble, numbers: Any, hashes: Sequence[NDArray[np.uint32]]) -> Any:
    """Bins of all columns, [n_columns, n_rows], from those of the binned ones; ``numbers`` itself where there are no others.

    Parameters
    ----------
    numbers : uint8 or uint16 [n_binned, n_rows], IN
    hashes : uint32 [n_rows] each, IN
        CatBoost's hashes of the categorical columns, in their order.
    """
    n_numbers, one_hot = len(ensemble.borders), ensemble.categories.one_hot
    if n_numbers == len(ensemble.features):
        return numbers
    bins = np.empty((len(ensemble.features), numbers.shape[1]), columns_of(ensemble).dtype)
    bins[:n_numbers] = numbers
    for row, feature in zip(bins[n_numbers:], one_hot, strict=False):
        row[:] = _bins_of_values(feature, hashes[feature.cat])
    if ensemble.categories.statistics:
        _write_statistics(ensemble, numbers, hashes, bins[n_numbers + len(one_hot) :])
    return bins


def rows_on_columns(ensemble: Ensemble, rows: Rows) -> Rows:
    """Rows that were cut by the ensemble's borders, with hashes of its categorical columns beside them, on all its columns."""
    hashes = [np.asarray(column.values) for column in rows.unbinned]
    return replace(rows, bins=with_categories(ensemble, rows.bins, hashes), unbinned=())


def _most_borders(ensemble: Ensemble) -> int:
    return max((len(each.values) for each in ensemble.borders), default=0)


def _bins_of_values(one_hot: OneHotFeature, column: NDArray[np.uint32]) -> NDArray[Any]:
    """Number of each row's value, [n_rows]; that of any other is how many there are."""
    values = np.array(one_hot.values, np.uint32)
    if not values.shape[0]:
        return np.zeros(column.shape[0], np.int64)
    places = np.minimum(np.searchsorted(values, column), values.shape[0] - 1)
    numbers: NDArray[Any] = np.where(values[places] == column, places, values.shape[0])
    return numbers


def _write_statistics(ensemble: Ensemble, numbers: Any, hashes: Sequence[NDArray[np.uint32]], out: Any) -> None:
    """Write the bins of statistics, out [n_statistics, n_rows]; ``numbers`` are the bins of the binned columns."""
    tables = {(table.projection, table.counter): table for table in ensemble.categories.tables}
    keys: dict[Projection, NDArray[np.uint64]] = {}
    for row, statistic in zip(out, ensemble.categories.statistics, strict=True):
        projection = statistic.projection
        if projection not in keys:
            keys[projection] = _keys(projection, numbers, hashes)
        table = tables[projection, statistic.kind == "Counter"]
        row[:] = statistic_bins(*counts_of_keys(table, statistic, keys[projection]), statistic)


def _keys(projection: Projection, numbers: Any, hashes: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint64]:
    above = [numbers[feature] > border for feature, border in projection.float_splits]
    equal = [hashes[cat] == np.uint32(value) for cat, value in projection.one_hot_splits]
    return projection_keys([hashes[cat] for cat in projection.cats], [*above, *equal])
