"""Histograms on a GPU: the CPU's bits, time beside CatBoost's and XGBoost's GPU trainers, and kernels beside a plain copy.

usage: python bench/gpu.py [--sizes 10000000x28,1000000x500] [--trees 100] [--check 1000000x28] [--check-trees 20,200]
                           [--repeat 3] [--only gbdist,catboost,xgboost] [--json FILE]

Needs one GPU and the extra "cuda" (and "bench" for XGBoost); nothing is fetched. Data are generated. Times are of training on
quantized data, the median of --repeat runs after a first one that compiles; depth 6, rate 0.1, 255 bins, one Newton step a leaf,
no sampling. Kernels are timed alone on the first size, beside a copy in the card's memory.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from generated import make_rows
from numba import cuda

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Card
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows, Segment
from gbdist.errors import ClusterError
from gbdist.estimators.devices import card_here
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist.quantize.binning import bin_part
from gbdist.quantize.borders import choose_borders
from gbdist.quantize.raw import RawPart

DEPTH, RATE, BORDERS = 6, 0.1, 254
SAMPLE = 200_000
HOLDOUT = 200_000
THREADS = 16
#: Starts of a kernel that are timed together: starting one takes Python as long as the card needs for a copy of 100 MB.
STARTS = 20


class Table:
    """Generated rows, quantized; raw values are kept for the peers."""

    def __init__(self, n_rows: int, n_features: int) -> None:
        self.x, self.y = make_rows(n_rows, n_features, 1)
        self.y = self.y.astype(np.float32)
        began = time.perf_counter()
        step = max(1, n_rows // SAMPLE)
        sample = np.ascontiguousarray(self.x[::step].T)
        self.borders = [
            choose_borders(values, BORDERS, "GreedyLogSum", "Min", False, f"f{i}") for i, values in enumerate(sample)
        ]
        self.n_bins = np.array([len(each.values) + 1 for each in self.borders], np.int64)
        self.rows = self.quantized(self.x, self.y)
        self.seconds = time.perf_counter() - began

    def quantized(self, x: Any, y: Any) -> Rows:
        bins = np.empty((x.shape[1], x.shape[0]), np.uint8)
        bin_part(RawPart(x, None, None, None, 0), self.borders, bins)
        return Rows(bins, y, None, None, (Segment(0, len(y), 0),))

    def train(self, params: BoostParams, evals: tuple[Rows, ...] = ()) -> BoostResult:
        return boost(self.rows, evals, self.n_bins, params, SingleRank())


def card_or_leave() -> Card:
    """This machine's card; without one the script says why, and ends."""
    try:
        card = card_here("GPU", None)
    except ClusterError as error:
        sys.exit(str(error))
    assert card is not None
    return card


def params_of(trees: int, card: Card | None) -> BoostParams:
    """What all contenders are told."""
    return BoostParams(
        objective=make_objective("Logloss", 2),
        metrics=make_metrics("Logloss", 2, "Logloss"),
        iterations=trees,
        depth=DEPTH,
        learning_rate=RATE,
        random_strength=0.0,
        metric_period=trees,
        threads=THREADS,
        card=card,
    )


def same_bits(size: tuple[int, int], card: Card, few: int, many: int) -> dict[str, Any]:
    """Train on the GPU twice and on the CPU: a few trees, and the holdout's log-loss after many."""
    table = Table(*size)
    short = params_of(few, card)
    first, second = table.train(short), table.train(short)
    on_cpu = table.train(replace(short, card=None))
    x, y = make_rows(min(HOLDOUT, size[0]), size[1], 2)
    held_out = (table.quantized(x, y.astype(np.float32)),)
    loss = [
        table.train(params_of(many, where), held_out).history["validation"]["Logloss"][-1] for where in (card, None)
    ]
    differs = next((i for i, (a, b) in enumerate(zip(first.trees, on_cpu.trees, strict=True)) if a != b), None)
    return {
        "rows x features": f"{size[0]} x {size[1]}",
        "two runs on the GPU are identical": first.trees == second.trees,
        "first tree that differs from the CPU's": "none" if differs is None else differs,
        f"holdout log-loss after {many} trees, GPU and CPU": f"{loss[0]:.6f} {loss[1]:.6f}",
    }


