"""Bins wherever they lie: an array in memory, or a matrix in a file. Whoever counts, copies or writes them asks here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gbdist.file_matrix import BLOCK_BYTES, FileMatrix

if TYPE_CHECKING:
    from gbdist.boosting.crew import Crew

#: uint8 or uint16 [n_features, n_rows].
Bins = NDArray[np.uint8] | NDArray[np.uint16] | FileMatrix

#: Features that the counting kernels go over together.
TOGETHER = 4


def blocks_of(bins: Bins, features: tuple[int, int], crew: "Crew") -> Iterator[tuple[int, Any]]:
    """Bins of a range of features, as arrays [n, n_rows] one after the other, each with the number of its first feature.

    An array is its own only block. Blocks of a file are valid until the next one is asked for.
    """
    start, stop = features
    if isinstance(bins, FileMatrix):
        a_feature = bins.shape[1] * bins.dtype.itemsize
        yield from bins.blocks(start, stop, features_at_once(a_feature, crew.threads), crew.scratch.array)
    elif start < stop:
        yield start, bins[start:stop]


def features_at_once(feature_bytes: int, threads: int) -> int:
    """Features of a block of a file: about ``BLOCK_BYTES``, but as many as keep all threads busy."""
    at_least = -(-threads // TOGETHER) * TOGETHER
    return max(at_least, BLOCK_BYTES // max(1, feature_bytes) // TOGETHER * TOGETHER)


def read_ahead_bytes(feature_bytes: int, n_features: int, threads: int) -> int:
    """Memory that the two blocks of ``blocks_of`` take."""
    return 2 * feature_bytes * min(n_features, features_at_once(feature_bytes, threads))


def new_bins_like(bins: Bins, n_features: int, n_rows: int) -> Any:
    """Bins with whatever values they have, of the same type and in the same place: memory, or a file."""
    if isinstance(bins, FileMatrix):
        return bins.like(n_features, n_rows)
    return np.empty((n_features, n_rows), bins.dtype)


@contextmanager
def to_write(bins: Bins | NDArray[np.float32]) -> Iterator[Any]:
    """An array to write bins, or other cells, into, all of them; what belongs into a file is written there at the end."""
    if not isinstance(bins, FileMatrix):
        yield bins
        return
    waiting = np.empty(bins.shape, bins.dtype)
    yield waiting
    bins[...] = waiting
