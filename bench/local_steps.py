"""How many epochs ranks need that average now and then, against ranks that make every step together; and what either sends.

usage: python bench/local_steps.py [--higgs FOLDER] [--rows 100000] [--ranks 2,4] [--seeds 3] [--epochs 20] [--ways LIST]

A binary signal in 28 numbers, generated, or the one in FOLDER/higgs-train.parquet and -test (both cut anew, 6 to 1). Ranks are
threads of this process. Each line is of the mean over seeds of the validation losses after each epoch: the lowest one; the first
epoch that comes within 0.0005 of the best of "sync" on one rank in ``--epochs``, and how many times that one's epochs that is
(others may take 1.5 times as many); and megabytes that a rank sends in an epoch. With ``--schedule cosine`` all have as many
epochs.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generated import make_rows

from gbdist.boosting.rows import Segment
from gbdist.metrics import make_metrics
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist_cluster.collective.threads import run_threads

#: What is compared: a name, and parameters of the strategy.
WAYS: dict[str, dict[str, Any]] = {
    "sync": {},
    "sync fp16": {"compression": "fp16"},
    "sync top-k 1 %": {"compression": "top-k"},
    "sync top-k 10 %": {"compression": "top-k", "kept_share": 0.1},
    "local 16": {"kind": "local"},
    "local 64": {"kind": "local", "period": 64},
    "local 16 in 2 groups": {"kind": "local", "groups": 2},
    "local 16 fp16": {"kind": "local", "compression": "fp16"},
    "local 16 top-k 10 %": {"kind": "local", "compression": "top-k", "kept_share": 0.1},
    "async 0": {"kind": "async", "staleness": 0},
    "async 1": {"kind": "async", "staleness": 1},
    "async 2": {"kind": "async", "staleness": 2},
    "async 4": {"kind": "async", "staleness": 4},
    "async 8": {"kind": "async", "staleness": 8},
    "async 1 fp16": {"kind": "async", "staleness": 1, "compression": "fp16"},
    "async 1 top-k 10 %": {"kind": "async", "staleness": 1, "compression": "top-k", "kept_share": 0.1},
}
#: Networks and steps for few rows and for many.
SMALL, LARGE = {"hidden": (64, 32), "batch_size": 200}, {"hidden": (128, 64), "batch_size": 1024}
#: By so much validation losses of "sync" differ where ranks differ: a sum in another order is another run after some epochs.
NEAR = 0.0005
RATES = {"adam": 1e-3, "sgd": 0.05}


def higgs(folder: Path) -> tuple[Any, Any]:
    """Standardized values and labels of both files, in an order of no meaning."""
    table = pd.concat([pd.read_parquet(folder / f"higgs-{part}.parquet") for part in ("train", "test")])
    table = table.sample(frac=1.0, random_state=0)
    x = table.drop(columns="label").to_numpy(np.float64)
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32), table["label"].to_numpy(np.float32)


def part(x: Any, y: Any, start: int, stop: int, first: int) -> NetworkRows:
    """Some rows; numbers count from ``first``."""
    codes = np.empty((stop - start, 0), np.int32)
    return NetworkRows(x[start:stop], codes, y[start:stop, None], None, (Segment(0, stop - start, start - first),))


def curve(x: Any, y: Any, params: TrainParams, hidden: tuple[int, ...], ranks: int) -> tuple[Any, float]:
    """Validation loss after each epoch, and bytes that rank 0 sends in one."""
    n_train = len(x) * 6 // 7
    spec = NetworkSpec(x.shape[1], hidden, 1, "binary_log_loss")

    def run(collective: Any) -> tuple[Any, float]:
        rank = collective.rank
        mine = part(x, y, n_train * rank // ranks, n_train * (rank + 1) // ranks, 0)
        held_out = len(x) - n_train
        evals = part(x, y, n_train + held_out * rank // ranks, n_train + held_out * (rank + 1) // ranks, n_train)
        state = train(mine, [evals], spec, params, collective)
        assert state is not None
        (of_eval,) = (values for name, values in state.history.items() if name != "learn")
        return np.array(of_eval["Logloss"]), collective.traffic.bytes_sent / state.epoch

    return run_threads(ranks, run)[0]


def main() -> None:
    """Print a table for each solver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--higgs", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--ranks", default="2,4")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--solvers", default="adam,sgd")
    parser.add_argument("--schedule", default="constant")
    parser.add_argument("--ways", default=",".join(["sync", "local 16", "local 64"]))
    given = parser.parse_args()
    x, y = higgs(given.higgs) if given.higgs else make_rows(given.rows * 7 // 6, 28, 1)
    size = SMALL if given.higgs else LARGE
    epochs = given.epochs if given.schedule == "cosine" else given.epochs * 3 // 2
    for solver in given.solvers.split(","):
        lowest, its_epoch = 0.0, 0
        for ranks in [1, *map(int, given.ranks.split(","))]:
            for way in given.ways.split(",") if ranks > 1 else ["sync"]:
                found = []
                for seed in range(given.seeds):
                    params = TrainParams(
                        solver=solver,
                        learning_rate_init=RATES[solver],
                        batch_size=size["batch_size"],  # type: ignore[arg-type]
                        schedule=given.schedule,
                        max_iter=epochs,
                        n_iter_no_change=epochs,
                        seed=seed,
                        metrics=make_metrics("Logloss", 2, "Logloss"),
                        strategy=StrategyParams(**WAYS[way]),
                    )
                    found.append(curve(x, y, params, size["hidden"], ranks))  # type: ignore[arg-type]
                losses = np.mean([loss for loss, _ in found], axis=0)
                if ranks == 1:
                    lowest = losses[: given.epochs].min()
                    its_epoch = np.flatnonzero(losses <= lowest + NEAR)[0] + 1
                there = np.flatnonzero(losses <= lowest + NEAR)
                reached = f"{there[0] + 1:3d} ({(there[0] + 1) / its_epoch:.2f} x)" if there.size else "  -"
                sent = np.mean([sent for _, sent in found]) / 1e6
                print(
                    f"{solver:4s} {ranks} ranks {way:20s} lowest {losses.min():.4f} reached {reached:12s} {sent:8.2f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
