"""Sums of gradients over ranks that travel in fewer bytes: as half-precision numbers, or as their largest ones alone.

A compressed sum is the same bits on every rank, as an exact one is. What a gradient loses on the way is bounded with "fp16",
and comes later with "top-k". Gradients are given as they are: without the factor by which losses are scaled for "fp16"
precision, which changes from step to step.
"""

from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.neural.training.params import StrategyParams
from gbdist.neural.training.state import Vector
from gbdist.neural.training.strategies.base import Exchange

_HALF = np.dtype("<f2")
_PLACE = np.dtype("<u4")
_SCALE = np.dtype("<f8")
#: The largest half-precision number is 65504; the largest of a vector gets an exponent of 15 at most.
_TOP_EXPONENT = 15


def make_exchange(params: StrategyParams, collective: Collective) -> Exchange:
    """What adds gradients up over the ranks of ``collective`` as ``params`` say."""
    if collective.size == 1 or params.compression == "none":
        return Exact(collective)
    if params.compression == "fp16":
        return Halves(collective)
    return Largest(collective, params.kept_share)


class Exact:
    """Every number as it is."""

    def __init__(self, collective: Collective) -> None:
        self._collective = collective

    def sum(self, message: Vector, exact: int) -> Vector:
        """See ``Exchange``."""
        return self._collective.sum_floats(message)


class Halves:
    """Numbers of 2 bytes on the wire, added in the type that they came in.

    Each rank sends its numbers times a power of two of its own that brings the largest one to 2¹⁴ … 2¹⁵, so that nothing
    overflows, and little is lost below: a number x of a vector whose largest is M arrives within 2⁻¹¹ |x| + 2⁻³⁸ M. Each rank
    adds up its share for all, in the order of the ranks, and sends the sum on in the same way. What is not finite arrives as
    something that is not finite.
    """

    def __init__(self, collective: Collective) -> None:
        self._collective = collective
        self._halves = np.empty(0, _HALF)
        self._scaled = self._total = np.empty(0)

    def sum(self, message: Vector, exact: int) -> Vector:
        """See ``Exchange``; the answer is this object's own until the next call."""
        size, rank, count = self._collective.size, self._collective.rank, message.size - exact
        if self._total.dtype != message.dtype or self._total.size != message.size:
            self._halves = np.empty(count, _HALF)
            self._scaled, self._total = np.empty(count, message.dtype), np.empty_like(message)
        cuts = [count * each // size for each in range(size + 1)]
        shares = [slice(*each) for each in pairwise(cuts)]
        behind, total = message[count:], self._total
        share, rest = total[shares[rank]], total[count:]
        factor = self._halve(message[:count])
        head = behind.tobytes() + factor
        parts = [b"".join([head, self._halves[each].data]) if to != rank else head for to, each in enumerate(shares)]
        with np.errstate(over="ignore", invalid="ignore"):
            for source, item in enumerate(self._collective.all_to_all(parts)):
                theirs = np.frombuffer(item, message.dtype, exact)
                mine = message[shares[rank]] if source == rank else self._restored(item, behind.nbytes, shares[rank])
                if source == 0:
                    share[:], rest[:] = mine, theirs
                else:
                    share += mine
                    rest += theirs
        factor = self._halve(share)
        sums = b"".join([factor, self._halves[: share.size].data])
        for each, item in zip(shares, self._collective.all_gather(sums), strict=True):
            total[each] = self._restored(item, 0, each)
        return total

    def _halve(self, numbers: Vector) -> bytes:
        """Write them to the front of ``_halves``, scaled; the power of two by which they are to be multiplied then, as bytes."""
        exponent = exponent_of_halves(numbers)
        scaled = self._scaled[: numbers.size]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            np.multiply(numbers, numbers.dtype.type(2.0**-exponent), out=scaled)
            self._halves[: numbers.size] = scaled
        return np.array([2.0**exponent], _SCALE).tobytes()

    def _restored(self, item: bytes, start: int, where: slice) -> Vector:
        """The numbers of an item, a factor and half-precision numbers from ``start`` on, in memory that is used again."""
        restored = self._scaled[: where.stop - where.start]
        restored[:] = np.frombuffer(item, _HALF, offset=start + _SCALE.itemsize)
        restored *= restored.dtype.type(np.frombuffer(item, _SCALE, 1, start)[0])
        return restored


def exponent_of_halves(numbers: Vector) -> int:
    """e, so that numbers × 2⁻ᵉ fit into half precision as well as they can: the largest becomes 2¹⁴ … 2¹⁵."""
    largest = float(max(np.max(numbers, initial=0.0), -np.min(numbers, initial=0.0)))
    exponent = int(np.frexp(largest)[1]) - _TOP_EXPONENT if 0.0 < largest < np.inf else 0
    return max(-126, min(126, exponent))  # so that the factor and its inverse are normal float32 numbers


class Largest:
    """The numbers that are largest in magnitude; the rest of a gradient is added to the rank's next one.

    Stich, Cordonnier and Jaggi, "Sparsified SGD with Memory", 2018, algorithm 1: what was left out is never lost, only late. Of
    equal numbers the first ones go. What a rank still holds back belongs to it alone: it is no part of a run's state, and is lost
    when a run goes on in another gang.

    Parameters
    ----------
    share : float
        Share of a gradient that is sent, 0 < share ≤ 1; one number at least.
    """

    def __init__(self, collective: Collective, share: float) -> None:
        self._collective, self._share = collective, share
        self._held: Vector | None = None

    def sum(self, message: Vector, exact: int) -> Vector:
        """See ``Exchange``. Where the sum is not finite, what was held back stays what it was: nobody makes a step of it."""
        count = message.size - exact
        wanted = message[:count].copy() if self._held is None else message[:count] + self._held
        total, chosen = sum_of_largest(self._collective, wanted, message[count:], self._share)
        if np.isfinite(total[:count]).all():
            wanted[chosen] = 0.0
            self._held = wanted
        return total


def sum_of_largest(
    collective: Collective, numbers: Vector, behind: Vector, share: float
) -> tuple[Vector, NDArray[np.intp]]:
    """Sum over the ranks of the largest of ``numbers``, then of all numbers ``behind``; and which of them this rank has sent."""
    chosen = places_of_largest(numbers, share)
    item = b"".join([behind.tobytes(), chosen.astype(_PLACE).tobytes(), numbers[chosen].tobytes()])
    total = np.zeros(numbers.size + behind.size, numbers.dtype)
    summed, rest = total[: numbers.size], total[numbers.size :]
    with np.errstate(over="ignore", invalid="ignore"):
        for source, arrived in enumerate(collective.all_gather(item)):
            theirs = np.frombuffer(arrived, numbers.dtype, behind.size)
            rest[:] = theirs if source == 0 else rest + theirs
            places = np.frombuffer(arrived, _PLACE, chosen.size, theirs.nbytes)
            summed[places] += np.frombuffer(arrived, numbers.dtype, chosen.size, theirs.nbytes + places.nbytes)
    return total, chosen


def places_of_largest(numbers: Vector, share: float) -> NDArray[np.intp]:
    """Places of the numbers that are largest in magnitude, that share of them and one at least, ascending.

    Of equal ones the first; NaN is infinite.
    """
    count, size = ceil(share * numbers.size), np.abs(numbers)
    size[np.isnan(size)] = np.inf
    if count >= size.size:
        return np.arange(size.size)
    least = np.partition(size, size.size - count)[size.size - count]
    chosen = size > least
    ties = np.flatnonzero(size == least)
    chosen[ties[: count - int(chosen.sum())]] = True
    return np.flatnonzero(chosen)
