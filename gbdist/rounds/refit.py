"""Leaf values from the rows of all ranks, for trees whose splits each rank has found alone.

A mean of models that were trained on parts of the rows is as noisy as the parts are small, and a common model that all ranks go
on from is worse still: each rank fits what is left of the noise of its own rows again and again. What a rank's few rows are good
enough for is the splits. So the ranks' trees are taken in turn, and each gets the values that Newton steps over all rows give it
where the merged model stands, with the learning rate divided by the number of ranks: as many trees as ranks make one step.
(Measured in docs/decisions/0014.)
"""

from collections.abc import Sequence

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.leaf_rows import WalkStart
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.params import BoostParams
from gbdist.kernels.cpu_rows import add_leaf_values
from gbdist.rounds.merge import Merging
from gbdist.rounds.sets import RoundSet, largest_of_all


class LeafRefit:
    """Estimates the leaves of trees over all rows, one after the other; ``params`` say how, as for trees grown exactly."""

    def __init__(self, params: BoostParams, train: RoundSet, merging: Merging, crew: Crew) -> None:
        self._params, self._merging = params, merging
        self._estimator = LeafEstimator(params, train.population, merging.collective, crew)

    def refit(self, models: Sequence[catboost.CatBoost], sets: Sequence[RoundSet]) -> None:
        """Give the trees of a round new leaf values, and move the predictions of all sets on by them.

        Parameters
        ----------
        models : of all ranks, the same on every rank; their leaf values are replaced
        sets : the training set first
        """
        values: list[list[NDArray[np.float64]]] = [[] for _ in models]
        counts = [model.get_tree_leaf_counts() for model in models]
        (bound,) = largest_of_all([sets[0].predictions], self._merging.collective)
        for tree in range(max(len(of_model) for of_model in counts)):
            for model, of_model, found in zip(models, counts, values, strict=True):
                if tree < len(of_model):
                    found.append(self._refit_tree(model, tree, int(of_model[tree]), sets, bound))
                    bound += float(np.abs(found[-1]).max(initial=0.0))
        for model, found in zip(models, values, strict=True):
            model.set_leaf_values(np.concatenate([each.ravel() for each in found]))

    def _refit_tree(
        self, model: catboost.CatBoost, tree: int, n_leaves: int, sets: Sequence[RoundSet], bound: float
    ) -> NDArray[np.float64]:
        """New values of one tree, float64 [n_leaves, dimension], learning rate included."""
        train = sets[0]
        leaf_of_row = [one.leaves_of(model, tree, self._merging.threads) for one in sets]
        start = WalkStart(train.predictions, leaf_of_row[0], bound)
        (leaves,) = self._estimator.estimate(train.rows, [start], n_leaves)
        values = leaves.values * (self._params.learning_rate / len(self._merging.shares))
        columns = np.ascontiguousarray(values.T)
        for one, leaf in zip(sets, leaf_of_row, strict=True):
            for k in range(columns.shape[0]):
                add_leaf_values(leaf, columns[k], one.predictions[k])
        return values
