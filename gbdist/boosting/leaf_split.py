"""The best split of a leaf by itself: scored on any rank, told to all of them, weighed when its turn has come (decision 0021)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.leaf_tables import LeafTable
from gbdist.kernels.cpu_split import best_of_each
from gbdist.kernels.hashing import unit_draws

#: A split gains at least this, as in CatBoost (greedy_tensor_search.cpp, GreedyTensorSearchDepthwise).
LEAST_GAIN = 1e-9
_LOW = np.int64(0xFFFFFFFF)
#: The best split of a leaf and of a family of features: noise is in its score; ``before`` is that of the leaf without a split,
#: ``left`` and ``right`` are the weights of its children, in units.
CONTENDER = np.dtype(
    [
        ("leaf", "<i8"),
        ("feature", "<i8"),
        ("border", "<i8"),
        ("score", "<f8"),
        ("before", "<f8"),
        ("left", "<i8"),
        ("right", "<i8"),
    ]
)
Contenders = NDArray[Any]
#: See ``TreeFeatures.weighed``.
Weigh = Callable[[NDArray[np.int64], NDArray[np.float64], float], tuple[NDArray[np.float64], NDArray[np.float64]]]


@dataclass(frozen=True)
class LeafScoring:
    """How the leaves of one tree are scored; see ``split.Scoring``."""

    cosine: bool
    l2: float
    sigma: float
    wide: bool
    units: NDArray[np.float64]
    rsm: float


@dataclass(frozen=True, slots=True)
class LeafKeys:
    """Streams of a leaf's draws: noise of borders and of features, and which features compete."""

    border: np.uint64
    feature: np.uint64
    sample: np.uint64


@dataclass(frozen=True, slots=True)
class LeafSplit:
    """A split of a leaf, its gain, and the weights of its children in units."""

    gain: float
    feature: int
    border: int
    left: int
    right: int


#: Of a leaf that is not to be split.
NO_SPLIT = LeafSplit(-math.inf, -1, -1, 0, 0)


def contenders_of(table: LeafTable, scoring: LeafScoring, keys: Sequence[LeafKeys]) -> Contenders:
    """The best splits of each family of a table's features, for each of its leaves; ``keys`` are those of the leaves."""
    n_leaves, n_features, crew = table.leaves.shape[0], table.n_features, table.crew
    mine = slice(table.first, table.first + n_features)
    block, sampled = table.block, scoring.rsm < 1.0
    bins = np.repeat(block.n_bins[mine][None], n_leaves, axis=0)
    for leaf, key in enumerate(keys if sampled else ()):
        bins[leaf][unit_draws(key.sample, block.draws[mine]) > scoring.rsm] = 0
    families, numbers, equals = block.family_of[mine], block.numbers[mine], block.equals[mine]
    noise_keys = np.array([(key.border, key.feature) for key in keys], np.uint64).reshape(n_leaves, 2)
    options = (scoring.l2, scoring.cosine, scoring.wide)

    def work(piece: slice) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        shape = (n_leaves, piece.stop - piece.start)
        best = np.full(shape, -1, np.int64), np.full(shape, -np.inf), np.full(shape, -np.inf)
        span = table.offset + piece.start, table.offset + piece.stop
        of_features = equals[piece], families[piece] - families[piece.start], numbers[piece]
        own_bins = np.ascontiguousarray(bins[:, piece])
        rules = scoring.units, options, scoring.sigma, noise_keys
        crew.kernels.best_leaf_borders(table.cells, span, table.places, own_bins, *of_features, *rules, best)
        return best[0], best[1]

    found = crew.each(work, crew.feature_slices(n_features)) if n_features and n_leaves else []
    if not found:
        return np.empty(0, CONTENDER)
    borders, noisy = (np.concatenate(some, axis=1).ravel() for some in zip(*found, strict=True))
    apart = (np.arange(n_leaves)[:, None] * len(block.families) + families).ravel()
    tops = np.empty(borders.shape[0], np.int64)
    tops = tops[: best_of_each(noisy, borders, apart, tops)]
    which, feature = np.divmod(tops, n_features)
    cells = np.empty((tops.shape[0], *table.cells.shape[2:]), np.int64)
    if tops.shape[0]:
        crew.kernels.take_leaves(table.cells, table.places[which], table.offset + feature, cells)
    contenders = np.empty(tops.shape[0], CONTENDER)
    contenders["leaf"], contenders["feature"] = table.leaves[which], numbers[feature]
    contenders["border"], contenders["score"] = borders[tops], noisy[tops]
    contenders["before"] = _scores_without_split(cells, scoring)
    contenders["left"], contenders["right"] = _child_weights(cells, borders[tops], equals[feature], scoring.wide)
    return contenders


