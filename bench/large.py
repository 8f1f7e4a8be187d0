"""Does a fit stay within the workers' memory where the raw rows are larger than it? Lazy rows, workers with a limit.

usage: python bench/large.py [--rows 16000000] [--features 28] [--memory 1GiB] [--trees 5]

Two workers of one thread. Prints the raw size, the limit, the peak of the workers' resident
memory, and what Dask wrote to disk (nothing, if all is well). Needs the extra "bench".
"""

import argparse
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from dask.utils import format_bytes, parse_bytes
from distributed import Client, LocalCluster
from generated import make_collection

from gbdist import DaskCatBoostClassifier


@contextmanager
def watched(client: Client) -> Iterator[dict[str, int]]:
    """Peak of each worker's resident memory and of its spilled bytes, sampled twice a second."""
    peak = {"resident": 0, "spilled": 0}
    done = threading.Event()
    workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]

    def look(dask_scheduler: Any) -> int:
        return max(state.metrics["spilled_bytes"]["disk"] for state in dask_scheduler.workers.values())

    def watch() -> None:
        while not done.wait(0.5):
            peak["resident"] = max(peak["resident"], *(worker.memory_info().rss for worker in workers))
            peak["spilled"] = max(peak["spilled"], client.run_on_scheduler(look))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield peak
    done.set()
    thread.join()


def main() -> None:
    """Fit once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=16_000_000)
    parser.add_argument("--features", type=int, default=28)
    parser.add_argument("--memory", default="1GiB", help="limit of each of the two workers")
    parser.add_argument("--trees", type=int, default=5)
    options = parser.parse_args()
    limit = parse_bytes(options.memory)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=limit) as cluster,
        Client(cluster) as client,
    ):
        x, y = make_collection(options.rows, options.features, partitions=max(2, options.rows // 100_000))
        model = DaskCatBoostClassifier(iterations=options.trees, depth=6, client=client, verbose=False)
        with watched(client) as peak:
            start = time.perf_counter()
            model.fit(x, y)
            seconds = time.perf_counter() - start
    raw = options.rows * options.features * 4
    print(f"raw rows {format_bytes(raw)}, limit of a worker {format_bytes(limit)}, {x.npartitions} partitions")
    print(
        f"fit {seconds:.1f} s, peak of a worker {format_bytes(peak['resident'])}, spilled {format_bytes(peak['spilled'])}"
    )


if __name__ == "__main__":
    main()
