"""A table with numbers, categories, missing values and weights, a model of it, and passes that are easy to follow."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import catboost
import numpy as np
import pandas as pd

from gbdist.boosting.fixed_point import sum_scale
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.outputs import leaves_of, loss_of, raw_predictions
from gbdist.models.ensemble import Ensemble

CATS = ("city", "colour")


def make_frame(n_rows: int = 900, seed: int = 0) -> pd.DataFrame:
    """Two numbers, one of which is missing now and then, and two categorical columns between them; ``y`` and ``w`` come last."""
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, n_rows)).astype(np.float32)
    city, colour = generator.integers(0, 30, n_rows), generator.integers(0, 3, n_rows)
    target = a + 0.5 * b * (colour == 1) + np.sin(city) + 0.3 * generator.normal(size=n_rows)
    return pd.DataFrame(
        {
            "a": np.where(generator.random(n_rows) < 0.1, np.float32(np.nan), a),
            "city": pd.Series([f"city {value}" for value in city], dtype=object),
            "b": b,
            "colour": pd.Series([f"colour {value}" for value in colour], dtype=object),
            "y": target,
            "w": generator.random(n_rows) + 0.5,
        }
    )


def classes_of(frame: pd.DataFrame) -> pd.Series:
    """The label as two classes."""
    return pd.Series(np.where(frame["y"] > 0.2, "high", "low"), index=frame.index, dtype=object)


def fitted(frame: pd.DataFrame, *, classifier: bool = False, iterations: int = 12) -> Any:
    """CatBoost's own model of it."""
    options = {"iterations": iterations, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    kind = catboost.CatBoostClassifier if classifier else catboost.CatBoostRegressor
    y = classes_of(frame) if classifier else frame["y"]
    return kind(**options, cat_features=list(CATS)).fit(frame.drop(columns=["y", "w"]), y)


@dataclass(frozen=True)
class Prefix(Pass):
    """Keeps the first trees."""

    trees: int
    name: ClassVar[str] = "prefix"
    needs_rows: ClassVar[bool] = False

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        return replace(ensemble, trees=ensemble.trees[: self.trees])


@dataclass(frozen=True)
class Recount(Pass):
    """Sets the weights of leaves to the rows that are in them, and moves the bias by the loss."""

    name: ClassVar[str] = "recount"
    needs_rows: ClassVar[bool] = True

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        assert data is not None
        scale = sum_scale(2.0, 1 << 20)
        trees = []
        for tree in ensemble.trees:
            weight = np.ones(data.rows.n_rows) if data.rows.weight is None else data.rows.weight.astype(np.float64)
            sums = np.zeros(tree.n_leaves, np.int64)
            np.add.at(sums, leaves_of(tree, data), np.rint(weight * scale).astype(np.int64))
            trees.append(replace(tree, leaf_weights=data.collective.all_reduce(sums) / scale))
        loss = loss_of(raw_predictions(ensemble, data), data)
        return replace(ensemble, trees=tuple(trees), bias=ensemble.bias + loss)


def same_bits(one: Ensemble, other: Ensemble) -> bool:
    """Whether all that passes may change is the same."""
    return one.trees == other.trees and one.bias.tobytes() == other.bias.tobytes()
