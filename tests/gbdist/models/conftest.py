"""Random ensembles that do not need training."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from catboost._catboost import DataMetaInfo, TargetStats
from catboost.utils import compute_training_options

from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

FLOAT_MAX = np.finfo(np.float32).max


@pytest.fixture
def make_ensemble() -> Callable[..., Ensemble]:
    """Feature 0 has no borders, 1 treats NaN as lowest, those of ``highest`` as highest, the others saw none."""

    def make(
        depths: Sequence[int],
        dimension: int = 1,
        class_names: tuple[Any, ...] | None = None,
        n_features: int = 6,
        seed: int = 0,
        highest: tuple[int, ...] = (2,),
    ) -> Ensemble:
        generator = np.random.default_rng(seed)
        borders = []
        for f in range(n_features):
            values = np.unique(generator.normal(size=40).astype(np.float32))
            if f == 0:
                borders.append(FeatureBorders(values[:0], "AsIs"))
            elif f == 1:
                borders.append(FeatureBorders(np.append(np.float32(-FLOAT_MAX), values), "AsFalse"))
            elif f in highest:
                borders.append(FeatureBorders(np.append(values, np.float32(FLOAT_MAX)), "AsTrue"))
            else:
                borders.append(FeatureBorders(values, "AsIs"))
        trees = [
            ObliviousTree(
                tuple(
                    TreeSplit(f, int(generator.integers(len(borders[f].values))))
                    for f in generator.integers(1, n_features, size=depth).tolist()
                ),
                generator.normal(size=(1 << depth, dimension)) / 3,
                generator.random(1 << depth) * 10,
            )
            for depth in depths
        ]
        loss = "RMSE" if class_names is None else "Logloss" if dimension == 1 else "MultiClass"
        options = compute_training_options(
            {"loss_function": loss, "iterations": max(1, len(depths)), "depth": 4},
            DataMetaInfo(1000, n_features, 0, TargetStats(0.0, 2.0), False),
        )
        names = tuple(f"f{f}" for f in range(n_features))
        return Ensemble(tuple(trees), tuple(borders), generator.normal(size=dimension), names, class_names, options)

    return make


@pytest.fixture
def raw_features() -> np.ndarray:
    """float32 [900, 6] with NaN, infinities and the largest floats among normal values."""
    generator = np.random.default_rng(5)
    values = generator.normal(size=(900, 6)).astype(np.float32)
    for position, corner in enumerate([np.nan, np.inf, -np.inf, 0.0, -0.0, FLOAT_MAX, -FLOAT_MAX, 1e-45]):
        values[position::40] = np.where(generator.random((len(values[position::40]), 6)) < 0.5, corner, 0.25)
    return values
