"""The obvious way to apply an ensemble; the oracle of the CatBoost models that ``catboost_format`` writes."""

from itertools import chain

import numpy as np
from numpy.typing import NDArray

from gbdist.categories.keys import projection_keys
from gbdist.categories.values import counts_of_keys, statistic_bins
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature, Projection, StatisticFeature
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit, levels_of
from gbdist.quantize.borders import FeatureBorders


def raw_predictions(
    ensemble: Ensemble, features: NDArray[np.float32], hashes: NDArray[np.uint32] | None = None
) -> NDArray[np.float64]:
    """Raw predictions, float64 [dimension, n_rows].

    Leaf values are added in tree order to zero, then the start value: CatBoost's order.

    Parameters
    ----------
    features : float32 [n_rows, n_binned]
        Raw values of the binned columns.
    hashes : uint32 [n_rows, n_categorical]
        CatBoost's hashes of the categorical columns, for an ensemble that has some.
    """
    if hashes is None:
        hashes = np.empty((features.shape[0], 0), dtype=np.uint32)
    predictions = np.zeros((features.shape[0], ensemble.dimension), dtype=np.float64)
    for tree in ensemble.trees:
        predictions += tree.leaf_values[leaf_of_rows(tree, ensemble, features, hashes)]
    return np.ascontiguousarray((predictions + ensemble.bias).T)


def leaf_of_rows(
    tree: Tree, ensemble: Ensemble, features: NDArray[np.float32], hashes: NDArray[np.uint32]
) -> NDArray[np.int64]:
    """Leaf number of each row, int64 [n_rows]: of an oblivious tree, bit ``d`` is the outcome of ``splits[d]``."""
    leaves = np.zeros(features.shape[0], dtype=np.int64)
    if isinstance(tree, ObliviousTree):
        for level, split in enumerate(tree.splits):
            leaves |= _outcomes(split, ensemble, features, hashes).astype(np.int64) << level
        return leaves
    for move in chain.from_iterable(levels_of(tree.nodes)):
        leaves[(leaves == move.leaf) & _outcomes(move.split, ensemble, features, hashes)] = move.right
    return leaves


def _outcomes(
    split: TreeSplit, ensemble: Ensemble, features: NDArray[np.float32], hashes: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """Outcome of a split for each row, bool [n_rows]."""
    match ensemble.features[split.feature]:
        case FeatureBorders() as borders:
            return _above(borders, split.border, features[:, split.feature])
        case OneHotFeature() as one_hot:
            return _equal(hashes[:, one_hot.cat], one_hot.values[split.border])
        case StatisticFeature() as statistic:
            return _statistic_bins_of_rows(statistic, ensemble, features, hashes) > split.border


def _above(borders: FeatureBorders, border: int, values: NDArray[np.float32]) -> NDArray[np.bool_]:
    if borders.nan_treatment == "AsTrue":
        values = np.where(np.isnan(values), np.inf, values)
    outcomes: NDArray[np.bool_] = values > borders.values[border]
    return outcomes


def _equal(hashes: NDArray[np.uint32], value: int) -> NDArray[np.bool_]:
    outcomes: NDArray[np.bool_] = hashes == np.uint32(value)
    return outcomes


def _statistic_bins_of_rows(
    statistic: StatisticFeature, ensemble: Ensemble, features: NDArray[np.float32], hashes: NDArray[np.uint32]
) -> NDArray[np.uint8]:
    keys = _keys_of_rows(statistic.projection, ensemble, features, hashes)
    wanted = (statistic.projection, statistic.kind == "Counter")
    table = next(t for t in ensemble.categories.tables if (t.projection, t.counter) == wanted)
    return statistic_bins(*counts_of_keys(table, statistic, keys), statistic)


def _keys_of_rows(
    projection: Projection, ensemble: Ensemble, features: NDArray[np.float32], hashes: NDArray[np.uint32]
) -> NDArray[np.uint64]:
    numbers = [_above(ensemble.borders[f], border, features[:, f]) for f, border in projection.float_splits]
    one_hot = [_equal(hashes[:, cat], value) for cat, value in projection.one_hot_splits]
    return projection_keys([np.ascontiguousarray(hashes[:, cat]) for cat in projection.cats], [*numbers, *one_hot])
