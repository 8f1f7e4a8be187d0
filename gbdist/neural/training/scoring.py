"""Metrics of the eval sets after an epoch: raw outputs in pieces, then the metrics of the trees, all ranks together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.measured import largest_of
from gbdist.boosting.population import survey_population, with_weights
from gbdist.boosting.rows import Rows
from gbdist.metrics import evaluate_many
from gbdist.metrics.base import Scored
from gbdist.models.history import MetricTable, set_names
from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.strategies.base import Strategy

#: Rows whose outputs are computed at a time.
PIECE_ROWS = 2048


@dataclass(frozen=True, slots=True, eq=False)
class _EvalSet:
    """One eval set on this rank.

    ``inputs`` are its rows without targets, ``pieces`` is how many calls all ranks make, ``scored`` what does not change.
    """

    name: str
    inputs: Batch
    pieces: int
    scored: Scored


class EvalSets:
    """The eval sets of a run; making it costs a few rounds, and every rank does.

    Targets may be scaled (``target_scale``): metrics are those of the targets' own units.
    """

    def __init__(
        self, evals: Sequence[NetworkRows], n_outputs: int, params: TrainParams, collective: Collective
    ) -> None:
        self._params, self._collective = params, collective
        self._scale = _scale_of(params, n_outputs)
        self._sets = [self._surveyed(name, rows) for name, rows in zip(set_names(len(evals))[1:], evals, strict=True)]

    def _surveyed(self, name: str, rows: NetworkRows) -> _EvalSet:
        """Agree on what is true of the set as a whole."""
        weight = None if rows.weight is None else rows.weight.astype(np.float32)
        none_binned = np.empty((0, rows.n_rows), np.uint8)
        told = Rows(none_binned, self._label(rows.target), weight, None, rows.segments)
        population = survey_population(told, self._collective)
        told = with_weights(told, population.weighted)
        counts = self._collective.all_gather(rows.n_rows.to_bytes(8, "little"))
        most = max(int.from_bytes(count, "little") for count in counts)
        scored = Scored(
            predictions=np.zeros((self._scale.shape[0], rows.n_rows)),
            label=told.label,
            weight=told.weight,
            total_weight=population.total_weight,
            label_bound=population.label_bound,
            prediction_bound=0.0,
            total_rows=population.n_rows,
            segments=rows.segments,
        )
        inputs = Batch(rows.numeric, rows.codes, None, None, rows.numbers())
        return _EvalSet(name, inputs, -(-most // PIECE_ROWS), scored)

    def _label(self, target: NDArray[Any]) -> NDArray[np.float32]:
        """Targets as metrics take them: float32 [n_rows], or [n_outputs, n_rows] of several outputs."""
        if target.ndim == 1:
            return target.astype(np.float32)
        own = target.T * self._scale[:, 1:] + self._scale[:, :1]
        label: NDArray[np.float32] = np.ascontiguousarray(own, np.float32)
        return label[0] if label.shape[0] == 1 else label

    def score(self, strategy: Strategy) -> MetricTable:
        """Metrics of each set by its name; NaN where a raw output is not finite."""
        if not self._params.metrics:
            return {}
        for each in self._sets:
            self._predict(each, strategy)
        bounds = largest_of([each.scored.predictions for each in self._sets], self._collective).tolist()
        finite = [bool(np.isfinite(bound)) for bound in bounds]
        jobs = [
            (self._params.metrics, replace(each.scored, prediction_bound=bound))
            for each, bound, counts in zip(self._sets, bounds, finite, strict=True)
            if counts
        ]
        values, _ = evaluate_many(jobs, np.empty(0, np.int64), self._collective.all_reduce)
        tables = iter(values)
        unknown = {metric.name: float("nan") for metric in self._params.metrics}
        return {
            each.name: next(tables) if counts else dict(unknown)
            for each, counts in zip(self._sets, finite, strict=True)
        }

    def _predict(self, each: _EvalSet, strategy: Strategy) -> None:
        """Fill in the predictions of a set."""
        predictions = each.scored.predictions
        for piece in range(each.pieces):
            rows = slice(piece * PIECE_ROWS, (piece + 1) * PIECE_ROWS)
            predictions[:, rows] = strategy.outputs(each.inputs.some(rows)).T
        predictions *= self._scale[:, 1:]
        predictions += self._scale[:, :1]


def _scale_of(params: TrainParams, n_outputs: int) -> NDArray[np.float64]:
    """(center, spread) of each output, float64 [n_outputs, 2]."""
    return np.array(params.target_scale or [(0.0, 1.0)] * n_outputs, np.float64).reshape(n_outputs, 2)