def _scores_without_split(cells: NDArray[np.int64], scoring: LeafScoring) -> NDArray[np.float64]:
    """Scores of leaves as they are, float64 [n]; cells int64 [n, dimensions, width].

    CatBoost's (leafwise_scoring.cpp, CalcScoreWithoutSplit): of the sum of the derivatives of all dimensions.
    """
    derivatives = cells[:, :, 0::2] if scoring.wide else cells >> 32
    weights = cells[:, 0, 1::2] if scoring.wide else cells[:, 0] & _LOW
    sums, weight = np.zeros(cells.shape[0]), weights.sum(axis=1) * scoring.units[-1]
    for k, unit in enumerate(scoring.units[:-1]):
        sums += derivatives[:, k].sum(axis=1) * unit
    average = np.divide(sums, weight + scoring.l2, out=np.zeros_like(sums), where=weight > 0.0)
    scores: NDArray[np.float64] = average * sums
    return scores / np.sqrt(1e-100 + average * average * weight) if scoring.cosine else scores


def _child_weights(
    cells: NDArray[np.int64], borders: NDArray[np.int64], equals: NDArray[np.uint8], wide: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights of both children of each leaf, in units, int64 [n]."""
    weights = cells[:, 0, 1::2] if wide else cells[:, 0] & _LOW
    bins, at = np.arange(weights.shape[1]), borders[:, None]
    goes_right = np.where(equals[:, None] != 0, bins == at, bins > at)
    right = np.where(goes_right, weights, 0).sum(axis=1)
    return weights.sum(axis=1) - right, right


def of_all_ranks(mine: Sequence[Contenders], complete: bool, collective: Collective) -> dict[int, Contenders]:
    """Contenders of each leaf, of all ranks; where every rank scored everything, nothing is sent."""
    own = np.concatenate([np.empty(0, CONTENDER), *mine])
    parts = [own] if complete else [np.frombuffer(told, CONTENDER) for told in collective.all_gather(own.tobytes())]
    told = np.concatenate(parts)
    told = told[np.argsort(told["leaf"], kind="stable")]
    leaves, firsts = np.unique(told["leaf"], return_index=True)
    return dict(zip(leaves.tolist(), np.split(told, firsts[1:]), strict=True)) if leaves.shape[0] else {}


def best_split(contenders: Contenders, weigh: Weigh) -> LeafSplit:
    """The best split of a leaf once scores are weighed; ``NO_SPLIT`` where it does not gain enough.

    What splits compete with is weighed by their columns, what the best one gains is not (CatBoost's SelectBestCandidate). Ties
    go to the lowest (feature, border).
    """
    before = float(contenders["before"][0])
    scores, gains = weigh(contenders["feature"], contenders["score"], before)
    best = int(np.lexsort((contenders["border"], contenders["feature"], -gains))[0]) if scores.shape[0] > 1 else 0
    gain = float(scores[best]) - before
    if not gain >= LEAST_GAIN:
        return NO_SPLIT
    winner = contenders[best]
    return LeafSplit(gain, *(int(winner[name]) for name in ("feature", "border", "left", "right")))
