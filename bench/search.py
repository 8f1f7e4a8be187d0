"""What searches take: trials side by side on workers of their own, and trials that are pruned.

usage: python bench/search.py DATA_DIR [--trials 60] [--trees 100] [--folds 3] [--rows N] [--only speed|pruning]

DATA_DIR holds adult-train.parquet. All of its columns are used, the categorical ones by their types; a random search varies
depth, learning rate and l2_leaf_reg. "speed" has the trials one after another on one worker of one thread, then on two such
workers side by side; both must give the same table. "pruning" has them on two workers as they are, and with search="hyperband",
which draws the same ones. Times are of whole calls: bins are cut, trials run, and the best parameters are fitted on all rows.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from distributed import Client

from gbdist import DaskCatBoostClassifier
from gbdist.selection import DaskSearchCV
from gbdist_cluster.launch.local import start_local

SPACE = {
    "depth": {"low": 3, "high": 8},
    "learning_rate": {"low": 0.02, "high": 0.5, "log": True},
    "l2_leaf_reg": {"low": 1.0, "high": 30.0, "log": True},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    for name, default in (("trials", 60), ("trees", 100), ("folds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--only", choices=("speed", "pruning"))
    asked = parser.parse_args()
    table = pd.read_parquet(asked.data / "adult-train.parquet")[: asked.rows]
    X, y = table.drop(columns="income"), table["income"]

    def searched(client: Client, **more: Any) -> tuple[float, DaskSearchCV]:
        estimator = DaskCatBoostClassifier(iterations=asked.trees)
        usual = {"n_trials": asked.trials, "cv": asked.folds, "scoring": "neg_log_loss", "random_state": 1}
        search = DaskSearchCV(estimator, SPACE, trial_workers="one", client=client, **{**usual, **more})
        began = time.perf_counter()
        search.fit(X, y)
        return time.perf_counter() - began, search

    def timed(words: str, client: Client, **more: Any) -> tuple[float, DaskSearchCV]:
        searched(client, n_trials=2, refit=False)  # compiles
        seconds, search = searched(client, **more)
        trees = int(search.cv_results_["iterations"].sum())
        print(f"{words:42} {seconds:8.1f} s  {trees:6} trees  best {search.best_score_:.5f}", flush=True)
        return seconds, search

    if asked.only != "pruning":
        with start_local(workers=1, threads=1, dashboard=False) as local:
            one, first = timed("one after another on one worker", local.client)
        with start_local(workers=2, threads=1, dashboard=False) as local:
            two, second = timed("side by side on two workers", local.client)
        same = all(
            np.array_equal(first.cv_results_[name], second.cv_results_[name])
            for name in ("params", "mean_test_score", "state")
        )
        print(
            f"side by side: {one / two:.2f} times as fast; the same result: {same and first.best_params_ == second.best_params_}"
        )
    if asked.only != "speed":
        with start_local(workers=2, threads=1, dashboard=False) as local:
            whole, first = timed("unpruned", local.client)
            pruned, second = timed("hyperband", local.client, search="hyperband")
        loss = first.best_score_ - second.best_score_
        drawn = first.cv_results_["params"] == second.cv_results_["params"]
        print(f"pruned: {pruned / whole:.2f} of the time; the same trials: {drawn}; best score lower by {loss:.5f}")


if __name__ == "__main__":
    main()
