"""New leaf values for trees whose tests stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.leaf_rows import WalkStart
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.measured import largest_of
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import with_weights
from gbdist.compression.passes.aims import Aim, Towards, rows_of
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.derivatives import Expansion, bounds_of, expand, slopes_of
from gbdist.compression.passes.monotone import constraints_of, nearest_monotone
from gbdist.compression.passes.outputs import leaves_of_each, raw_predictions
from gbdist.compression.passes.sizes import is_number, rows_given
from gbdist.errors import ModelError, ParameterError
from gbdist.kernels.cpu_leaves import add_by_leaf
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Tree
from gbdist.objectives.base import Objective

#: What a tree's leaf values move by, and how much each value then counts, float64 [n_leaves, dimension] both, given the leaf of
#: each row and raw predictions.
Move = Callable[[Tree, NDArray[np.uint16], NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]]


@dataclass(frozen=True)
class Refit(Pass):
    """Move all leaf values, one tree after the other, to where they lower the loss or the distance to the teacher.

    Towards the teacher it is a ridge regression by blocks (its raw predictions, weighted by the curvature of the loss there; a
    block is a tree); towards labels, Newton steps of the model's own loss. Both are held back: to each leaf ``l2`` rows are
    added that want its present value. Labels are learned by heart all the same, of rows that the trees were grown on and of
    others where there are few for each leaf of all trees: there the teacher is the better aim, or a larger ``l2``. Columns with
    monotone constraints keep them.

    Parameters
    ----------
    towards : str
        "teacher": the model that the compression began with; "labels".
    steps : int
        How often to go over all trees.
    l2 : float
        In rows of average weight and curvature, so that it means the same for every loss.
    copies, noise : int or None, float
        Copies of the rows with some cells of other rows, beside the rows themselves; see ``Aim``.
    """

    towards: Towards = "teacher"
    steps: int = 2
    l2: float = 100.0
    copies: int | None = None
    noise: float = 0.3

    name: ClassVar[str] = "refit"
    needs_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        Aim(self.towards, self.copies, self.noise)  # refuses what is none
        if not (is_number(self.steps, int) and self.steps >= 1):
            raise ParameterError("steps", self.steps, "a whole number, at least 1", "Leave it out for 2.")
        if not (is_number(self.l2) and 0.0 < self.l2 < np.inf):
            raise ParameterError("l2", self.l2, "a number above 0", "Leave it out for 100.")

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """See ``Pass``."""
        data = rows_given(data, self.name)
        if not ensemble.trees:
            raise ModelError("refit needs a model that has trees, and this one has none", "Leave the pass refit out.")
        of_teacher = data.teacher_of(ensemble)
        data = rows_of(Aim(self.towards, self.copies, self.noise), of_teacher, data)
        with Crew(data.threads) as crew:
            raw, teacher = raw_predictions(ensemble, data), raw_predictions(of_teacher, data)
            expansion = expand(teacher, data)
            move: Move
            if self.towards == "labels":
                move = _TowardsLabels(data, expansion, self.l2, crew).move
            else:
                move = _TowardsTeacher(data, teacher, expansion, self.l2).move
            trees, constraints = list(ensemble.trees), constraints_of(ensemble)
            for _ in range(self.steps):
                for number, leaf_of_row in enumerate(leaves_of_each(ensemble.trees, data)):
                    tree = trees[number]
                    change, counts = move(tree, leaf_of_row, raw)
                    values = nearest_monotone(tree, tree.leaf_values + change, counts, constraints)
                    raw += np.ascontiguousarray((values - tree.leaf_values).T)[:, leaf_of_row]
                    trees[number] = replace(tree, leaf_values=values)
        return replace(ensemble, trees=tuple(trees))


class _TowardsTeacher:
    """Steps of least squares."""

    def __init__(self, data: PassData, teacher: NDArray[np.float64], expansion: Expansion, l2: float) -> None:
        self._data, self._teacher, self._curvature = data, teacher, expansion.curvature
        population = expansion.population
        self._n_rows, self._largest = population.n_rows, expansion.largest_curvature
        self._held = l2 * expansion.mean_curvature * population.total_weight / population.n_rows
        self._second_scale = sum_scale(self._largest, self._n_rows)

    def move(
        self, tree: Tree, leaf_of_row: NDArray[np.uint16], raw: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See ``Move``; two rounds."""
        first = (self._teacher - raw) * self._curvature
        first_scale = sum_scale(float(largest_of([first], self._data.collective)[0]), self._n_rows)
        k = raw.shape[0]
        sums = np.zeros((2 * k, tree.n_leaves), np.int64)
        for value in range(k):
            add_by_leaf(first[value], leaf_of_row, first_scale, sums[value])
            add_by_leaf(self._curvature[value], leaf_of_row, self._second_scale, sums[k + value])
        total = self._data.collective.all_reduce(sums)
        counts = total[k:] / self._second_scale + self._held
        change = (total[:k] / first_scale) / counts
        return np.ascontiguousarray(change.T), np.ascontiguousarray(counts.T)


class _TowardsLabels:
    """Newton steps of the loss, as the trainer takes them."""

    def __init__(self, data: PassData, expansion: Expansion, l2: float, crew: Crew) -> None:
        slopes_of(expansion, data)  # refuses a loss that has none
        self._data, population = data, expansion.population
        params = BoostParams(
            objective=cast(Objective, data.objective),
            metrics=(data.measure.metric,),
            l2_leaf_reg=l2 * expansion.mean_curvature,
            leaf_estimation_method="Newton" if expansion.is_curved else "Gradient",
            threads=data.threads,
        )
        self._estimator = LeafEstimator(params, population, data.collective, crew)
        self._rows = with_weights(data.rows, population.weighted)
        self._held = l2 * population.total_weight / population.n_rows

    def move(
        self, tree: Tree, leaf_of_row: NDArray[np.uint16], raw: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See ``Move``; a few rounds."""
        bound, top = bounds_of(raw, self._data)
        start = WalkStart(raw, leaf_of_row, bound, top)
        (leaves,) = self._estimator.estimate(self._rows, [start], tree.n_leaves)
        counts = leaves.weights + self._held
        return leaves.values, np.ascontiguousarray(np.repeat(counts[:, np.newaxis], raw.shape[0], axis=1))
