"""Metrics of many data sets in as few rounds of messages as they need."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.metrics.base import Metric, Scored
from gbdist.metrics.sums import Rounds

AllReduce = Callable[[NDArray[np.int64]], NDArray[np.int64]]


def evaluate(metrics: Sequence[Metric], scored: Scored, all_reduce: AllReduce) -> dict[str, float]:
    """Value of each metric by name; ``all_reduce`` adds an int64 vector up over the ranks."""
    values, _ = evaluate_many([(metrics, scored)], np.empty(0, np.int64), all_reduce)
    return values[0]


def evaluate_many(
    jobs: Sequence[tuple[Sequence[Metric], Scored]], extra: NDArray[np.int64], all_reduce: AllReduce
) -> tuple[list[dict[str, float]], NDArray[np.int64]]:
    """Metrics of several data sets in lock-step: round r carries the r-th vectors of all of them, in one message.

    ``extra`` int64 [any] rides in the first round; its sums over the ranks are the second result. There is no round where
    there is nothing to add up. Every rank gives the same metrics in the same order.
    """
    values: list[dict[str, float]] = [{} for _ in jobs]
    running: list[tuple[int, str, Rounds]] = [
        (position, metric.name, metric.rounds(scored))
        for position, (metrics, scored) in enumerate(jobs)
        for metric in metrics
    ]
    for position, name, _ in running:
        values[position][name] = np.nan  # keeps the order of the metrics
    vectors = [next(rounds) for _, _, rounds in running]
    sums = extra
    if vectors or extra.shape[0]:
        sums = all_reduce(np.concatenate([extra, *vectors]))
    extra_sums, sums = sums[: extra.shape[0]], sums[extra.shape[0] :]
    while running:
        still, next_vectors, start = [], [], 0
        for (position, name, rounds), vector in zip(running, vectors, strict=True):
            stop = start + vector.shape[0]
            try:
                next_vectors.append(rounds.send(sums[start:stop]))
                still.append((position, name, rounds))
            except StopIteration as finished:
                values[position][name] = finished.value
            start = stop
        running, vectors = still, next_vectors
        if running:
            sums = all_reduce(np.concatenate(vectors))
    return values, extra_sums
