"""Trees that grow leaf by leaf (Depthwise, Lossguide): is a gbdist model as good as CatBoost's, and how long does it take?

usage: python bench/growth.py DATA_DIR [--seeds 3] [--workers 2] [--only quality|time] [--rows 100000] [--trees 100] [--repeat 3]

DATA_DIR holds adult-train.parquet, adult-test.parquet and diamonds.parquet: holdout loss with their columns of numbers, and with
all of them, mean over seeds, same parameters on both sides; allowed: 1 % worse. Times are of generated rows with 28 columns and
of two threads on either side, which take turns.
"""

import argparse
import pathlib
import statistics
from dataclasses import replace
from time import perf_counter
from typing import Any

import catboost
from distributed import Client, LocalCluster
from generated import make_rows
from quality import compare, read_tasks, read_whole_tasks

from gbdist import DaskCatBoostClassifier
from gbdist_cluster.launch.local import start_local

RATE = {"iterations": 300, "learning_rate": 0.1}
SETTINGS: dict[str, dict[str, Any]] = {
    "Depthwise": {**RATE, "grow_policy": "Depthwise", "depth": 6},
    "Depthwise, 50 rows": {**RATE, "grow_policy": "Depthwise", "depth": 6, "min_data_in_leaf": 50, "rsm": 0.999},
    "Lossguide": {**RATE, "grow_policy": "Lossguide", "max_leaves": 31, "depth": 10},
}
ALLOWED = 0.01


def quality(data: pathlib.Path, seeds: int, workers: int) -> None:
    """One line a data set and setting."""
    names = ("adult", "diamonds")
    numeric = read_tasks(data, names)
    whole = [replace(task, name=f"{task.name}, all columns") for task in read_whole_tasks(data, names)]
    print(f"{'data':24}{'setting':20}{'gbdist':>12}{'catboost':>12}{'worse by':>10}   seed spread")
    with start_local(workers) as cluster:
        for task in (*numeric, *whole):
            for setting, params in SETTINGS.items():
                row = compare(task, params, seeds, cluster.client)
                spread = " / ".join(f"{value / row['catboost']:.2%}" for value in row["spread"].values())
                verdict = "" if row["worse_by"] <= ALLOWED else "  <-- too much"
                losses = f"{row['ours']:12.5f}{row['catboost']:12.5f}{row['worse_by']:10.2%}"
                print(f"{task.name:24}{setting:20}{losses}   {spread}{verdict}", flush=True)


def time(n_rows: int, trees: int, repeat: int) -> None:
    """Medians of fits in a process that has compiled its kernels."""
    rows, labels = make_rows(n_rows, 28, 1)
    labels = labels.astype(int)
    print(f"{n_rows} rows x 28, {trees} trees, two threads: seconds (median of {repeat})")
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as made,
        Client(made) as client,
    ):
        for setting in ("SymmetricTree", "Depthwise", "Lossguide"):
            params = {"grow_policy": setting, "iterations": trees, "learning_rate": 0.1, "verbose": False}
            makers = {
                "gbdist": lambda params=params: DaskCatBoostClassifier(**params, client=client),
                "catboost": lambda params=params: catboost.CatBoostClassifier(
                    **params, thread_count=2, allow_writing_files=False
                ),
            }
            makers["gbdist"]().set_params(iterations=2).fit(rows, labels)
            taken: dict[str, list[float]] = {name: [] for name in makers}
            for _ in range(repeat):
                for name, make in makers.items():
                    start = perf_counter()
                    make().fit(rows, labels)
                    taken[name].append(perf_counter() - start)
            ours, theirs = (statistics.median(values) for values in taken.values())
            print(f"{setting:16}gbdist {ours:7.2f}   catboost {theirs:7.2f}   ratio {ours / theirs:.2f}", flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=["quality", "time"])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if options.only != "quality":
        time(options.rows, options.trees, options.repeat)
    if options.only != "time":
        quality(options.data, options.seeds, options.workers)


if __name__ == "__main__":
    main()
