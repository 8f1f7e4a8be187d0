"""What all ranks know of the derivatives of one tree: sums that scale its cells, and MVS's threshold."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.params import Bootstrap

#: MVS buckets: 32 an octave over 96 octaves below the largest possible norm
_OCTAVES, _BUCKETS_AN_OCTAVE = 96, 32
MVS_BUCKETS = _OCTAVES * _BUCKETS_AN_OCTAVE
#: norms of fewer fixed-point units than this are counted, and taken to lie in the middle of their bucket
_RESOLVED_UNITS = 2.0**10
#: stands for the largest norm where all derivatives are 0, so that every bucket's edge is an ordinary number
_SMALLEST_NORM = 2.0**-900


@dataclass(frozen=True)
class GradientFacts:
    """Global facts about the derivatives of one tree.

    ``bound`` is the largest |derivative| any rank may have; ``absolute`` and ``squares`` are float64 [dimensions]: upper bound
    of Σ|d|, and Σd². ``counted`` is Σ of what rows count for, where that is not their weights, else None.
    ``ridge`` is MVS's λ, ``threshold`` its μ, None where rows are not drawn by their norm. ``norms`` are those
    of this rank's rows, float64 [n], filled in where rows are drawn by them, and valid until the next survey.
    """

    bound: float
    absolute: NDArray[np.float64]
    squares: NDArray[np.float64]
    counted: float | None
    ridge: float
    threshold: float | None
    norms: NDArray[np.float64] = field(repr=False)


class GradientSurvey:
    """This rank's part of ``GradientFacts``: a vector to be summed over the ranks, and how to read the sum."""

    def __init__(self, bootstrap: Bootstrap, dimension: int, n_rows: int, bound: float, ridge: float) -> None:
        self._bootstrap, self._dimension, self._n_rows = bootstrap, dimension, n_rows
        self._bound, self._ridge = bound, ridge
        self._scales = (sum_scale(bound, n_rows), sum_scale(bound * bound, n_rows))
        norm_bound = max(float(np.sqrt(bound * bound * dimension + ridge)), _SMALLEST_NORM)
        self._norm_scale = sum_scale(norm_bound, n_rows)
        top = int(np.float64(norm_bound).view(np.int64)) >> 47
        self._first_bucket = top - MVS_BUCKETS + 1
        self._norms = np.empty(0)
        self._counts = False

    def local_sums(
        self, derivatives: NDArray[np.float64], crew: Crew, counts: NDArray[np.float32] | None = None
    ) -> NDArray[np.int64]:
        """Return this rank's sums, int64; ``derivatives`` is float64 [dimension, n], IN.

        ``counts`` float32 [n], IN, is what rows count for where that is not their weights: none above the derivatives' bound.
        """
        self._counts = counts is not None
        all_norms = self._norms = crew.scratch.array("norms", derivatives[0].shape, np.float64)

        def add(rows: slice) -> NDArray[np.int64]:
            sums = np.zeros((self._dimension + 1, 2), np.int64)
            for k in range(self._dimension):
                crew.kernels.absolute_sums(derivatives[k, rows], self._scales, sums[k])
            if counts is not None:
                sums[-1, 0] = crew.kernels.weight_sum(counts[rows], self._scales[0])
            if not draws_by_norm(self._bootstrap):
                return sums.ravel()
            norms = all_norms[rows]
            crew.kernels.gradient_norms(derivatives[:, rows], self._ridge, norms)
            buckets = np.zeros((MVS_BUCKETS, 2), np.int64)
            crew.kernels.bucket_norms(norms, self._first_bucket, self._norm_scale, buckets)
            return np.concatenate([sums.ravel(), buckets.ravel()])

        parts = crew.each(add, crew.row_slices(derivatives.shape[1]))
        return np.asarray(np.sum(parts, axis=0, dtype=np.int64))

    def read(self, sums: NDArray[np.int64]) -> GradientFacts:
        """Turn the sums over all ranks into facts."""
        head = sums[: 2 * self._dimension].reshape(self._dimension, 2)
        absolute = (head[:, 0] + self._n_rows) / self._scales[0]  # each term was rounded by at most half a unit
        squares = head[:, 1] / self._scales[1]
        counted = int(sums[2 * self._dimension]) / self._scales[0] if self._counts else None
        threshold = self._threshold(self._buckets(sums)) if draws_by_norm(self._bootstrap) else None
        return GradientFacts(self._bound, absolute, squares, counted, self._ridge, threshold, self._norms)

    def mean_norm(self, sums: NDArray[np.int64]) -> float:
        """Mean norm of the rows' gradients, from the sums over all ranks."""
        return int(self._buckets(sums)[:, 1].sum()) / self._norm_scale / max(self._n_rows, 1)

    def _buckets(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        return sums[2 * self._dimension + 2 :].reshape(MVS_BUCKETS, 2)

    def _threshold(self, buckets: NDArray[np.int64]) -> float:
        """Find μ with Σ min(1, norm/μ) = subsample × n: small norms count norm/μ, large ones 1.

        The bucket that μ falls into is found exactly; its own rows count as small, which moves the expected sample by less
        than one bucket's width (1/32) of those rows. Where norms are much alike μ lies above them all.
        """
        wanted = self._bootstrap.subsample * self._n_rows
        edges = (np.arange(MVS_BUCKETS + 1, dtype=np.int64) + self._first_bucket << 47).view(np.float64)
        counts = buckets[:, 0]
        middles = counts * (0.5 * (edges[:-1] + edges[1:]))
        resolved = edges[:-1] * self._norm_scale >= _RESOLVED_UNITS
        small = np.cumsum(np.where(resolved, buckets[:, 1] / self._norm_scale, middles))
        large = counts[::-1].cumsum()[::-1] - counts
        # With μ at the upper edge of bucket b the sample is small[b]/μ + large[b]; it falls with b.
        expected = small / edges[1:] + large
        if expected[-1] > wanted:
            return float(small[-1] / wanted)
        bucket = int(np.argmax(expected <= wanted))
        room = wanted - float(large[bucket])
        return float(np.clip(small[bucket] / max(room, 1e-12), edges[bucket], edges[bucket + 1]))


def draws_by_norm(bootstrap: Bootstrap) -> bool:
    """Whether rows are drawn by the norm of their gradient."""
    return bootstrap.kind == "MVS" and bootstrap.subsample < 1.0


def mvs_ridge(mvs_reg: float | None, last_leaf_values: NDArray[np.float64] | None, mean_norm: float) -> float:
    """MVS's λ: ``mvs_reg``, or the squared mean norm of the last tree's leaves, or of the gradients for the first tree."""
    if mvs_reg is not None:
        return mvs_reg
    if last_leaf_values is None:
        return mean_norm * mean_norm
    squares = np.zeros(last_leaf_values.shape[0])
    for column in last_leaf_values.T:
        squares += column * column
    total: float = math.fsum(np.sqrt(squares).tolist())  # rounded once, so of no order
    mean = total / int(last_leaf_values.shape[0])
    return mean * mean
