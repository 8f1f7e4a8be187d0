"""Who is at risk when something happens: sums over all rows that come later, for the loss Cox and its metric.

Each rank owns a range of the order of times, agreed once; predictions travel there and derivatives back, 24 bytes a row and tree.
Sums are of integers in three parts, each of what the one before rounds off, so that they do not depend on who owns what, and keep
about 130 bits below the largest term: late rows have sums that are small beside those of all.
"""

import math

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.exchange import RowExchange
from gbdist.boosting.rows import Rows
from gbdist.kernels.elementary import exp_array, log_array

#: A place is a time's bits and a row's number.
_NUMBER_BITS = 33
#: Of a rank's places so many are told, for ranges of nearly one size.
_TOLD = 1024
_SUM_BITS = 62
_PARTS = 3
#: A hazard is at least e to this times the largest one.
_LEAST = -60.0


class RiskOrder:
    """The rows of one data set in the order of |label|, and then of their numbers.

    Parameters
    ----------
    rows : a rank's rows, in the host's memory
        The label is a time, below 0 where nothing happened then.
    """

    def __init__(self, rows: Rows, collective: Collective) -> None:
        self._collective = collective
        times = np.abs(rows.label) + np.float32(0.0)
        places = times.view(np.uint32).astype(np.uint64) << np.uint64(_NUMBER_BITS) | rows.numbers()
        ordered = np.sort(places)
        told = ordered[np.linspace(0, max(len(ordered) - 1, 0), min(_TOLD, len(ordered))).astype(np.int64)]
        every = np.sort(
            np.concatenate([np.frombuffer(one, np.uint64) for one in collective.all_gather(told.tobytes())])
        )
        edges = (
            [int(every[len(every) * rank // collective.size]) for rank in range(1, collective.size)]
            if len(every)
            else []
        )
        self._exchange = RowExchange(places, edges or [0] * (collective.size - 1), collective)
        self._happened = self._exchange.column(rows.label) > 0.0
        n_rows = int(collective.all_reduce(np.array([rows.n_rows], np.int64))[0])
        self._bits = _SUM_BITS - max(n_rows, 1).bit_length()

    def derivatives(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """First and second derivatives of minus the loss at raw predictions [n], float64 [2, n], as CatBoost's CalcDersRange."""
        hazards, at_risk, _ = self._at_risk(predictions)
        inverse = np.divide(1.0, at_risk, out=np.zeros_like(at_risk), where=self._happened)
        so_far = self._running(inverse, self._largest(inverse))
        squares = self._running(inverse * inverse, self._largest(inverse) ** 2)
        share = hazards * so_far
        first = self._happened.astype(np.float64) - share
        second = -(share - hazards * hazards * squares)
        return self._exchange.back(np.stack([first, second]))

    def gains(self, predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each row adds to the logarithm of the partial likelihood, float64 [n]; 0 where nothing happened."""
        _, at_risk, (own, largest) = self._at_risk(predictions)
        risk = np.asarray(log_array(np.where(self._happened, at_risk, 1.0))) + largest
        gains: NDArray[np.float64] = self._exchange.back(np.where(self._happened, own - risk, 0.0)[None])[0]
        return gains

    def _at_risk(
        self, predictions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], float]]:
        """e^(a − largest a) of the rows that this rank owns, its sums over all that come later, a itself and the largest."""
        own = self._exchange.column(predictions)
        largest = self._largest(own, -math.inf)
        hazards = np.asarray(exp_array(np.maximum(own - largest, _LEAST)))
        return hazards, self._running(hazards[::-1], 1.0, backwards=True)[::-1], (own, largest)

    def _largest(self, values: NDArray[np.float64], least: float = 0.0) -> float:
        """The largest value of all ranks; a round."""
        mine = np.array([np.max(values, initial=least)])
        return float(max(np.frombuffer(one)[0] for one in self._collective.all_gather(mine.tobytes())))

    def _running(self, values: NDArray[np.float64], largest: float, *, backwards: bool = False) -> NDArray[np.float64]:
        """Sums of values from 0 to ``largest`` up to each row, itself included, over all ranks in their order; a round."""
        if largest == 0.0:
            return np.zeros_like(values)
        _, exponent = math.frexp(largest)
        rest, sums = np.ldexp(values, -exponent), []
        for _ in range(_PARTS):
            rest = np.ldexp(rest, self._bits)
            whole = np.floor(rest)
            sums.append(np.cumsum(whole.astype(np.int64)))
            rest = rest - whole
        mine = np.array([part[-1] if len(part) else 0 for part in sums], np.int64)
        totals = [np.frombuffer(one, np.int64) for one in self._collective.all_gather(mine.tobytes())]
        rank = self._collective.rank
        others = totals[rank + 1 :] if backwards else totals[:rank]
        found = np.zeros(len(values))
        for part, of_others in reversed(list(zip(sums, np.sum([0 * mine, *others], axis=0), strict=True))):
            found = np.ldexp(found + (part + of_others).astype(np.float64), -self._bits)
        return np.ldexp(found, exponent)
