"""Categorical columns on a GPU: the CPU's bits, time beside the CPU's and CatBoost's GPU trainer, and kernels beside a copy.

usage: python bench/gpu_categories.py [--rows 1000000] [--trees 100] [--repeat 3] [--json FILE]

Needs one GPU and the extra "cuda"; nothing is fetched. Data are generated: 10 numeric columns, 8 categorical ones of 5 … 50,000
values, CatBoost's defaults for categories, combinations of up to four columns. Times are of training on quantized data, the
median of --repeat runs after a first one that compiles; CatBoost's trainer has its own defaults for a GPU.
"""

import argparse
import json
import pathlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from category_memory import params_of, rows_of_ranks
from generated import make_table
from gpu import STARTS, THREADS, card_or_leave, seconds_of
from numba import cuda

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Card
from gbdist.boosting.result import BoostResult
from gbdist.kernels import cuda_categories, cuda_coding
from gbdist.kernels.cuda_sums import sort_rows

COMPLEXITY = 4
CATEGORIES = 50_000


def with_catboost(n_rows: int, trees: int) -> Callable[[], None]:
    """CatBoost's GPU trainer on the same rows."""
    import catboost

    table, labels = make_table(n_rows, 1)
    pool = catboost.Pool(table, labels, cat_features=[name for name in table if name.startswith("c")])
    how = {"iterations": trees, "task_type": "GPU", "devices": "0", "max_ctr_complexity": COMPLEXITY, "verbose": False}
    return lambda: catboost.CatBoostClassifier(**how, allow_writing_files=False).fit(pool) and None


def kernel_speeds(n_rows: int) -> list[tuple[str, float, float]]:
    """Each kernel alone: name, milliseconds, bytes a second of those that must be read and written once."""
    rng = np.random.default_rng(0)
    codes = cuda.to_device(rng.integers(0, CATEGORIES, n_rows).astype(np.uint32))
    classes, out = cuda.to_device(rng.integers(0, 2, n_rows).astype(np.uint8)), cuda.device_array((3, n_rows), np.uint8)
    bases, numbers = cuda.to_device(np.zeros(n_rows, np.uint64)), cuda.to_device(np.arange(CATEGORIES, dtype=np.uint32))
    words, found = cuda.to_device(np.zeros(-(-CATEGORIES // 64), np.uint64)), cuda.device_array(n_rows, np.uint32)
    counts, other = cuda.to_device(np.zeros((CATEGORIES, 2), np.int32)), cuda.device_array(n_rows, np.uint32)
    size = 4 << CATEGORIES.bit_length()
    slots, keys = (bases, cuda.device_array(size, np.uint32)), cuda.device_array(size, np.uint64)
    wholes = np.array([(1, 2, 15, i) for i in range(3)], np.int64)
    rules = np.array([(prior, 0.0, 15.0) for prior in (0.0, 0.5, 1.0)], np.float32)
    rows, none = (codes, classes, False), np.empty(0, np.bool_)
    jobs: list[tuple[str, Callable[[], Any], float]] = [
        ("copy", lambda: other.copy_to_device(codes), 8.0),
        ("number_places", lambda: cuda_coding.number_places(bases, codes, (numbers, CATEGORIES), words, found), 28.0),
        ("number_categories", lambda: cuda_coding.number_categories(bases, codes, slots, found, keys), 28.0),
        ("count_classes", lambda: cuda_categories.count_classes(codes, classes, counts), 5.0),
        ("sort_rows", lambda: sort_rows(codes, CATEGORIES), 12.0),
        ("learn_bins", lambda: cuda_categories.learn_bins(rows, 0, counts, none, 2, (wholes, rules), out), 8.0),
    ]

    def seconds_each(work: Callable[[], Any]) -> float:
        return seconds_of(lambda: [work() for _ in range(STARTS)] and None, 5) / STARTS

    return [(name, 1000.0 * (taken := seconds_each(work)), moved * n_rows / taken) for name, work, moved in jobs]


def measure(n_rows: int, trees: int, repeat: int, card: Card) -> dict[str, Any]:
    """Whether a GPU's trees are the CPU's, and seconds of each trainer; what cannot run here says why."""
    (rows,), n_bins = rows_of_ranks(n_rows, 1)
    usual = params_of([rows])
    assert usual.categories is not None
    rules = replace(usual.categories, max_complexity=COMPLEXITY)
    params = replace(usual, categories=rules, iterations=trees, metric_period=trees, threads=THREADS, card=card)

    def train(how: BoostParams) -> BoostResult:
        return boost(rows, [], n_bins, how, SingleRank())

    first, second, on_cpu = train(params), train(params), train(replace(params, card=None))
    report: dict[str, Any] = {
        "two runs on the GPU are identical": first.trees == second.trees,
        "the trees are the CPU's": first.trees == on_cpu.trees,
        "gbdist on the GPU, s": seconds_of(lambda: train(params) and None, repeat),
        f"gbdist on {THREADS} threads, s": seconds_of(lambda: train(replace(params, card=None)) and None, repeat),
    }
    try:
        report["CatBoost on the GPU, s"] = seconds_of(with_catboost(n_rows, trees), repeat)
    except Exception as error:  # of many kinds: no package, no card, no memory
        report["CatBoost on the GPU, s"] = f"{type(error).__name__}: {error}".splitlines()[0][:60]
    return report


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    card = card_or_leave()
    report = measure(given.rows, given.trees, given.repeat, card)
    for what, value in report.items():
        print(f"{what}: {value:.2f}" if isinstance(value, float) else f"{what}: {value}", flush=True)
    report["kernels"] = kernel_speeds(given.rows)
    print("\n| kernel | ms | GB/s | of a copy's |\n|---|---|---|---|")
    copy = report["kernels"][0][2]
    for kernel, milliseconds, speed in report["kernels"]:
        print(f"| {kernel} | {milliseconds:.3f} | {speed / 1e9:.0f} | {speed / copy:.0%} |")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
