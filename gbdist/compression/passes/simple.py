"""Trees without what makes no difference: tests made twice, tests whose outcome is known, tests that all leaves ignore."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from gbdist.compression.passes.levels import from_levels, in_levels, reordered
from gbdist.compression.passes.nested import Branch, Leaf, Nested, flat, nested
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit


@dataclass(frozen=True)
class Known:
    """What a row's tests so far tell of its other tests.

    Parameters
    ----------
    first_one_hot, last_one_hot : int
        One-hot features are those from the first to before the last.
    bins : dict
        Lowest and highest bin that a row can have, of features that are known at all; the highest is None where it has no end.
    not_equal : frozenset of TreeSplit
        One-hot tests that were false.
    """

    first_one_hot: int
    last_one_hot: int
    bins: Mapping[int, tuple[int, int | None]] = field(default_factory=dict)
    not_equal: frozenset[TreeSplit] = frozenset()

    def outcome(self, split: TreeSplit) -> bool | None:
        """The outcome of a test, where it is known."""
        lowest, highest = self.bins.get(split.feature, (0, None))
        if self._is_one_hot(split):
            if lowest == highest:
                return lowest == split.border
            return False if split in self.not_equal else None
        if lowest > split.border:
            return True
        return False if highest is not None and highest <= split.border else None

    def after(self, split: TreeSplit, outcome: bool) -> "Known":
        """What is known once a test that was not known has an outcome."""
        lowest, highest = self.bins.get(split.feature, (0, None))
        not_equal = self.not_equal
        if self._is_one_hot(split):
            if outcome:
                lowest = highest = split.border
            else:
                not_equal = not_equal | {split}
        elif outcome:
            lowest = split.border + 1
        else:
            highest = split.border
        return Known(self.first_one_hot, self.last_one_hot, {**self.bins, split.feature: (lowest, highest)}, not_equal)

    def _is_one_hot(self, split: TreeSplit) -> bool:
        return self.first_one_hot <= split.feature < self.last_one_hot


def nothing_known(ensemble: Ensemble) -> Known:
    """What is known of a row before its first test."""
    first = len(ensemble.borders)
    return Known(first, first + len(ensemble.categories.one_hot))


def simple(tree: Tree, known: Known) -> Tree:
    """The same tree without tests that make no difference; those of an oblivious tree in the order of features and borders.

    A constant tree becomes one leaf. Predictions stay bit for bit.
    """
    if isinstance(tree, ObliviousTree):
        return _with_ordered_levels(_without_ignored(_without_repeated(tree)))
    return flat(_pruned(nested(tree), known))


def routed(root: Nested, known: Known) -> Leaf | None:
    """The leaf of all rows of which something is known; None where they are in several."""
    while isinstance(root, Branch):
        outcome = known.outcome(root.split)
        if outcome is None:
            return None
        root = root.right if outcome else root.left
    return root


def _without_repeated(tree: ObliviousTree) -> ObliviousTree:
    """Each test once: where a second one would differ from the first there are no rows."""
    values, weights = in_levels(tree, tree.leaf_values), in_levels(tree, tree.leaf_weights)
    splits: list[TreeSplit] = []
    for split in tree.splits:
        level = len(splits)  # levels before it are each another test already
        if split in splits:
            first = splits.index(split)
            # ``diagonal`` puts the one axis left of two at the end.
            values = np.moveaxis(values.diagonal(0, first, level), -1, first)
            weights = np.moveaxis(weights.diagonal(0, first, level), -1, first)
        else:
            splits.append(split)
    return from_levels(splits, values, weights)


def _without_ignored(tree: ObliviousTree) -> ObliviousTree:
    """No test for which both leaves of every pair have the same value."""
    values, weights = in_levels(tree, tree.leaf_values), in_levels(tree, tree.leaf_weights)
    splits: list[TreeSplit] = []
    for split in tree.splits:
        level = len(splits)
        left, right = values.take([0], level), values.take([1], level)
        if np.array_equal(left, right):
            values, weights = left.squeeze(level), weights.sum(axis=level, keepdims=True).squeeze(level)
        else:
            splits.append(split)
    return from_levels(splits, values, weights)


def _with_ordered_levels(tree: ObliviousTree) -> ObliviousTree:
    order = [tree.splits.index(split) for split in in_order(tree.splits)]
    return tree if order == list(range(tree.depth)) else reordered(tree, order)


def _pruned(root: Nested, known: Known) -> Nested:
    if isinstance(root, Leaf):
        return root
    outcome = known.outcome(root.split)
    if outcome is not None:
        return _pruned(root.right if outcome else root.left, known)
    left = _pruned(root.left, known.after(root.split, False))
    right = _pruned(root.right, known.after(root.split, True))
    if isinstance(left, Leaf) and isinstance(right, Leaf) and np.array_equal(left.value, right.value):
        return Leaf(left.value, left.weight + right.weight)
    return Branch(root.split, left, right)


def in_order(splits: Iterable[TreeSplit]) -> list[TreeSplit]:
    """Tests by feature and border."""
    return sorted(splits, key=lambda split: (split.feature, split.border))


def structure_of(tree: Tree) -> tuple[TreeSplit, ...] | tuple[Node, ...]:
    """What is equal for trees that put all rows into the same leaves: the nodes, or the tests of all levels."""
    return tree.nodes if isinstance(tree, NonSymmetricTree) else tree.splits


def is_leaf(tree: Tree) -> bool:
    """Whether a tree is one leaf."""
    return not structure_of(tree)


def without_constants(ensemble: Ensemble) -> Ensemble:
    """The ensemble with the value of each tree that is one leaf in its bias instead."""
    bias = ensemble.bias.copy()
    for tree in ensemble.trees:
        if is_leaf(tree):
            bias += tree.leaf_values[0]
    return replace(ensemble, trees=tuple(tree for tree in ensemble.trees if not is_leaf(tree)), bias=bias)
