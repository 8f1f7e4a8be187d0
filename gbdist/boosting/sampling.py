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
from gbdist.boosting.gradients import GradientFacts
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows
from gbdist.kernels.cpu_histogram import as_weights, cells_shape
from gbdist.kernels.cpu_rows import LARGEST_DRAW
from gbdist.kernels.elementary import exp_array, log_array

#: −ln u of the smallest draw, 2⁻⁵⁴, is below this
_LARGEST_LOG = 37.5


@dataclass(frozen=True)
class Cells:
    """Rows as the integers that histograms add up.

    ``values`` is int64 [dimensions, n] or [dimensions, n, 2]; ``drawn`` uint8 [n] marks the bootstrap sample, None means
    all rows.
    """

    values: NDArray[np.int64]
    drawn: NDArray[np.uint8] | None
    scales: CellScales


class Sampler:
    """Draws the rows of one tree after the other, and turns their derivatives and weights into cells."""

    def __init__(self, params: BoostParams, population: Population, collective: Collective, crew: Crew) -> None:
        self._bootstrap, self._seed = params.bootstrap, params.random_seed
        self._population, self._collective, self._crew = population, collective, crew

    def cells(self, rows: Rows, derivatives: NDArray[np.float64], facts: GradientFacts, tree: int) -> Cells:
        """Cells of tree number ``tree``, valid until the next call.

        ``derivatives`` is float64 [dimension, n], IN, and scratch where rows are drawn. The weight of ``rows`` is what they count
        for, which is told by ``facts.counted`` where it is not their own.
        """
        if not _draws_rows(self._bootstrap):
            return self._pack(rows, derivatives, rows.weight, None, self._whole_scales(facts), tree)
        draws = self._draw(rows, facts, tree)
        for k in range(derivatives.shape[0]):
            self._crew.kernels.apply_draws(draws, derivatives[k], derivatives[k])
        weight = draws if rows.weight is None else self._drawn_weights(draws, rows.weight)
        scales = self._sampled_scales(derivatives, weight, facts)
        drawn = self._crew.scratch.array("drawn", draws.shape, np.uint8)
        self._crew.kernels.mark_drawn(draws, drawn)
        return self._pack(rows, derivatives, weight, drawn, scales, tree)

    def _draw(self, rows: Rows, facts: GradientFacts, tree: int) -> NDArray[np.float32]:
        """Factor of each row, 0 for those left out: float32 [n]."""
        bootstrap, crew = self._bootstrap, self._crew
        key = key_of(self._seed, Purpose.BOOTSTRAP, tree)
        out: NDArray[np.float32] = crew.scratch.array("draws", (rows.n_rows,), np.float32)

        def draw(piece: tuple[int, int, int]) -> None:
            start, stop, first_row = piece
            target = out[start:stop]
            if bootstrap.kind == "Bernoulli":
                crew.kernels.draw_bernoulli(key, first_row, bootstrap.subsample, target)
            elif bootstrap.kind == "Bayesian":
                crew.kernels.draw_bayesian(key, first_row, bootstrap.bagging_temperature, target)
            elif facts.threshold is not None:
                crew.kernels.draw_mvs(key, first_row, facts.norms[start:stop], facts.threshold, target)

        crew.each(draw, segment_slices(rows, crew))
        return out

    def _drawn_weights(self, draws: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weight × draw, held below infinity: float32 [n]."""
        out: NDArray[np.float32] = self._crew.scratch.array("drawn weights", draws.shape, np.float32)
        self._crew.kernels.weigh_draws(draws, weight, out)
        return out

    def _whole_scales(self, facts: GradientFacts) -> CellScales:
        population = self._population
        counted = population.total_weight if population.weighted else None
        if facts.counted is not None:
            counted = facts.counted
        return cell_scales(population.n_rows, facts.absolute, counted)

    def _sampled_scales(
        self, derivatives: NDArray[np.float64], weight: NDArray[np.float32], facts: GradientFacts
    ) -> CellScales:
        """Scales after drawing; Bernoulli only leaves rows out, so the sums before it still bound. The others cost a round."""
        if self._bootstrap.kind == "Bernoulli":
            return self._whole_scales(facts)
        n_rows = self._population.n_rows
        largest_draw, derivative_bound = _largest_draw(self._bootstrap, facts)
        derivative_scale = sum_scale(derivative_bound, n_rows)
        weight_bound = self._population.weight_bound if facts.counted is None else facts.bound
        weight_scale = sum_scale(weight_bound * largest_draw, n_rows)

        kernels = self._crew.kernels

        def add(piece: slice) -> NDArray[np.int64]:
            sums = np.zeros((derivatives.shape[0] + 1, 2), np.int64)
            for k in range(derivatives.shape[0]):
                kernels.absolute_sums(derivatives[k, piece], (derivative_scale, 0.0), sums[k])
            sums[-1, 0] = kernels.weight_sum(weight[piece], weight_scale)
            return sums[:, 0]

        parts = self._crew.each(add, self._crew.row_slices(weight.shape[0]))
        totals = self._collective.all_reduce(np.sum(parts, axis=0, dtype=np.int64))
        absolute = (totals[:-1] + n_rows) / derivative_scale
        return cell_scales(n_rows, absolute, (int(totals[-1]) + n_rows) / weight_scale)

    def _pack(
        self,
        rows: Rows,
        derivatives: NDArray[np.float64],
        weight: NDArray[np.float32] | None,
        drawn: NDArray[np.uint8] | None,
        scales: CellScales,
        tree: int,
    ) -> Cells:
        dimension = derivatives.shape[0]
        shape = (dimension, *cells_shape(rows.n_rows, scales.wide))
        values: NDArray[np.int64] = self._crew.scratch.array("cells", shape, np.int64)
        weights = as_weights(weight)
        weight_key = key_of(self._seed, Purpose.WEIGHT_ROUNDING, tree)
        keys = [(key_of(self._seed, Purpose.DERIVATIVE_ROUNDING, tree, k), weight_key) for k in range(dimension)]
        pack = self._crew.kernels.pack_wide_cells if scales.wide else self._crew.kernels.pack_cells

        def work(piece: tuple[int, int, int]) -> None:
            start, stop, first_row = piece
            some = weights[start:stop] if weights.shape[0] else weights
            for k, units in enumerate(scales.derivatives):
                out = values[k, start:stop]
                pack(derivatives[k, start:stop], some, (units, scales.weight), keys[k], first_row, out)

        self._crew.each(work, segment_slices(rows, self._crew))
        return Cells(values, drawn, scales)


def _draws_rows(bootstrap: Bootstrap) -> bool:
    """Whether some rows may be left out, or count for more than others."""
    if bootstrap.kind == "Bayesian":
        return bootstrap.bagging_temperature != 0.0
    return bootstrap.kind != "No" and bootstrap.subsample < 1.0


def _largest_draw(bootstrap: Bootstrap, facts: GradientFacts) -> tuple[float, float]:
    """Bounds of a row's draw, and of its derivative times its draw; a sum's scale leaves room for their rounding."""
    if facts.threshold is None:
        # Our own exp, so that all machines have the same bound.
        power = float(exp_array(bootstrap.bagging_temperature * log_array(np.float64(_LARGEST_LOG))))
        draw = min(power, LARGEST_DRAW)
        return draw, facts.bound * draw
    # A row is kept with p = norm/μ, so |d|/p = |d|·μ/norm ≤ μ; and p ≥ √λ/μ, or the row is left out below 2⁻²⁰.
    least = max(float(np.sqrt(facts.ridge)) / facts.threshold, 2.0**-20)
    return max(1.0, 1.0 / least), max(facts.bound, facts.threshold)


def segment_slices(rows: Rows, crew: Crew) -> list[tuple[int, int, int]]:
    """Cut a rank's rows where segments or thread slices end: (start, stop, global number of the first row)."""
    pieces = []
    for part in crew.row_slices(rows.n_rows):
        for segment in rows.segments:
            start, stop = max(part.start, segment.start), min(part.stop, segment.stop)
            if start < stop:
                pieces.append((start, stop, segment.first_row + start - segment.start))
    return pieces
