"""The trained model in gbdist's own terms; ``catboost_format`` turns it into a CatBoost model."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.models.tree import ObliviousTree
from gbdist.quantize.borders import FeatureBorders


@dataclass(frozen=True)
class Ensemble:
    """Trees, borders and start value; raw prediction = bias + Σ leaf values.

    Parameters
    ----------
    trees : tuple of ObliviousTree
    borders : tuple of FeatureBorders
        One a feature; a feature without borders is never used.
    bias : float64 [dimension]
        Start value (``boost_from_average``), zeros otherwise.
    feature_names : tuple of str
    class_names : tuple or None
        Sorted distinct labels of a classifier, None for a regressor.
    options : dict
        CatBoost's own full training options (nested, as ``compute_training_options`` returns them), for ``model_info.params``.
    """

    trees: tuple[ObliviousTree, ...]
    borders: tuple[FeatureBorders, ...]
    bias: NDArray[np.float64]
    feature_names: tuple[str, ...]
    class_names: tuple[Any, ...] | None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """Number of raw values a row gets: 1, or the number of classes."""
        return int(self.bias.shape[0])
