"""What does CatBoost take for a row, and does the fixed cost model (gbdist/compression/cost.py) say it?

usage: python bench/latency.py [--rows 20000] [--rounds 9]

Trains small CatBoost models of many shapes (columns, borders, depths, grow policies, classes, categories), times their raw
predictions in one batch on one thread, and fits the units of the cost model to them: squares of relative errors, no unit
below 0. Prints the shapes with what was measured and what the fit and the units in the code say, then the units, as the code
has them. Rows are a ready catboost.Pool: what it takes to make one of texts does not depend on the model.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from typing import Any

import catboost
import numpy as np
import pandas as pd
from scipy.optimize import nnls

from gbdist.compression.cost import Work, cost_of, work_of
from gbdist.models.catboost_reading import from_catboost

TRAINED_ON = 4_000
ONE_THREAD = {"prediction_type": "RawFormulaVal", "thread_count": 1}


def make_rows(n_rows: int, n_numbers: int, n_categories: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers and texts, and a label that depends on all of them."""
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=(n_rows, n_numbers)).astype(np.float32)
    label = numbers @ np.random.default_rng(0).normal(size=n_numbers) + numbers[:, 0] * numbers[:, -1]
    rows = pd.DataFrame(numbers, columns=[f"x{f}" for f in range(n_numbers)])
    for number in range(n_categories):
        codes = generator.integers(0, 4 << number, n_rows)
        rows[f"c{number}"] = np.char.add("v", codes.astype(str)).astype(object)
        label = label + 3.0 * np.sin(codes)
    return rows, label


def shapes() -> Iterator[dict[str, Any]]:
    """Parameters of models, with what their rows have."""
    for columns, borders in ((8, 32), (40, 254), (120, 64)):
        for trees, depth in ((100, 6), (400, 4), (400, 6), (1000, 2), (1000, 6), (200, 8)):
            yield {"columns": columns, "border_count": borders, "iterations": trees, "depth": depth}
    for classes, depth in itertools.product((3, 8), (3, 6)):
        yield {"columns": 20, "iterations": 200, "depth": depth, "classes": classes}
    for leaves, trees in itertools.product((4, 16, 64), (100, 500)):
        yield {"columns": 20, "iterations": trees, "grow_policy": "Lossguide", "max_leaves": leaves, "depth": 16}
    for depth, trees in itertools.product((3, 6), (100, 500)):
        yield {"columns": 20, "iterations": trees, "grow_policy": "Depthwise", "depth": depth}
    for categories, complexity, one_hot in itertools.product((3, 8), (1, 3), (2, 40)):
        for trees in (100, 400):
            yield {
                "columns": 10,
                "categories": categories,
                "iterations": trees,
                "max_ctr_complexity": complexity,
                "one_hot_max_size": one_hot,
            }


def trained(shape: dict[str, Any]) -> Any:
    """A model of a shape."""
    given = dict(shape)
    n_numbers, n_categories, classes = (given.pop(name, 0) for name in ("columns", "categories", "classes"))
    rows, label = make_rows(TRAINED_ON, n_numbers, n_categories, seed=1)
    kind = catboost.CatBoostClassifier if classes else catboost.CatBoostRegressor
    if classes:
        label = np.searchsorted(np.quantile(label, np.arange(1, classes) / classes), label)
    names = [name for name in rows if name.startswith("c")]
    model = kind(learning_rate=0.1, random_seed=0, thread_count=2, verbose=False, allow_writing_files=False, **given)
    return model.fit(rows, label, cat_features=names)


def least(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each call, the least of several rounds over all of them.

    What else the machine does only adds, and not to the same call each time.
    """
    found = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            found[name] = min(found[name], time.perf_counter() - start)
    return found


def fit_units(n_rows: int, rounds: int) -> None:
    """Measure all shapes, fit, and print."""
    names = [field.name for field in fields(Work)]
    counts, said = [], []
    calls: dict[str, Callable[[], Any]] = {}
    for shape in shapes():
        model = trained(shape)
        rows, _ = make_rows(n_rows, shape["columns"], shape.get("categories", 0), seed=2)
        pool = catboost.Pool(rows, cat_features=[name for name in rows if name.startswith("c")])
        label = " ".join(f"{key}={value}" for key, value in shape.items())
        calls[label] = partial(model.predict, pool, **ONE_THREAD)
        ensemble = from_catboost(model)
        counts.append([getattr(work_of(ensemble), name) for name in names])
        said.append(cost_of(ensemble))
    seconds = np.array(list(least(calls, rounds).values()))
    table, times = np.array(counts, dtype=np.float64), seconds / n_rows * 1e9
    units, _ = nnls(table / times[:, None], np.ones(len(times)))
    fitted = table @ units
    print(f"{'measured ns':>12} {'fit':>8} {'code':>8}  shape")
    for row in zip(times, fitted, said, calls, strict=True):
        print(f"{row[0]:12.0f} {row[1]:8.0f} {row[2]:8.0f}  {row[3]}")
    for name, values in (("fit", fitted), ("code", np.array(said))):
        off = np.abs(values / times - 1.0)
        print(f"{name}: off by {np.median(off):.0%} in the median, {off.max():.0%} at most")
    print("UNITS =", {name: float(f"{unit:.2g}") for name, unit in zip(names, units, strict=True)})


def main() -> None:
    """Fit the units."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    fit_units(options.rows, options.rounds)


if __name__ == "__main__":
    main()
