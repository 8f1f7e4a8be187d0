"""The structure of one oblivious tree: level by level, the best split of all leaves at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.features import Block, TreeFeatures
from gbdist.boosting.histogram import ALL_REDUCE_BYTES, HistogramSource, LevelTable
from gbdist.boosting.monotone import LevelOrders
from gbdist.boosting.params import BoostParams
from gbdist.boosting.routes import move_rows
from gbdist.boosting.sampling import Cells
from gbdist.boosting.split import Candidate, Contenders, Scoring, agree, best_of_families, best_weighed
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit


@dataclass(frozen=True)
class Structure:
    """A tree whose leaves have no values yet, and the leaf of each of this rank's rows (uint16 [n]).

    ``chosen`` are all splits in the order in which they were chosen, one that was dropped again among them.
    """

    tree: Tree
    leaf_of_row: NDArray[np.uint16]
    chosen: tuple[TreeSplit, ...]


@dataclass(frozen=True)
class GrowthRules:
    """What the growth of one tree needs beside features and cells: tree number, scaled l2, σ of the score noise."""

    params: BoostParams
    tree: int
    l2: float
    sigma: float


def grow(
    features: TreeFeatures, n_rows: int, cells: Cells, rules: GrowthRules, collective: Collective, crew: Crew
) -> Structure:
    """Choose the splits of one tree.

    Ends early, as CatBoost does (greedy_tensor_search.cpp), when a split has become redundant: every pair of leaves that
    differ in it has an empty one. The redundant split is dropped.
    """
    leaf_of_row: NDArray[np.uint16] = crew.scratch.array("leaf of row", (n_rows,), np.uint16)
    crew.kernels.clear_leaves(leaf_of_row)
    splits: list[TreeSplit] = []
    chosen: list[TreeSplit] = []
    counted_right = np.zeros(0, np.uint8)
    tables = _Tables(features, cells, rules, collective, crew)
    for level in range(rules.params.depth):
        with crew.stage("level", level):
            best = tables.best(leaf_of_row, splits, counted_right)
            if best is None:
                break
            split = features.choose(best.feature, best.border)
            splits.append(split)
            chosen.append(split)
            column, one_hot = features.column(best.feature), features.is_one_hot(split.feature)
            with crew.stage("rows"):
                move_rows(column, split.border, level, leaf_of_row, crew, one_hot=one_hot)
        redundant = redundant_split(np.concatenate([best.left_empty, best.right_empty]))
        if redundant is not None:
            del splits[redundant]
            crew.kernels.drop_level(leaf_of_row, redundant)
            break
        counted_right = best.counted_right
    return Structure(ObliviousTree(tuple(splits)), leaf_of_row, tuple(chosen))


class _Tables:
    """Makes and scores the tables of one tree, level by level."""

    def __init__(
        self, features: TreeFeatures, cells: Cells, rules: GrowthRules, collective: Collective, crew: Crew
    ) -> None:
        self._features, self._cells, self._rules = features, cells, rules
        self._collective, self._crew = collective, crew
        self._picker = crew.picker(cells, crew)
        self._sources: dict[Block, HistogramSource] = {}
        self._score_before = 0.0
        features.begin_tree(rules.tree)

    def best(
        self, leaf_of_row: NDArray[np.uint16], splits: Sequence[TreeSplit], counted_right: NDArray[np.uint8]
    ) -> Candidate | None:
        """The best split of all ranks to follow some; None where no feature competes."""
        level = len(splits)
        scoring = _scoring(self._rules, self._cells, splits)
        contenders: list[Contenders] = []
        complete = True
        for block, table in self._tables(leaf_of_row, level, counted_right):
            with self._crew.stage("scores"):
                found = best_of_families(table, block, scoring)
            contenders += [] if found is None else [found]
            complete &= table.complete
        # Weights are known once the level's last block is.
        with self._crew.stage("scores"):
            mine = best_weighed(
                contenders, lambda features, scores: self._features.weighed(features, scores, self._score_before)
            )
        best = agree(mine, complete, self._collective)
        self._score_before = 0.0 if best is None else best.score
        return best

    def _tables(
        self, leaf_of_row: NDArray[np.uint16], level: int, counted_right: NDArray[np.uint8]
    ) -> Iterator[tuple[Block, LevelTable]]:
        """All tables of a level; small ones are added up together, as far as their blocks are valid that long."""
        known, self._sources, params = self._sources, {}, self._rules.params
        waiting: list[tuple[Block, HistogramSource, NDArray[np.int64]]] = []
        for block in self._features.of_level():
            source = known.get(block) or HistogramSource(
                block, self._picker, self._collective, params.overlap, params.table_budget
            )
            if block.stays:
                self._sources[block] = source
            small = source.small_table(leaf_of_row, level, counted_right)
            if small is None:
                yield from ((block, table) for table in source.tables(leaf_of_row, level, counted_right))
                continue
            if waiting and small.nbytes + sum(other.nbytes for _, _, other in waiting) > ALL_REDUCE_BYTES:
                yield from self._added_up(waiting, level, counted_right)
                waiting = []
            waiting.append((block, source, small))
            if not block.stays:
                yield from self._added_up(waiting, level, counted_right)
                waiting = []
        yield from self._added_up(waiting, level, counted_right)

    def _added_up(
        self,
        waiting: Sequence[tuple[Block, HistogramSource, NDArray[np.int64]]],
        level: int,
        counted_right: NDArray[np.uint8],
    ) -> Iterator[tuple[Block, LevelTable]]:
        """Sum small tables over the ranks in one round."""
        if not waiting:
            return
        halves = not self._cells.scales.wide
        summed = self._collective.all_reduce(np.concatenate([small.ravel() for _, _, small in waiting]), halves=halves)
        edges = np.cumsum([small.size for _, _, small in waiting])[:-1]
        for (block, source, small), cells in zip(waiting, np.split(summed, edges), strict=True):
            yield block, source.summed_table(cells.reshape(small.shape), level, counted_right)


def redundant_split(empty: NDArray[np.bool_]) -> int | None:
    """Return the first split that separates nothing: for every pair of leaves differing in it, one is empty.

    ``empty`` is bool [2**levels], by leaf number.
    """
    for level in range(empty.shape[0].bit_length() - 1):
        pairs = empty.reshape(-1, 2, 1 << level)
        if bool((pairs[:, 0] | pairs[:, 1]).all()):
            return level
    return None


def _scoring(rules: GrowthRules, cells: Cells, splits: Sequence[TreeSplit]) -> Scoring:
    params, level = rules.params, len(splits)
    constraints, used = params.monotone_constraints, [split.feature for split in splits]
    return Scoring(
        cosine=params.score_function == "Cosine",
        l2=rules.l2,
        sigma=rules.sigma,
        wide=cells.scales.wide,
        units=cells.scales.units,
        keys=(
            key_of(params.random_seed, Purpose.BORDER_NOISE, rules.tree, level),
            key_of(params.random_seed, Purpose.FEATURE_NOISE, rules.tree, level),
        ),
        rsm=params.rsm,
        rsm_key=key_of(params.random_seed, Purpose.FEATURE_SAMPLE, rules.tree, level),
        monotone=LevelOrders.after(constraints, used) if any(constraints) else None,
    )
