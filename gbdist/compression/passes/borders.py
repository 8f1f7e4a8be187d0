"""Fewer borders: the tests of a feature are moved to those of its borders that can stand for the others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.columns import n_borders_of
from gbdist.compression.passes.levels import from_levels, in_levels
from gbdist.compression.passes.medians import nearest_of_few
from gbdist.compression.passes.monotone import kept_monotone
from gbdist.compression.passes.nested import Branch, each_branch, flat, mean_by_weight, mean_of, nested
from gbdist.compression.passes.simple import Known, nothing_known, simple, without_constants
from gbdist.compression.passes.sizes import is_number
from gbdist.compression.passes.worth import counted_weights, moves_of_splits
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit

#: The share of the rows that are not above each border that is tested, by feature and border.
Positions = Mapping[int, Mapping[int, float]]


@dataclass(frozen=True)
class FewerBorders(Pass):
    """Leave at most so many borders of each feature, and move the other tests to the nearest of them.

    A test that is moved sends the rows between the two borders to the other side. Which borders stay is the exact minimum of the
    sum over all tests of

        (share of the rows between the two borders) · Σ (w₀ + w₁) (v₁ - v₀)²,

    the sum over the pairs of leaves, of values v and weights w, that the test tells apart. The shares come from leaf weights: all
    rows pass each level of an oblivious tree. In non-symmetric trees only the root tells; between borders whose share is known
    it is taken to grow evenly. Borders of numbers and of statistics are moved; one-hot tests have none.

    Tests of one tree that fall together become one. Rows between them are then taken to be, as their border is, on one side or
    on both: leaves get their mean by weight.

    Parameters
    ----------
    per_feature : int
        Borders that a feature may have, at least 1.

    ``ParameterError`` for another number, ``ModelError`` where no feature has more borders that are tested.
    """

    per_feature: int

    name: ClassVar[str] = "borders"
    needs_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (is_number(self.per_feature, int) and self.per_feature >= 1):
            raise ParameterError("per_feature", self.per_feature, "a whole number from 1 on", "Use 16 or 32, say.")

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble with fewer borders in use; ``data`` is not asked for."""
        del data
        known = nothing_known(ensemble)  # no test is made twice from here on
        ensemble = replace(ensemble, trees=tuple(simple(tree, known) for tree in ensemble.trees))
        of_feature: defaultdict[int, dict[int, float]] = defaultdict(dict)
        for split, cost in moves_of_splits(ensemble).items():
            if not isinstance(ensemble.features[split.feature], OneHotFeature):
                of_feature[split.feature][split.border] = cost
        most = max((len(costs) for costs in of_feature.values()), default=0)
        if most <= self.per_feature:
            raise ModelError(
                f"per_feature={self.per_feature}: no feature has more than {most} borders that are tested",
                "Use fewer, or leave the pass out.",
            )
        positions = positions_of_borders(ensemble, of_feature)
        moved = {
            TreeSplit(feature, border): TreeSplit(feature, stays)
            for feature, costs in of_feature.items()
            for border, stays in _stand_ins(costs, positions[feature], self.per_feature).items()
        }
        trees = tuple(_moved(tree, moved, positions, known) for tree in ensemble.trees)
        return without_constants(kept_monotone(replace(ensemble, trees=trees)))


def positions_of_borders(ensemble: Ensemble, tested: Mapping[int, Iterable[int]]) -> Positions:
    """The share of the rows that are not above each border that is tested, ascending with the border; see ``FewerBorders``."""
    found: defaultdict[TreeSplit, list[float]] = defaultdict(list)
    for tree in ensemble.trees:
        if isinstance(tree, ObliviousTree):
            weights = counted_weights(tree)
            for level, split in enumerate(tree.splits):
                share = in_levels(tree, weights).take(0, level).sum() / weights.sum()
                found[split].append(float(share))
        elif isinstance(root := nested(tree), Branch) and (total := mean_of(root).weight):
            found[root.split].append(mean_of(root.left).weight / total)
    return {feature: _between(feature, sorted(borders), found, ensemble) for feature, borders in tested.items()}


def _between(
    feature: int, borders: Sequence[int], found: Mapping[TreeSplit, Sequence[float]], ensemble: Ensemble
) -> dict[int, float]:
    """The shares of some borders of a feature: the mean of what was found, and in between by the borders' numbers."""
    known = [border for border in borders if TreeSplit(feature, border) in found]
    shares = [float(np.mean(found[TreeSplit(feature, border)])) for border in known]
    positions = np.interp(borders, [-1, *known, n_borders_of(ensemble.features[feature])], [0.0, *shares, 1.0])
    # Trees of models that were trained on different rows need not agree.
    return dict(zip(borders, np.maximum.accumulate(positions).tolist(), strict=True))


def _stand_ins(costs: Mapping[int, float], positions: Mapping[int, float], n_kept: int) -> dict[int, int]:
    """Which border stands for each one."""
    borders = sorted(costs)
    if len(borders) <= n_kept:
        return dict(zip(borders, borders, strict=True))
    found = nearest_of_few(
        np.array([positions[border] for border in borders]), np.array([costs[border] for border in borders]), n_kept
    )
    return {border: borders[stays] for border, stays in zip(borders, found.tolist(), strict=True)}


def _moved(tree: Tree, moved: Mapping[TreeSplit, TreeSplit], positions: Positions, known: Known) -> Tree:
    if not isinstance(tree, ObliviousTree):
        return simple(
            flat(each_branch(nested(tree), lambda each: replace(each, split=moved.get(each.split, each.split)))), known
        )
    values, weights = in_levels(tree, tree.leaf_values), in_levels(tree, tree.leaf_weights)
    splits: list[TreeSplit] = []
    old: list[int] = []  # where the leaves of each level were told apart
    for split in tree.splits:
        level, new = len(splits), moved.get(split, split)
        if new not in splits:
            splits.append(new)
            old.append(split.border)
            continue
        first = splits.index(new)
        pair = (first, level) if old[first] < split.border else (level, first)
        of_feature = positions[split.feature]
        low, high = sorted((of_feature[old[first]], of_feature[split.border]))
        share = min(max((of_feature[new.border] - low) / (high - low), 0.0), 1.0) if high > low else 0.5
        values, weights = _one_level(values, weights, pair, share, first)
        old[first] = new.border
    return from_levels(splits, values, weights)


def _one_level(
    values: NDArray[np.float64], weights: NDArray[np.float64], pair: tuple[int, int], share: float, place: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two levels as one at ``place``; ``share`` of the rows between the lower and the upper one are below the new test.

    ``pair`` are the lower and the upper level. Where the lower test is false and the upper one true there are no rows.
    """
    values, weights = np.moveaxis(values, pair, (0, 1)), np.moveaxis(weights, pair, (0, 1))
    between = values[1, 0]
    below = _joined(values[0, 0], weights[0, 0], between, share * weights[1, 0], share)
    above = _joined(values[1, 1], weights[1, 1], between, (1.0 - share) * weights[1, 0], 1.0 - share)
    return np.stack([below[0], above[0]], axis=place), np.stack([below[1], above[1]], axis=place)


def _joined(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    more: NDArray[np.float64],
    more_weights: NDArray[np.float64],
    share: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if share == 0.0:  # also where no leaf has any weight
        return values, weights
    return mean_by_weight(np.stack([values, more]), np.stack([weights, more_weights])), weights + more_weights
