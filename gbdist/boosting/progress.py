"""What a run has so far: enough to go on from it, on any ranks and with the same bits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.models.history import MetricTable
from gbdist.models.statistics import StatisticFeature
from gbdist.models.tree import Tree, TreeSplit


@dataclass(frozen=True, eq=False)
class Step:
    """One tree as the run grew it, and what else must be known to add it again.

    Parameters
    ----------
    tree : Tree
        Its leaf values are those of the last permutation, and not shrunk.
    metrics : MetricTable
        Computed after this tree; empty where none were.
    chosen : tuple of TreeSplit
        All splits in the order in which they were chosen: also one that was dropped again, because its columns count as used.
    statistics : tuple of StatisticFeature
        Those that the run used here first, in the order of their numbers.
    values : tuple of float64 [n_leaves, dimension]
        Leaf values in each permutation of the rows but the last one; none where there is one permutation.
    left_out : int
        Combinations of categorical columns that did not compete in this tree.
    """

    tree: Tree
    metrics: MetricTable
    chosen: tuple[TreeSplit, ...]
    statistics: tuple[StatisticFeature, ...] = ()
    values: tuple[NDArray[np.float64], ...] = ()
    left_out: int = 0


#: What a run has after an iteration: a tree, or one of each of the folds that train side by side.
Iteration = Step | tuple[Step, ...]
