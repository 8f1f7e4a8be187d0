"""How much of a difference between the losses of two models may be chance: both are measured on pieces of the rows, too."""

import math
from dataclasses import dataclass, replace
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

#: Enough to tell a standard error to a fifth of it.
PIECES: Final = 16
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
        On rows that were dealt to each piece; none where rows are too few.
    """

    whole: float
    pieces: NDArray[np.float64]

    def error(self, other: "PartLoss") -> float:
        """Standard error of the difference to what another model loses on the same rows; 0 where pieces do not tell it."""
        n = self.pieces.shape[0]
        if not n or not (np.isfinite(self.pieces) & np.isfinite(other.pieces)).all():
            return 0.0
        return float((self.pieces - other.pieces).std(ddof=1)) / math.sqrt(n)


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
        if data.losses.n_rows < _LEAST_ROWS * PIECES:
            return PartLoss(whole, np.empty(0))
        rows = data.rows
        weight = np.ones(rows.n_rows, np.float32) if rows.weight is None else rows.weight
        piece = (unit_draws(key_of(data.seed, Purpose.PIECES), rows.numbers()) * PIECES).astype(np.int64)
        # Rows of other pieces stay, without weight: they cost less than to put pieces together.
        each = [replace(data, rows=replace(rows, weight=weight * (piece == k))) for k in range(PIECES)]
        return PartLoss(whole, np.array([loss_of(raw, one) for one in each]))
