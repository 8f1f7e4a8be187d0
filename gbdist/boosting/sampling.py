"""Which rows shape the next tree, with which weight: CatBoost's bootstrap types, drawn by hash of the global row number.

MVS uses one global threshold (DESIGN §7.10) where CatBoost has one for each block of 8192 rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.fixed_point import CellScales, cell_scales, sum_scale
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows
from gbdist.kernels import cpu_rows
from gbdist.kernels.cpu_histogram import as_weights, cells_shape, pack_cells, pack_wide_cells

#: MVS buckets: 32 an octave over 48 octaves below the largest possible norm
_OCTAVES, _BUCKETS_AN_OCTAVE = 48, 32
MVS_BUCKETS = _OCTAVES * _BUCKETS_AN_OCTAVE


@dataclass(frozen=True)
class GradientFacts:
    """Global sums over the derivatives of one tree.

    ``absolute`` and ``squares`` are float64 [dimensions]: upper bound of Σ|d|, and Σd². ``threshold`` is MVS's, None otherwise.
    """

    absolute: NDArray[np.float64]
    squares: NDArray[np.float64]
    threshold: float | None


@dataclass(frozen=True)
class Cells:
    """Rows as the integers that histograms add up.

    ``values`` is int64 [dimensions, n] or [dimensions, n, 2]; ``drawn`` uint8 [n] marks the bootstrap sample, None means
    all rows.
    """

    values: NDArray[np.int64]
    drawn: NDArray[np.uint8] | None
    scales: CellScales


class GradientSurvey:
    """This rank's part of ``GradientFacts``: a vector to be summed over the ranks, and how to read the sum."""

    def __init__(self, params: BoostParams, population: Population, bound: float, ridge: float) -> None:
        self._bootstrap, self._n_rows, self._ridge = params.bootstrap, population.n_rows, ridge
        self._dimension = params.objective.dimension
        self._scales = (sum_scale(bound, self._n_rows), sum_scale(bound * bound, self._n_rows))
        norm_bound = float(np.sqrt(bound * bound * self._dimension + ridge))
        self._norm_scale = sum_scale(norm_bound, self._n_rows)
        top = int(np.float64(norm_bound).view(np.int64)) >> 47
        self._first_bucket = top - MVS_BUCKETS + 1

    @property
    def samples_by_norm(self) -> bool:
        """Whether rows are drawn by the norm of their gradient."""
        return self._bootstrap.kind == "MVS" and self._bootstrap.subsample < 1.0

    def local_sums(self, derivatives: NDArray[np.float64], crew: Crew) -> NDArray[np.int64]:
        """Return this rank's sums, int64; ``derivatives`` is float64 [dimension, n], IN."""

        def add(rows: slice) -> NDArray[np.int64]:
            sums = np.zeros((self._dimension, 2), np.int64)
            for k in range(self._dimension):
                cpu_rows.absolute_sums(derivatives[k, rows], self._scales, sums[k])
            if not self.samples_by_norm:
                return sums.ravel()
            norms = crew.scratch.array(f"norms from {rows.start}", derivatives[0, rows].shape, np.float64)
            cpu_rows.gradient_norms(derivatives[:, rows], self._ridge, norms)
            buckets = np.zeros((MVS_BUCKETS, 2), np.int64)
            cpu_rows.bucket_norms(norms, self._first_bucket, self._norm_scale, buckets)
            return np.concatenate([sums.ravel(), buckets.ravel()])

        parts = crew.each(add, crew.row_slices(derivatives.shape[1]))
        return np.asarray(np.sum(parts, axis=0, dtype=np.int64))

    def read(self, sums: NDArray[np.int64]) -> GradientFacts:
        """Turn the sums over all ranks into facts."""
        head = sums[: 2 * self._dimension].reshape(self._dimension, 2)
        absolute = (head[:, 0] + self._n_rows) / self._scales[0]  # each term was rounded by at most half a unit
        squares = head[:, 1] / self._scales[1]
        threshold = None
        if self.samples_by_norm:
            threshold = self._threshold(sums[2 * self._dimension :].reshape(MVS_BUCKETS, 2))
        return GradientFacts(absolute, squares, threshold)

    def mean_norm(self, sums: NDArray[np.int64]) -> float:
        """Mean norm of the rows' gradients, from the sums over all ranks."""
        buckets = sums[2 * self._dimension :].reshape(MVS_BUCKETS, 2)
        return int(buckets[:, 1].sum()) / self._norm_scale / max(self._n_rows, 1) if buckets.size else 0.0

    def _threshold(self, buckets: NDArray[np.int64]) -> float:
        """Find μ with Σ min(1, norm/μ) = subsample × n: small norms count norm/μ, large ones 1.

        The bucket that μ falls into is found exactly; its own rows count as small, which moves the expected sample by less
        than one bucket's width (1/32) of those rows.
        """
        wanted = self._bootstrap.subsample * self._n_rows
        edges = (np.arange(MVS_BUCKETS + 1, dtype=np.int64) + self._first_bucket << 47).view(np.float64)
        counts = buckets[:, 0]
        small = np.cumsum(buckets[:, 1]) / self._norm_scale
        large = counts[::-1].cumsum()[::-1] - counts
        # With μ at the upper edge of bucket b the sample is small[b]/μ + large[b]; it falls with b.
        expected = small / edges[1:] + large
        bucket = int(np.argmax(expected <= wanted))
        room = wanted - float(large[bucket])
        return float(np.clip(small[bucket] / max(room, 1e-12), edges[bucket], edges[bucket + 1]))


