"""Back to the size of one worker's model: what does an ensemble of four workers lose, if it is compressed to a quarter?

usage: python bench/compression_models.py DATA_DIR [--workers 4] [--trees 250] [--rounds 5] [--rate 0.1]
                                          [--only adult,diamonds,higgs]

DATA_DIR is that of bench/quality.py. Each of the workers trains CatBoost on its own rows (aggregate="models", merge="average"),
which gives a model with the trees of all. gbdist.compress makes it as large as the trees of one worker are, with the training
rows for the passes; half of the test rows choose among pipelines, losses are those of the other half, unseen by any choice.
"""

import argparse
import pathlib
from typing import Any

import dask.dataframe
from quality import SETS, Task, read_tasks

import gbdist
from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist_cluster.launch.local import start_local


def compressed(task: Task, client: Any, options: argparse.Namespace) -> tuple[int, Any]:
    """Trees of the merged model, and the report of its compression."""
    features, label = task.part(task.train)
    make = DaskCatBoostClassifier if task.classifies else DaskCatBoostRegressor
    model = make(
        iterations=options.trees,
        rounds=options.rounds,
        learning_rate=options.rate,
        aggregate="models",
        merge="average",
        client=client,
        verbose=False,
    ).fit(*(dask.dataframe.from_pandas(part, npartitions=options.workers) for part in (features, label)))
    unseen = task.part(task.test)
    target = f"size:{1.0 / options.workers}"
    _, report = gbdist.compress(model, features, label, target=target, holdout=unseen, client=client, verbose=False)
    return model.tree_count_, report


def main() -> None:
    """Print a line for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--trees", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--only", default="adult,diamonds,higgs")
    options = parser.parse_args()
    print(f"{'data':10}{'trees':>7}{'loss':>12}{'compressed':>12}{'':>10}{'size':>7}{'trees':>7}{'seconds':>9}  chosen")
    with start_local(options.workers) as cluster:
        names = options.only.split(",")
        for task in read_tasks(options.data, [name for name in SETS if name in names]):
            trees, report = compressed(task, cluster.client, options)
            before, after = report.before, report.after
            print(
                f"{task.name:10}{trees:7}{before.loss:12.5f}{after.loss:12.5f}"
                f"{100 * (after.loss / before.loss - 1.0):+8.2f} %"
                f"{after.figures.size / before.figures.size:7.3f}{after.figures.trees:7}{report.seconds:9.1f}  "
                f"{report.tried[report.chosen].pipeline}",
                flush=True,
            )


if __name__ == "__main__":
    main()
