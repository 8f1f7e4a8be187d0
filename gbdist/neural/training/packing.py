"""How gradients and their sums travel between two ranks: every number, half-precision ones, or the largest ones alone.

What is lost on the way is what ``compression`` says of sums that all ranks make together.
"""

from typing import Protocol

import numpy as np

from gbdist.neural.training.compression import exponent_of_halves, places_of_largest
from gbdist.neural.training.params import StrategyParams
from gbdist.neural.training.state import Vector

Item = bytes | bytearray | memoryview

_HALF = np.dtype("<f2")
_PLACE = np.dtype("<u4")
_SCALE = np.dtype("<f8")


class Packing(Protocol):
    """Makes bytes of one rank's messages: a gradient with some numbers behind it that are never compressed."""

    def gradient(self, message: Vector) -> bytes:
        """A rank's own message (IN)."""
        ...

    def total(self, total: Vector) -> bytes:
        """A sum of messages (IN) that ``read`` has seen."""
        ...

    def read(self, item: Item) -> Vector:
        """The message behind some bytes, perhaps in their memory; of those of ``total``, the same on every rank."""
        ...


def make_packing(params: StrategyParams, dtype: np.dtype[np.floating], exact: int) -> Packing:
    """The packing of a rank's messages of that type, with ``exact`` numbers behind each gradient."""
    if params.compression == "none":
        return Whole(dtype)
    if params.compression == "fp16":
        return Halved(dtype, exact)
    return LargestFirst(dtype, exact, params.kept_share)


class Whole:
    """Every number as it is."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._dtype = dtype

    def gradient(self, message: Vector) -> bytes:
        """See ``Packing``."""
        return message.tobytes()

    def total(self, total: Vector) -> bytes:
        """See ``Packing``."""
        return total.tobytes()

    def read(self, item: Item) -> Vector:
        """See ``Packing``."""
        return np.frombuffer(item, self._dtype)


class Halved:
    """The exact numbers, a power of two, and the gradient divided by it in half precision: see ``compression.Halves``."""

    def __init__(self, dtype: np.dtype[np.floating], exact: int) -> None:
        self._dtype, self._exact = dtype, exact

    def gradient(self, message: Vector) -> bytes:
        """See ``Packing``."""
        numbers, behind = message[: -self._exact], message[-self._exact :]
        exponent = exponent_of_halves(numbers)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            halves = (numbers * numbers.dtype.type(2.0**-exponent)).astype(_HALF)
        return b"".join([behind.tobytes(), np.array([2.0**exponent], _SCALE).tobytes(), halves.data])

    def total(self, total: Vector) -> bytes:
        """See ``Packing``; rounded once more."""
        return self.gradient(total)

    def read(self, item: Item) -> Vector:
        """See ``Packing``."""
        behind = np.frombuffer(item, self._dtype, self._exact)
        (scale,) = np.frombuffer(item, _SCALE, 1, behind.nbytes)
        halves = np.frombuffer(item, _HALF, offset=behind.nbytes + _SCALE.itemsize)
        message = np.empty(halves.size + behind.size, self._dtype)
        message[halves.size :] = behind
        with np.errstate(over="ignore", invalid="ignore"):
            np.multiply(halves, self._dtype.type(scale), out=message[: halves.size], dtype=self._dtype)
        return message


class LargestFirst:
    """The exact numbers, and the largest of a gradient with their places; the rest is added to the rank's next gradient.

    See ``compression.Largest``. A gradient that is not finite is sent as the others are, without what was held back, which stays
    what it was: nobody makes a step of it. Of a sum, all numbers that are not 0 are sent.
    """

    def __init__(self, dtype: np.dtype[np.floating], exact: int, share: float) -> None:
        self._dtype, self._exact, self._share = dtype, exact, share
        self._held: Vector | None = None

    def gradient(self, message: Vector) -> bytes:
        """See ``Packing``."""
        numbers, behind = message[: -self._exact], message[-self._exact :]
        if not np.isfinite(numbers).all():
            return self._some(numbers, behind, places_of_largest(numbers, self._share))
        wanted = numbers.copy() if self._held is None else numbers + self._held
        chosen = places_of_largest(wanted, self._share)
        item = self._some(wanted, behind, chosen)
        wanted[chosen] = 0.0
        self._held = wanted
        return item

    def total(self, total: Vector) -> bytes:
        """See ``Packing``."""
        numbers = total[: -self._exact]
        return self._some(numbers, total[-self._exact :], np.flatnonzero(numbers))

    def _some(self, numbers: Vector, behind: Vector, chosen: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> bytes:
        count = np.array([numbers.size], _PLACE)
        return b"".join([behind.tobytes(), count.tobytes(), chosen.astype(_PLACE).tobytes(), numbers[chosen].tobytes()])

    def read(self, item: Item) -> Vector:
        """See ``Packing``."""
        behind = np.frombuffer(item, self._dtype, self._exact)
        start = behind.nbytes + _PLACE.itemsize
        (size,) = np.frombuffer(item, _PLACE, 1, behind.nbytes)
        count = (len(item) - start) // (_PLACE.itemsize + self._dtype.itemsize)
        places = np.frombuffer(item, _PLACE, count, start)
        message = np.zeros(int(size) + behind.size, self._dtype)
        message[places] = np.frombuffer(item, self._dtype, count, start + places.nbytes)
        message[int(size) :] = behind
        return message
