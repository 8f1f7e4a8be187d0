"""How good are merged rounds of native CatBoost beside exact training? Holdout loss and time by workers, rounds, merge, schedule.

usage: python bench/rounds.py DATA_DIR [--workers 2,4] [--rate 0.1] [--only adult,diamonds,generated] [--trees 20,50]
                              [--merges average,bagging] [--schedules sync,async:2,groups:2x4] [--rows 1000000]
                              [--pauses 1.0] [--json FILE]

DATA_DIR is that of bench/quality.py; "generated" are rows of bench/generated.py. A fifth of the training rows is held out, and
both ways stop early on it. "worse by" is against aggregate="histograms" on the same workers. --trees are those of a worker in a
round; 2000 is one shot, which cannot stop early. --schedules: "async:2" has max_staleness=2, "groups:2x4" group_size=2 and
group_rounds=4. --pauses lets every worker pause before each round for a time drawn by chance, up to so many seconds, as a worker
does whose machine has other work; the pauses are the same for all ways.
"""

import argparse
import itertools
import json
import pathlib
import time
from typing import Any

import numpy as np
import pandas as pd
from generated import make_rows
from quality import SETS, Task, read_tasks

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist_cluster.launch.local import start_local

MOST_TREES = 2_000


def generated(n_rows: int) -> Task:
    """Rows of ``generated.py`` with a holdout."""
    frames = []
    for rows, seed in ((n_rows, 1), (200_000, 2)):
        x, y = make_rows(rows, 28, seed)
        frames.append(pd.DataFrame(x, columns=[f"f{i}" for i in range(28)]).assign(label=y.astype(int)))
    return Task("generated", *frames, "label", True, 0.0)


def schedule_of(text: str) -> dict[str, Any]:
    """Parameters of a schedule as the command line has it."""
    name, _, numbers = text.partition(":")
    match name:
        case "async":
            return {"schedule": name, "max_staleness": int(numbers)}
        case "groups":
            size, rounds = map(int, numbers.split("x"))
            return {"schedule": name, "group_size": size, "group_rounds": rounds}
        case _:
            return {"schedule": name}


def fit(task: Task, client: Any, rate: float, **more: Any) -> tuple[float, float, int]:
    """Holdout loss, seconds and trees of one fit that stops early on a fifth of the rows."""
    shuffled = task.train.sample(frac=1.0, random_state=0)
    held_out, rest = shuffled[: len(shuffled) // 5], shuffled[len(shuffled) // 5 :]
    make = DaskCatBoostClassifier if task.classifies else DaskCatBoostRegressor
    model = make(
        iterations=MOST_TREES, learning_rate=rate, early_stopping_rounds=50, client=client, verbose=False, **more
    )
    start = time.perf_counter()
    model.fit(
        rest.drop(columns=task.target),
        rest[task.target],
        eval_set=(held_out.drop(columns=task.target), held_out[task.target]),
    )
    return task.loss(model), time.perf_counter() - start, model.tree_count_


def pause_workers(client: Any, seconds: float) -> None:
    """Let every worker of a cluster pause before each round, for a time drawn from the seed of its round."""

    def patch() -> None:
        from gbdist.rounds import training

        grow_at_once = training.grow_trees

        def grow_later(pool: Any, baseline: Any, options: Any, wanted: Any) -> Any:
            time.sleep(np.random.default_rng(options["random_seed"]).uniform(0.0, seconds))
            return grow_at_once(pool, baseline, options, wanted)

        training.grow_trees = grow_later

    client.run(patch)


def run(tasks: list[Task], workers: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All ways of adding up on one number of workers."""
    found = []
    with start_local(workers) as cluster:
        client = cluster.client
        if options.pauses:
            pause_workers(client, options.pauses)
        for task in tasks:
            exact, seconds, trees = fit(task, client, options.rate)
            print(
                f"\n{task.name}, {workers} workers: histograms {exact:.5f}, {seconds:.1f} s, {trees} trees", flush=True
            )
            ways = itertools.product(
                options.merges.split(","), map(int, options.trees.split(",")), options.schedules.split(",")
            )
            for merge, each, schedule in ways:
                rounds = max(1, MOST_TREES // each)
                more = {"aggregate": "models", "merge": merge, "rounds": rounds, **schedule_of(schedule)}
                loss, seconds, trees = fit(task, client, options.rate, **more)
                worse = loss / exact - 1.0
                found.append(
                    {"data": task.name, "workers": workers, "merge": merge, "trees_a_round": each, "worse": worse}
                    | {"schedule": schedule, "seconds": seconds, "trees": trees, "loss": loss, "exact": exact}
                )
                name = "one shot" if rounds == 1 else f"{merge}, {each} trees a round, {schedule}"
                print(
                    f"  {name:40}{loss:10.5f}  worse by {100 * worse:6.2f} %{seconds:8.1f} s{trees:7} trees", flush=True
                )
    return found


def main() -> None:
    """Print a table for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--workers", default="2,4")
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--only", default="adult,diamonds,higgs,generated")
    parser.add_argument("--trees", default="10,20,50")
    parser.add_argument("--merges", default="average,bagging")
    parser.add_argument("--schedules", default="sync")
    parser.add_argument("--pauses", type=float, default=0.0)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    names = options.only.split(",")
    tasks = read_tasks(options.data, [name for name in SETS if name in names])
    if "generated" in names:
        tasks.append(generated(options.rows))
    found = [row for workers in map(int, options.workers.split(",")) for row in run(tasks, workers, options)]
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
