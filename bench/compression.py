"""What a smaller model costs: sizes, latencies and losses of compressed models, and students against trees trained directly.

usage: python bench/compression.py DATA_DIR [--only NAME] [--target size:0.25] [--threads 2] [--skip compress|students]

DATA_DIR holds adult-train.parquet, adult-test.parquet, diamonds.parquet and higgs-*.parquet, as for quality.py; here with their
categorical columns. The model is CatBoost's own, 1000 trees of depth 6, its defaults otherwise. First it is compressed for a
target on the rows that it was trained on, with the test rows as holdout: one half is what models are chosen by, the other half,
which nothing has seen, is what the figures are of. Then students of 100 trees of depth 4 are grown on what the model says, and
100 such trees are trained on the labels, both at the best of three learning rates, by the loss of the test rows.
"""

import argparse
import pathlib
import time
from dataclasses import dataclass
from typing import Any

import catboost
import pandas as pd
from sklearn.metrics import log_loss, root_mean_squared_error

from gbdist.compression.compress import compress
from gbdist.compression.errors import TargetNotReached
from gbdist.compression.passes.distil import Distil
from gbdist.compression.pipeline import CompressionPipeline

RATES = (0.15, 0.3, 0.6)


@dataclass(frozen=True)
class Task:
    """A data set split in train and test."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    classifies: bool

    @property
    def categorical(self) -> list[str]:
        features = self.train.drop(columns=self.target)
        return list(features.columns[[kind.kind not in "iuf" for kind in features.dtypes]])

    def part(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
        """Features, categories as strings, and labels."""
        features = frame.drop(columns=self.target)
        return features.astype(dict.fromkeys(self.categorical, str)), frame[self.target]

    def train_model(self, threads: int, **params: Any) -> Any:
        kind = catboost.CatBoostClassifier if self.classifies else catboost.CatBoostRegressor
        model = kind(
            **params, cat_features=self.categorical, thread_count=threads, verbose=False, allow_writing_files=False
        )
        return model.fit(*self.part(self.train))

    def loss(self, model: Any) -> float:
        features, truth = self.part(self.test)
        if self.classifies:
            return float(log_loss(truth, model.predict_proba(features), labels=model.classes_))
        return float(root_mean_squared_error(truth, model.predict(features)))


def read_tasks(data: pathlib.Path) -> list[Task]:
    """Load the three data sets, with their categorical columns."""

    def pair(name: str) -> list[pd.DataFrame]:
        return [pd.read_parquet(data / f"{name}-{part}.parquet") for part in ("train", "test")]

    # The 500 test rows of higgs tell models apart by half a percent at best.
    higgs = pd.concat(pair("higgs")).sample(frac=1.0, random_state=0)
    diamonds = pd.read_parquet(data / "diamonds.parquet").sample(frac=1.0, random_state=0)
    cut = len(diamonds) * 4 // 5
    return [
        Task("adult", *pair("adult"), "income", True),
        Task("diamonds", diamonds[:cut], diamonds[cut:], "price", False),
        Task("higgs", higgs[:5_500], higgs[5_500:], "label", True),
    ]


def compress_one(task: Task, model: Any, target: str) -> None:
    """Compress for a target; print what came out, and how it does on all test rows too."""
    started = time.perf_counter()
    try:
        small, report = compress(
            model, *task.part(task.train), target=target, holdout=task.part(task.test), verbose=False
        )
    except TargetNotReached as missed:
        print(f"{task.name:10}{target:12}not reached: {missed}", flush=True)
        return
    before, after = report.before, report.after
    chosen = report.tried[report.chosen]
    size, batch = after.figures.size / before.figures.size, after.latency.batch / before.latency.batch
    print(
        f"{task.name:10}{target:12}size {size:.3f}  latency {batch:.2f}  loss {after.loss / before.loss - 1:+.2%} "
        f"(all test rows {task.loss(small) / task.loss(model) - 1:+.2%})  {chosen.pipeline}  "
        f"{time.perf_counter() - started:.0f} s",
        flush=True,
    )


def students(task: Task, model: Any, threads: int, trees: int = 100, depth: int = 4) -> None:
    """Students against direct training at three learning rates each."""
    X, y = task.part(task.train)
    taught = {
        rate: task.loss(
            CompressionPipeline([Distil(trees, depth, learning_rate=rate)]).compress(model, X, y, verbose=False)
        )
        for rate in RATES
    }
    direct = {
        rate: task.loss(task.train_model(threads, iterations=trees, depth=depth, learning_rate=rate)) for rate in RATES
    }
    for who, losses in (("student", taught), ("direct", direct)):
        listed = "  ".join(f"{rate}: {loss:.5f}" for rate, loss in losses.items())
        print(f"{task.name:10}{who:12}best {min(losses.values()):.5f}   {listed}", flush=True)
    print(
        f"{task.name:10}{'':12}the student is {1 - min(taught.values()) / min(direct.values()):+.2%} better", flush=True
    )


def main() -> None:
    """Run all sets and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--only", help="one data set")
    parser.add_argument("--target", default="size:0.25")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--skip", choices=["compress", "students"])
    options = parser.parse_args()
    for task in read_tasks(options.data):
        if options.only not in (None, task.name):
            continue
        model = task.train_model(options.threads, iterations=1000, depth=6)
        print(f"{task.name:10}{'model':12}loss {task.loss(model):.5f}", flush=True)
        if options.skip != "compress":
            compress_one(task, model, options.target)
        if options.skip != "students":
            students(task, model, options.threads)


if __name__ == "__main__":
    main()
