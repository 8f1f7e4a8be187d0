"""Generated rows for timings, made on the workers: a dense signal in which interactions also have main effects.

(Pure interactions make a score jump by ±0.01 between equally good learners: nothing to compare qualities with.)
"""

import itertools
from typing import Any

import dask
import dask.array as da
import numpy as np
import pandas as pd
from numpy.typing import NDArray


def make_rows(n_rows: int, n_features: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """float32 [n_rows, n_features] and labels 0/1, float32 [n_rows]."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    score = 0.9 * x[:, 0] + 0.6 * np.sin(2.0 * x[:, 1]) + 0.5 * np.abs(x[:, 2]) - 0.4
    score += 0.5 * np.maximum(x[:, 3], 0.0) * np.maximum(x[:, 4], 0.0) + 0.4 * (x[:, 5] > 0.5) * (1.0 + x[:, 6])
    for f in range(7, min(n_features, 20)):
        score += 0.15 * x[:, f]
    labels = rng.random(n_rows, dtype=np.float32) < 1.0 / (1.0 + np.exp(-score))
    return x, labels.astype(np.float32)


def make_collection(n_rows: int, n_features: int, partitions: int = 8) -> tuple[Any, Any]:
    """Lazy Dask arrays of the same rows whoever computes them: X float32 [n_rows, n_features], y float32 [n_rows]."""
    edges = [n_rows * i // partitions for i in range(partitions + 1)]
    xs, ys = [], []
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        x, y = dask.delayed(make_rows, nout=2, pure=True)(stop - start, n_features, 1_000 + number)
        xs.append(da.from_delayed(x, (stop - start, n_features), np.float32))
        ys.append(da.from_delayed(y, (stop - start,), np.float32))
    return da.concatenate(xs), da.concatenate(ys)


#: Distinct values of the categorical columns of ``make_table``.
CARDINALITIES = (5, 12, 40, 150, 600, 2_500, 10_000, 50_000)


def make_table(n_rows: int, seed: int, effects: int = 0) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Ten columns of numbers and eight of categories (strings), and labels 0/1; every category shifts the odds.

    ``seed`` draws the rows, ``effects`` what the categories mean: tables with the same one have the same signal.
    """
    rng, meaning = np.random.default_rng(seed), np.random.default_rng(effects)
    x = rng.standard_normal((n_rows, 10), dtype=np.float32)
    score = x[:, 0] - 0.7 * x[:, 1] * x[:, 2] + 0.5 * np.sin(2.0 * x[:, 3])
    columns: dict[str, Any] = {f"x{f}": x[:, f] for f in range(10)}
    codes = {}
    for number, count in enumerate(CARDINALITIES):
        shares = 1.0 / np.arange(1, count + 1) ** 0.7
        codes[count] = rng.choice(count, size=n_rows, p=shares / shares.sum())
        score = score + meaning.normal(size=count)[codes[count]] * (0.6 if number % 2 else 0.36)
        columns[f"c{count}"] = np.char.add("v", codes[count].astype(str)).astype(object)
    score = score + 0.7 * meaning.normal(size=(12, 40))[codes[12], codes[40]]
    score = score + 0.5 * meaning.normal(size=150)[codes[150]] * (x[:, 4] > 0)
    odds = 1.44 * (score - score.mean()) / score.std()
    labels = rng.random(n_rows) < 1.0 / (1.0 + np.exp(-odds))
    return pd.DataFrame(columns), labels.astype(np.int64)