def mvs_ridge(params: BoostParams, last_leaf_values: NDArray[np.float64] | None, mean_norm: float) -> float:
    """MVS's λ: ``mvs_reg``, or the squared mean norm of the last tree's leaves, or of the gradients for the first tree."""
    if params.bootstrap.mvs_reg is not None:
        return params.bootstrap.mvs_reg
    if last_leaf_values is None:
        return mean_norm * mean_norm
    mean = float(np.sqrt((last_leaf_values**2).sum(axis=1)).sum() / last_leaf_values.shape[0])
    return mean * mean


def sample_and_pack(
    rows: Rows,
    derivatives: NDArray[np.float64],
    facts: GradientFacts,
    ridge: float,
    context: tuple[BoostParams, Population, float, int],
    tools: tuple[Collective, Crew],
) -> Cells:
    """Draw the rows of one tree and turn their derivatives and weights into cells.

    Parameters
    ----------
    derivatives : float64 [dimension, n], IN; used as scratch where rows are drawn
    context : (params, population, bound of |derivative|, tree number)
    """
    params, population, bound, tree = context
    draws = _draw(rows, derivatives, facts, ridge, (params, tree), tools[1])
    if draws is None:
        weight = rows.weight
        scales = cell_scales(
            population.n_rows, facts.absolute, population.total_weight if population.weighted else None
        )
        return _pack(rows, derivatives, weight, None, scales, (params, tree), tools[1])
    for k in range(derivatives.shape[0]):
        cpu_rows.apply_draws(draws, derivatives[k], derivatives[k])
    weight = draws
    if rows.weight is not None:
        weight = np.multiply(draws, rows.weight, out=tools[1].scratch.array("drawn weights", draws.shape, np.float32))
    scales = _sampled_scales(derivatives, weight, facts, ridge, (params, population, bound), tools)
    drawn = np.greater(draws, 0.0, out=tools[1].scratch.array("drawn", draws.shape, np.bool_)).view(np.uint8)
    return _pack(rows, derivatives, weight, drawn, scales, (params, tree), tools[1])


def _draw(
    rows: Rows,
    derivatives: NDArray[np.float64],
    facts: GradientFacts,
    ridge: float,
    run: tuple[BoostParams, int],
    crew: Crew,
) -> NDArray[np.float32] | None:
    params, tree = run
    bootstrap = params.bootstrap
    if bootstrap.kind == "No" or (bootstrap.kind != "Bayesian" and bootstrap.subsample >= 1.0):
        return None
    if bootstrap.kind == "Bayesian" and bootstrap.bagging_temperature == 0.0:
        return None
    key = key_of(params.random_seed, Purpose.BOOTSTRAP, tree)
    out: NDArray[np.float32] = crew.scratch.array("draws", (rows.n_rows,), np.float32)

    def draw(piece: tuple[int, int, int]) -> None:
        start, stop, first_row = piece
        target = out[start:stop]
        if bootstrap.kind == "Bernoulli":
            cpu_rows.draw_bernoulli(key, first_row, bootstrap.subsample, target)
        elif bootstrap.kind == "Bayesian":
            cpu_rows.draw_bayesian(key, first_row, bootstrap.bagging_temperature, target)
        elif facts.threshold is not None:
            norms = crew.scratch.array(f"norms from {start}", target.shape, np.float64)
            cpu_rows.gradient_norms(derivatives[:, start:stop], ridge, norms)
            cpu_rows.draw_mvs(key, first_row, norms, facts.threshold, target)

    crew.each(draw, segment_slices(rows, crew))
    return out


