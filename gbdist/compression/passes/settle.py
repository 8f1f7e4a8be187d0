"""Leaf values of a student's trees settle together: each tree in turn takes what all others leave to it, a few times over.

Trees that were grown one after the other never learn what came after them. Going over them again is block coordinate descent on
the ridge regression of the labels on all leaves; two or three rounds bring most of what there is to gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.population import survey_population, with_weights
from gbdist.boosting.routes import find_leaves
from gbdist.boosting.rows import Rows, labels_of
from gbdist.compression.passes.base import PassData
from gbdist.kernels.cpu_leaves import add_by_leaf
from gbdist.models.tree import ObliviousTree

#: What a leaf without rows is taken to hold, where nobody holds its value.
_LEAST_WEIGHT = 1e-290


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a student's trees are to say.

    Parameters
    ----------
    rows : Rows
        Bins of the columns that the trees test, none of them one-hot, and labels, as the trees were grown on.
    predictions : float64 [dimension, n_rows], IN and OUT
        What the trees say of the rows.
    """

    rows: Rows
    predictions: NDArray[np.float64]


def settled(
    trees: Sequence[ObliviousTree], lesson: Lesson, rounds: int, l2: float, data: PassData
) -> list[ObliviousTree]:
    """The trees after some rounds; ``rounds`` times as many rounds of messages as there are trees, and two.

    Parameters
    ----------
    l2 : rows of average weight in each leaf that want its value as it is
    data : whom to ask, and with how many threads; its rows are not looked at
    """
    population = survey_population(lesson.rows, data.collective)
    rows = with_weights(lesson.rows, population.weighted)
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight.astype(np.float64)
    weight_scale = sum_scale(population.weight_bound, population.n_rows)
    held = l2 * population.total_weight / max(1, population.n_rows)
    now, labels = list(trees), np.stack(labels_of(rows.label)).astype(np.float64)
    # No prediction is larger than what all trees may add up to, so that nobody has to ask how large residuals are.
    largest = [float(np.abs(tree.leaf_values).max(initial=0.0)) for tree in now]
    leaf_of_row = np.empty(rows.n_rows, np.uint16)
    with Crew(data.threads) as crew:
        for _ in range(rounds):
            for number, tree in enumerate(now):
                data.check()
                find_leaves(tree, lambda f: rows.bins[f], lambda f: False, leaf_of_row, crew)
                bound = (population.label_bound + sum(largest)) * population.weight_bound
                scale = sum_scale(bound, population.n_rows)
                sums = np.zeros((labels.shape[0] + 1, tree.n_leaves), np.int64)
                add_by_leaf(weight, leaf_of_row, weight_scale, sums[-1])
                for of_value, label, predictions in zip(sums, labels, lesson.predictions, strict=False):
                    add_by_leaf((label - predictions) * weight, leaf_of_row, scale, of_value)
                total = data.collective.all_reduce(sums)
                steps = (total[:-1] / scale) / np.maximum(total[-1] / weight_scale + held, _LEAST_WEIGHT)
                for step, predictions in zip(steps, lesson.predictions, strict=True):
                    predictions += step[leaf_of_row]
                now[number] = replace(tree, leaf_values=tree.leaf_values + steps.T)
                largest[number] = float(np.abs(now[number].leaf_values).max())
    return now
