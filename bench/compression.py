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
from typing import Any

import catboost
from quality import Task, read_whole_tasks

from gbdist.compression.compress import compress
from gbdist.compression.errors import TargetNotReached
from gbdist.compression.passes.distil import Distil
from gbdist.compression.pipeline import CompressionPipeline

RATES = (0.15, 0.3, 0.6)


def train_model(task: Task, threads: int, **params: Any) -> Any:
    """CatBoost's own model of the training rows."""
    kind = catboost.CatBoostClassifier if task.classifies else catboost.CatBoostRegressor
    model = kind(
        **params, cat_features=task.categorical, thread_count=threads, verbose=False, allow_writing_files=False
    )
    return model.fit(*task.part(task.train))


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
        rate: task.loss(train_model(task, threads, iterations=trees, depth=depth, learning_rate=rate)) for rate in RATES
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
    for task in read_whole_tasks(options.data):
        if options.only not in (None, task.name):
            continue
        model = train_model(task, options.threads, iterations=1000, depth=6)
        print(f"{task.name:10}{'model':12}loss {task.loss(model):.5f}", flush=True)
        if options.skip != "compress":
            compress_one(task, model, options.target)
        if options.skip != "students":
            students(task, model, options.threads)


if __name__ == "__main__":
    main()
