"""What a sum of floating-point numbers over worker processes costs, by each algorithm and by the one that is chosen.

usage: python bench/float_sums.py [--workers 2] [--numbers 1000,40000,400000,4000000] [--repeats 100] [--rounds 3]

float32, one thread a worker, on this machine: with more workers than processors they wait for these. Of the rounds' medians the
least counts, in milliseconds of rank 0. "fp16" is the sum that a network's gradients may have in half as many bytes.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from distributed import get_worker

from gbdist.neural.training.compression import Halves
from gbdist_cluster.collective import float_sums
from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

ALGORITHMS = ("direct_sum", "split_sum", "ring_sum", "tree_sum", "central_sum")


def ways_of(collective: Any) -> dict[str, Callable[[Any], Any]]:
    """Ways to add an array up."""

    def by(name: str, array: Any) -> Any:
        return getattr(float_sums, name)(collective._next_call("sum_floats"), array)

    ways: dict[str, Callable[[Any], Any]] = {name: partial(by, name) for name in ALGORITHMS}
    return {"chosen": collective.sum_floats, **ways, "fp16": lambda array: Halves(collective).sum(array, 0)}


def on_rank(run_id: str, rank: int, addresses: Sequence[str], sizes: Sequence[int], repeats: int) -> dict[Any, float]:
    """Milliseconds of each way and size."""
    found = {}
    with CommCollective.join(get_worker(), run_id=run_id, epoch=1, rank=rank, addresses=addresses) as collective:
        for size in sizes:
            array = np.random.default_rng(rank).standard_normal(size).astype(np.float32)
            for name, way in ways_of(collective).items():
                times = []
                for _ in range(3 + max(10, repeats * 40_000 // max(size, 40_000))):
                    began = time.perf_counter()
                    way(array)
                    times.append(time.perf_counter() - began)
                found[name, size] = float(np.median(times[3:])) * 1e3
    return found


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--numbers", default="1000,40000,400000,4000000")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    sizes = [int(each) for each in given.numbers.split(",")]
    best: dict[Any, float] = {}
    with start_local(workers=given.workers, threads=1, memory_limit=0, dashboard=False) as local:
        prepare(local.client)
        addresses = list(local.client.scheduler_info(n_workers=-1)["workers"])
        for number in range(given.rounds):
            futures = [
                local.client.submit(
                    on_rank, f"sums-{number}", rank, addresses, sizes, given.repeats, workers=[address], pure=False
                )
                for rank, address in enumerate(addresses)
            ]
            for key, milliseconds in local.client.gather(futures)[0].items():
                best[key] = min(milliseconds, best.get(key, milliseconds))
    for size in sizes:
        told = ", ".join(f"{name} {value:.2f}" for (name, of), value in best.items() if of == size)
        print(f"{given.workers} workers, {4 * size / 1e3:,.0f} kB: {told} ms", flush=True)


if __name__ == "__main__":
    main()
