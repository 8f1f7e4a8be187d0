"""Fixed-point sums that metrics share: which weights, and which power of two."""

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gbdist.metrics.base import Scored

_NO_WEIGHT = np.empty(0, np.float32)

Rounds = Generator[NDArray[np.int64], NDArray[np.int64], float]
Result = TypeVar("Result")


def together(
    runs: Sequence[Generator[NDArray[np.int64], NDArray[np.int64], Result]],
) -> Generator[NDArray[np.int64], NDArray[np.int64], list[Result]]:
    """Results of what asks for sums in rounds of its own, in lock-step: one vector a round."""
    results: dict[int, Result] = {}
    waiting = {position: next(run) for position, run in enumerate(runs)}
    while waiting:
        sums = yield np.concatenate(list(waiting.values()))
        still, start = {}, 0
        for position, vector in waiting.items():
            stop = start + vector.shape[0]
            try:
                still[position] = runs[position].send(sums[start:stop])
            except StopIteration as finished:
                results[position] = finished.value
            start = stop
        waiting = still
    return [results[position] for position in range(len(runs))]


@dataclass(frozen=True, slots=True)
class Weighting:
    """Weights as kernels take them (without elements: all 1), and their sum over all ranks."""

    weight: NDArray[np.float32]
    total: float


def weighting(scored: Scored, use_weights: bool) -> Generator[NDArray[np.int64], NDArray[np.int64], Weighting]:
    """Weights of a metric with or without ``use_weights``; costs a round only where the number of rows is not known."""
    if scored.weight is None:
        return Weighting(_NO_WEIGHT, scored.total_weight)
    if use_weights:
        return Weighting(scored.weight, scored.total_weight)
    if scored.total_rows:
        return Weighting(_NO_WEIGHT, float(scored.total_rows))
    sums = yield np.array([scored.label.shape[0]], np.int64)
    return Weighting(_NO_WEIGHT, float(sums[0]))


def sum_scale(total: float) -> float:
    """Largest power of two with ``total × scale ≤ 2^61``, so that rounded terms that add up to ``total`` fit int64."""
    _, exponent = math.frexp(total)
    return math.ldexp(1.0, max(-1000, min(61 - exponent, 900)))


def scales(*totals: float) -> NDArray[np.float64]:
    """One ``sum_scale`` for each total."""
    return np.array([sum_scale(total) for total in totals])


def ratio(sums: NDArray[np.int64], units: NDArray[np.float64]) -> float:
    """Mean from (Σ value, Σ weight); 0 without any weight, as CatBoost's TMetric::GetFinalError."""
    weight = float(sums[1]) / float(units[1])
    return (float(sums[0]) / float(units[0])) / weight if weight > 0.0 else 0.0
