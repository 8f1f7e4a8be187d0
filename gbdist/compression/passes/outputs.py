"""What trees say about a rank's rows: leaves, raw predictions, and the loss of these over all ranks."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.routes import find_leaves
from gbdist.compression.passes.base import PassData
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Tree


def leaves_of(tree: Tree, data: PassData) -> NDArray[np.uint16]:
    """Leaf of each of the rank's rows, uint16 [n_rows], the caller's own."""
    (leaves,) = leaves_of_each([tree], data)
    return leaves


def leaves_of_each(trees: Iterable[Tree], data: PassData) -> Iterator[NDArray[np.uint16]]:
    """Leaves of one tree after the other, uint16 [n_rows] each, a new array each time."""
    with Crew(data.threads) as crew:
        for tree in trees:
            data.check()
            leaf_of_row = np.empty(data.rows.n_rows, np.uint16)
            _write_leaves(tree, data, leaf_of_row, crew)
            yield leaf_of_row


def raw_predictions(ensemble: Ensemble, data: PassData) -> NDArray[np.float64]:
    """Raw predictions of the rank's rows, float64 [dimension, n_rows]: CatBoost's own, bit for bit.

    Leaf values are added in tree order to zero, then the start value.
    """
    predictions = np.zeros((ensemble.dimension, data.rows.n_rows))
    leaf_of_row = np.empty(data.rows.n_rows, np.uint16)
    with Crew(data.threads) as crew:
        for tree in ensemble.trees:
            data.check()
            _write_leaves(tree, data, leaf_of_row, crew)
            _add(tree.leaf_values, leaf_of_row, predictions, crew)
    predictions += ensemble.bias[:, np.newaxis]
    return predictions


def add_tree(tree: Tree, predictions: NDArray[np.float64], data: PassData, sign: float = 1.0) -> None:
    """Add ``sign`` times a tree's values to predictions of the rank's rows, float64 [dimension, n_rows], IN and OUT."""
    with Crew(data.threads) as crew:
        leaf_of_row = np.empty(data.rows.n_rows, np.uint16)
        _write_leaves(tree, data, leaf_of_row, crew)
        _add(sign * tree.leaf_values, leaf_of_row, predictions, crew)


def loss_of(raw: NDArray[np.float64], data: PassData) -> float:
    """The metric of the model's loss at raw predictions of the rank's rows, float64 [dimension, n_rows], over all ranks.

    Sums are exact, so that it does not depend on who holds which rows. ``data.measure.metric`` tells whether larger is better.
    """
    return losses_of([raw], data)[0]


def losses_of(raws: Sequence[NDArray[np.float64]], data: PassData) -> list[float]:
    """``loss_of`` each of several predictions, in as many rounds as for one."""
    return data.losses.at(raws)


def _write_leaves(tree: Tree, data: PassData, leaf_of_row: NDArray[np.uint16], crew: Crew) -> None:
    is_one_hot = data.columns.is_one_hot
    find_leaves(tree, lambda f: data.rows.bins[f], lambda f: bool(is_one_hot[f]), leaf_of_row, crew)


def _add(
    values: NDArray[np.float64], leaf_of_row: NDArray[np.uint16], predictions: NDArray[np.float64], crew: Crew
) -> None:
    columns = np.ascontiguousarray(values.T)

    def add(piece: slice) -> None:
        for k in range(columns.shape[0]):
            crew.kernels.add_leaf_values(leaf_of_row[piece], columns[k], predictions[k, piece])

    crew.each(add, crew.row_slices(leaf_of_row.shape[0]))
