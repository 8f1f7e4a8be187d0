"""Points on a line, a few of which stand for all: weighted k-medians, exactly."""

import numpy as np
from numpy.typing import NDArray


def nearest_of_few(positions: NDArray[np.float64], costs: NDArray[np.float64], n_kept: int) -> NDArray[np.int64]:
    """Which of the points stands for each of them, int64 [n]: the minimum of Σ cost · |position - its stand-in's position|.

    A dynamic program over the points from left to right (those with one stand-in are neighbours), in O(n² · n_kept).

    Parameters
    ----------
    positions : float64 [n], ascending
    costs : float64 [n], not negative
        What it costs to move a point by 1.
    n_kept : 1 … n
        How many stand for all.
    """
    medians, within = _groups(positions, costs)
    least = within[0]  # of the points up to each one, in one group
    starts = [np.zeros(least.shape, np.int64)]  # of the last group, for one more group each time
    for _ in range(1, n_kept):
        totals = np.concatenate([[np.inf], least[:-1]])[:, np.newaxis] + within
        starts.append(totals.argmin(axis=0))
        least = totals.min(axis=0)
    found = np.empty(least.shape, np.int64)
    stop = found.shape[0]
    for of_group in reversed(starts):
        start = int(of_group[stop - 1])
        found[start:stop] = medians[start, stop - 1]
        stop = start
    return found


def _groups(
    positions: NDArray[np.float64], costs: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The weighted median of the points a … b, and what it costs to move them there, [n, n] each; infinite where a > b."""
    first, last = np.indices((positions.shape[0],) * 2)
    weight = np.concatenate([[0.0], np.cumsum(costs)])  # of all points before each one
    moment = np.concatenate([[0.0], np.cumsum(costs * positions)])
    half = (weight[first] + weight[last + 1]) / 2
    median = np.clip(np.searchsorted(weight[1:], half), first, np.maximum(first, last))
    left = positions[median] * (weight[median + 1] - weight[first]) - (moment[median + 1] - moment[first])
    right = moment[last + 1] - moment[median + 1] - positions[median] * (weight[last + 1] - weight[median + 1])
    return median, np.where(first <= last, np.maximum(left + right, 0.0), np.inf)
