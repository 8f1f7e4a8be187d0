"""Where rows go: by one test of all leaves, by tests of single leaves, or by a whole tree."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew, part
from gbdist.models.tree import Move, ObliviousTree, Tree, levels_of

#: Bins [n] of a feature, where the crew works; valid until the next one is asked for.
Column = Callable[[int], Any]
#: Whether a feature is one-hot.
IsOneHot = Callable[[int], bool]


def move_rows(
    bins: Any, border: int, level: int, leaf_of_row: NDArray[np.uint16], crew: Crew, *, one_hot: bool
) -> None:
    """Set bit ``level`` of the leaf numbers of rows that a split sends right: bins [n] IN, leaf_of_row uint16 [n] IN and OUT."""
    split_leaves = crew.kernels.split_equal_leaves if one_hot else crew.kernels.split_leaves

    def move(piece: slice) -> None:
        split_leaves(part(bins, piece), border, level, part(leaf_of_row, piece))

    crew.each(move, crew.row_slices(leaf_of_row.shape[0]))


def send_rows(
    moves: Sequence[Move], column: Column, is_one_hot: IsOneHot, leaf_of_row: NDArray[np.uint16], crew: Crew
) -> None:
    """Send rows on by moves of different leaves, none of which leads to another's leaf; leaf_of_row uint16 [n], IN and OUT."""
    of_feature: dict[int, list[Move]] = {}
    for move in moves:
        of_feature.setdefault(move.split.feature, []).append(move)

    def columns() -> Iterator[tuple[Any, list[Move]]]:
        return ((column(feature), some) for feature, some in of_feature.items())

    def send(piece: slice, of_column: tuple[Any, list[Move]]) -> None:
        bins, some = of_column
        one_hot = is_one_hot(some[0].split.feature)
        split_leaf = crew.kernels.split_equal_leaf if one_hot else crew.kernels.split_leaf
        for move in some:
            split_leaf(bins[piece], move.split.border, move.leaf, move.right, leaf_of_row[piece])

    crew.each_in_turn(send, columns(), crew.row_slices(leaf_of_row.shape[0]))


def find_leaves(tree: Tree, column: Column, is_one_hot: IsOneHot, leaf_of_row: NDArray[np.uint16], crew: Crew) -> None:
    """Write the leaf of each row in a tree; leaf_of_row uint16 [n], OUT."""
    crew.kernels.clear_leaves(leaf_of_row)
    if isinstance(tree, ObliviousTree):
        for level, split in enumerate(tree.splits):
            one_hot = is_one_hot(split.feature)
            move_rows(column(split.feature), split.border, level, leaf_of_row, crew, one_hot=one_hot)
        return
    for moves in levels_of(tree.nodes):
        send_rows(moves, column, is_one_hot, leaf_of_row, crew)
