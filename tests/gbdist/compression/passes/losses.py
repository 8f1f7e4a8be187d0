"""Ensembles of several losses and their rows, for passes that look at derivatives."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gbdist.boosting.rows import Rows
from gbdist.models.ensemble import Ensemble

from ..conftest import rows_of

#: Dimension and class names by the number of classes.
NAMES: dict[int, tuple[Any, ...] | None] = {1: None, 2: ("no", "yes"), 3: ("ant", "bee", "cow")}


def ensemble_of(make: Callable[..., Ensemble], n_classes: int, n_trees: int = 12, loss: str = "") -> Ensemble:
    """Trees of a regressor for one class; ``loss`` in the place of its own."""
    ensemble = make([4, 3, 5] * (n_trees // 3), 3 if n_classes == 3 else 1, NAMES[n_classes])
    return replace(ensemble, options=ensemble.options | {"loss_function": {"type": loss}}) if loss else ensemble


def labelled(ensemble: Ensemble, features: np.ndarray, n_classes: int, *, weighted: bool = True, seed: int = 3) -> Rows:
    """Rows with random labels, and weights if they are to have some."""
    generator, n = np.random.default_rng(seed), features.shape[0]
    label = generator.normal(size=n) if n_classes == 1 else generator.integers(0, n_classes, n)
    weight = (0.1 + generator.random(n)).astype(np.float32) if weighted else None
    return rows_of(ensemble, features, label.astype(np.float32), weight=weight)
