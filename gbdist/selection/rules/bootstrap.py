"""The bootstrap as a rule: how often each row is one of n drawn with replacement, for any run of rows alone."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers, stream_key
from gbdist.selection.rules.base import Mask, Run

_PURPOSE = 0x626F6F74
#: Rows of a block, within which draws are dealt by hash.
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Each split trains on the rows that ``n_rows`` draws with replacement hit, and tests on the others."""

    n_splits: int
    n_rows: int
    seed: int

    def sizes(self, n_rows: int) -> tuple[int, int]:
        """See ``SizedRule``; rows that are drawn again count again, and e⁻¹ of all are never drawn."""
        return n_rows, int(n_rows / math.e)

    def masks(self, split: int, run: Run) -> tuple[Mask, Mask]:
        """See ``Rule``."""
        train = self.counts(split, run) > 0
        return train, ~train

    def counts(self, split: int, run: Run) -> NDArray[np.int64]:
        """How often each row of a run is drawn, int64 [n_rows]; over all rows the sum is ``n_rows``."""
        if run.n_rows == 0:
            return np.empty(0, np.int64)
        first, last = run.first_row // _BLOCK, (run.first_row + run.n_rows - 1) // _BLOCK
        dealt = self._dealt(split, first, last)
        counts = np.concatenate(
            [self._within(split, block, n) for block, n in zip(range(first, last + 1), dealt, strict=True)]
        )
        start = run.first_row - first * _BLOCK
        return counts[start : start + run.n_rows]

    def _dealt(self, split: int, first: int, last: int) -> list[int]:
        """How many draws hit each of the blocks ``first … last``."""
        found: list[int] = []
        halves = [(0, -(-self.n_rows // _BLOCK), self.n_rows)]
        while halves:
            low, high, n = halves.pop()
            if high <= first or low > last:
                continue
            if high - low == 1:
                found.append(n)
                continue
            middle = (low + high) // 2
            rows, in_low = min(high * _BLOCK, self.n_rows) - low * _BLOCK, (middle - low) * _BLOCK
            # A generator whose stream NumPy keeps for ever (NEP 19), one for each half.
            key = int(stream_key(_PURPOSE, self.seed, split, low, high)) % 2**32
            n_low = int(np.random.RandomState(key).binomial(n, in_low / rows))
            halves += [(middle, high, n - n_low), (low, middle, n_low)]
        return found

    def _within(self, split: int, block: int, n: int) -> NDArray[np.int64]:
        """How often each row of a block is hit by its ``n`` draws."""
        size = min(_BLOCK, self.n_rows - block * _BLOCK)
        key = stream_key(_PURPOSE, self.seed, split, block)
        hit = hash_numbers(key, np.arange(n, dtype=np.uint64)) % np.uint64(size)
        return np.bincount(hit.astype(np.int64), minlength=size).astype(np.int64)
