"""Is a gbdist model as good as CatBoost's? Holdout loss on real data, mean over seeds, same parameters on both sides.

usage: python bench/quality.py DATA_DIR [--seeds 5] [--workers 2] [--json FILE] [--only NAME]

DATA_DIR holds adult-train.parquet, adult-test.parquet, diamonds.parquet, higgs-*.parquet and lgb-multiclass-*.parquet.
"""

import argparse
import json
import pathlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import catboost
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, root_mean_squared_error

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist_cluster.launch.local import start_local

SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "300 x 6 x 0.1": {"iterations": 300, "depth": 6, "learning_rate": 0.1},
}


@dataclass(frozen=True)
class Task:
    """A data set split in train and test, and how much worse than CatBoost is still as good."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    classifies: bool
    allowed: float

    @property
    def categorical(self) -> list[str]:
        """Columns that are not numbers."""
        return [name for name in self.train if self.train[name].dtype.kind not in "iuf" and name != self.target]

    def part(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        """Features and labels of some rows."""
        return frame.drop(columns=self.target), frame[self.target]

    def loss(self, model: Any) -> float:
        features, truth = self.part(self.test)
        if self.classifies:
            return float(
                log_loss(truth, model.predict_proba(features), labels=np.sort(self.train[self.target].unique()))
            )
        return float(root_mean_squared_error(truth, model.predict(features)))


#: Of each data set its label, whether that is a class, and what is allowed.
SETS = {
    "adult": ("income", True, 0.005),
    "diamonds": ("price", False, 0.005),
    "higgs": ("label", True, 0.012),
    "lgb-multiclass": ("label", True, 0.012),
}


def read_task(data: pathlib.Path, name: str) -> Task:
    """Load a data set with all of its columns."""
    if name == "diamonds":
        rows = pd.read_parquet(data / "diamonds.parquet").sample(frac=1.0, random_state=0)
        cut = len(rows) * 4 // 5
        return Task(name, rows[:cut], rows[cut:], *SETS[name])
    train, test = (pd.read_parquet(data / f"{name}-{part}.parquet") for part in ("train", "test"))
    return Task(name, train, test, *SETS[name])


def read_tasks(data: pathlib.Path, names: Iterable[str] = SETS) -> list[Task]:
    """Load data sets, numeric columns only."""

    def numeric(task: Task, frame: pd.DataFrame) -> pd.DataFrame:
        features, labels = task.part(frame)
        return features.select_dtypes("number").assign(**{task.target: labels})

    tasks = [read_task(data, name) for name in names]
    return [replace(task, train=numeric(task, task.train), test=numeric(task, task.test)) for task in tasks]


def read_whole_tasks(data: pathlib.Path, names: Iterable[str] = ("adult", "diamonds", "higgs")) -> list[Task]:
    """Load data sets with all of their columns; of higgs 2,000 rows test, drawn anew.

    Its own 500 tell models apart by half a percent at best.
    """

    def cut_anew(task: Task) -> Task:
        rows = pd.concat([task.train, task.test]).sample(frac=1.0, random_state=0)
        return replace(task, train=rows[:5_500], test=rows[5_500:])

    tasks = [read_task(data, name) for name in names]
    return [cut_anew(task) if task.name == "higgs" else task for task in tasks]


def compare(task: Task, settings: dict[str, Any], seeds: int, client: Any) -> dict[str, Any]:
    """Train both sides once a seed; mean losses and their ratio."""
    settings = settings | ({"cat_features": task.categorical} if task.categorical else {})
    ours = DaskCatBoostClassifier if task.classifies else DaskCatBoostRegressor
    theirs = catboost.CatBoostClassifier if task.classifies else catboost.CatBoostRegressor
    features, target = task.part(task.train)
    makers: dict[str, Callable[[int], Any]] = {
        "gbdist": lambda seed: ours(**settings, random_seed=seed, client=client, verbose=False),
        "catboost": lambda seed: theirs(**settings, random_seed=seed, verbose=False, allow_writing_files=False),
    }
    losses = {
        name: [task.loss(make(seed).fit(features, target)) for seed in range(seeds)] for name, make in makers.items()
    }
    means = {name: float(np.mean(values)) for name, values in losses.items()}
    several = "MultiClass" if target.nunique() > 2 else "Logloss"
    return {
        "task": task.name,
        "loss": several if task.classifies else "RMSE",
        "ours": means["gbdist"],
        "catboost": means["catboost"],
        "worse_by": means["gbdist"] / means["catboost"] - 1.0,
        "allowed": task.allowed,
        "spread": {name: float(np.std(values)) for name, values in losses.items()},
    }


def main() -> None:
    """Run every task at every setting and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=SETS, help="one data set")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    print(f"{'data':16}{'setting':16}{'gbdist':>12}{'catboost':>12}{'worse by':>10}{'allowed':>10}   seed spread")
    with start_local(options.workers) as cluster:
        for task in read_tasks(options.data, SETS if options.only is None else [options.only]):
            for setting, params in SETTINGS.items():
                row = compare(task, params, options.seeds, cluster.client) | {"setting": setting}
                rows.append(row)
                spread = " / ".join(f"{value / row['catboost']:.2%}" for value in row["spread"].values())
                verdict = "" if row["worse_by"] <= row["allowed"] else "  <-- too much"
                print(
                    f"{task.name:16}{setting:16}{row['ours']:12.5f}{row['catboost']:12.5f}{row['worse_by']:10.2%}"
                    f"{row['allowed']:10.2%}   {spread}{verdict}",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
