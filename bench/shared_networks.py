"""What it costs and saves that two ranks share one network: time and bytes of a step, against ranks that have all of it.

usage: python bench/shared_networks.py [--hidden 512,512,512] [--batches 256,1024] [--steps 30] [--rounds 3]

Two worker processes of one thread, 28 inputs, float32, adam; the ways take turns, and of the rounds' medians the least counts.
Beside the time of a step: what the busier rank computes in it, which other work on the machine does not change.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from distributed import Client, get_worker

from gbdist.boosting.collective import SingleRank
from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.strategies.make import initial_progress, strategy_of
from gbdist.neural.training.threads import blas_threads
from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

N_INPUTS = 28
#: Steps before those that count.
FIRST_STEPS = 5


class Cost(NamedTuple):
    """Of a step: seconds, those of them that a rank computes, and bytes that it sends."""

    seconds: float
    computed: float
    sent: float


WAYS = [("sync", 0), ("tensor", 0), *(("pipeline", pieces) for pieces in (1, 2, 4, 8, 16))]


def steps_of(collective: Any, spec: NetworkSpec, params: TrainParams, steps: int) -> Cost:
    """What a step costs this rank."""
    draw = np.random.default_rng(collective.rank)
    n_rows = params.batch_size // collective.size
    first = np.uint64(collective.rank * n_rows)
    batch = Batch(
        draw.normal(size=(n_rows, N_INPUTS)).astype(np.float32),
        np.empty((n_rows, 0), np.int32),
        draw.integers(0, 2, (n_rows, 1)).astype(np.float32),
        None,
        np.arange(n_rows, dtype=np.uint64) + first,
    )
    strategy = strategy_of(params, collective, spec, 1 / collective.size)
    strategy.begin(initial_progress(spec, params))
    strategy.begin_epoch()
    costs = []
    with blas_threads(1):
        for _ in range(FIRST_STEPS + steps):
            sent = collective.traffic.bytes_sent if collective.size > 1 else 0
            began, computed = time.perf_counter(), time.thread_time()
            strategy.step(batch, 1e-3, None, False)
            sent = collective.traffic.bytes_sent - sent if collective.size > 1 else 0
            costs.append((time.perf_counter() - began, time.thread_time() - computed, sent))
    return Cost(*np.median(costs[FIRST_STEPS:], axis=0).tolist())


def on_rank(
    run_id: str, rank: int, addresses: Sequence[str], spec: NetworkSpec, params: TrainParams, steps: int
) -> Cost:
    """One rank on its worker."""
    with CommCollective.join(get_worker(), run_id=run_id, epoch=1, rank=rank, addresses=addresses) as collective:
        return steps_of(collective, spec, params, steps)


def on_two(client: Client, spec: NetworkSpec, params: TrainParams, steps: int) -> Cost:
    """Of the slower and of the busier rank, and of both."""
    addresses = list(client.scheduler_info()["workers"])
    run_id = f"shared-{time.time_ns()}"
    futures = [
        client.submit(on_rank, run_id, rank, addresses, spec, params, steps, workers=[address], pure=False)
        for rank, address in enumerate(addresses)
    ]
    seconds, computed, sent = zip(*client.gather(futures), strict=True)
    return Cost(max(seconds), max(computed), sum(sent))


def main() -> None:
    """Measure every size of batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", default="512,512,512")
    parser.add_argument("--batches", default="256,1024")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    spec = NetworkSpec(N_INPUTS, tuple(map(int, given.hidden.split(","))), 1, "binary_log_loss")
    with start_local(workers=2, threads=1, memory_limit=0, dashboard=False) as local:
        prepare(local.client)
        for rows in map(int, given.batches.split(",")):
            print(f"hidden {given.hidden}, {Network(spec).n_parameters:,} parameters, {rows} rows a step")
            best: dict[str, Cost] = {}
            for _ in range(given.rounds):
                found = {"one rank": steps_of(SingleRank(), spec, TrainParams(batch_size=rows), given.steps)}
                for kind, pieces in WAYS:
                    params = TrainParams(batch_size=rows, strategy=StrategyParams(kind, micro_batches=pieces or 1))
                    name = f"{kind}, {pieces} pieces" if pieces else kind
                    found[name] = on_two(local.client, spec, params, given.steps)
                best = {name: Cost(*map(min, found[name], best.get(name, found[name]))) for name in found}
            for name, cost in best.items():
                times = f"{cost.seconds * 1e3:7.2f} ms, computing {cost.computed * 1e3:7.2f} ms"
                print(f"  {name:20} {times}, {cost.sent / 1e3:9.1f} kB sent by both")


if __name__ == "__main__":
    main()
