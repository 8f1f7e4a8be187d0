"""Matrices on a worker's disk, in the folder that Dask gives it, also where they arrive from another worker."""

from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gbdist.file_matrix import FileMatrix
from gbdist_cluster.shards import local_folder


class LocalMatrix(FileMatrix):
    """A matrix in a file of this worker. Pickled it is pieces of at most 32 MiB, which become a file again where they arrive."""

    @classmethod
    def here(cls, shape: tuple[int, int], dtype: DTypeLike) -> Self:
        """Make a matrix on this worker's disk; RuntimeError in a process without workers."""
        place = local_folder()
        if place is None:
            raise RuntimeError("a worker's disk was asked for where there is no worker")
        address, folder = place
        return cls.create(folder, shape, dtype, f"Worker {address}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (self.shape, self.dtype.str, self.pieces())


def _arrived(shape: tuple[int, int], dtype: str, pieces: list[NDArray[Any]]) -> Any:
    """A matrix from its pieces; in memory where there is no worker, such as with a client."""
    if local_folder() is not None:
        return LocalMatrix.here(shape, dtype).take_pieces(pieces)
    return np.concatenate(pieces) if pieces else np.empty(shape, dtype)


def moved_to_disk(values: NDArray[Any]) -> Any:
    """A matrix of this worker's with the same values, on its disk."""
    matrix = LocalMatrix.here((values.shape[0], values.shape[1]), values.dtype)
    matrix[...] = values
    return matrix
