"""The best split of a level: score my features, agree with the other ranks, tell which children to count next."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import part
from gbdist.boosting.features import Block
from gbdist.boosting.histogram import LevelTable
from gbdist.boosting.monotone import LevelOrders
from gbdist.kernels.cpu_split import best_of_each
from gbdist.kernels.hashing import unit_draws

_HEAD = struct.Struct("<ddqq")
#: From features, int64 [n], and their scores to scores after penalties, and to what they compete with: float64 [n] each.
Weigh = Callable[[NDArray[np.int64], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
_LOW = np.int64(0xFFFFFFFF)


@dataclass(frozen=True)
class Scoring:
    """How the splits of one level are scored.

    ``l2`` is scaled (l2_leaf_reg × Σw / n), ``units`` float64 [dimensions + 1], ``keys`` are the noise's streams; ``rsm`` is the
    share of features that compete, drawn from the stream of ``rsm_key``. ``monotone`` is None where no column is constrained.
    """

    cosine: bool
    l2: float
    sigma: float
    wide: bool
    units: NDArray[np.float64]
    keys: tuple[np.uint64, np.uint64]
    rsm: float
    rsm_key: np.uint64
    monotone: LevelOrders | None = None


@dataclass(frozen=True)
class Candidate:
    """A split, and what it does to the leaves of its level.

    ``left_empty`` and ``right_empty`` (bool [n_leaves]) say which children hold no drawn row, ``counted_right`` which child
    is the smaller one.
    """

    gain: float
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
        return (-self.gain, self.feature, self.border) < (-other.gain, other.feature, other.border)

    def pack(self) -> bytes:
        """Bytes for the other ranks."""
        flags = self.left_empty | (self.right_empty << 1) | (self.counted_right << 2)
        return _HEAD.pack(self.gain, self.score, self.feature, self.border) + flags.astype(np.uint8).tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> "Candidate":
        """Read what ``pack`` wrote."""
        gain, score, feature, border = _HEAD.unpack_from(data)
        flags = np.frombuffer(data, np.uint8, offset=_HEAD.size)
        return cls(gain, score, feature, border, (flags & 1) > 0, (flags & 2) > 0, (flags >> 2).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class Contenders:
    """The best splits of some families of features, before their scores are weighed.

    Parameters
    ----------
    scores : float64 [n]
        Noise is in them.
    features, borders : int64 [n]
    one_hot : bool [n]
    cells : int64 [n, n_leaves, width]
        Of each feature in one dimension, a copy.
    wide : whether cells are
    """

    scores: NDArray[np.float64]
    features: NDArray[np.int64]
    borders: NDArray[np.int64]
    one_hot: NDArray[np.bool_]
    cells: NDArray[np.int64]
    wide: bool

    def candidate(self, place: int, score: float, gain: float) -> Candidate:
        """One of them, with its weighed score and its gain."""
        left, right = _child_weights(self.cells[place], int(self.borders[place]), bool(self.one_hot[place]), self.wide)
        return Candidate(
            gain=gain,
            score=score,
            feature=int(self.features[place]),
            border=int(self.borders[place]),
            left_empty=left == 0,
            right_empty=right == 0,
            counted_right=(right < left).astype(np.uint8),
        )


def best_of_families(table: LevelTable, block: Block, scoring: Scoring) -> Contenders | None:
    """Best split of each family of features in one table; None where no feature competes.

    ``table.first`` counts from the block's first feature.
    """
    n_features, crew = table.cells.shape[0], table.crew
    if n_features == 0:
        return None
    mine = slice(table.first, table.first + n_features)
    bins, equals = block.n_bins[mine], block.equals[mine]
    if scoring.rsm < 1.0:
        bins = np.where(unit_draws(scoring.rsm_key, block.draws[mine]) <= scoring.rsm, bins, 0)
    features = block.numbers[mine]
    families = block.family_of[mine]
    borders = np.full(n_features, -1, np.int64)
    noisy, plain = np.full(n_features, -np.inf), np.full(n_features, -np.inf)

    which = None if scoring.monotone is None else scoring.monotone.which(features)
    options = (scoring.l2, scoring.cosine, scoring.wide)

    def work(piece: slice) -> None:
        columns = part(table.cells, piece), bins[piece], equals[piece]
        noise = scoring.sigma, scoring.keys
        best = (borders[piece], noisy[piece], plain[piece])
        if scoring.monotone is None or which is None:
            of = families[piece] - families[piece.start]
            crew.kernels.best_borders(*columns, of, features[piece], scoring.units, options, *noise, best)
        else:
            orders = (which[piece], scoring.monotone.orders, scoring.monotone.sizes)
            crew.kernels.best_monotone_borders(*columns, features[piece], orders, scoring.units, options, *noise, best)

    crew.each(work, crew.feature_slices(n_features))
    tops = np.empty(n_features, np.int64)
    tops = tops[: best_of_each(noisy, borders, families, tops)]
    if not tops.shape[0]:
        return None
    cells, one_hot = crew.take(table.cells, tops), equals[tops] != 0
    return Contenders(noisy[tops], features[tops], borders[tops], one_hot, cells, scoring.wide)


def best_weighed(contenders: Sequence[Contenders], weigh: Weigh) -> Candidate | None:
    """The best split of this rank once scores are weighed."""
    if not contenders:
        return None
    features = np.concatenate([some.features for some in contenders])
    borders = np.concatenate([some.borders for some in contenders])
    scores, gains = weigh(features, np.concatenate([some.scores for some in contenders]))
    best = int(np.lexsort((borders, features, -gains))[0])
    firsts = np.cumsum([0, *(some.features.shape[0] for some in contenders)])
    table = int(np.searchsorted(firsts, best, side="right")) - 1
    return contenders[table].candidate(best - int(firsts[table]), float(scores[best]), float(gains[best]))


def _child_weights(
    cells: NDArray[np.int64], border: int, one_hot: bool, wide: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weight of both children of every leaf, in units: cells int64 [n_leaves, width]."""
    weights = cells[:, 1::2] if wide else cells & _LOW
    right = weights[:, border] if one_hot else weights[:, border + 1 :].sum(axis=1)
    return weights.sum(axis=1) - right, right


def agree(mine: Candidate | None, complete: bool, collective: Collective) -> Candidate | None:
    """Return the best split of all ranks; where every rank scored everything, nothing is sent."""
    if complete:
        return mine
    best: Candidate | None = None
    for data in collective.all_gather(b"" if mine is None else mine.pack()):
        if data and (candidate := Candidate.unpack(data)).beats(best):
            best = candidate
    return best
