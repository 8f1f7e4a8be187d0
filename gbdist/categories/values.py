"""Target statistics as numbers, and their bins: one definition for the trainer and for the model."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import reference_categories
from gbdist.models.statistics import StatisticFeature, StatisticTable


def rule_of(feature: StatisticFeature) -> tuple[np.float32, np.float32, np.float32, int]:
    """What kernels must know of a feature: prior, shift and scale as CatBoost rounds them, and its number of borders."""
    return np.float32(feature.prior), np.float32(feature.shift), np.float32(feature.scale), feature.border_count


def statistic_bins(
    count: NDArray[np.int64], total: NDArray[np.int64] | int, feature: StatisticFeature
) -> NDArray[np.uint8]:
    """Bin of each row, uint8 [n]: how many of the feature's borders are below its value.

    The value is CatBoost's (online_ctr.h, TModelCtr::Calc), each step rounded to float32 as there, for a value may be as close
    to a border as the rounding.

    Parameters
    ----------
    count : int64 [n]
    total : int64 [n], or one for all rows
        What ``count`` is a share of.
    """
    bins = np.empty(count.shape[0], np.uint8)
    reference_categories.statistic_bins(count, np.broadcast_to(total, count.shape), rule_of(feature), bins)
    return bins


def border_values(feature: StatisticFeature) -> NDArray[np.float32]:
    """Borders of a statistic, float32 [border_count]."""
    return reference_categories.border_values(feature.border_count)


def counts_of_keys(
    table: StatisticTable, feature: StatisticFeature, keys: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """``count`` and ``total`` of each row's category, int64 [n] each, from the ``table`` that the feature needs.

    Parameters
    ----------
    keys : uint64 [n]
        Keys of the rows' categories. One that the table has not counts 0 rows.
    """
    places = np.minimum(np.searchsorted(table.keys, keys), table.keys.shape[0] - 1)
    counts = table.counts[places] * (table.keys[places] == keys)[:, np.newaxis]
    if table.counter:
        return counts[:, 0], np.full(keys.shape[0], table.counts.max())
    above = feature.target_border + 1
    chosen = slice(above, None) if feature.kind == "Borders" else slice(feature.target_border, above)
    return counts[:, chosen].sum(axis=1), counts.sum(axis=1)
