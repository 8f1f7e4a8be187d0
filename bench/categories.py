"""Categorical columns: is a gbdist model as good as CatBoost's, how long does it take, and does the target leak?

usage: python bench/categories.py DATA_DIR [--seeds 5] [--workers 2] [--only quality|million|time|leak] [--task NAME]

DATA_DIR holds adult-train.parquet, adult-test.parquet and diamonds.parquet; all their columns are used. Other rows are generated.
"""

import argparse
import pathlib
import statistics
from time import perf_counter
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
from generated import make_table
from quality import Task, compare, read_whole_tasks
from sklearn.metrics import log_loss, roc_auc_score

from gbdist import DaskCatBoostClassifier
from gbdist_cluster.launch.local import start_local

SETTINGS: dict[str, dict[str, Any]] = {"defaults": {}, "1000 x 6 x 0.05": {"iterations": 1000, "learning_rate": 0.05}}
ALLOWED = 0.005


def tasks(data: pathlib.Path) -> list[Task]:
    """Real data with all their columns, and 100,000 generated rows."""
    return [*read_whole_tasks(data, ("adult", "diamonds")), generated(100_000)]


def generated(n_rows: int) -> Task:
    """Generated rows, and a fifth as many to test on."""
    train, test = (_with_label(*make_table(n, seed)) for n, seed in ((n_rows, 1), (n_rows // 5, 2)))
    return Task(f"generated {n_rows}", train, test, "label", True, ALLOWED)


def _with_label(table: pd.DataFrame, labels: Any) -> pd.DataFrame:
    return table.assign(label=labels)


def quality(task: Task, seeds: int, client: Any, settings: dict[str, dict[str, Any]]) -> None:
    """One line a setting."""
    for setting, params in settings.items():
        row = compare(task, params, seeds, client)
        verdict = "" if row["worse_by"] <= row["allowed"] else "  <-- too much"
        spread = " / ".join(f"{value / row['catboost']:.2%}" for value in row["spread"].values())
        losses = f"{row['ours']:12.5f}{row['catboost']:12.5f}{row['worse_by']:10.2%}{row['allowed']:10.2%}"
        print(f"{task.name:20}{setting:18}{losses}   {spread}{verdict}", flush=True)


def time(n_rows: int, iterations: int, repeats: int, client: Any) -> None:
    """Seconds of a fit on persisted rows, and of CatBoost alone with as many threads as there are."""
    task = generated(n_rows)
    features, label = task.train.drop(columns="label"), task.train["label"]
    categorical = [column for column in features if column.startswith("c")]
    threads = sum(client.nthreads().values())
    frame = dd.from_pandas(task.train, npartitions=8).persist()
    seconds: dict[str, list[float]] = {"gbdist": [], "catboost": []}
    for _ in range(repeats):
        ours = DaskCatBoostClassifier(iterations=iterations, cat_features=categorical, client=client, verbose=False)
        started = perf_counter()
        ours.fit(frame, "label")
        seconds["gbdist"].append(perf_counter() - started)
        theirs = catboost.CatBoostClassifier(
            iterations=iterations, thread_count=threads, verbose=False, allow_writing_files=False
        )
        started = perf_counter()
        theirs.fit(features, label, cat_features=categorical)
        seconds["catboost"].append(perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    losses = {name: task.loss(model) for name, model in (("gbdist", ours), ("catboost", theirs.copy()))}
    print(f"{n_rows} rows, {iterations} trees: {seconds}")
    print(f"ratio {medians['gbdist'] / medians['catboost']:.2f} (allowed 0.6); holdout logloss {losses}", flush=True)


def leak(client: Any, n_rows: int = 100_000) -> None:
    """Labels that nothing explains, beside a column of 50,000 values."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=n_rows), "id": rng.integers(0, 50_000, n_rows).astype(str)})
    label = rng.integers(0, 2, n_rows)
    cut = n_rows * 4 // 5
    train, test = (table[:cut], label[:cut]), (table[cut:], label[cut:])
    ours = DaskCatBoostClassifier(iterations=500, cat_features=["id"], client=client, verbose=False)
    ours.fit(*train, eval_set=test)
    theirs = catboost.CatBoostClassifier(iterations=500, verbose=False, allow_writing_files=False)
    theirs.fit(*train, cat_features=["id"], eval_set=test)
    for name, model, history in (("gbdist", ours, ours.evals_result_), ("catboost", theirs, theirs.get_evals_result())):
        learned, held_out = history["learn"]["Logloss"][-1], history["validation"]["Logloss"][-1]
        probabilities = model.predict_proba(test[0])[:, 1]
        gap = held_out - learned
        print(
            f"{name:10} holdout AUC {roc_auc_score(test[1], probabilities):.4f}  logloss {log_loss(test[1], probabilities):.5f}"
            f"  last tree: train {learned:.5f}, holdout {held_out:.5f}, gap {gap:.5f}",
            flush=True,
        )


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", help="quality, million, time or leak")
    parser.add_argument("--task", help="one data set of quality")
    options = parser.parse_args()

    def asked(part: str) -> bool:
        return options.only in (None, part)

    with start_local(options.workers) as cluster:
        if asked("quality"):
            for task in tasks(options.data):
                if options.task in (None, task.name.split()[0]):
                    quality(task, options.seeds, cluster.client, SETTINGS)
        if asked("million"):
            quality(generated(1_000_000), 1, cluster.client, {"200 trees": {"iterations": 200}})
        if asked("time"):
            time(100_000, 300, 3, cluster.client)
            time(1_000_000, 200, 1, cluster.client)
        if asked("leak"):
            leak(cluster.client)


if __name__ == "__main__":
    main()
