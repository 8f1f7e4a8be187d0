"""The rows that one rank owns, as a network takes them: what the trainer reads, and never changes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Segment, row_numbers
from gbdist.neural.network.blocks import Array, Batch


@dataclass(frozen=True, slots=True, eq=False)
class NetworkRows:
    """Rows of one data set on one rank.

    Parameters
    ----------
    numeric : float32 or float64 [n_rows, n_numeric], C order
        Finite: scaled, and with what was missing filled in.
    codes : int32 [n_rows, n_categorical]
        Numbers of categories, 0 for one that was not seen in training.
    target : float32 or float64 [n_rows, n_outputs], or int32 [n_rows]
        As ``Batch`` has it.
    weight : float32 or float64 [n_rows] or None
        Class weights included; None means 1.
    segments : tuple of Segment
        Which rows of the whole data set they are; ascending in ``start``, covering all rows.
    """

    numeric: NDArray[np.floating[Any]]
    codes: NDArray[np.int32]
    target: NDArray[Any]
    weight: NDArray[np.floating[Any]] | None
    segments: tuple[Segment, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows on this rank."""
        return int(self.numeric.shape[0])

    def numbers(self) -> NDArray[np.uint64]:
        """Number of each row in the whole data set, uint64 [n_rows]."""
        return row_numbers(self.segments, self.n_rows)

    def batch(self, rows: Array, numbers: NDArray[np.uint64]) -> Batch:
        """Some of the rows, copied: positions int64 [n]; ``numbers`` are those of all rows."""
        weight = None if self.weight is None else self.weight.take(rows)
        # ``take`` copies whole rows, a quarter of the time of an index.
        numeric, codes = self.numeric.take(rows, 0), self.codes.take(rows, 0)
        return Batch(numeric, codes, self.target.take(rows, 0), weight, numbers.take(rows))
