"""The features that trees may use, in blocks: columns that are counted together, with what scoring must know of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.penalties import Costs, Penalties
from gbdist.boosting.progress import Step
from gbdist.boosting.rows import Rows
from gbdist.models.statistics import CategoricalPart, StatisticFeature
from gbdist.models.tree import Tree, TreeSplit


@dataclass(frozen=True, eq=False)
class Block:
    """Some features of a level.

    Parameters
    ----------
    name : str
        Blocks that are used at one time have different ones: their tables lie in memory of that name.
    numbers : int64 [n]
        By which the features are known, ascending within a family: for the draws of noise, and in ties the lowest wins. So they
        must not depend on how features are cut into blocks.
    rows : Rows
        A rank's training rows with the bins of these features, where the crew works.
    stays : bool
        Whether the block may come again at the next level.
    n_bins : int64 [n]
        Bins of each feature: its number of borders + 1, or of values if it is one-hot.
    equals : uint8 [n]
        1 where the feature is one-hot: a split is a value, rows with it go right.
    draws : uint64 [n]
        Number of the draw of ``rsm`` that decides whether the feature competes; features may share one.
    families : tuple of int
        Where families of features begin, and n. Scores are weighed by family, so each has a best split of its own.
    """

    name: str
    numbers: NDArray[np.int64]
    rows: Rows
    stays: bool
    n_bins: NDArray[np.int64]
    equals: NDArray[np.uint8]
    draws: NDArray[np.uint64]
    families: tuple[int, ...]

    @cached_property
    def family_of(self) -> NDArray[np.int64]:
        """Number of each feature's family, int64 [n]."""
        return np.repeat(np.arange(len(self.families) - 1), np.diff(self.families))

    @classmethod
    def of_columns(cls, rows: Rows, n_bins: NDArray[np.int64], n_one_hot: int = 0, *, apart: bool = False) -> "Block":
        """A run's binned columns, the last ``n_one_hot`` of which are categorical ones: one family, or one each if ``apart``."""
        count = n_bins.shape[0]
        equals = np.zeros(count, np.uint8)
        equals[count - n_one_hot :] = 1
        numbers = np.arange(count)
        families = tuple(range(count + 1)) if apart else (0, count)
        return cls("columns", numbers, rows, True, n_bins, equals, numbers.astype(np.uint64), families)


class TreeFeatures(Protocol):
    """Which features a tree may use while it grows. All ranks ask in the same order, and have the same features."""

    def begin_tree(self, tree: int) -> None:
        """Forget what belongs to the tree before."""
        ...

    def of_level(self) -> Iterator[Block]:
        """Blocks of the next level; those that do not stay are valid until the next one is asked for."""
        ...

    def weighed(
        self, features: NDArray[np.int64], scores: NDArray[np.float64], before: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of some features after penalties, and what they compete with, once all blocks of the level were asked for.

        A family's stay in their order. ``before`` is the score of the split before, 0 at first.
        """
        ...

    def choose(self, feature: int, border: int) -> TreeSplit:
        """The split as the model numbers it; called for each that the tree uses."""
        ...

    def column(self, feature: int) -> Any:
        """Bins of this rank's training rows, [n], where the crew works: of a feature of the latest level, by its number there.

        Valid until the next one is asked for.
        """
        ...

    def replay(self, step: Step) -> None:
        """Take the next tree, which was grown before, instead of ``begin_tree`` and all that is asked while one grows."""
        ...

    def replayed_column(self, feature: int) -> Any:
        """As ``column``, of a feature of the tree that is replayed, numbered as in the model."""
        ...

    @property
    def first_used(self) -> tuple[StatisticFeature, ...]:
        """Statistics that no tree before the one in hand has used, in the order of their numbers; until it ends."""
        ...

    def is_one_hot(self, feature: int) -> bool:
        """Whether a split of the feature, numbered as in the model, is a value."""
        ...

    @property
    def left_out(self) -> int:
        """How many features of all trees so far did not compete, because a level had too many."""
        ...

    @property
    def permutations(self) -> int:
        """How many permutations of the rows there are that features depend on; the last one is for leaf values."""
        ...

    def permutation_of(self, tree: int) -> int:
        """The permutation that the structure of a tree is chosen in."""
        ...

    def leaves(self, tree: Tree, leaf_of_row: NDArray[np.uint16], permutation: int) -> NDArray[np.uint16]:
        """Leaves of the training rows in a permutation, uint16 [n]; IN those in the permutation of the structure."""
        ...

    def applied_column(self, feature: int, number: int, rows: Rows) -> Any:
        """Bins [n] of the ``number``-th eval set, whose rows are given; the feature is one of the last tree's."""
        ...

    def end_tree(self) -> None:
        """Let go of what belongs to one tree."""
        ...

    def model_part(self, trees: Sequence[Tree]) -> CategoricalPart:
        """What a model of some of the trees has beside binned columns; all ranks ask."""
        ...


class BinnedFeatures:
    """Binned columns and nothing else."""

    left_out = 0
    first_used = ()

    def __init__(self, rows: Rows, n_bins: NDArray[np.int64], penalties: Penalties | None = None) -> None:
        self._costs = Costs(penalties)
        self._block = Block.of_columns(rows, n_bins, apart=self._costs.change)

    def begin_tree(self, tree: int) -> None:
        """Nothing belongs to a tree."""

    def of_level(self) -> Iterator[Block]:
        """The one block."""
        return iter([self._block])

    def weighed(
        self, features: NDArray[np.int64], scores: NDArray[np.float64], before: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See ``TreeFeatures``."""
        if not self._costs.change:
            return scores, scores
        columns = [[feature] for feature in features.tolist()]
        scores = scores - self._costs.first_uses(columns)
        return scores, self._costs.gains(scores, before, columns)

    def choose(self, feature: int, border: int) -> TreeSplit:
        """See ``TreeFeatures``."""
        self._costs.note([feature])
        return TreeSplit(feature, border)

    def replay(self, step: Step) -> None:
        """See ``TreeFeatures``."""
        self._costs.note([split.feature for split in step.chosen])

    def replayed_column(self, feature: int) -> Any:
        """See ``TreeFeatures``."""
        return self.column(feature)

    def column(self, feature: int) -> Any:
        """See ``TreeFeatures``."""
        return self._block.rows.bins[feature, :]

    def is_one_hot(self, feature: int) -> bool:
        """Never."""
        return False

    @property
    def permutations(self) -> int:
        """All are the same."""
        return 1

    def permutation_of(self, tree: int) -> int:
        """The only one."""
        return 0

    def leaves(self, tree: Tree, leaf_of_row: NDArray[np.uint16], permutation: int) -> NDArray[np.uint16]:
        """The same ones."""
        return leaf_of_row

    def applied_column(self, feature: int, number: int, rows: Rows) -> Any:
        """See ``TreeFeatures``."""
        return rows.bins[feature, :]

    def end_tree(self) -> None:
        """Nothing belongs to one tree."""

    def model_part(self, trees: Sequence[Tree]) -> CategoricalPart:
        """Nothing."""
        return CategoricalPart()
