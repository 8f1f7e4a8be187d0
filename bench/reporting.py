"""What telling the board costs a run: fits with and without it in turns, and the time that ranks spend in it.

usage: python bench/reporting.py [--size 200000x28] [--trees 300] [--repeats 5]

Two workers of one thread each, processes, with the dashboard; nobody looks at the page (for that see bench/page.py).
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import dask.array as da
import numpy as np
from overhead import seconds, wrap

from gbdist import DaskCatBoostClassifier
from gbdist.estimators import training
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.monitor.reporting import UNREPORTED, RunReport

SPANS = (("gbdist.estimators.on_board", "BoardListener.hear"), ("gbdist.estimators.gang_run", "boost"))


@contextmanager
def untold(client: Any, label: str) -> Iterator[RunReport]:
    """In the place of ``reported``: nobody is told."""
    yield UNREPORTED


def main() -> None:
    """Measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="200000x28")
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    n_rows, n_features = map(int, given.size.split("x"))
    values = da.random.default_rng(1).normal(size=(n_rows, n_features), chunks=(n_rows // 8, n_features))
    values = values.astype(np.float32)
    label = (values[:, 0] + values[:, 1] * values[:, 2] > 0).astype(np.int32)
    told = training.reported
    walls: dict[bool, list[float]] = {True: [], False: []}
    shares = []
    with start_local(workers=2, threads=1, memory_limit=0) as local:
        client = local.client
        client.run(wrap, SPANS)
        for repeat in range(-1, given.repeats):
            for tells in (True, False):
                training.reported = told if tells else untold
                model = DaskCatBoostClassifier(iterations=given.trees, depth=6, client=client, verbose=False)
                client.run(seconds)
                began = time.perf_counter()
                model.fit(values, label, eval_fraction=0.1)
                wall = time.perf_counter() - began
                spent = client.run(seconds)
                if repeat < 0:
                    continue  # compiles
                walls[tells].append(wall)
                if tells:
                    shares += [each["BoardListener.hear"][0] / each["boost"][0] for each in spent.values()]
    on, off = median(walls[True]), median(walls[False])
    print(f"{n_rows:,} x {n_features}, {given.trees} trees, {given.repeats} fits each in turns")
    print(f"told: {on:.2f} s ({min(walls[True]):.2f} to {max(walls[True]):.2f})")
    print(f"not told: {off:.2f} s ({min(walls[False]):.2f} to {max(walls[False]):.2f})")
    print(f"median against median: {on / off - 1:+.2%}; ranks spend {median(shares):.3%} of their time in it")


if __name__ == "__main__":
    main()
