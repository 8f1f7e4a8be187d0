"""A tree as branches within branches: the form in which subtrees of non-symmetric trees are cut and put together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """Value, float64 [dimension], and weight."""

    value: NDArray[np.float64]
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Rows go to ``right`` where the test is true."""

    split: TreeSplit
    left: "Nested"
    right: "Nested"


Nested = Leaf | Branch


def nested(tree: Tree) -> Nested:
    """A tree's root; the last level of an oblivious tree becomes the root's test."""
    if isinstance(tree, ObliviousTree):
        return _nested_oblivious(tree, len(tree.splits), 0)
    return _nested_nodes(tree, 0 if tree.nodes else ~0)


def flat(root: Nested) -> NonSymmetricTree:
    """The non-symmetric tree of a root."""
    nodes: list[Node] = []
    leaves: list[Leaf] = []
    _flatten(root, nodes, leaves)
    values = np.stack([leaf.value for leaf in leaves])
    return NonSymmetricTree(tuple(nodes), values, np.array([leaf.weight for leaf in leaves]))


def each_branch(root: Nested, change: Callable[[Branch], Nested]) -> Nested:
    """The tree with every branch replaced by ``change`` of it, those below it first."""
    if isinstance(root, Leaf):
        return root
    return change(Branch(root.split, each_branch(root.left, change), each_branch(root.right, change)))


def each_leaf(root: Nested, change: Callable[[Leaf], Leaf]) -> Nested:
    """The tree with every leaf replaced by ``change`` of it."""
    if isinstance(root, Leaf):
        return change(root)
    return Branch(root.split, each_leaf(root.left, change), each_leaf(root.right, change))


def mean_of(root: Nested) -> Leaf:
    """All below a root as one leaf: the mean of its values by weight (see ``mean_by_weight``), and the sum of the weights."""
    if isinstance(root, Leaf):
        return root
    left, right = mean_of(root.left), mean_of(root.right)
    values = np.stack([left.value, right.value])
    weights = np.array([left.weight, right.weight])
    return Leaf(mean_by_weight(values, weights), left.weight + right.weight)


def mean_by_weight(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of a pair's values: by weight, or the plain mean where both weights are 0.

    Parameters
    ----------
    values : float64 [2, …, dimension]
    weights : float64 [2, …]

    Returns
    -------
    float64 […, dimension]
    """
    total = weights[0] + weights[1]
    share = np.divide(weights[1], total, out=np.full_like(total, 0.5), where=total > 0.0)[..., np.newaxis]
    means: NDArray[np.float64] = values[0] + share * (values[1] - values[0])
    return means


def _nested_oblivious(tree: ObliviousTree, level: int, leaf: int) -> Nested:
    if level == 0:
        return Leaf(tree.leaf_values[leaf], float(tree.leaf_weights[leaf]))
    below = level - 1
    return Branch(
        tree.splits[below],
        _nested_oblivious(tree, below, leaf),
        _nested_oblivious(tree, below, leaf | 1 << below),
    )


def _nested_nodes(tree: NonSymmetricTree, number: int) -> Nested:
    if number < 0:
        return Leaf(tree.leaf_values[~number], float(tree.leaf_weights[~number]))
    node = tree.nodes[number]
    return Branch(node.split, _nested_nodes(tree, node.left), _nested_nodes(tree, node.right))


def _flatten(root: Nested, nodes: list[Node], leaves: list[Leaf]) -> int:
    """Add all below a root to ``nodes`` and ``leaves``; return the root's number."""
    if isinstance(root, Leaf):
        leaves.append(root)
        return ~(len(leaves) - 1)
    number = len(nodes)
    nodes.append(Node(root.split, 0, 0))  # its place comes before those below it, which are not known yet
    left = _flatten(root.left, nodes, leaves)
    right = _flatten(root.right, nodes, leaves)
    nodes[number] = Node(root.split, left, right)
    return number
