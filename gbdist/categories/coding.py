"""Categories as small numbers: those that one rank meets, in its own numbering, and the keys by which ranks know them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_categories import MIX, SPREAD, number_categories, number_dense_pairs


@dataclass(frozen=True, eq=False)
class Coding:
    """Categories of rows.

    Parameters
    ----------
    codes : uint32 [n]
        Number of each row's category.
    keys : uint64 [n_categories]
        Key of each category, the same on all ranks.
    edges : tuple of int
        Categories ``edges[r] … edges[r + 1] − 1`` are those that rank r owns.
    """

    codes: NDArray[np.uint32]
    keys: NDArray[np.uint64]
    edges: tuple[int, ...]

    @property
    def n_categories(self) -> int:
        """How many there are among these rows."""
        return int(self.keys.shape[0])

    def firsts(self) -> NDArray[np.int64]:
        """The first row of each category, int64 [n_categories]."""
        rows = np.empty(self.n_categories, np.int64)
        rows[self.codes[::-1]] = np.arange(self.codes.shape[0])[::-1]
        return rows


def coding_of(bases: NDArray[np.uint64], hashes: NDArray[np.uint32], n_owners: int = 1) -> Coding:
    """Number the pairs of base and hash, uint64 [n] and uint32 [n], those of each owner together."""
    n_rows = bases.shape[0]
    size = 2 << max(n_rows, 1).bit_length()
    slots = np.empty(size, np.uint64), np.empty(size, np.uint32)
    codes, keys = np.empty(n_rows, np.uint32), np.empty(n_rows, np.uint64)
    count = number_categories(bases, hashes, slots, codes, keys)
    return _by_owner(codes, keys[:count].copy(), n_owners)


def coding_of_dense(
    bases: NDArray[np.uint64], n_bases: int, codes: NDArray[np.uint32], hashes: NDArray[np.uint32], n_owners: int
) -> Coding:
    """The same for bases below ``n_bases`` and for hashes [n_hashes] that have numbers, uint32 [n]: quicker, but takes memory."""
    numbers = np.empty(n_bases * hashes.shape[0], np.uint32)
    found, keys = np.empty(codes.shape[0], np.uint32), np.empty(min(codes.shape[0], numbers.shape[0]), np.uint64)
    count = number_dense_pairs(bases, codes, hashes, numbers, found, keys)
    return _by_owner(found, keys[:count].copy(), n_owners)


def _by_owner(codes: NDArray[np.uint32], keys: NDArray[np.uint64], n_owners: int) -> Coding:
    """Number categories anew, so that those of an owner lie together."""
    count = keys.shape[0]
    if n_owners == 1:
        return Coding(codes, keys, (0, count))
    owner = (keys >> np.uint64(32)) % np.uint64(n_owners)
    owned = [np.flatnonzero(owner == np.uint64(rank)) for rank in range(n_owners)]
    order = np.concatenate(owned)
    numbers = np.empty(count, np.uint32)
    numbers[order] = np.arange(count, dtype=np.uint32)
    edges = np.cumsum([0, *(each.shape[0] for each in owned)])
    return Coding(np.take(numbers, codes), keys[order], tuple(edges.tolist()))


def pair_keys(bases: NDArray[np.uint64], hashes: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """The keys of ``coding_of`` row by row, uint64 [n]."""
    with np.errstate(over="ignore"):
        return (bases * SPREAD + hashes) * MIX
