"""A matrix in a file that is read and written in pieces: what bins are where memory has no room for them (decision 0028).

Ordinary reads and writes, no memory map: mapped pages count as memory of the process, and Dask ends workers for it. The file has
no name from the moment it is open, so it goes with the matrix, or with the process, however that ends.
"""

import errno
import math
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gbdist.errors import ClusterError

#: Blocks of rows that are read, copied or sent together take about this many bytes.
BLOCK_BYTES = 32 << 20


class _File:
    """An open file without a name; closed, and its bytes given back, when nobody has it any more."""

    def __init__(self, folder: str, n_bytes: int, owner: str) -> None:
        self.folder, self.n_bytes, self.owner = folder, n_bytes, owner
        free = shutil.disk_usage(folder).free
        if free < n_bytes:
            raise self.full(free)
        path = os.path.join(folder, f"gbdist-{uuid.uuid4().hex}.bins")
        self.number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.close = weakref.finalize(self, os.close, self.number)
        os.unlink(path)
        os.ftruncate(self.number, n_bytes)

    def full(self, free: int) -> ClusterError:
        """What to say where the disk has no room."""
        return ClusterError(
            f"{self.owner}: the disk is full. Bins take {self.n_bytes:,} bytes in {self.folder}, where {free:,} bytes are free",
            "Free space there, or start the workers with another --local-directory. With bins_on_disk=False bins stay in memory.",
        )

    def read(self, into: memoryview, place: int) -> None:
        """Fill a buffer from ``place`` on."""
        while into.nbytes:
            count = os.preadv(self.number, [into], place)
            if count == 0:
                raise EOFError(f"{self.folder}: a file of bins ends at byte {place}")
            into, place = into[count:], place + count

    def write(self, values: memoryview, place: int) -> None:
        """Write a buffer at ``place``; ClusterError where the disk has no room for it."""
        try:
            while values.nbytes:
                count = os.pwrite(self.number, values, place)
                values, place = values[count:], place + count
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise self.full(shutil.disk_usage(self.folder).free) from None


class FileMatrix:
    """A matrix [n, m] in a file, C order, or a window of all rows and some neighbouring columns of one.

    Indexed as an array as far as bins are: ``[row]``, ``[row, columns]`` and ``[rows]`` read, ``[:, columns]`` is a window,
    ``[...] =`` and ``[rows] =`` write. Threads may read and write at once, as long as these are different places.
    """

    def __init__(self, file: _File, dtype: DTypeLike, shape: tuple[int, int], start: int, width: int) -> None:
        self._file, self.dtype, self._start, self._width = file, np.dtype(dtype), start, width
        self.shape = shape

    @classmethod
    def create(cls, folder: str, shape: tuple[int, int], dtype: DTypeLike, owner: str = "This process") -> Self:
        """Make a matrix of zeros. ``owner`` is named where the disk is full: ClusterError."""
        n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        return cls(_File(folder, n_bytes, owner), dtype, shape, 0, shape[1])

    @property
    def ndim(self) -> int:
        """As an array's."""
        return 2

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return math.prod(self.shape) * self.dtype.itemsize

    def like(self, n_rows: int, n_columns: int) -> Self:
        """Another matrix of zeros, in the same folder."""
        return type(self).create(self._file.folder, (n_rows, n_columns), self.dtype, self._file.owner)

    def __getitem__(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        first, last, _ = columns.indices(self.shape[1])
        last = max(first, last)
        window = type(self)(self._file, self.dtype, (self.shape[0], last - first), self._start + first, self._width)
        if isinstance(rows, slice):
            if rows == slice(None):
                return window
            start, stop, _ = rows.indices(self.shape[0])
            return window.read(start, max(start, stop))
        return window.read(int(rows), int(rows) + 1)[0]

    def __setitem__(self, key: Any, values: Any) -> None:
        rows = slice(None) if key is Ellipsis else key
        start, stop, _ = rows.indices(self.shape[0])
        for first, last in self._steps(start, stop):
            self._write(first, np.ascontiguousarray(values[first - start : last - start], self.dtype))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return self.read(0, self.shape[0]).astype(self.dtype if dtype is None else dtype, copy=False)

    def read(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Rows ``start … stop−1``, [stop − start, m]; in ``out``, if it is given."""
        if out is None:
            out = np.empty((stop - start, self.shape[1]), self.dtype)
        for run, place in self._runs(start, out):
            self._file.read(run, place)
        return out

    def blocks(self, start: int, stop: int, at_once: int, memory: Callable[..., Any]) -> Iterator[tuple[int, Any]]:
        """Rows ``start … stop−1``, so many ``at_once``: the first one's number and an array, valid until the next is asked for.

        While one block is worked on, a thread reads the next. ``memory`` gives arrays by name, shape and dtype.
        """
        steps = [(first, min(first + at_once, stop)) for first in range(start, stop, at_once)]

        def read(number: int) -> NDArray[Any]:
            first, last = steps[number]
            shape = (last - first, self.shape[1])
            return self.read(first, last, memory(f"bins read {number % 2}", shape, self.dtype))

        if len(steps) == 1:
            yield start, read(0)
        if len(steps) < 2:
            return
        with ThreadPoolExecutor(1, "gbdist-read") as ahead:
            coming = ahead.submit(read, 0)
            for number, (first, _) in enumerate(steps):
                block = coming.result()
                if number + 1 < len(steps):
                    coming = ahead.submit(read, number + 1)
                yield first, block

    def pieces(self) -> list[NDArray[Any]]:
        """All rows, as arrays of at most ``BLOCK_BYTES``, or of one row."""
        return [self.read(first, last) for first, last in self._steps(0, self.shape[0])]

    def take_pieces(self, pieces: Sequence[NDArray[Any]]) -> Self:
        """Write what ``pieces`` gave, and return the matrix."""
        start = 0
        for piece in pieces:
            self[start : start + piece.shape[0]] = piece
            start += piece.shape[0]
        return self

    def _write(self, start: int, values: NDArray[Any]) -> None:
        for run, place in self._runs(start, values):
            self._file.write(run, place)

    def _runs(self, start: int, values: NDArray[Any]) -> Iterator[tuple[memoryview, int]]:
        """Bytes of ``values``, rows from ``start`` on, that are neighbours in the file, and their place there."""
        size, flat = self.dtype.itemsize, values.reshape(-1).view(np.uint8)
        bytes_of = memoryview(flat)  # type: ignore[arg-type]  # arrays are buffers
        if self.shape[1] == self._width:
            yield bytes_of, start * self._width * size
            return
        a_row = self.shape[1] * size
        for number in range(values.shape[0]):
            yield bytes_of[number * a_row : (number + 1) * a_row], ((start + number) * self._width + self._start) * size

    def _steps(self, start: int, stop: int) -> list[tuple[int, int]]:
        step = max(1, BLOCK_BYTES // max(1, self.shape[1] * self.dtype.itemsize))
        return [(first, min(first + step, stop)) for first in range(start, stop, step)]
