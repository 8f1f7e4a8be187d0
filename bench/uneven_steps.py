"""How long steps take where ranks stand still for a moment now and then: of ranks that wait at each step, and that run ahead.

usage: python bench/uneven_steps.py [--ranks 2,4,8] [--steps 300] [--milliseconds 4] [--pause 20] [--share 0.1]

Ranks are threads of this process that sleep in place of computing: ``--milliseconds`` a step, and ``--pause`` more in that
``--share`` of its steps, drawn for each rank and step. Each line: milliseconds a step, and what of that is over the time that a
rank which waits for nobody takes on average.
"""

import argparse
import time
from typing import Any

import numpy as np

from gbdist.neural.network.blocks import Batch, Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.compression import make_exchange
from gbdist.neural.training.params import StrategyParams, TrainParams
from gbdist.neural.training.state import Progress
from gbdist.neural.training.strategies.asynchronous import Asynchronous
from gbdist.neural.training.strategies.base import Strategy
from gbdist.neural.training.strategies.sync import Sync
from gbdist_cluster.collective.threads import run_threads

SPEC = NetworkSpec(4, (8,), 1, "squared_error")
STALENESS = (None, 1, 2, 4, 8)


class Sleeper(Network):
    """A small network that sleeps so long, call after call."""

    def __init__(self, seconds: Any) -> None:
        super().__init__(SPEC)
        self._left = iter(seconds)

    def loss_and_gradient(self, flat: Any, batch: Batch, gradient: Any, noise: Noise | None) -> float:
        """See ``Network``."""
        time.sleep(next(self._left))
        return super().loss_and_gradient(flat, batch, gradient, noise)


def seconds_of(ranks: int, seconds: Any, staleness: int | None) -> float:
    """How long all steps take; ``seconds`` are those of each rank and step, ``staleness`` None is "sync"."""
    batch = Batch(np.zeros((1, 4), np.float32), np.empty((1, 0), np.int32), np.zeros((1, 1), np.float32), None, None)

    def run(collective: Any) -> float:
        network = Sleeper(seconds[collective.rank])
        params = TrainParams(strategy=StrategyParams(staleness=staleness or 0))
        strategy: Strategy = (
            Sync(network, params, make_exchange(params.strategy, collective))
            if staleness is None
            else Asynchronous(network, params, collective)
        )
        strategy.begin(Progress(network.initial(0).astype(np.float32)))
        collective.all_gather(b"")
        began = time.perf_counter()
        for _ in range(seconds.shape[1]):
            strategy.step(batch, 1e-3, None, pause=False)
        strategy.end_epoch()
        return time.perf_counter() - began

    return max(run_threads(ranks, run))


def main() -> None:
    """Print a line for each number of ranks and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", default="2,4,8")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--milliseconds", type=float, default=4.0)
    parser.add_argument("--pause", type=float, default=20.0)
    parser.add_argument("--share", type=float, default=0.1)
    given = parser.parse_args()
    for ranks in map(int, given.ranks.split(",")):
        rng = np.random.default_rng(ranks)
        pauses = (rng.random((ranks, given.steps)) < given.share) * given.pause
        seconds = (given.milliseconds + pauses) / 1e3
        least = 1e3 * seconds.sum(axis=1).max() / given.steps
        for staleness in STALENESS:
            taken = 1e3 * seconds_of(ranks, seconds, staleness) / given.steps
            way = "sync" if staleness is None else f"async {staleness}"
            print(f"{ranks} ranks {way:8s} {taken:6.2f} ms a step, {taken - least:5.2f} of it waiting", flush=True)


if __name__ == "__main__":
    main()
