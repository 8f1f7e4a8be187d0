"""How much of a difference between the losses of two models may be chance: both are measured on pieces of the rows, too."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.draws import Purpose, key_of
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.outputs import loss_of, raw_predictions
from gbdist.compression.shares import Part
from gbdist.compression.work import Course
from gbdist.kernels.hashing import unit_draws
from gbdist.models.ensemble import Ensemble
from gbdist.objectives.cox import Cox

#: Pieces of the rows: enough to tell a standard error to a fifth of it, and so many of them at least to tell it at all.
PIECES: Final = 16
_LEAST_PIECES: Final = 8
#: So many rows of a piece, on average, are enough for a loss.
_LEAST_ROWS: Final = 20


@dataclass(frozen=True, eq=False)
class PartLoss:
    """What a model loses on a part of the rows; less is better.

    Parameters
    ----------
    whole : float
        On all of them.
    pieces : float64 [PIECES], or [0]
        On rows that were dealt to each piece, NaN for pieces without weight; none where rows are too few, and for the loss of
        Cox, which is not one of rows.
    """

    whole: float
    pieces: NDArray[np.float64]

    def standard_error(self, other: "PartLoss") -> float:
        """Of the difference to what another model loses on the same rows; 0 where pieces do not tell it."""
        there = np.isfinite(self.pieces) & np.isfinite(other.pieces)
        n = int(there.sum())
        if n < _LEAST_PIECES:
            return 0.0
        return float((self.pieces - other.pieces)[there].std(ddof=1)) / math.sqrt(n)


@dataclass(frozen=True, eq=False)
class FindPartLoss:
    """Work of ranks: the metric of a model's loss on a part, and on pieces of it; see ``work.Work``."""

    ensemble: Ensemble
    part: Part
    count: int = 0

    def on_rank(self, data: PassData, course: Course) -> PartLoss:
        """See ``Work``. Pieces are dealt by a hash of the row's number, so that they are the same on any cluster."""
        raw = raw_predictions(self.ensemble, data)
        whole = loss_of(raw, data)
        if data.losses.n_rows < _LEAST_ROWS * PIECES or isinstance(data.objective, Cox):
            return PartLoss(whole, np.empty(0))
        draws = unit_draws(key_of(data.seed, Purpose.PIECES), data.rows.numbers())
        return PartLoss(whole, data.losses.of_pieces(raw, (draws * PIECES).astype(np.uint16), PIECES))
