"""Small fitted networks for tests, made of draws in place of training: what is tested are their numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist import DaskMLPClassifier, DaskMLPRegressor
from gbdist.estimators.networks.base import DaskMLP
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec

N_ROWS = 400


def frame(n_rows: int = N_ROWS, seed: int = 0) -> pd.DataFrame:
    """Two numbers and a category."""
    rng = np.random.default_rng(seed)
    town = rng.choice(["Oslo", "Rome", "Bonn"], n_rows)
    return pd.DataFrame({"a": rng.normal(size=n_rows), "town": town, "b": rng.normal(size=n_rows)})


def fitted(hidden: tuple[int, ...] = (8, 6), *, classes: int = 0, **parameters: Any) -> DaskMLP:
    """After one epoch on ``frame``; a classifier of so many classes, or a regressor of two targets."""
    X = frame()
    given: dict[str, Any] = {"max_iter": 1, "embedding_size": 4, "early_stopping": False, **parameters}
    if given.get("numeric_embedding") == "none":
        del given["embedding_size"]
    if classes:
        y = np.array(["x", "y", "z"])[np.digitize(X["a"], np.linspace(-0.5, 0.5, classes - 1))]
        return DaskMLPClassifier(hidden, **given).fit(X, y)
    return DaskMLPRegressor(hidden, **given).fit(X, np.stack([X["a"] * 3.0, X["b"] + X["a"] ** 2], axis=1))


def arrays_of(estimator: DaskMLP) -> dict[str, NDArray[Any]]:
    """The parameters by their names, views of copies."""
    flat = estimator.model_.flat.copy()
    return {slot.name: slot.of(flat) for slot in Network(estimator.model_.spec).slots}


def with_arrays(estimator: DaskMLP, arrays: dict[str, NDArray[Any]], spec: NetworkSpec | None = None) -> DaskMLP:
    """The same estimator, changed to these parameters."""
    spec = spec or estimator.model_.spec
    flat = np.concatenate([arrays[slot.name].ravel() for slot in Network(spec).slots])
    estimator._adopt(replace(estimator.model_, spec=spec, flat=flat))
    return estimator
