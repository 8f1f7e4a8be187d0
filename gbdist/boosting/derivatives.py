"""The derivatives of the training rows that a tree is grown for, and what of all ranks must be known of them."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.gradients import GradientSurvey, draws_by_norm, mvs_ridge
from gbdist.boosting.groups import GroupWork
from gbdist.boosting.measured import MeasuredLoss, largest_of
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import Population
from gbdist.boosting.rows import part_of_label
from gbdist.boosting.scores import DataSet
from gbdist.models.tree import Tree
from gbdist.objectives.base import Objective, with_bounds


class Derivatives:
    """Derivatives at a learner's predictions, row by row, group by group, or measured.

    ``values`` are float64 [dimension, n], where the crew works; ``groups`` is a loss of ranking at work, ``measured`` one without
    bounds, both None of other losses.
    """

    def __init__(
        self,
        params: BoostParams,
        population: Population,
        n_rows: int,
        collective: Collective,
        crew: Crew,
        groups: GroupWork | None,
        measured: MeasuredLoss | None,
    ) -> None:
        self._params, self._population, self._collective, self._crew = params, population, collective, crew
        self.groups, self.measured = groups, measured
        self.values = crew.empty((params.objective.dimension, n_rows), np.float64)

    @property
    def counts(self) -> NDArray[np.float32] | None:
        """What rows count where that is not their weight: by their pairs."""
        return None if self.groups is None else self.groups.counts

    def survey(self, learner: DataSet, last: Tree | None, tree: int) -> tuple[GradientSurvey, NDArray[np.int64]]:
        """Compute the derivatives for a tree; this rank's sums of them, and what reads the sums of all ranks.

        ``last`` is the tree before, None at first, where MVS may cost a round.
        """
        bound, bootstrap, ridge = self._refresh(learner, tree), self._params.bootstrap, 0.0
        if draws_by_norm(bootstrap):
            first = 0.0
            if last is None and bootstrap.mvs_reg is None:
                survey = self._survey(bound, 0.0)
                first = survey.mean_norm(self._collective.all_reduce(survey.local_sums(self.values, self._crew)))
            ridge = mvs_ridge(bootstrap.mvs_reg, None if last is None else last.leaf_values, first)
        survey = self._survey(bound, ridge)
        return survey, survey.local_sums(self.values, self._crew, self.counts)

    def _survey(self, bound: float, ridge: float) -> GradientSurvey:
        dimension, n_rows = self._params.objective.dimension, self._population.n_rows
        return GradientSurvey(self._params.bootstrap, dimension, n_rows, bound, ridge)

    def _refresh(self, learner: DataSet, tree: int) -> float:
        """Compute the derivatives; the largest that any rank may have, times its weight."""
        objective, population = self._params.objective, self._population
        if self.measured is not None:
            first = self.measured.derivatives(self._crew.fetch(learner.predictions))[: objective.dimension]
            self.values = self._crew.load(first)
            return float(largest_of(first, self._collective).max())
        bounded = with_bounds(objective)
        if self.groups is not None:
            self.groups.derivatives(learner.predictions, self.values, tree)
        else:
            self._crew.each(partial(self._derive, bounded, learner), self._crew.row_slices(learner.rows.n_rows))
        bounds = bounded.bounds(population.label_bound, learner.bound, learner.top)
        return bounds.derivative * population.weight_bound

    def _derive(self, objective: Objective, learner: DataSet, piece: slice) -> None:
        rows, out = learner.rows, self.values[:, piece]
        weight = None if rows.weight is None else rows.weight[piece]
        label = part_of_label(rows.label, piece)
        objective.derivatives(label, weight, learner.predictions[:, piece], out, self._crew.kernels)
