"""The columns that a student is grown on: one a feature, with just the borders that its teacher tests; one a one-hot value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.columns import Columns
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, TreeSplit


@dataclass(frozen=True, eq=False)
class StudentColumn:
    """A column of the student.

    Parameters
    ----------
    feature : int
        Number of the feature of the ensemble that it is made of.
    splits : tuple of TreeSplit
        The split of the ensemble for each of its borders.
    bin_of : uint8 or uint16 [bins of the feature]
        The column's bin for each of the feature's: how many of the splits are true.
    """

    feature: int
    splits: tuple[TreeSplit, ...]
    bin_of: NDArray[np.uint8] | NDArray[np.uint16]


def student_columns(ensemble: Ensemble, columns: Columns) -> tuple[StudentColumn, ...]:
    """What the trees of an ensemble test, and nothing else: between its borders a teacher's answer does not change.

    A one-hot feature has a column for each value that is tested: 1 for that value, 0 for all others.
    """
    made = []
    for feature, borders in ensemble.tested.items():
        bins = np.arange(columns.n_bins[feature])
        if columns.is_one_hot[feature]:
            made += [_column(feature, [value], bins == value, columns) for value in borders]
        else:
            made.append(_column(feature, borders, np.searchsorted(borders, bins, side="left"), columns))
    return tuple(made)


def features_of(columns: Iterable[StudentColumn]) -> tuple[int, ...]:
    """Numbers of the features that columns are made of, ascending."""
    return tuple(sorted({column.feature for column in columns}))


def translated(tree: ObliviousTree, columns: Sequence[StudentColumn]) -> ObliviousTree:
    """A tree that was grown on the columns, with the splits of the ensemble."""
    return replace(tree, splits=tuple(columns[split.feature].splits[split.border] for split in tree.splits))


def _column(
    feature: int, borders: Sequence[int], bin_of: NDArray[np.bool_] | NDArray[np.intp], columns: Columns
) -> StudentColumn:
    return StudentColumn(feature, tuple(TreeSplit(feature, b) for b in borders), bin_of.astype(columns.dtype))
