"""Columns and tables that a model no longer asks for: all tests of them are taken out of its trees."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.levels import without_level
from gbdist.compression.passes.monotone import kept_monotone
from gbdist.compression.passes.nested import Branch, Leaf, Nested, each_branch, each_leaf, flat, mean_of, nested
from gbdist.compression.passes.simple import without_constants
from gbdist.compression.passes.sizes import is_number
from gbdist.compression.passes.worth import columns_of_features, worth_of_columns
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit


@dataclass(frozen=True)
class DropFeatures(Pass):
    """Take all tests of some columns out of the trees, so that the model no longer asks for them.

    Leaves that a level of an oblivious tree told apart get their mean by weight. Inside of another tree all rows go on where more
    of them went, and values there are shifted so that their mean is that of both sides. A statistic or a combination
    goes with any of its columns. Columns stay among the model's features, under their names, but may have any values.

    Parameters
    ----------
    columns : sequence of str, or None
        Names of the columns to be dropped.
    keep : int or None
        How many columns are kept: those whose tests are worth most, Σ w (v - mean)² over the leaves that they tell apart.

    One of the two is given. ``ParameterError`` for other values; ``ModelError`` for a column that the model has not, or where no
    column is dropped that any tree tests.
    """

    columns: Sequence[str] | None = None
    keep: int | None = None

    name: ClassVar[str] = "drop_features"
    needs_rows: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if (self.columns is None) == (self.keep is None):
            raise ParameterError(
                "columns", self.columns, f"columns or keep, and not both (keep={self.keep!r})", "Give one of them."
            )
        if isinstance(self.columns, str):
            raise ParameterError("columns", self.columns, "a list of names", f"Use columns=[{self.columns!r}].")
        if self.keep is not None and not (is_number(self.keep, int) and self.keep >= 1):
            raise ParameterError("keep", self.keep, "a whole number from 1 on", "Use the number of columns to be kept.")

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """The ensemble without tests of the columns; ``data`` is not asked for."""
        del data
        worth = worth_of_columns(ensemble)
        dropped = self._named(ensemble) if self.columns is not None else self._of_least_worth(worth)
        if not dropped & worth.keys():
            raise ModelError(
                f"no tree tests a column that would be dropped: {len(worth)} columns are tested",
                "Drop another column, keep fewer, or leave the pass out.",
            )
        gone = {number for number, columns in enumerate(columns_of_features(ensemble)) if columns & dropped}
        return without_splits(ensemble, lambda split: split.feature in gone)

    def _named(self, ensemble: Ensemble) -> set[int]:
        places = {name: place for place, name in enumerate(ensemble.feature_names)}
        for name in self.columns or ():
            if name not in places:
                raise ModelError(
                    f"the model has no column {name!r} to be dropped",
                    f"Its columns are {list(ensemble.feature_names)}.",
                )
        return {places[name] for name in self.columns or ()}

    def _of_least_worth(self, worth: dict[int, float]) -> set[int]:
        by_worth = sorted(worth, key=lambda column: (-worth[column], column))
        return set(by_worth[self.keep :])


def without_splits(ensemble: Ensemble, is_gone: Callable[[TreeSplit], bool]) -> Ensemble:
    """The ensemble without some of its tests; trees that end as one leaf go into the bias."""
    trees = tuple(_without(tree, is_gone) for tree in ensemble.trees)
    return without_constants(kept_monotone(replace(ensemble, trees=trees)))


def _without(tree: Tree, is_gone: Callable[[TreeSplit], bool]) -> Tree:
    if not any(map(is_gone, tree.splits)):
        return tree
    if isinstance(tree, ObliviousTree):
        for level in reversed(range(tree.depth)):
            if is_gone(tree.splits[level]):
                tree = without_level(tree, level)
        return tree
    return flat(each_branch(nested(tree), lambda branch: _heavier(branch) if is_gone(branch.split) else branch))


def _heavier(branch: Branch) -> Nested:
    """The side that more rows went to, with the weights of both, and shifted to the mean of both."""
    left, right = mean_of(branch.left), mean_of(branch.right)
    side, mean = (branch.left, left) if left.weight >= right.weight else (branch.right, right)
    shift = mean_of(branch).value - mean.value
    factor = (left.weight + right.weight) / mean.weight if mean.weight > 0.0 else 1.0
    return each_leaf(side, lambda leaf: Leaf(leaf.value + shift, leaf.weight * factor))
