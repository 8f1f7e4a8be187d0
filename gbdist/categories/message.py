"""Messages between ranks about counts: rows of bytes, because almost all counts are small."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_categories import narrow_counts

#: A byte that says: the count is among the large ones.
_LARGE = 255


def write(numbers: Sequence[int], keys: NDArray[np.uint64], counts: Sequence[NDArray[np.int32]]) -> bytes:
    """A message of numbers, of keys (uint64 [n]), and of counts of 0 and more, whose shapes the reader knows."""
    joined = np.concatenate([each.ravel() for each in counts]) if counts else np.empty(0, np.int32)
    small = np.empty(joined.shape[0], np.uint8)
    n_large = narrow_counts(joined, _LARGE, small)
    large = np.flatnonzero(small == _LARGE) if n_large else np.empty(0, np.int64)
    head = np.array([len(numbers), keys.shape[0], n_large, *numbers], np.int64)
    parts: list[NDArray[Any]] = [head, keys, large.astype(np.int64), joined[large].astype(np.int64), small]
    return b"".join([part.tobytes() for part in parts])


class Reader:
    """Reads what ``write`` wrote; ``numbers`` and ``keys`` at once, counts one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        n_numbers, n_keys, n_large = self._take(3, np.int64).tolist()
        self.numbers: list[int] = self._take(n_numbers, np.int64).tolist()
        self.keys: NDArray[np.uint64] = self._take(n_keys, np.uint64)
        large, values = self._take(n_large, np.int64), self._take(n_large, np.int64)
        self._counts = self._take(len(data) - self._at, np.uint8).astype(np.int32)
        self._counts[large] = values
        self._read = 0

    def counts(self, shape: tuple[int, ...]) -> NDArray[np.int32]:
        """The next counts, int32; a view."""
        stop = self._read + int(np.prod(shape))
        found = self._counts[self._read : stop]
        self._read = stop
        return found.reshape(shape)

    def _take(self, count: int, dtype: Any) -> NDArray[Any]:
        array = np.frombuffer(self._data, dtype, count, self._at)
        self._at += array.nbytes
        return array
