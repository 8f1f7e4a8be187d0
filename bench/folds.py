"""What 5 folds in lock-step cost, beside one fit on all rows with an eval set of a quarter as many.

usage: python bench/folds.py [--rows 1000000] [--features 28] [--trees 100] [--rounds 3] [--folds 5] [--steps 1]

Two workers of one thread, persisted float32 rows, CatBoost's defaults, or so many steps a leaf; all are scored after every tree.
The two take turns. The workers' processor time tells more than seconds on a machine that does other things too.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from generated import make_collection

from gbdist import DaskCatBoostClassifier
from gbdist.selection import cv
from gbdist_cluster.launch.local import start_local


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (("rows", 1_000_000), ("features", 28), ("trees", 100), ("rounds", 3), ("folds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--steps", type=int)
    asked = parser.parse_args()
    params = {"loss_function": "Logloss", "iterations": asked.trees, "learning_rate": 0.1}
    if asked.steps is not None:
        params["leaf_estimation_iterations"] = asked.steps
    with start_local(workers=2, threads=1, dashboard=False) as local:
        client = local.client

        def processor() -> float:
            return sum(client.run(time.process_time).values())

        X, y = client.persist(list(make_collection(asked.rows, asked.features)))
        X_val, y_val = X[: asked.rows // 4], y[: asked.rows // 4]
        ways: dict[str, Callable[[], Any]] = {
            "one fit": lambda: DaskCatBoostClassifier(**params, client=client).fit(X, y, eval_set=(X_val, y_val)),
            f"{asked.folds} folds": lambda: cv((X, y), params, fold_count=asked.folds, client=client),
        }
        DaskCatBoostClassifier(**{**params, "iterations": 2}, client=client).fit(X, y)  # compiles
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, way in ways.items():
                before, began = processor(), time.perf_counter()
                way()
                found[name].append((time.perf_counter() - began, processor() - before))
                print(f"{name:10} {found[name][-1][0]:7.2f} s  {found[name][-1][1]:7.2f} s of processors", flush=True)
    one, folds = found.values()
    for at, words in enumerate(("seconds", "processor time")):
        ratios = [mine[at] / theirs[at] for mine, theirs in zip(folds, one, strict=True)]
        print(f"{words}: median ratio {statistics.median(ratios):.2f}, least {min(ratios):.2f}, most {max(ratios):.2f}")


if __name__ == "__main__":
    main()