def _sampled_scales(
    derivatives: NDArray[np.float64],
    weight: NDArray[np.float32],
    facts: GradientFacts,
    ridge: float,
    context: tuple[BoostParams, Population, float],
    tools: tuple[Collective, Crew],
) -> CellScales:
    """Scales after drawing. Bernoulli only leaves rows out, so the sums before it still bound; the others cost a round."""
    params, population, bound = context
    collective, crew = tools
    n_rows, bootstrap = population.n_rows, params.bootstrap
    if bootstrap.kind == "Bernoulli":
        return cell_scales(n_rows, facts.absolute, population.total_weight if population.weighted else None)
    weight_factor, derivative_bound = _largest_draw(bootstrap, facts, ridge, bound)
    derivative_scale = sum_scale(derivative_bound, n_rows)
    weight_scale = sum_scale(population.weight_bound * weight_factor, n_rows)

    def add(piece: slice) -> NDArray[np.int64]:
        sums = np.zeros((derivatives.shape[0] + 1, 2), np.int64)
        for k in range(derivatives.shape[0]):
            cpu_rows.absolute_sums(derivatives[k, piece], (derivative_scale, 0.0), sums[k])
        sums[-1, 0] = cpu_rows.weight_sum(weight[piece], weight_scale)
        return sums[:, 0]

    parts = crew.each(add, crew.row_slices(weight.shape[0]))
    totals = collective.all_reduce(np.sum(parts, axis=0, dtype=np.int64))
    absolute = (totals[:-1] + n_rows) / derivative_scale
    return cell_scales(n_rows, absolute, (int(totals[-1]) + n_rows) / weight_scale)


def _largest_draw(bootstrap: Bootstrap, facts: GradientFacts, ridge: float, bound: float) -> tuple[float, float]:
    """Bounds of a row's draw, and of its derivative times its draw."""
    if facts.threshold is None:
        draw = float(37.5**bootstrap.bagging_temperature)  # −ln 2⁻⁵⁴ is below 37.5
        return draw, bound * draw
    # A row is kept with p = norm/μ, so |d|/p = |d|·μ/norm ≤ μ; and p ≥ √λ/μ, or the row is left out below 2⁻²⁰.
    least = max(float(np.sqrt(ridge)) / facts.threshold, 2.0**-20)
    return max(1.0, 1.0 / least), max(bound, facts.threshold)


def _pack(
    rows: Rows,
    derivatives: NDArray[np.float64],
    weight: NDArray[np.float32] | None,
    drawn: NDArray[np.uint8] | None,
    scales: CellScales,
    run: tuple[BoostParams, int],
    crew: Crew,
) -> Cells:
    params, tree = run
    dimension = derivatives.shape[0]
    values = crew.scratch.array("cells", (dimension, *cells_shape(rows.n_rows, scales.wide)), np.int64)
    weights = as_weights(weight)
    weight_key = key_of(params.random_seed, Purpose.WEIGHT_ROUNDING, tree)
    pack = pack_wide_cells if scales.wide else pack_cells

    def work(piece: tuple[int, int, int]) -> None:
        start, stop, first_row = piece
        for k in range(dimension):
            keys = (key_of(params.random_seed, Purpose.DERIVATIVE_ROUNDING, tree, k), weight_key)
            some = weights[start:stop] if weights.shape[0] else weights
            pack(
                derivatives[k, start:stop],
                some,
                (scales.derivatives[k], scales.weight),
                keys,
                first_row,
                values[k, start:stop],
            )

    crew.each(work, segment_slices(rows, crew))
    return Cells(values, drawn, scales)


def segment_slices(rows: Rows, crew: Crew) -> list[tuple[int, int, int]]:
    """Cut a rank's rows where segments or thread slices end: (start, stop, global number of the first row)."""
    pieces = []
    for part in crew.row_slices(rows.n_rows):
        for segment in rows.segments:
            start, stop = max(part.start, segment.start), min(part.stop, segment.stop)
            if start < stop:
                pieces.append((start, stop, segment.first_row + start - segment.start))
    return pieces
