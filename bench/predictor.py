"""What is the file that needs NumPy alone (gbdist.compression.predictor), beside CatBoost: bytes, and time of a row?

usage: python bench/predictor.py [--rows 100000] [--rounds 5] [MODEL.cbm ...]

For each model (of generated rows, or the files that are named, which must be of numbers): bytes of the .cbm with and without leaf
weights, and of the predictor with each kind of leaf values with the bound of its error and the largest error on the rows; then
the least of several rounds of: a batch, microseconds a row, CatBoost on one thread (a float32 array and a ready Pool) and the
predictor; a single row, microseconds, likewise; and seconds to load the file. Rows are normal numbers within the model's borders.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from latency import ONE_THREAD, least, trained

from gbdist.compression.predictor import load_predictor, save_predictor
from gbdist.models.cbm_size import size_of

SHAPES = {
    "1000 trees of depth 6": {"columns": 28, "iterations": 1000, "depth": 6},
    "100 trees of depth 6": {"columns": 28, "iterations": 100, "depth": 6},
    "200 trees of depth 6, 8 classes": {"columns": 28, "iterations": 200, "depth": 6, "classes": 8},
    "500 trees of 31 leaves (Lossguide)": {
        "columns": 28,
        "iterations": 500,
        "grow_policy": "Lossguide",
        "max_leaves": 31,
    },
}
LEAVES = ("float64", "fp16", "int8", 256, 16)


def models(files: list[str]) -> Iterator[tuple[str, Any]]:
    """Names and models: those of the files, or generated ones."""
    for file in files:
        yield Path(file).name, catboost.CatBoost().load_model(file)
    if not files:
        for name, shape in SHAPES.items():
            yield name, trained(shape)


def rows_of(model: Any, n_rows: int) -> np.ndarray:
    """float32 [n_rows, n_features], each column spread over its borders."""
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(n_rows, len(model.feature_names_))).astype(np.float32)
    for column, borders in model.get_borders().items():
        finite = [border for border in borders if abs(border) < 1e30]
        if finite:
            rows[:, column] = rows[:, column] * 1.2 * np.std(finite) + np.mean(finite)
    return rows


def compare(name: str, model: Any, folder: Path, options: argparse.Namespace) -> None:
    """Print what one model takes."""
    rows = rows_of(model, options.rows)
    size = size_of(model)
    print(f"\n{name}\n  .cbm {size.total:,} bytes, {size.total - size.leaf_weights:,} without leaf weights")
    exact = model.predict(rows, prediction_type="RawFormulaVal")
    for leaves in LEAVES:
        predictor = save_predictor(model, folder / "model.pyz", leaves)
        off = np.abs(predictor.predict_raw(rows) - exact).max()
        bound = f"error at most {predictor.error_bound:.3g}, found {off:.3g}"
        print(f"  {leaves!s:>8} {(folder / 'model.pyz').stat().st_size:>9,} bytes, {bound}")
    predictor = save_predictor(model, folder / "model.pyz")
    one = rows[:1]
    pools = {"batch": catboost.Pool(rows), "single": catboost.Pool(one)}
    batch = least(
        {
            "CatBoost": lambda: model.predict(rows, **ONE_THREAD),
            "of a Pool": lambda: model.predict(pools["batch"], **ONE_THREAD),
            "predictor": lambda: predictor.predict_raw(rows),
        },
        options.rounds,
    )
    single = least(
        {
            "CatBoost": lambda: model.predict(one, **ONE_THREAD),
            "of a Pool": lambda: model.predict(pools["single"], **ONE_THREAD),
            "predictor": lambda: predictor.predict_raw(one),
        },
        options.rounds * 40,
    )
    loading = least({"load": lambda: load_predictor(folder / "model.pyz")}, options.rounds)
    for what, seconds, n_rows in (("batch", batch, options.rows), ("single", single, 1)):
        print(f"  {what:>8} {', '.join(f'{who} {took / n_rows * 1e6:.2f}' for who, took in seconds.items())} µs a row")
    print(f"  loading {loading['load'] * 1e3:.1f} ms")


def main() -> None:
    """Compare all models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(options.models):
            compare(name, model, Path(folder), options)


if __name__ == "__main__":
    main()
