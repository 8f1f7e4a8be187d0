"""The trained model in gbdist's own terms; ``catboost_format`` turns it into a CatBoost model."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.models.statistics import CategoricalPart, OneHotFeature, StatisticFeature
from gbdist.models.tree import Tree
from gbdist.quantize.borders import FeatureBorders


@dataclass(frozen=True)
class Ensemble:
    """Trees, borders and start value; raw prediction = bias + Σ leaf values.

    Parameters
    ----------
    trees : tuple of ObliviousTree or of NonSymmetricTree
        All of one kind.
    borders : tuple of FeatureBorders
        One a binned column, in their order; a feature without borders is never used.
    bias : float64 [dimension]
        Start value (``boost_from_average``), zeros otherwise.
    feature_names : tuple of str
        Of all columns, categorical ones included.
    class_names : tuple or None
        Sorted distinct labels of a classifier, None for a regressor.
    options : dict
        CatBoost's own full training options (nested, as ``compute_training_options`` returns them), for ``model_info.params``.
    categories : CategoricalPart
        Nothing without categorical columns.
    """

    trees: tuple[Tree, ...]
    borders: tuple[FeatureBorders, ...]
    bias: NDArray[np.float64]
    feature_names: tuple[str, ...]
    class_names: tuple[Any, ...] | None
    options: dict[str, Any] = field(default_factory=dict)
    categories: CategoricalPart = field(default_factory=CategoricalPart)

    @property
    def dimension(self) -> int:
        """Number of raw values a row gets: 1, or the number of classes."""
        return int(self.bias.shape[0])

    @property
    def binned(self) -> tuple[int, ...]:
        """Places, among all columns, of those of numbers: one for each of ``borders``."""
        categorical = set(self.categories.positions)
        return tuple(place for place in range(len(self.feature_names)) if place not in categorical)

    @property
    def tested(self) -> dict[int, list[int]]:
        """Borders that any tree tests, by their numbers, of each feature that has some; both ascending."""
        found: dict[int, set[int]] = {}
        for tree in self.trees:
            for split in tree.splits:
                found.setdefault(split.feature, set()).add(split.border)
        return {feature: sorted(found[feature]) for feature in sorted(found)}

    @property
    def n_leaves(self) -> int:
        """Leaves of all trees."""
        return sum(tree.n_leaves for tree in self.trees)

    @property
    def features(self) -> tuple[FeatureBorders | OneHotFeature | StatisticFeature, ...]:
        """All that trees can test, in the order in which ``TreeSplit.feature`` counts."""
        return (*self.borders, *self.categories.one_hot, *self.categories.statistics)
