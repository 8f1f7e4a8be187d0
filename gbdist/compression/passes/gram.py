"""The normal equations of trees' outputs: what all questions of which trees to keep, and how strongly, are answered from.

One pass over the rows gives G = AᵀHA and c = AᵀHt, in which a row of A has what each tree adds to a raw value of a row, H is
the curvature of the loss at the teacher's predictions, and t what the trees are to add up to. Sums are of integers, so that they
do not depend on order, blocks or ranks: each √H·a is rounded once, to as many bits as its products may have, and a block has so
few rows that no sum of products leaves the 53 bits of a float64. So BLAS may multiply them, and every bit is right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.measured import largest_of
from gbdist.boosting.routes import find_leaves
from gbdist.compression.passes.aims import Aim, Towards, rows_of
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.derivatives import Expansion, expand, slopes_of
from gbdist.compression.passes.memo import digest_of
from gbdist.compression.passes.outputs import raw_predictions
from gbdist.models.ensemble import Ensemble

_INT64_BITS, _FLOAT_BITS = 62, 53
#: More bits than these do not change which trees are chosen, and blocks would be too small to be multiplied fast.
_MOST_BITS = 20
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Products of columns, weighted by curvature and summed over the rows of all ranks.

    Nobody changes the arrays: they are recalled.

    Columns are ``dimension`` ones, each 1 for a raw value of its own, then those of the trees.

    Parameters
    ----------
    matrix : float64 [dimension + n_trees, dimension + n_trees]
        G.
    products : float64 [dimension + n_trees]
        c, with the target: what trees and an added constant are to make.
    square : float
        tᵀHt.
    dimension : int
        Raw values a row.
    """

    matrix: NDArray[np.float64]
    products: NDArray[np.float64]
    square: float
    dimension: int

    @property
    def n_trees(self) -> int:
        """Number of trees."""
        return int(self.matrix.shape[0]) - self.dimension


def normal_equations(ensemble: Ensemble, data: PassData, aim: Aim) -> NormalEquations:
    """The normal equations of an ensemble's trees; all ranks call it together. Those that pipelines share are made once.

    The target is what the teacher predicts, less the ensemble's own start value; where labels are the aim, from there one Newton
    step of each row towards its label.

    Raises
    ------
    ModelError
        For labels with a loss whose derivatives have no bounds.
    DataError
        Where no row has a weight.
    """
    teacher = data.teacher_of(ensemble)
    biases = f"{ensemble.bias.tobytes().hex()} {teacher.bias.tobytes().hex()}"
    what = f"normal equations {aim} {data.seed} {biases} {len(ensemble.trees)}"
    key = digest_of(what, (*ensemble.trees, *teacher.trees))
    return data.recall(key, lambda: _equations(ensemble, teacher, rows_of(aim, teacher, data), aim.towards))


def _equations(ensemble: Ensemble, of_teacher: Ensemble, data: PassData, towards: Towards) -> NormalEquations:
    teacher = raw_predictions(of_teacher, data)
    expansion = expand(teacher, data)
    target = target_of(teacher, expansion, data, towards) - ensemble.bias[:, np.newaxis]
    k, n_trees = ensemble.dimension, len(ensemble.trees)
    bits = min(_MOST_BITS, (_INT64_BITS - (k * expansion.population.n_rows).bit_length()) // 2)
    root = np.sqrt(expansion.curvature)
    largest_root = math.sqrt(expansion.largest_curvature)
    largest_target = float(largest_of([target], data.collective)[0])
    tops = [1.0] * k + [float(np.abs(tree.leaf_values).max()) for tree in ensemble.trees] + [largest_target]
    scales = np.array([sum_scale(top * largest_root, 1, bits) for top in tops])
    work = _Work(ensemble, data, root, target, scales)
    total = data.collective.all_reduce(work.own_products(min(_BLOCK, 1 << (_FLOAT_BITS - 2 * bits))))
    products = total / scales / scales[:, np.newaxis]
    n = k + n_trees
    return NormalEquations(products[:n, :n], products[:n, n], float(products[n, n]), k)


def target_of(
    teacher: NDArray[np.float64], expansion: Expansion, data: PassData, towards: Towards
) -> NDArray[np.float64]:
    """Raw values to come close to, float64 [dimension, n_rows]; see ``normal_equations``."""
    if towards == "teacher":
        return teacher
    return teacher + slopes_of(expansion, data) / np.maximum(expansion.curvature, 1e-300)


@dataclass(frozen=True, eq=False)
class _Work:
    """What a rank multiplies. ``root`` is √H and ``target`` t, float64 [dimension, n_rows]; ``scales`` one a column, and of t."""

    ensemble: Ensemble
    data: PassData
    root: NDArray[np.float64]
    target: NDArray[np.float64]
    scales: NDArray[np.float64]

    def own_products(self, block: int) -> NDArray[np.int64]:
        """Sums over this rank's rows, int64 [n_columns + 1, n_columns + 1]: the last row and column are the target's."""
        n, k = self.scales.shape[0], self.ensemble.dimension
        total = np.zeros((n, n), np.int64)
        n_rows = self.data.rows.n_rows
        pieces = [slice(start, min(start + block, n_rows)) for start in range(0, n_rows, block)]
        with Crew(self.data.threads) as crew:
            for begin in range(0, len(pieces), crew.threads):
                self.data.check()
                for products in crew.each(self._products, pieces[begin : begin + crew.threads]):
                    for value, product in enumerate(products):
                        places = np.array([value, *range(k, n)])
                        total[np.ix_(places, places)] += product
        return total

    def _products(self, piece: slice) -> list[NDArray[np.int64]]:
        """Products of each raw value's columns: its constant, the trees, the target."""
        leaves = self._leaves(piece)
        k = self.ensemble.dimension
        n_trees = len(self.ensemble.trees)
        products = []
        for value in range(k):
            columns = np.empty((n_trees + 2, piece.stop - piece.start))
            root = self.root[value, piece]
            columns[0] = root * self.scales[value]
            for t, tree in enumerate(self.ensemble.trees):
                np.multiply((tree.leaf_values[:, value] * self.scales[k + t])[leaves[t]], root, out=columns[1 + t])
            columns[-1] = self.target[value, piece] * root * self.scales[-1]
            np.rint(columns, out=columns)
            products.append((columns @ columns.T).astype(np.int64))
        return products

    def _leaves(self, piece: slice) -> NDArray[np.uint16]:
        """Leaves of some rows in each tree, uint16 [n_trees, n]."""
        bins: Any = self.data.rows.bins
        is_one_hot: Sequence[bool] = self.data.columns.is_one_hot.tolist()
        leaves = np.empty((len(self.ensemble.trees), piece.stop - piece.start), np.uint16)
        with Crew(1) as crew:
            for tree, leaf_of_row in zip(self.ensemble.trees, leaves, strict=True):
                find_leaves(tree, lambda f: bins[f, piece], is_one_hot.__getitem__, leaf_of_row, crew)
        return leaves
