"""Seconds of an epoch of a network on two workers of one thread, against scikit-learn's MLP with two threads.

usage: python bench/network_epochs.py [--rows 1000000] [--hidden 256,128] [--batch 1024] [--epochs 3] [--rounds 2]

28 inputs, adam, the whole loop: shuffling, gathering, gradients, their sum over the ranks, steps. scikit-learn computes in
float64 and float32, gbdist in float32. They take turns; the least of the epochs of all rounds counts, but never a first one.
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from distributed import Client, get_worker
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.control import Free
from gbdist.boosting.events import Event, IterationDone, RunStarted
from gbdist.boosting.rows import Segment
from gbdist.boosting.spans import SpanSums, WatchedCollective
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.threads import blas_threads
from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

N_INPUTS = 28


class Clock:
    """A listener that looks at the clock after each epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._last = 0.0

    def hear(self, event: Event) -> bool:
        now = time.perf_counter()
        if isinstance(event, IterationDone):
            self.seconds.append(now - self._last)
        if isinstance(event, RunStarted | IterationDone):
            self._last = now
        return False


def table(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of the data set."""
    draw = np.random.default_rng(start)
    numeric = draw.normal(size=(stop - start, N_INPUTS)).astype(np.float32)
    target = numeric[:, :5].sum(axis=1) + draw.normal(size=stop - start) > 0
    return numeric, target.astype(np.float32)


def epochs_of(
    collective: Any, n_rows: int, spec: NetworkSpec, params: TrainParams
) -> tuple[list[float], dict[str, float]]:
    """Seconds of each epoch on this rank, and of each stage in all of them."""
    edges = [n_rows * rank // collective.size for rank in range(collective.size + 1)]
    start, stop = edges[collective.rank : collective.rank + 2]
    numeric, target = table(start, stop)
    rows = NetworkRows(
        numeric, np.empty((stop - start, 0), np.int32), target[:, None], None, (Segment(0, stop - start, start),)
    )
    clock, spans = Clock(), SpanSums()
    if collective.size > 1:
        collective = WatchedCollective(collective, spans)
    train(rows, [], spec, params, collective, [clock], control=Free(spans))
    return clock.seconds, spans.seconds


def on_rank(
    run_id: str, rank: int, addresses: Sequence[str], n_rows: int, spec: NetworkSpec, params: TrainParams
) -> tuple[list[float], dict[str, float]]:
    """One rank on its worker."""
    with CommCollective.join(get_worker(), run_id=run_id, epoch=1, rank=rank, addresses=addresses) as collective:
        return epochs_of(collective, n_rows, spec, params)


def on_two(client: Client, n_rows: int, spec: NetworkSpec, params: TrainParams) -> tuple[list[float], dict[str, float]]:
    """Of rank 0."""
    addresses = list(client.scheduler_info()["workers"])
    run_id = f"epochs-{time.time_ns()}"
    futures = [
        client.submit(on_rank, run_id, rank, addresses, n_rows, spec, params, workers=[address], pure=False)
        for rank, address in enumerate(addresses)
    ]
    return client.gather(futures)[0]  # type: ignore[no-any-return]


def scikit_learn(n_rows: int, hidden: tuple[int, ...], batch: int, epochs: int, dtype: Any) -> float:
    """Seconds of an epoch with two threads."""
    numeric, target = table(0, n_rows)
    numeric, target = numeric.astype(dtype), target.astype(int)
    model = MLPClassifier(hidden, batch_size=batch, max_iter=1, random_state=0, warm_start=True)
    seconds = []
    with warnings.catch_warnings(), blas_threads(2):
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(epochs):
            began = time.perf_counter()
            model.fit(numeric, target)
            seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hidden", default="256,128")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    hidden = tuple(map(int, given.hidden.split(",")))
    spec = NetworkSpec(N_INPUTS, hidden, 1, "binary_log_loss")
    params = TrainParams(batch_size=given.batch, max_iter=given.epochs, tol=0.0)
    best: dict[str, float] = {}

    def count(name: str, seconds: float) -> None:
        best[name] = min(seconds, best.get(name, seconds))

    with start_local(workers=2, threads=1, memory_limit=0, dashboard=False) as local:
        prepare(local.client)
        for _ in range(given.rounds):
            seconds, stages = on_two(local.client, given.rows, spec, params)
            count("gbdist, two workers", min(seconds[1:]))
            count("gbdist, one rank, one thread", min(epochs_of(SingleRank(), given.rows, spec, params)[0][1:]))
            for dtype in (np.float64, np.float32):
                name = f"scikit-learn, two threads, {np.dtype(dtype)}"
                count(name, scikit_learn(given.rows, hidden, given.batch, given.epochs, dtype))
    steps = -(-given.rows // given.batch)
    for name, least in best.items():
        print(f"{name:38} {least:6.2f} s an epoch, {least / steps * 1e3:5.2f} ms a step")
    told = ", ".join(
        f"{name} {value / given.epochs / steps * 1e3:.2f}" for name, value in stages.items() if value > 0.001
    )
    print(f"two workers, ms a step on rank 0 in the last round: {told}")


if __name__ == "__main__":
    main()
