"""One tree: an oblivious one, with the same test on a whole level, or a non-symmetric one, where each node has its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TreeSplit:
    """The test of a level or a node: true for rows with ``bins[feature] > border``, i.e. value > borders[feature][border].

    Features made of categorical columns are numbered after the binned ones, see ``statistics.CategoricalPart``; the test of a
    one-hot feature is true for rows with ``bins[feature] == border``.
    """

    feature: int
    border: int


@dataclass(frozen=True, eq=False)
class ObliviousTree:
    """A grown tree.

    Parameters
    ----------
    splits : tuple of TreeSplit
        ``splits[0]`` is the least significant bit of the leaf number, as in CatBoost's JSON; a bit is 1 where the test is true.
    leaf_values : float64 [2**depth, dimension]
        Learning rate included; none of a tree whose leaves are not estimated yet.
    leaf_weights : float64 [2**depth]
        Sum of the training rows' weights; none likewise.
    """

    splits: tuple[TreeSplit, ...]
    leaf_values: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    leaf_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def depth(self) -> int:
        """Number of levels; 0 for a tree that is one leaf."""
        return len(self.splits)

    @property
    def n_leaves(self) -> int:
        """Number of leaves."""
        return 1 << len(self.splits)

    def __eq__(self, other: object) -> bool:
        """Whether both trees are the same, bit for bit."""
        if not isinstance(other, ObliviousTree):
            return NotImplemented
        return self.splits == other.splits and _same_leaves(self, other)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Node:
    """A test inside a non-symmetric tree: rows go to the right where it is true.

    ``left`` and ``right`` are numbers of nodes, or ``~leaf`` for a leaf.
    """

    split: TreeSplit
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Move:
    """Rows of one leaf for which a test is true go to the leaf ``right``."""

    leaf: int
    split: TreeSplit
    right: int


@dataclass(frozen=True, eq=False)
class NonSymmetricTree:
    """A grown tree whose leaves were split one by one.

    Parameters
    ----------
    nodes : tuple of Node
        In the order in which one meets them from the root on, left before right; none for a tree that is one leaf.
    leaf_values : float64 [n_leaves, dimension]
        As of an oblivious tree. Leaves are numbered from left to right, which is CatBoost's order.
    leaf_weights : float64 [n_leaves]
        As of an oblivious tree.
    """

    nodes: tuple[Node, ...]
    leaf_values: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    leaf_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    @property
    def splits(self) -> tuple[TreeSplit, ...]:
        """The tests of all nodes."""
        return tuple(node.split for node in self.nodes)

    @property
    def n_leaves(self) -> int:
        """Number of leaves."""
        return len(self.nodes) + 1

    def __eq__(self, other: object) -> bool:
        """Whether both trees are the same, bit for bit."""
        if not isinstance(other, NonSymmetricTree):
            return NotImplemented
        return self.nodes == other.nodes and _same_leaves(self, other)

    __hash__ = None  # type: ignore[assignment]


Tree = ObliviousTree | NonSymmetricTree


def _same_leaves(one: Tree, other: Tree) -> bool:
    return (
        one.leaf_values.tobytes() == other.leaf_values.tobytes()
        and one.leaf_weights.tobytes() == other.leaf_weights.tobytes()
    )


def levels_of(nodes: Sequence[Node]) -> list[list[Move]]:
    """How rows that all begin in leaf 0 come to their leaves: a move for each node, by depth.

    A node is known by the first of its leaves, so those of one depth by different ones.
    """
    firsts, depths = [0] * len(nodes), [0] * len(nodes)
    for number in reversed(range(len(nodes))):
        left = nodes[number].left
        firsts[number] = firsts[left] if left >= 0 else ~left
    levels: list[list[Move]] = []
    for number, node in enumerate(nodes):
        for child in (node.left, node.right):
            if child >= 0:
                depths[child] = depths[number] + 1
        if depths[number] == len(levels):
            levels.append([])
        right = firsts[node.right] if node.right >= 0 else ~node.right
        levels[depths[number]].append(Move(firsts[number], node.split, right))
    return levels
