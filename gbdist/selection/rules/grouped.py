"""Rules by group: all rows of a group are in one fold; and how groups are given to folds so that these are even."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.kernels.hashing import hash_numbers, stream_key
from gbdist.selection.rules.base import FoldRule, Run
from gbdist.selection.rules.classes import known_places

_PURPOSE = 0x67726F75


@dataclass(frozen=True, slots=True, eq=False)
class GroupFolds(FoldRule):
    """A fold for each of the ``groups``: ``fold_of_group``, int64 [n_groups]."""

    n_splits: int
    groups: pd.Index
    fold_of_group: NDArray[np.int64]

    def folds(self, run: Run) -> NDArray[np.int64]:
        """See ``FoldRule``."""
        return self.fold_of_group[known_places(self.groups, run.values, "groups")]


def shuffled(n_groups: int, seed: int) -> NDArray[np.int64]:
    """The numbers of groups in an order by hash, int64 [n_groups]."""
    return np.argsort(hash_numbers(stream_key(_PURPOSE, seed), np.arange(n_groups, dtype=np.uint64)), kind="stable")


def by_number(n_groups: int, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Folds of about as many groups each, by hash: of groups that have about as many rows each. int64 [n_groups]."""
    folds = np.empty(n_groups, np.int64)
    for fold, chosen in enumerate(np.array_split(shuffled(n_groups, seed), n_folds)):
        folds[chosen] = fold
    return folds


def by_size(rows: NDArray[np.int64], n_folds: int) -> NDArray[np.int64]:
    """Folds of about as many rows each, from the rows of groups; int64 [n_groups] both. scikit-learn's ``GroupKFold``.

    The largest group goes to the lightest fold, and so on; among equals the last group and the first fold. When the heaviest
    fold got its last group it was the lightest, so that any two folds differ by the rows of the largest group at most.
    """
    loads, folds = np.zeros(n_folds, np.int64), np.empty(rows.shape[0], np.int64)
    for group in np.argsort(rows, kind="stable")[::-1].tolist():
        fold = int(np.argmin(loads))
        loads[fold] += rows[group]
        folds[group] = fold
    return folds


def by_classes(rows: NDArray[np.int64], n_folds: int, seed: int | None) -> NDArray[np.int64]:
    """Folds with about as many rows of each class, from int64 [n_groups, n_classes]; int64 [n_groups].

    Groups whose classes are least even come first (as in scikit-learn's ``StratifiedGroupKFold``; equals by hash of a
    ``seed``), each goes to the fold where the sum over folds and classes of (share of the class − 1 / n_folds)² grows
    least, and among equals to the one with the fewest rows. At the end that sum is at most ``spread_bound``.
    """
    first = np.arange(rows.shape[0]) if seed is None else shuffled(rows.shape[0], seed)
    order = first[np.argsort(-np.std(rows[first], axis=1), kind="stable")]
    shares, sizes = rows / rows.sum(axis=0), rows.sum(axis=1)
    in_folds, loads = np.zeros((n_folds, rows.shape[1])), np.zeros(n_folds, np.int64)
    folds = np.empty(rows.shape[0], np.int64)
    for group in order.tolist():
        # (x + a − 1/k)² − (x − 1/k)² is 2ax and what is the same for all folds.
        fold = int(np.lexsort((loads, in_folds @ shares[group]))[0])
        in_folds[fold] += shares[group]
        loads[fold] += sizes[group]
        folds[group] = fold
    return folds


def spread(rows: NDArray[np.int64], folds: NDArray[np.int64], n_folds: int) -> float:
    """Sum over folds and classes of (share of the class that is in the fold − 1 / n_folds)²."""
    in_folds = np.zeros((n_folds, rows.shape[1]))
    np.add.at(in_folds, folds, rows / rows.sum(axis=0))
    return float(((in_folds - 1 / n_folds) ** 2).sum())


def spread_bound(rows: NDArray[np.int64], n_folds: int) -> float:
    """The most that ``spread`` is for the folds of ``by_classes``: (1 − 1 / n_folds) Σ (share of a class in a group)².

    The mean over all folds of what a group with shares a adds is (1 − 1 / n_folds) Σ a², and the least is no larger.
    """
    return float((1 - 1 / n_folds) * ((rows / rows.sum(axis=0)) ** 2).sum())
