"""The obvious way to apply an ensemble; the oracle of the CatBoost models that ``catboost_format`` writes."""

import numpy as np
from numpy.typing import NDArray

from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree
from gbdist.quantize.borders import FeatureBorders


def raw_predictions(ensemble: Ensemble, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Raw predictions, float64 [dimension, n_rows], of raw ``features`` float32 [n_rows, n_features].

    Leaf values are added in tree order to zero, then the start value: CatBoost's order.
    """
    predictions = np.zeros((features.shape[0], ensemble.dimension), dtype=np.float64)
    for tree in ensemble.trees:
        predictions += tree.leaf_values[leaf_of_rows(tree, ensemble.borders, features)]
    return np.ascontiguousarray((predictions + ensemble.bias).T)


def leaf_of_rows(
    tree: ObliviousTree, borders: tuple[FeatureBorders, ...], features: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Leaf number of each row, int64 [n_rows]: bit ``d`` is the outcome of ``splits[d]``."""
    leaves = np.zeros(features.shape[0], dtype=np.int64)
    for level, split in enumerate(tree.splits):
        feature = borders[split.feature]
        values = features[:, split.feature]
        goes_right = values > feature.values[split.border]
        if feature.nan_treatment == "AsTrue":
            goes_right |= np.isnan(values)
        leaves |= goes_right.astype(np.int64) << level
    return leaves
