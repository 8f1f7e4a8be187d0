"""The structure of one non-symmetric tree: leaves are split one by one, a level at a time or the best one first (decision 0021).

Both ways are CatBoost's (greedy_tensor_search.cpp, GreedyTensorSearchDepthwise and GreedyTensorSearchLossguide), with its gains,
its order, and what it knows of used columns when it weighs a split.
"""

import heapq
from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.features import TreeFeatures
from gbdist.boosting.grow import GrowthRules, Structure
from gbdist.boosting.leaf_split import (
    NO_SPLIT,
    Contenders,
    LeafKeys,
    LeafScoring,
    best_split,
    contenders_of,
    of_all_ranks,
)
from gbdist.boosting.leaf_tables import LeafTables, Siblings
from gbdist.boosting.routes import send_rows
from gbdist.boosting.sampling import Cells
from gbdist.models.tree import Move, Node, NonSymmetricTree, TreeSplit

_ALL = np.empty(0, np.uint8)


class _Leaf:
    """A leaf, or a node that once was one.

    ``number`` is what its rows have; its left child has the same. ``node`` tells its draws from those of other leaves: 1 for the
    root, 2·node and 2·node + 1 for children. ``split`` is the best one, once it is weighed; ``test`` is there once the tree has
    it, ``children`` once they have the rows.
    """

    __slots__ = ("children", "contenders", "depth", "node", "number", "split", "test")

    def __init__(self, number: int, depth: int, node: int) -> None:
        self.number, self.depth, self.node = number, depth, node
        self.contenders: Contenders | None = None
        self.split = NO_SPLIT
        self.test: TreeSplit | None = None
        self.children: tuple[_Leaf, ...] = ()


def grow_leaves(
    features: TreeFeatures, n_rows: int, cells: Cells, rules: GrowthRules, collective: Collective, crew: Crew
) -> Structure:
    """Choose the splits of one tree."""
    growth = _Growth(features, n_rows, cells, rules, collective, crew)
    if rules.params.grow_policy == "Depthwise":
        _by_level(growth)
    else:
        _by_gain(growth, rules.params.max_leaves)
    return growth.finished()


def _by_level(growth: "_Growth") -> None:
    """Split every leaf of a level that gains by it, then those of the next level."""
    level: list[tuple[_Leaf, ...]] = [(growth.root,)]
    while level:
        split = [leaf for siblings in level for leaf in growth.split_siblings(siblings)]
        growth.look_ahead(split)
        level = [leaf.children for leaf in split if leaf.children]


def _by_gain(growth: "_Growth", max_leaves: int) -> None:
    """Split the leaf that gains most, until there are enough leaves or none gains.

    Children are looked at together with those of all leaves that may yet be split: fewer rounds, for some that are not needed.
    """
    order, n_leaves = count(), 1
    queue: list[tuple[float, int, _Leaf]] = []

    def push(leaf: _Leaf) -> None:
        if growth.weigh(leaf):
            heapq.heappush(queue, (-leaf.split.gain, next(order), leaf))

    push(growth.root)
    while queue and n_leaves < max_leaves:
        if growth.may_look_ahead(queue[0][2]):
            # The last split has no use for its children.
            growth.look_ahead([leaf for _, _, leaf in sorted(queue)[: max_leaves - n_leaves - 1]])
        leaf = heapq.heappop(queue)[2]
        growth.accept(leaf)
        n_leaves += 1
        for child in leaf.children:
            push(child)


