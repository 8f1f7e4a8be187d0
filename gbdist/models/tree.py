"""One oblivious tree: the same test on a whole level, 2^depth leaves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TreeSplit:
    """The test of one level: bit is 1 for rows with ``bins[feature] > border``, i.e. value > borders[feature][border].

    Features made of categorical columns are numbered after the binned ones, see ``statistics.CategoricalPart``; a one-hot
    feature's bit is 1 for rows with ``bins[feature] == border``.
    """

    feature: int
    border: int


@dataclass(frozen=True, eq=False)
class ObliviousTree:
    """A grown tree.

    Parameters
    ----------
    splits : tuple of TreeSplit
        ``splits[0]`` is the least significant bit of the leaf number, as in CatBoost's JSON.
    leaf_values : float64 [2**depth, dimension]
        Learning rate included.
    leaf_weights : float64 [2**depth]
        Sum of the training rows' weights.
    """

    splits: tuple[TreeSplit, ...]
    leaf_values: NDArray[np.float64]
    leaf_weights: NDArray[np.float64]

    @property
    def depth(self) -> int:
        """Number of levels; 0 for a tree that is one leaf."""
        return len(self.splits)

    def __eq__(self, other: object) -> bool:
        """Whether both trees are the same, bit for bit."""
        if not isinstance(other, ObliviousTree):
            return NotImplemented
        return (
            self.splits == other.splits
            and self.leaf_values.tobytes() == other.leaf_values.tobytes()
            and self.leaf_weights.tobytes() == other.leaf_weights.tobytes()
        )

    __hash__ = None  # type: ignore[assignment]
