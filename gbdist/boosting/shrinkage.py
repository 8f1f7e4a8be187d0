"""A model that is shrunk before each tree but the first, so that old trees count for less: CatBoost's model_shrink_rate.

While trees are grown only predictions are shrunk; the trees get their factors at the end (CatBoost's TrainOneIteration in
train.cpp, and train_model.cpp).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.models.tree import Tree

#: CatBoost's model_shrink_mode: by a constant, or by one over the number of trees so far
MODES = ("Constant", "Decreasing")


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """By how much. ``rate`` is above 0; with "Constant" rate × learning_rate is below 1, with "Decreasing" the rate is."""

    rate: float
    mode: str = "Constant"

    def factor(self, tree: int, learning_rate: float) -> float:
        """What the model is multiplied by before tree number ``tree`` is grown: a number above 0, at most 1."""
        if tree == 0:
            return 1.0
        return 1.0 - (self.rate * learning_rate if self.mode == "Constant" else self.rate / tree)

    def shrunk(
        self, bias: NDArray[np.float64], trees: Sequence[Tree], learning_rate: float
    ) -> tuple[NDArray[np.float64], list[Tree]]:
        """Bias, float64 [dimension], and trees of the finished model: each times all factors that came after it."""
        behind, turned = 1.0, []
        for number in reversed(range(len(trees))):
            turned.append(replace(trees[number], leaf_values=trees[number].leaf_values * behind))
            behind *= self.factor(number, learning_rate)
        return bias * behind, turned[::-1]
