"""Which rows a compression may look at for what: dealt by a hash of seed and global row number, so that no part knows another."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.sizes import is_number
from gbdist.errors import ParameterError
from gbdist.kernels.hashing import stream_key, unit_draws

#: What passes see, what the choice between pipelines looks at, and what the report is made on.
Part = Literal["passes", "choice", "holdout"]
PARTS: Final[tuple[Part, ...]] = ("passes", "choice", "holdout")

_PURPOSE = 0x636F6D70


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the rows that are kept from the passes: for the choice, and for the holdout; 0 for none.

    Raises
    ------
    ParameterError
        Unless both are at least 0 and leave something for the passes.
    """

    choice: float = 0.15
    holdout: float = 0.15

    def __post_init__(self) -> None:
        for name, share in (("choice", self.choice), ("holdout", self.holdout)):
            if not (is_number(share) and 0.0 <= share < 1.0):
                raise ParameterError(f"{name}_share", share, "a number from 0 to below 1", "Try 0.15.")
        if self.choice + self.holdout >= 1.0:
            fix = "Lower one of them."
            raise ParameterError("holdout_share", self.holdout, f"less than {1.0 - self.choice:g}, what is left", fix)

    def side(self, part: Part, seed: int) -> "PartSide":
        """The rows of a part."""
        low, high = {
            "passes": (self.choice + self.holdout, 1.0),
            "choice": (self.holdout, self.choice + self.holdout),
            "holdout": (0.0, self.holdout),
        }[part]
        return PartSide(seed, low, high)


@dataclass(frozen=True, slots=True)
class PartSide:
    """Rows whose draw from [0, 1) is at least ``low`` and below ``high``; see ``estimators.preparation.split.Side``."""

    seed: int
    low: float
    high: float

    def mask(self, first_row: int, n_rows: int, fold: Any = None) -> NDArray[np.bool_]:
        """Which of the rows ``first_row … first_row+n_rows−1`` of all belong to the part, bool [n_rows]."""
        numbers = np.arange(first_row, first_row + n_rows, dtype=np.uint64)
        draws = unit_draws(stream_key(_PURPOSE, self.seed), numbers)
        return np.asarray((draws >= self.low) & (draws < self.high), dtype=np.bool_)


def halves(seed: int) -> dict[Part, PartSide]:
    """The rows of a holdout that are chosen by, and those that the report is made on."""
    return {"choice": PartSide(seed, 0.5, 1.0), "holdout": PartSide(seed, 0.0, 0.5)}
