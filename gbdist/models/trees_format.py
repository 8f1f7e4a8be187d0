"""The trees of an ensemble in CatBoost's JSON; their leaf values are set after the import, which is not exact."""

from collections.abc import Mapping, Sequence
from typing import Any

from gbdist.models.tree import NonSymmetricTree, ObliviousTree, Tree, TreeSplit


def written_trees(trees: Sequence[Tree], split_index: Mapping[TreeSplit, int]) -> dict[str, Any]:
    """The one entry that has the trees: all of one kind, and at least one."""
    symmetric = [_symmetric(tree, split_index) for tree in trees if isinstance(tree, ObliviousTree)]
    nested = [
        _nested(0 if tree.nodes else ~0, tree, split_index) for tree in trees if isinstance(tree, NonSymmetricTree)
    ]
    return {"oblivious_trees": symmetric} if symmetric else {"trees": nested}


def _symmetric(tree: ObliviousTree, split_index: Mapping[TreeSplit, int]) -> dict[str, Any]:
    return {
        "splits": [{"split_index": split_index[split]} for split in tree.splits],
        "leaf_values": [0] * tree.leaf_values.size,
        "leaf_weights": tree.leaf_weights.tolist(),
    }


def _nested(number: int, tree: NonSymmetricTree, split_index: Mapping[TreeSplit, int]) -> dict[str, Any]:
    """A node with all below it, or ``~number`` of a leaf."""
    if number < 0:
        dimension = tree.leaf_values.shape[1]
        return {"value": [0] * dimension if dimension > 1 else 0, "weight": float(tree.leaf_weights[~number])}
    node = tree.nodes[number]
    return {
        "split": {"split_index": split_index[node.split]},
        "left": _nested(node.left, tree, split_index),
        "right": _nested(node.right, tree, split_index),
    }
