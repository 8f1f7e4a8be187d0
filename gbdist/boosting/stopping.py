"""When to stop, and which tree was best: CatBoost's overfitting detector, fed one value of the deciding metric at a time."""

import math
from collections import deque

import numpy as np

from gbdist.boosting.params import Stopping
from gbdist.kernels.elementary import exp_array

#: How much an improvement of the past counts for each iteration that has gone by since.
FORGET = 0.99
#: How many past values are remembered.
WINDOW = 2000
#: Scale of the exponent that turns (expected gain / loss since the best) into a p-value.
SCALE = 0.5
#: Stands for a difference of zero.
TINY = 1e-10
#: The powers of ``FORGET``, by repeated multiplication as CatBoost forms them.
DECAY = np.cumprod(np.concatenate(([1.0], np.full(WINDOW - 1, FORGET))))


class Detector:
    """Follows the metric that decides, on the eval set that decides.

    That set is the last one (CatBoost chooses the best iteration there). While ``active``, CatBoost scores the deciding metric
    at every iteration whatever ``metric_period`` is; otherwise only scored iterations can be the best.

    The rules are those of CatBoost's ``overfitting_detector.cpp`` and ``error_tracker.h``:

    * the best iteration is the first one with the best value;
    * ``IncToDec``: once ``wait`` values in a row have not beaten the best one,
      ``p = exp(−0.5 / (expected gain / (best − last)))``, and the run stops when p is below ``p_value``. The expected gain is the
      largest of the differences ``last − value[i]``, each weighted by 0.99 to the power of its age, over the last 2000 values,
      and of the former expected gain × 0.99;
    * ``Iter`` is ``IncToDec`` with a threshold of 1: it stops after ``wait`` values without a new best one;
    * ``None``, and ``IncToDec`` with ``p_value=0``, never stop.

    Parameters
    ----------
    stopping : Stopping
    is_max_optimal : bool
        Whether a larger value is better.
    """

    def __init__(self, stopping: Stopping, is_max_optimal: bool) -> None:
        self.is_max_optimal = is_max_optimal
        self.best_iteration = -1
        self.best_value = -math.inf if is_max_optimal else math.inf
        self._threshold = {"Iter": 1.0, "IncToDec": stopping.p_value}.get(stopping.kind, 0.0)
        self._wait = stopping.wait
        self._min_trees = stopping.min_trees
        self._kept_iteration = -1
        self._kept_gain = -math.inf
        self._gains: deque[float] = deque(maxlen=WINDOW)
        self._peak = math.nan
        self._since_peak = 0
        self._expected_gain = 0.0

    @property
    def active(self) -> bool:
        """Whether the detector can ever stop the run."""
        return self._threshold > 0.0

    @property
    def best_tree_count(self) -> int:
        """Number of trees that ``use_best_model`` keeps, at least ``min_trees``; 0 while nothing qualifies (all are kept)."""
        return self._kept_iteration + 1

    def update(self, iteration: int, value: float) -> bool:
        """Take the value of the deciding metric after tree number ``iteration`` (from 0); return whether to stop."""
        gain = value if self.is_max_optimal else -value
        best_gain = self.best_value if self.is_max_optimal else -self.best_value
        if gain > best_gain:
            self.best_iteration, self.best_value = iteration, value
        if iteration + 1 >= self._min_trees and gain > self._kept_gain:
            self._kept_iteration, self._kept_gain = iteration, gain
        return self.active and self._p_value_after(gain) < self._threshold

    def _p_value_after(self, gain: float) -> float:
        """Remember one value (larger is better) and return the p-value that the run is still improving."""
        if not self._gains or gain > self._peak:
            self._peak, self._since_peak = gain, 0
        else:
            self._since_peak += 1
        self._gains.appendleft(gain)
        differences = DECAY[: len(self._gains)] * (gain - np.fromiter(self._gains, dtype=np.float64))
        self._expected_gain = float(np.fmax.reduce(differences, initial=self._expected_gain * FORGET))
        if self._since_peak < self._wait:
            return 1.0
        ratio = self._expected_gain / max(self._peak - gain, TINY)
        # Our own exp: every rank takes this decision for itself.
        return float(exp_array(np.float64(-SCALE / max(ratio, TINY))))
