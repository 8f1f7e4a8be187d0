"""The structure of one oblivious tree: level by level, the best split of all leaves at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.histogram import HistogramSource
from gbdist.boosting.params import BoostParams
from gbdist.boosting.rows import Rows
from gbdist.boosting.sampling import Cells
from gbdist.boosting.split import Candidate, Scoring, agree, best_of_table
from gbdist.kernels.hashing import unit_draws
from gbdist.models.tree import TreeSplit


@dataclass(frozen=True)
class Structure:
    """Splits of a tree, and the leaf of each of this rank's rows (uint16 [n])."""

    splits: tuple[TreeSplit, ...]
    leaf_of_row: NDArray[np.uint16]


@dataclass(frozen=True)
class GrowthRules:
    """What the growth of one tree needs beside rows and cells: tree number, scaled l2, σ of the score noise."""

    params: BoostParams
    n_bins: NDArray[np.int64]
    tree: int
    l2: float
    sigma: float


def grow(rows: Rows, cells: Cells, rules: GrowthRules, collective: Collective, crew: Crew) -> Structure:
    """Choose the splits of one tree.

    Ends early, as CatBoost does (greedy_tensor_search.cpp), when a split has become redundant: every pair of leaves that
    differ in it has an empty one. The redundant split is dropped.
    """
    leaf_of_row: NDArray[np.uint16] = crew.scratch.array("leaf of row", (rows.n_rows,), np.uint16)
    crew.kernels.clear_leaves(leaf_of_row)
    splits: list[TreeSplit] = []
    counted_right = np.zeros(0, np.uint8)
    source = HistogramSource(rows, cells, rules.n_bins, collective, crew, rules.params.overlap)
    for level in range(rules.params.depth):
        scoring = _scoring(rules, cells, level)
        best: Candidate | None = None
        complete = True
        for table in source.tables(leaf_of_row, level, counted_right):
            candidate = best_of_table(table, rules.n_bins, scoring)
            complete &= table.complete
            if candidate is not None and candidate.beats(best):
                best = candidate
        best = agree(best, complete, collective)
        if best is None:
            break
        splits.append(TreeSplit(best.feature, best.border))
        _move_rows(rows, best, level, leaf_of_row, crew)
        redundant = redundant_split(np.concatenate([best.left_empty, best.right_empty]))
        if redundant is not None:
            del splits[redundant]
            crew.kernels.drop_level(leaf_of_row, redundant)
            break
        counted_right = best.counted_right
    return Structure(tuple(splits), leaf_of_row)


def redundant_split(empty: NDArray[np.bool_]) -> int | None:
    """Return the first split that separates nothing: for every pair of leaves differing in it, one is empty.

    ``empty`` is bool [2**levels], by leaf number.
    """
    levels = empty.shape[0].bit_length() - 1
    leaves = np.arange(empty.shape[0])
    for level in range(levels):
        low = leaves[(leaves >> level) & 1 == 0]
        if bool(np.all(empty[low] | empty[low | (1 << level)])):
            return level
    return None


def _move_rows(rows: Rows, split: Candidate, level: int, leaf_of_row: NDArray[np.uint16], crew: Crew) -> None:
    def move(piece: slice) -> None:
        crew.kernels.split_leaves(rows.bins[split.feature, piece], split.border, level, leaf_of_row[piece])

    crew.each(move, crew.row_slices(rows.n_rows))


def _scoring(rules: GrowthRules, cells: Cells, level: int) -> Scoring:
    params = rules.params
    features = np.arange(rules.n_bins.shape[0], dtype=np.uint64)
    competes = np.ones(features.shape[0], np.bool_)
    if params.rsm < 1.0:
        draws = unit_draws(key_of(params.random_seed, Purpose.FEATURE_SAMPLE, rules.tree, level), features)
        competes = draws <= params.rsm
    return Scoring(
        cosine=params.score_function == "Cosine",
        l2=rules.l2,
        sigma=rules.sigma,
        wide=cells.scales.wide,
        units=cells.scales.units,
        competes=competes,
        keys=(
            key_of(params.random_seed, Purpose.BORDER_NOISE, rules.tree, level),
            key_of(params.random_seed, Purpose.FEATURE_NOISE, rules.tree, level),
        ),
    )
