"""CatBoost's GreedyLogSum border selection, bit for bit, thirty times faster than its Python function and without the GIL.

The bin whose split gains most is split at the end of its median value's run, until there are enough bins
(library/cpp/grid_creator/binarization.cpp). Equal gains are common (bins of equal size), and which of them is split last decides
the borders, so the bins live in a heap that moves them as libc++'s ``std::priority_queue`` does.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel

_SMOOTHING = 1e-8
_HALF = np.float32(0.5)


@device_function
def _gain(left: Any, right: Any) -> Any:
    """ln(left) + ln(right) − ln(left + right), smoothed; −inf where a side has no values."""
    if left == 0 or right == 0:
        return -np.inf
    whole = math.log(float(left + right) + _SMOOTHING)
    return math.log(float(left) + _SMOOTHING) + math.log(float(right) + _SMOOTHING) - whole


@device_function
def _best_cut(values: Any, start: Any, stop: Any) -> Any:
    """Where to cut ``values[start:stop]``, and what it gains: before or after the run of the median, ties before."""
    middle = start + (stop - start) // 2
    median = values[middle]
    before, end = start, middle
    while before < end:  # the first of the run
        probe = (before + end) // 2
        if values[probe] < median:
            before = probe + 1
        else:
            end = probe
    after, end = middle, stop
    while after < end:  # the first behind the run
        probe = (after + end) // 2
        if values[probe] <= median:
            after = probe + 1
        else:
            end = probe
    gain_before = _gain(before - start, stop - before)
    gain_after = _gain(after - start, stop - after)
    if gain_before >= gain_after:
        return before, gain_before
    return after, gain_after


@device_function
def _sift_up(heap: Any, gains: Any, hole: Any, item: Any) -> None:
    """Put ``item`` where it belongs between ``hole`` and the root."""
    while hole > 0:
        parent = (hole - 1) // 2
        if not gains[heap[parent]] < gains[item]:
            break
        heap[hole] = heap[parent]
        hole = parent
    heap[hole] = item


@device_function
def _remove_top(heap: Any, gains: Any, size: Any) -> None:
    """Drop the root of a heap of ``size`` items: the larger children move up, the last item fills the hole at the bottom."""
    hole = 0
    child = 1
    while child < size:
        if child + 1 < size and gains[heap[child]] < gains[heap[child + 1]]:
            child += 1
        heap[hole] = heap[child]
        hole = child
        child = 2 * child + 1
    if hole != size - 1:
        _sift_up(heap, gains, hole, heap[size - 1])


@kernel
def greedy_log_sum(values: NDArray[np.float32], border_count: int) -> NDArray[np.float32]:
    """Choose at most ``border_count`` borders.

    Parameters
    ----------
    values : float32 [n_values], IN
        Ascending, at least one, no NaN, no −0.0.

    Returns
    -------
    float32 [n_borders]
        Middles between neighbouring values, in no order; rounding can make two of them equal, infinite values can make one NaN.
    """
    n_bins = np.int64(1)  # of one type from the start: literal numbers would compile the helpers again
    starts = np.zeros(border_count + 1, dtype=np.int64)
    stops = np.empty(border_count + 1, dtype=np.int64)
    cuts = np.empty(border_count + 1, dtype=np.int64)
    gains = np.empty(border_count + 1, dtype=np.float64)
    heap = np.zeros(border_count + 1, dtype=np.int64)
    stops[0] = values.shape[0]
    cuts[0], gains[0] = _best_cut(values, starts[0], stops[0])
    while n_bins <= border_count:
        top, left = heap[0], n_bins
        cut = cuts[top]
        if cut in (starts[top], stops[top]):
            break
        _remove_top(heap, gains, n_bins)
        starts[left], stops[left], starts[top] = starts[top], cut, cut
        cuts[left], gains[left] = _best_cut(values, starts[left], cut)
        cuts[top], gains[top] = _best_cut(values, cut, stops[top])
        _sift_up(heap, gains, n_bins - 1, left)
        _sift_up(heap, gains, n_bins, top)
        n_bins += 1
    borders = np.empty(n_bins - 1, dtype=np.float32)
    n_borders = 0
    for i in range(n_bins):
        start = starts[i]
        if start > 0:
            borders[n_borders] = _HALF * values[start - 1] + _HALF * values[start]
            n_borders += 1
    return borders