class _Growth:
    """A tree that grows: its leaves, whose rows they are, and the tables of those that may be split."""

    def __init__(
        self,
        features: TreeFeatures,
        n_rows: int,
        cells: Cells,
        rules: GrowthRules,
        collective: Collective,
        crew: Crew,
    ) -> None:
        self._features, self._cells, self._rules = features, cells, rules
        self._collective, self._crew = collective, crew
        self._leaf_of_row: NDArray[np.uint16] = crew.scratch.array("leaf of row", (n_rows,), np.uint16)
        crew.kernels.clear_leaves(self._leaf_of_row)
        params = rules.params
        self._scoring = LeafScoring(
            cosine=params.score_function == "Cosine",
            l2=rules.l2,
            sigma=rules.sigma,
            wide=cells.scales.wide,
            units=cells.scales.units,
            rsm=params.rsm,
        )
        features.begin_tree(rules.tree)
        by_level = params.grow_policy == "Depthwise"
        most_leaves = max(2, 1 << (params.depth - 1))  # none of the last level has a table
        if not by_level:
            most_leaves = min(most_leaves, 2 * params.max_leaves)
        blocks = list(features.of_level())
        picker, budget = crew.picker(cells, crew), params.table_budget
        self._tables = LeafTables(blocks, picker, collective, params.overlap, most_leaves, budget)
        # Where CatBoost takes the sums of one sibling from the parent's, it weighs both before either split is noted.
        self._weighs_pairs = by_level and cells.values.shape[0] == 1 and params.rsm == 1.0
        self._n_numbers = 1
        self._accepted: list[_Leaf] = []
        self.root, self._looks = _Leaf(0, 0, 1), 1
        with crew.stage("level", 0):
            self._look_at([Siblings(0, None, False, (0,))] if self._are_enough([self.root])[0] else [], [self.root])

    # ---- splits

    def weigh(self, leaf: _Leaf) -> bool:
        """Choose the best split of a leaf by what is known now; whether there is one that gains."""
        if leaf.contenders is not None:
            leaf.split = best_split(leaf.contenders, self._features.weighed)
        if leaf.split is NO_SPLIT:
            self._tables.let_go(leaf.number)
        return leaf.split is not NO_SPLIT

    def accept(self, leaf: _Leaf) -> None:
        """Take the split of a leaf into the tree."""
        leaf.test = self._features.choose(leaf.split.feature, leaf.split.border)
        self._accepted.append(leaf)

    def split_siblings(self, siblings: Sequence[_Leaf]) -> list[_Leaf]:
        """Weigh and accept the splits of two siblings, or of the root; return those that have one."""
        together = self._weighs_pairs and len(siblings) == 2 and all(leaf.contenders is not None for leaf in siblings)
        split = []
        for leaf in [leaf for leaf in siblings if self.weigh(leaf)] if together else siblings:
            if together or self.weigh(leaf):
                self.accept(leaf)
                split.append(leaf)
        return split

    # ---- children

    def may_look_ahead(self, leaf: _Leaf) -> bool:
        """Whether the children of a leaf may be split, and have not been looked at."""
        return not leaf.children and leaf.depth + 1 < self._rules.params.depth

    def look_ahead(self, leaves: Sequence[_Leaf]) -> None:
        """Send the rows of leaves with a split to their children, and look how these may be split, where they may."""
        with self._crew.stage("level", self._looks):
            self._look_ahead([leaf for leaf in leaves if self.may_look_ahead(leaf)])
        self._looks += 1

    def _look_ahead(self, leaves: Sequence[_Leaf]) -> None:
        self._send(leaves)
        children = [child for leaf in leaves for child in leaf.children]
        enough = self._are_enough(children)
        siblings = []
        for leaf, *are_enough in zip(leaves, enough[0::2], enough[1::2], strict=True):
            left, right = leaf.split.left, leaf.split.right
            may_split = zip(leaf.children, (left > 0, right > 0), are_enough, strict=True)
            wanted = tuple(child.number for child, has_weight, is_enough in may_split if has_weight and is_enough)
            if wanted:
                siblings.append(Siblings(leaf.number, leaf.children[1].number, right < left, wanted))
            else:
                self._tables.let_go(leaf.number)
        self._look_at(siblings, children)

    def _send(self, leaves: Sequence[_Leaf]) -> None:
        """Make the children of leaves with a split, and send their rows there."""
        moves = []
        for leaf in leaves:
            right, self._n_numbers = self._n_numbers, self._n_numbers + 1
            leaf.children = (
                _Leaf(leaf.number, leaf.depth + 1, 2 * leaf.node),
                _Leaf(right, leaf.depth + 1, 2 * leaf.node + 1),
            )
            moves.append(Move(leaf.number, TreeSplit(leaf.split.feature, leaf.split.border), right))
        if moves:
            with self._crew.stage("rows"):
                send_rows(moves, self._features.column, self._features.is_one_hot, self._leaf_of_row, self._crew)

    def _are_enough(self, leaves: Sequence[_Leaf]) -> list[bool]:
        """Whether leaves have as many drawn rows as a leaf must have to be split; a round where more than one is asked for."""
        least = self._rules.params.min_data_in_leaf
        if least <= 1 or not leaves:
            return [True] * len(leaves)
        drawn = self._cells.drawn

        def add(piece: slice) -> NDArray[np.int64]:
            counts = np.zeros(self._n_numbers, np.int64)
            some = _ALL if drawn is None else drawn[piece]
            self._crew.kernels.count_leaves(self._leaf_of_row[piece], some, counts)
            return counts

        parts = self._crew.each(add, self._crew.row_slices(self._leaf_of_row.shape[0]))
        counts = np.stack(parts).sum(axis=0)
        own = counts[[leaf.number for leaf in leaves]]
        return [n_rows >= least for n_rows in self._collective.all_reduce(own).tolist()]

    def _look_at(self, siblings: Sequence[Siblings], leaves: Sequence[_Leaf]) -> None:
        """Find the splits of the wanted leaves among some."""
        by_number = {leaf.number: leaf for leaf in leaves}
        found: list[Contenders] = []
        complete = True
        for table in self._tables.tables(self._leaf_of_row, self._n_numbers, siblings):
            with self._crew.stage("scores"):
                keys = [self._keys(by_number[number]) for number in table.leaves.tolist()]
                found.append(contenders_of(table, self._scoring, keys))
            complete &= table.complete
        if siblings:
            for number, contenders in of_all_ranks(found, complete, self._collective).items():
                by_number[number].contenders = contenders

    def _keys(self, leaf: _Leaf) -> LeafKeys:
        """Keys of a leaf's draws; one that nothing is drawn by stays 0."""
        params, tree = self._rules.params, self._rules.tree
        border = feature = sample = np.uint64(0)
        if self._rules.sigma > 0.0:
            border = key_of(params.random_seed, Purpose.BORDER_NOISE, tree, leaf.node)
            feature = key_of(params.random_seed, Purpose.FEATURE_NOISE, tree, leaf.node)
        if params.rsm < 1.0:
            # The leaves of a level are split by the same features, as in CatBoost.
            drawn_for = leaf.depth if params.grow_policy == "Depthwise" else leaf.node
            sample = key_of(params.random_seed, Purpose.FEATURE_SAMPLE, tree, drawn_for)
        return LeafKeys(border, feature, sample)

    # ---- the tree

    def finished(self) -> Structure:
        """The tree, and its rows under the numbers that its leaves have from left to right."""
        self._send([leaf for leaf in self._accepted if not leaf.children])
        nodes: list[tuple[TreeSplit, list[int]]] = []
        numbers, n_leaves = np.zeros(self._n_numbers, np.uint16), 0
        waiting: list[tuple[_Leaf, list[int]]] = [(self.root, [])]
        while waiting:
            leaf, of_parent = waiting.pop()
            if leaf.test is None:
                # Children that were looked at in vain belong to it.
                numbers[[leaf.number, *(child.number for child in leaf.children)]] = n_leaves
                of_parent.append(~n_leaves)
                n_leaves += 1
                continue
            of_parent.append(len(nodes))
            nodes.append((leaf.test, []))
            waiting += [(child, nodes[-1][1]) for child in reversed(leaf.children)]
        self._renumber(numbers)
        tree = NonSymmetricTree(tuple(Node(test, *children) for test, children in nodes))
        chosen = tuple(leaf.test for leaf in self._accepted if leaf.test is not None)
        return Structure(tree, self._leaf_of_row, chosen)

    def _renumber(self, numbers: NDArray[np.uint16]) -> None:
        if np.array_equal(numbers, np.arange(numbers.shape[0])):
            return
        crew = self._crew

        def renumber(piece: slice) -> None:
            crew.kernels.renumber_leaves(numbers, self._leaf_of_row[piece])

        crew.each(renumber, crew.row_slices(self._leaf_of_row.shape[0]))