def with_catboost(table: Table, trees: int) -> Callable[[], None]:
    import catboost

    pool = catboost.Pool(table.x, table.y)
    pool.quantize(border_count=BORDERS)
    how = {
        "iterations": trees, "depth": DEPTH, "learning_rate": RATE, "border_count": BORDERS, "task_type": "GPU",
        "devices": "0", "leaf_estimation_iterations": 1, "bootstrap_type": "No", "random_strength": 0,
        "metric_period": trees, "boosting_type": "Plain", "verbose": False, "allow_writing_files": False,
    }  # fmt: skip
    return lambda: catboost.CatBoostClassifier(**how).fit(pool) and None


def with_xgboost(table: Table, trees: int) -> Callable[[], None]:
    import xgboost

    how = {"max_depth": DEPTH, "eta": RATE, "max_bin": BORDERS + 1, "device": "cuda", "objective": "binary:logistic"}
    data = xgboost.QuantileDMatrix(table.x, table.y, max_bin=BORDERS + 1)
    return lambda: xgboost.train(how, data, trees) and None


def with_gbdist(table: Table, trees: int, card: Card) -> Callable[[], None]:
    return lambda: table.train(params_of(trees, card)) and None


def seconds_of(work: Callable[[], None], repeat: int) -> float:
    """Median of some runs, after one that compiles and allocates."""
    work()
    taken = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def times(table: Table, trees: int, card: Card, only: list[str], repeat: int) -> dict[str, float | str]:
    """Seconds of each contender; what cannot run here says why."""
    makers: dict[str, Callable[[], Callable[[], None]]] = {
        "gbdist": lambda: with_gbdist(table, trees, card),
        "catboost": lambda: with_catboost(table, trees),
        "xgboost": lambda: with_xgboost(table, trees),
    }
    found: dict[str, float | str] = {}
    for name in only:
        try:
            found[name] = seconds_of(makers[name](), repeat)
        except Exception as error:  # of many kinds: no package, no card, no memory
            found[name] = f"{type(error).__name__}: {error}".splitlines()[0][:60]
    return found


