"""The best split of a level: score my features, agree with the other ranks, tell which children to count next."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.histogram import LevelTable

_HEAD = struct.Struct("<ddqq")
_LOW = np.int64(0xFFFFFFFF)


@dataclass(frozen=True)
class Scoring:
    """How the splits of one level are scored.

    ``l2`` is scaled (l2_leaf_reg × Σw / n), ``units`` float64 [dimensions + 1], ``competes`` bool [n_features] marks the
    features that rsm left in, ``keys`` are the noise's streams.
    """

    cosine: bool
    l2: float
    sigma: float
    wide: bool
    units: NDArray[np.float64]
    competes: NDArray[np.bool_]
    keys: tuple[np.uint64, np.uint64]


@dataclass(frozen=True)
class Candidate:
    """A split, and what it does to the leaves of its level.

    ``left_empty`` and ``right_empty`` (bool [n_leaves]) say which children hold no drawn row, ``counted_right`` which child
    is the smaller one.
    """

    noisy_score: float
    score: float
    feature: int
    border: int
    left_empty: NDArray[np.bool_]
    right_empty: NDArray[np.bool_]
    counted_right: NDArray[np.uint8]

    def beats(self, other: "Candidate | None") -> bool:
        """Whether this split wins. Ties go to the lower (feature, border), so the order of ranks does not matter."""
        if other is None:
            return True
        return (-self.noisy_score, self.feature, self.border) < (-other.noisy_score, other.feature, other.border)

    def pack(self) -> bytes:
        """Bytes for the other ranks."""
        flags = self.left_empty | (self.right_empty << 1) | (self.counted_right << 2)
        return _HEAD.pack(self.noisy_score, self.score, self.feature, self.border) + flags.astype(np.uint8).tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "Candidate":
        """Read what ``pack`` wrote."""
        noisy, score, feature, border = _HEAD.unpack_from(data)
        flags = np.frombuffer(data, np.uint8, offset=_HEAD.size)
        return cls(noisy, score, feature, border, (flags & 1) > 0, (flags & 2) > 0, (flags >> 2).astype(np.uint8))


def best_of_table(table: LevelTable, n_bins: NDArray[np.int64], scoring: Scoring) -> Candidate | None:
    """Best split among the features of one table; None where no feature has a border."""
    n_features, crew = table.cells.shape[0], table.crew
    if n_features == 0:
        return None
    features = np.arange(table.first, table.first + n_features)
    bins = np.where(scoring.competes[features], n_bins[features], 0)
    borders = np.full(n_features, -1, np.int64)
    noisy, plain = np.full(n_features, -np.inf), np.full(n_features, -np.inf)

    def work(piece: slice) -> None:
        crew.kernels.best_borders(
            table.cells[piece],
            bins[piece],
            features[piece],
            scoring.units,
            (scoring.l2, scoring.cosine, scoring.wide),
            scoring.sigma,
            scoring.keys,
            (borders[piece], noisy[piece], plain[piece]),
        )

    crew.each(work, crew.feature_slices(n_features))
    noisy[borders < 0] = -np.inf
    winner = int(np.argmax(noisy))  # the first of equals: the lowest feature
    if borders[winner] < 0 or not np.isfinite(noisy[winner]):
        return None
    left, right = _child_weights(crew.fetch(table.cells[winner, 0]), int(borders[winner]), scoring.wide)
    return Candidate(
        noisy_score=float(noisy[winner]),
        score=float(plain[winner]),
        feature=int(features[winner]),
        border=int(borders[winner]),
        left_empty=left == 0,
        right_empty=right == 0,
        counted_right=(right < left).astype(np.uint8),
    )


def _child_weights(cells: NDArray[np.int64], border: int, wide: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weight of both children of every leaf, in units: cells int64 [n_leaves, width]."""
    weights = cells[:, 1::2] if wide else cells & _LOW
    left = weights[:, : border + 1].sum(axis=1)
    return left, weights[:, border + 1 :].sum(axis=1)


def agree(mine: Candidate | None, complete: bool, collective: Collective) -> Candidate | None:
    """Return the best split of all ranks; where every rank scored everything, nothing is sent."""
    if complete:
        return mine
    best: Candidate | None = None
    for data in collective.all_gather(b"" if mine is None else mine.pack()):
        if data and (candidate := Candidate.unpack(data)).beats(best):
            best = candidate
    return best
