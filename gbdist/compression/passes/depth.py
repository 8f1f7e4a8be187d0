"""Shallower trees: the tests that tell least apart are taken out, and leaves that they told apart get their mean."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.levels import level_costs, pair_costs, without_level
from gbdist.compression.passes.monotone import kept_monotone
from gbdist.compression.passes.nested import Leaf, Nested, flat, mean_by_weight, mean_of, nested
from gbdist.compression.passes.simple import is_leaf, without_constants
from gbdist.compression.passes.sizes import is_number
from gbdist.compression.passes.worth import counted_weights
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, levels_of


@dataclass(frozen=True)
class ReduceDepth(Pass):
    """Take the tests out of trees that cost least, until trees are shallow, or leaves are few.

    A test costs Σ w (v - mean)², summed over the leaves that it told apart, where w is a leaf's weight, v its value and the mean
    that of the pair, which both get: the square by which raw predictions of the training rows change, were no other
    tree changed. Leaves without any weight in a tree count alike. Of an oblivious tree a whole level is taken out; of
    another one a test that has two leaves below it. Trees that end as one leaf go into the bias. Monotone constraints are kept.

    Parameters
    ----------
    depth : int or None
        No tree is to be deeper; 0 … 15. Of a non-symmetric tree, all that is deeper is put together.
    share : float or None
        Share of the leaves that is to be left, in all trees together; between 0 and 1. The tests that cost least for a leaf
        that they save are taken out, of whichever tree. A level has many leaves, so that somewhat fewer may be left.

    One of the two is given. ``ParameterError`` for other values, ``ModelError`` where there is nothing to take out.
    """

    depth: int | None = None
    share: float | None = None

    name: ClassVar[str] = "depth"
    needs_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if (self.depth is None) == (self.share is None):
            raise ParameterError(
                "depth", self.depth, f"depth or share, and not both (share={self.share!r})", "Give one of them."
            )
        if self.depth is not None and not (is_number(self.depth, int) and 0 <= self.depth < 16):
            raise ParameterError(
                "depth", self.depth, "a whole number from 0 to 15", "Use the depth that trees may have."
            )
        if self.share is not None and not (is_number(self.share) and 0.0 < self.share < 1.0):
            raise ParameterError("share", self.share, "a number between 0 and 1", "Use 0.5 to keep half of the leaves.")

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble with fewer leaves; ``data`` is not asked for."""
        del data
        if self.depth is not None:
            trees = self._shallow(ensemble.trees, self.depth)
        else:
            trees = self._few_leaves(ensemble.trees, self.share or 0.0)
        return without_constants(kept_monotone(replace(ensemble, trees=tuple(trees))))

    def _shallow(self, trees: Sequence[Tree], depth: int) -> list[Tree]:
        deepest = max((depth_of(tree) for tree in trees), default=0)
        if deepest <= depth:
            raise ModelError(
                f"depth={depth}: no tree of the model is deeper than {deepest}",
                "Use a smaller depth, or leave the pass out.",
            )
        return [_cut(tree, depth) if depth_of(tree) > depth else tree for tree in trees]

    def _few_leaves(self, trees: Sequence[Tree], share: float) -> list[Tree]:
        before = sum(tree.n_leaves for tree in trees)
        budget = int(share * before)
        if budget < len(trees):
            raise ModelError(
                f"share={share}: {budget} leaves are left of {before}, and the model has {len(trees)} trees",
                f"Use a share above {len(trees) / max(before, 1):.3g}, or drop trees first.",
            )
        return fewer_leaves(trees, budget)


def fewer_leaves(trees: Sequence[Tree], budget: int) -> list[Tree]:
    """Trees with at most ``budget`` leaves in all, or one leaf each: the tests that cost least for a leaf are taken out first."""
    left = list(trees)
    excess = sum(tree.n_leaves for tree in left) - budget
    waiting = [(*cheapest, number) for number, tree in enumerate(left) if (cheapest := _cheapest(tree))]
    heapq.heapify(waiting)
    while excess > 0 and waiting:
        _, step, number = heapq.heappop(waiting)  # of equal costs the lower test, then the earlier tree
        smaller = _without(left[number], step)
        excess -= left[number].n_leaves - smaller.n_leaves
        left[number] = smaller
        if cheapest := _cheapest(smaller):
            heapq.heappush(waiting, (*cheapest, number))
    return left


def depth_of(tree: Tree) -> int:
    """The most tests that a row meets in a tree."""
    return tree.depth if isinstance(tree, ObliviousTree) else len(levels_of(tree.nodes))


def _cut(tree: Tree, depth: int) -> Tree:
    """The tree without what is deeper."""
    if isinstance(tree, NonSymmetricTree):
        return flat(_cut_nested(nested(tree), depth))
    while tree.depth > depth:
        tree = without_level(tree, int(level_costs(tree, counted_weights(tree)).argmin()))
    return tree


def _cut_nested(root: Nested, depth: int) -> Nested:
    if isinstance(root, Leaf) or depth == 0:
        return mean_of(root)
    return replace(root, left=_cut_nested(root.left, depth - 1), right=_cut_nested(root.right, depth - 1))


def _cheapest(tree: Tree) -> tuple[float, int] | None:
    """The test that costs least for a leaf that it saves: that cost, and the level or the node; None for one leaf."""
    if is_leaf(tree):
        return None
    weights = counted_weights(tree)
    if isinstance(tree, ObliviousTree):
        costs = level_costs(tree, weights) / (tree.n_leaves // 2)
        level = int(costs.argmin())
        return float(costs[level]), level
    nodes = [number for number, node in enumerate(tree.nodes) if node.left < 0 and node.right < 0]
    left = np.array([~tree.nodes[number].left for number in nodes])
    pairs = np.stack([left, left + 1])  # leaves are numbered from left to right
    costs = pair_costs(tree.leaf_values[pairs], weights[pairs])
    best = int(costs.argmin())
    return float(costs[best]), nodes[best]


def _without(tree: Tree, step: int) -> Tree:
    """The tree without a level, or without a node that has two leaves."""
    if isinstance(tree, ObliviousTree):
        return without_level(tree, step)
    leaf = ~tree.nodes[step].left
    values, weights = tree.leaf_values.copy(), tree.leaf_weights.copy()
    pair = slice(leaf, leaf + 2)
    values[leaf] = mean_by_weight(values[pair], weights[pair])
    weights[leaf] += weights[leaf + 1]

    def renumbered(child: int) -> int:
        if child == step:
            return ~leaf
        if child >= 0:
            return child - (child > step)
        return child + (~child > leaf)  # ~leaf of the leaf before is one more

    nodes = tuple(
        Node(node.split, renumbered(node.left), renumbered(node.right))
        for number, node in enumerate(tree.nodes)
        if number != step
    )
    return NonSymmetricTree(nodes, np.delete(values, leaf + 1, axis=0), np.delete(weights, leaf + 1))