def kernel_speeds(table: Table) -> list[tuple[str, float, float]]:
    """Each kernel alone: name, milliseconds, bytes a second. Bytes are those that must be read and written once."""
    from gbdist.kernels import cuda_histogram, cuda_losses, cuda_rows

    rows, rng = table.rows, np.random.default_rng(0)
    n, n_features = rows.n_rows, rows.n_features
    bins, label = cuda.to_device(rows.bins), cuda.to_device(rows.label)
    prediction, out = cuda.to_device(rng.normal(size=n)), cuda.device_array(n, np.float64)
    cells = cuda.to_device((rng.integers(-(2**9), 2**9, n) << 32) + 1)
    leaves = cuda.to_device(rng.integers(0, 32, n).astype(np.uint16))
    picked, slots = cuda.device_array(n, np.uint32), cuda.device_array(n, np.uint16)
    slot_of_leaf = np.where(np.arange(32) < 16, np.arange(32), -1).astype(np.int32)
    none = np.empty(0, np.uint8)
    count = cuda_histogram.pick_rows(leaves, slot_of_leaf, none, 0, picked, slots)
    rows_there, slots_there, some = picked[:count], slots[:count], cuda.device_array(count, np.int64)
    cuda_rows.take_rows(cells, rows_there, some)
    root = cuda.device_array((n_features, 1, 256), np.int64)
    deep = cuda.device_array((n_features, 1, 16 << 8), np.int64)
    no_weight, keys = np.empty(0, np.float32), (np.uint64(1), np.uint64(2))
    scales, sums = np.array([0.0, 1.0, 2.0**20, 2.0**20]), np.zeros((64, 4), np.int64)
    layout, everything = (0, 8), (0, n_features)
    jobs: list[tuple[str, Callable[[], Any], float]] = [
        ("copy", lambda: out.copy_to_device(prediction), 16.0 * n),
        (
            "logistic_derivatives",
            lambda: cuda_losses.logistic_derivatives(label, no_weight, prediction, -1, out),
            20.0 * n,
        ),
        ("pack_cells", lambda: cuda_histogram.pack_cells(prediction, no_weight, (1e3, 1.0), keys, 0, cells), 16.0 * n),
        ("add_all_rows", lambda: cuda_histogram.add_all_rows(bins, everything, cells, 0, root), (8.0 + n_features) * n),
        (
            "pick_rows",
            lambda: cuda_histogram.pick_rows(leaves, slot_of_leaf, none, 0, picked, slots),
            4.0 * n + 6.0 * count,
        ),
        ("take_rows", lambda: cuda_rows.take_rows(cells, rows_there, some), 8.0 * n + 12.0 * count),
        (
            "add_picked_rows",
            lambda: cuda_histogram.add_picked_rows(bins, everything, (rows_there, slots_there), some, layout, deep),
            14.0 * count + n_features * n,
        ),
        ("split_leaves", lambda: cuda_rows.split_leaves(bins[0], 100, 5, leaves), 5.0 * n),
        ("add_leaf_values", lambda: cuda_rows.add_leaf_values(leaves, np.zeros(64), prediction), 18.0 * n),
        (
            "add_logistic_leaf_sums",
            lambda: cuda_losses.add_logistic_leaf_sums(
                label, no_weight, prediction, leaves, np.zeros((64, 1)), -1, scales, sums
            ),
            14.0 * n,
        ),
    ]

    def seconds_each(work: Callable[[], Any]) -> float:
        return seconds_of(lambda: [work() for _ in range(STARTS)] and None, 5) / STARTS

    return [(name, 1000.0 * (taken := seconds_each(work)), moved / taken) for name, work, moved in jobs]


def sizes_of(text: str) -> list[tuple[int, int]]:
    return [(int(rows), int(features)) for rows, _, features in (one.partition("x") for one in text.split(","))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000000x28,1000000x500")
    parser.add_argument("--check", default="1000000x28")
    parser.add_argument("--check-trees", default="20,200")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="gbdist,catboost,xgboost")
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    card = card_or_leave()
    found = getattr(cuda.gpus[card.number], "name", "simulator")
    name = found.decode() if isinstance(found, bytes) else str(found)
    print("card:", name)
    few, many = (int(trees) for trees in given.check_trees.split(","))
    report: dict[str, Any] = {"card": name, "same bits": same_bits(sizes_of(given.check)[0], card, few, many)}
    for what, value in report["same bits"].items():
        print(f"  {what}: {value}")
    only = given.only.split(",")
    print(
        f"\n| rows x features | quantize, s | {' | '.join(f'{one}, s' for one in only)} |\n|{'---|' * (2 + len(only))}"
    )
    for number, size in enumerate(sizes_of(given.sizes)):
        table = Table(*size)
        taken = times(table, given.trees, card, only, given.repeat)
        report[f"{size[0]}x{size[1]}"] = taken
        shown = " | ".join(f"{one:.2f}" if isinstance(one, float) else one for one in taken.values())
        print(f"| {size[0]} x {size[1]} | {table.seconds:.2f} | {shown} |", flush=True)
        if number == 0:
            report["kernels"] = kernel_speeds(table)
    print("\n| kernel, first size | ms | GB/s | of a copy's |\n|---|---|---|---|")
    copy = report["kernels"][0][2]
    for kernel, milliseconds, speed in report["kernels"]:
        print(f"| {kernel} | {milliseconds:.3f} | {speed / 1e9:.0f} | {speed / copy:.0%} |")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
