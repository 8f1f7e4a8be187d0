"""What a run moves on with every tree: the trees and their metrics, predictions of all sets and their bounds, and the detector.

A tree that is grown and one that is replayed are added by the same code, so that both leave the same bits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.features import TreeFeatures
from gbdist.boosting.params import BoostParams
from gbdist.boosting.scores import DataSet
from gbdist.boosting.stopping import Detector
from gbdist.models.history import MetricTable
from gbdist.models.tree import Tree

#: Bounds of predictions that are exponents may be above what was measured by this.
_LOOSE = 1.0


class RunState:
    """A run's state on one rank.

    Parameters
    ----------
    sets : the training set, then the eval sets, at their start
    features, params, collective : of the run
    """

    def __init__(
        self, sets: Sequence[DataSet], features: TreeFeatures, params: BoostParams, collective: Collective
    ) -> None:
        self.sets, self.features, self._params, self._collective = list(sets), features, params, collective
        # Each permutation has predictions of its own, so that a structure finds no signal that only its permutation lacks.
        self.learners = [self.sets[0].copied() for _ in range(features.permutations - 1)] + self.sets[:1]
        self.detector = Detector(params.stopping, params.metrics[params.eval_metric].is_max_optimal)
        self.trees: list[Tree] = []
        self.scores: list[MetricTable] = []
        #: Whether the detector says that the run is to stop.
        self.overfitted = False
        self._tighten_bounds()

    @property
    def learner(self) -> DataSet:
        """The training rows with the predictions that the next tree's structure is chosen by."""
        return self.learners[self.features.permutation_of(len(self.trees))]

    def shrink(self) -> bool:
        """Shrink the model so far for the next tree, where the parameters ask for it; whether they do."""
        shrinkage, tree = self._params.shrinkage, len(self.trees)
        if shrinkage is None or tree == 0:
            return False
        for data in (*self.learners, *self.sets[1:]):
            data.shrink(shrinkage.factor(tree, self._params.learning_rate))
        return True

    def add(self, tree: Tree, leaves: Sequence[NDArray[np.uint16]], values: Sequence[NDArray[np.float64]]) -> None:
        """Add a tree; ``leaves`` uint16 [n] and ``values`` float64 [n_leaves, dimension] are those of each permutation."""
        for learner, leaf_of_row, its_values in zip(self.learners, leaves, values, strict=True):
            learner.add_leaves(leaf_of_row, its_values)
        self.trees.append(tree)
        for number, data in enumerate(self.sets[1:]):
            data.add_tree(tree, self.features, number)
        self.features.end_tree()
        self._tighten_bounds()

    def _tighten_bounds(self) -> None:
        """Look how large predictions are, where bounds are exponents and have grown: a round every few trees."""
        if self._params.objective.exponent is None:
            return
        loose = [data for data in (*self.learners, *self.sets[1:]) if data.top > data.measured + _LOOSE]
        if not loose:
            return
        mine = np.array([data.range_of_predictions() for data in loose])
        told = [np.frombuffer(answer).reshape(mine.shape) for answer in self._collective.all_gather(mine.tobytes())]
        for data, low, high in zip(loose, np.min(told, axis=0)[..., 0], np.max(told, axis=0)[..., 1], strict=True):
            data.take_range(low, high)

    def record(self, metrics: MetricTable) -> None:
        """Take the metrics after the newest tree, empty where there are none."""
        self.scores.append(metrics)
        # The last eval set decides, as in CatBoost.
        if len(self.sets) > 1 and self.sets[-1].name in metrics:
            metric = self._params.metrics[self._params.eval_metric].name
            self.overfitted = self.detector.update(len(self.trees) - 1, metrics[self.sets[-1].name][metric])

    def stops(self) -> str | None:
        """Why no tree follows: "overfitting" or "iterations"; None if one does."""
        if self.overfitted:
            return "overfitting"
        return "iterations" if len(self.trees) >= self._params.iterations else None
