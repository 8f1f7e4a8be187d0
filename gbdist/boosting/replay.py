"""Trees that were grown before are added again, so that a run goes on as if it had never ended (decision 0027).

Replayed are: predictions of the training rows in every permutation and of eval sets, with shrinkage; their bounds, measured after
the same trees; the detector; numbers of statistics, which of them and which columns trees have used, and what was left out. All
else that a run keeps from tree to tree it can do without: it is memory to write to, or spares making the same thing again.
"""

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.progress import Step
from gbdist.boosting.routes import find_leaves
from gbdist.boosting.state import RunState


def replay(step: Step, state: RunState, crew: Crew) -> None:
    """Add the tree of a step, which comes next; all ranks do."""
    features, tree = state.features, step.tree
    state.shrink()
    features.replay(step)
    leaf_of_row: NDArray[np.uint16] = crew.scratch.array("leaf of row", (state.sets[0].rows.n_rows,), np.uint16)
    find_leaves(tree, features.replayed_column, features.is_one_hot, leaf_of_row, crew)
    leaves = [features.leaves(tree, leaf_of_row, permutation) for permutation in range(features.permutations)]
    state.add(tree, leaves, (*step.values, tree.leaf_values))
    state.record(step.metrics)
