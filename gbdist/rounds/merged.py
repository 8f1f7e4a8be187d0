"""The model that ranks have merged so far: its predictions of their rows, and how it grows by what they bring."""

import pickle
from collections.abc import Sequence

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.rows import Rows
from gbdist.metrics.evaluate import evaluate_many
from gbdist.models.catboost_format import fixed_cbm_bytes, read_cbm
from gbdist.models.history import MetricTable
from gbdist.rounds.merge import Merging, best_column, mean_step
from gbdist.rounds.refit import LeafRefit
from gbdist.rounds.sets import RoundSet, largest_of_all
from gbdist.rounds.spec import RoundsSpec
from gbdist.rounds.training import Grown

#: Models of one round as ``.cbm``, and the factor of each in the sum.
Parts = list[tuple[bytes, float]]


class MergedModel:
    """The model of some ranks, all of a gang or a group of them; every one of them holds the same.

    Parameters
    ----------
    sets : the training set first; their predictions are moved on with the model. The last one that the ranks hold rows of decides
        which model is best
    collective : of the ranks that merge
    """

    def __init__(self, sets: Sequence[RoundSet], spec: RoundsSpec, collective: Collective, crew: Crew) -> None:
        self.sets = list(sets)
        self.bias = np.zeros(sets[0].predictions.shape[0])
        self._begun = sets[0].rows.baseline is not None
        self._spec, self._collective = spec, collective
        self._merging = Merging(_shares(sets[0].rows, collective), spec.metrics[0], collective, spec.threads)
        self._deciding = [one for one in self.sets if one.population.n_rows][-1]
        self._refit: LeafRefit | None = None
        if spec.refit is not None and spec.merge == "average" and collective.size > 1:
            self._refit = LeafRefit(spec.refit, sets[0], self._merging, crew)

    def merge(self, mine: Grown) -> list[Parts]:
        """Add what all ranks bring, this rank's part of it ``mine``; what the model has grown by, round by round."""
        every: list[Grown] = [pickle.loads(item) for item in self._collective.all_gather(pickle.dumps(mine))]
        if not self._begun:
            self._begin([grown.start for grown in every])
        blobs = [grown.models for grown in every if grown.models]
        columns = [[read_cbm(blob) for blob in column] for column in blobs]
        if self._spec.merge == "best":
            chosen = best_column(columns, self._deciding, self._merging)
            blobs, columns = [blobs[chosen]], [columns[chosen]]
        rounds = zip(zip(*blobs, strict=True), zip(*columns, strict=True), strict=True)
        return [self._add(of_round, models) for of_round, models in rounds]

    def _begin(self, starts: Sequence[NDArray[np.float64]]) -> None:
        """Put all rows at the start value, which is known now, and with it the dimension."""
        shares = self._merging.shares
        self.bias = np.sum([share * start for share, start in zip(shares, starts, strict=True)], axis=0)
        for one in self.sets:
            one.predictions = np.repeat(self.bias[:, None], one.rows.n_rows, axis=1)
        self._begun = True

    def _add(self, blobs: Sequence[bytes], models: Sequence[catboost.CatBoost]) -> Parts:
        """Move all predictions on by the models of one round; what was added, leaf values estimated anew written out again."""
        merging = self._merging
        if self._refit is not None:
            self._refit.refit(models, self.sets)
            return [(fixed_cbm_bytes(model), 1.0) for model in models]
        if self._spec.merge == "best":
            for one in self.sets:  # new arrays: a trainer in another thread may be about to begin from the old one
                one.predictions = one.predictions + one.update_of(models[0], merging.threads)
            return [(blobs[0], 1.0)]
        for one in self.sets:
            one.predictions += mean_step(models, one, merging)
        return list(zip(blobs, merging.shares, strict=True))

    def go_on_from(self, other: "MergedModel") -> None:
        """Take over another model, that of all ranks; both share its predictions until one of them is moved on."""
        for one, theirs in zip(self.sets, other.sets, strict=True):
            one.predictions = theirs.predictions

    def score(self) -> MetricTable:
        """All metrics of all data sets."""
        bounds = largest_of_all([one.predictions for one in self.sets], self._collective)
        on_learn = tuple(metric for metric in self._spec.metrics if not metric.skip_train)
        jobs = [
            (self._spec.metrics if place else on_learn, one.scored(one.predictions, bound))
            for place, (one, bound) in enumerate(zip(self.sets, bounds, strict=True))
        ]
        values, _ = evaluate_many(jobs, np.empty(0, np.int64), self._collective.all_reduce)
        return {one.name: table for one, table in zip(self.sets, values, strict=True)}


def _shares(rows: Rows, collective: Collective) -> tuple[float, ...]:
    """Share of each rank in the weight of all their training rows."""
    mine = float(rows.n_rows) if rows.weight is None else float(rows.weight.sum(dtype=np.float64))
    every = [float(np.frombuffer(item)[0]) for item in collective.all_gather(np.array([mine]).tobytes())]
    total = sum(every)
    return tuple(value / total for value in every)
