"""Weights of leaves: how many rows, by weight, there are in each leaf of trees that were not grown on these rows."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.population import survey_population, with_weights
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.outputs import leaves_of_each
from gbdist.models.tree import ObliviousTree

#: Sums of whole numbers below 2 to this power are exact in float64, in which they are counted.
_EXACT_BITS = 52


def with_leaf_weights(trees: Sequence[ObliviousTree], data: PassData) -> tuple[ObliviousTree, ...]:
    """The trees with the weights of the rows of all ranks in their leaves; three rounds.

    Weights are rounded to a power of two that is the same on all ranks, so that sums do not depend on their order.
    """
    population = survey_population(data.rows, data.collective)
    rows, scale = with_weights(data.rows, population.weighted), 1.0
    if population.weighted:
        scale = sum_scale(population.weight_bound, population.n_rows, _EXACT_BITS)
    counted = None if rows.weight is None else np.rint(rows.weight * np.float64(scale))
    mine = [
        np.bincount(leaf_of_row, counted, tree.n_leaves).astype(np.int64)
        for tree, leaf_of_row in zip(trees, leaves_of_each(trees, data), strict=True)
    ]
    sums: NDArray[np.int64] = data.collective.all_reduce(np.concatenate(mine))
    ends = np.cumsum([tree.n_leaves for tree in trees])
    pieces = np.split(sums / scale, ends[:-1])
    return tuple(replace(tree, leaf_weights=piece) for tree, piece in zip(trees, pieces, strict=True))
