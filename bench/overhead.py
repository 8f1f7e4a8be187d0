"""What being able to recover costs while nothing happens: the share of training time that a rank spends on it.

usage: python bench/overhead.py [--sizes 100000x28,1000000x28] [--trees 300]

Every function that is there for recovery alone is timed on the workers: agreeing on steps, keeping and sending them, and asking
whether the run is still wanted; and on the client, which runs beside the ranks, taking what they send. Two workers of one thread.
"""

import argparse
import time
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client

from gbdist import DaskCatBoostClassifier
from gbdist_cluster.launch.local import start_local

#: Module and name of what is timed in ranks.
SPANS = (
    ("gbdist.estimators.gang_run", "agreed_steps"),
    ("gbdist.estimators.gang_run", "Course.hear"),
    ("gbdist.estimators.gang_run", "Course.check"),
    ("gbdist.estimators.keeper", "StepSender.hear"),
    ("gbdist.estimators.keeper", "StepSender.flush"),
)
ON_CLIENT = (
    ("gbdist.estimators.run_gang", "RunGang.hear"),
    ("gbdist.estimators.run_gang", "RunGang.pays"),
)
WHOLE = ("gbdist.estimators.gang_run", "boost")


def wrap(spans: tuple[tuple[str, str], ...]) -> None:
    """Time functions of this process."""
    import importlib

    for module, name in spans:
        owner: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, _timed(getattr(owner, last), name))


def _timed(function: Any, name: str) -> Any:
    import builtins

    seconds: dict[str, list[float]] = builtins.__dict__.setdefault("gbdist_seconds", {})
    of_name = seconds.setdefault(name, [0.0, 0])

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            of_name[0] += time.perf_counter() - began
            of_name[1] += 1

    return timed


def seconds() -> dict[str, list[float]]:
    """What was timed in this process, seconds and calls of each; and begin anew."""
    import builtins

    told: dict[str, list[float]] = builtins.__dict__.get("gbdist_seconds", {})
    copied = {name: list(values) for name, values in told.items()}
    for values in told.values():
        values[:] = [0.0, 0]
    return copied


def measure(client: Client, n_rows: int, n_features: int, trees: int) -> None:
    """Train, and print the shares."""
    values = (
        da.random.default_rng(1).normal(size=(n_rows, n_features), chunks=(n_rows // 8, n_features)).astype(np.float32)
    )
    label = (values[:, 0] + values[:, 1] * values[:, 2] > 0).astype(np.int32)
    model = DaskCatBoostClassifier(iterations=trees, depth=6, client=client, verbose=False)
    model.fit(values, label)  # compiles
    client.run(seconds)
    seconds()
    model.fit(values, label)
    print(f"{n_rows:,} x {n_features}, {trees} trees")
    for who, spans in (*client.run(seconds).items(), ("client", seconds())):
        whole = spans.pop("boost", [0.0, 0])[0]
        total = sum(one for one, _ in spans.values())
        parts = "  ".join(f"{name} {one * 1e3:.1f} ms ({calls:.0f})" for name, (one, calls) in spans.items())
        share = f"{total / whole:6.2%} of {whole:.2f} s" if whole else f"{total * 1e3:.1f} ms"
        print(f"  {who}: {share}   {parts}")


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100000x28,1000000x28")
    parser.add_argument("--trees", type=int, default=300)
    given = parser.parse_args()
    with start_local(workers=2, threads=1, memory_limit=0, dashboard=False) as local:
        local.client.run(wrap, (*SPANS, WHOLE))
        wrap(ON_CLIENT)
        for size in given.sizes.split(","):
            n_rows, n_features = map(int, size.split("x"))
            measure(local.client, n_rows, n_features, given.trees)


if __name__ == "__main__":
    main()
