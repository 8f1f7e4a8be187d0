"""What smaller networks cost: holdout log loss, size of the file and time of a row, for pruned, rounded and distilled ones.

usage: python bench/compressed_networks.py DATA_DIR [--rows 9000] [--only adult]

DATA_DIR holds adult-train.parquet, adult-test.parquet, higgs-train.parquet and higgs-test.parquet. The first rows of adult's
training part train, its test part decides; of higgs, whose parts are shuffled, 5500 rows train and 2000 decide. Data in memory
below 10,000 rows are trained on in this process. Times are of one thread, of the processor's clock, the least of five.
"""

import argparse
import pathlib
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from quality import Task, read_whole_tasks
from sklearn.base import clone

from gbdist import DaskCatBoostClassifier, DaskMLPClassifier
from gbdist.compression.networks import (
    distil_to_network,
    distil_to_trees,
    prediction_bounds,
    prune_network,
    quantize_network,
)
from gbdist.neural.training.threads import blas_threads

EPOCHS = 15


def seconds(ask: Any) -> float:
    """Of one call, after one that warms up."""
    ask()
    found = []
    for _ in range(5):
        begun = time.process_time()
        ask()
        found.append(time.process_time() - begun)
    return min(found)


def raw(model: Any, X: pd.DataFrame) -> np.ndarray:
    """Raw outputs of a network or of trees."""
    return model.predict_raw(X) if hasattr(model, "predict_raw") else model.predict(X, "RawFormulaVal")


def tell(task: Task, name: str, model: Any, off: str = "") -> None:
    """A line of the table."""
    rows, _ = task.part(task.test)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model"
        model.save_model(path)
        size = path.stat().st_size / 1000
    each = seconds(lambda: raw(model, rows)) / len(rows)
    print(
        f"| {task.name} | {name} | {task.loss(model):.4f} | {size:.0f} kB | {each * 1e6:.1f} µs | {off} |", flush=True
    )


def network(hidden: tuple[int, ...]) -> DaskMLPClassifier:
    """A network of the default preset."""
    return DaskMLPClassifier(hidden, max_iter=EPOCHS)


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("data", type=pathlib.Path)
    arguments.add_argument("--rows", type=int, default=9000)
    arguments.add_argument("--only")
    given = arguments.parse_args()
    print("| data | model | holdout log loss | file | a row | raw outputs off, at most; bounds, largest |")
    print("|---|---|---|---|---|---|")
    with blas_threads(1):
        for task in read_whole_tasks(given.data, ("adult", "higgs")):
            if given.only in (None, task.name):
                compare(replace(task, train=task.train[: given.rows]))


def compare(task: Task) -> None:
    """All of one data set."""
    (X, y), (X_test, _) = task.part(task.train), task.part(task.test)
    large = network((256, 256)).fit(X, y)
    tell(task, "network of 256, 256", large)
    for share in (0.5, 0.25, 0.125):
        pruned = prune_network(large, X, share)
        tell(task, f"pruned to {share}", pruned)
    tell(task, "… and int8", quantize_network(pruned, "int8"))
    for weights in ("fp16", "int8"):
        small = quantize_network(large, weights)
        off = np.abs(raw(small, X_test) - raw(large, X_test))
        bounds = prediction_bounds(small, X_test)
        told = f"{off.mean():.4f}, {off.max():.4f}; {bounds.mean():.2f}, {bounds.max():.2f}"
        tell(task, weights, small, told)
    trees = DaskCatBoostClassifier(iterations=500, verbose=False).fit(X, y)
    tell(task, "500 trees", trees)
    tell(task, "network of 64, 64", network((64, 64)).fit(X, y))
    for copies in (0, 1, 3):
        tell(task, f"of the trees, {copies} copies", distil_to_network(trees, X, network((64, 64)), copies=copies))
    student = DaskCatBoostClassifier(iterations=100, depth=4, verbose=False)
    tell(task, "100 trees of depth 4", clone(student).fit(X, y))
    for copies in (0, 3):
        tell(task, f"of the network, {copies} copies", distil_to_trees(large, X, student, copies=copies))


if __name__ == "__main__":
    main()
