"""What walks to the values of leaves start from, ask for and end with."""

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.int64]
Result = TypeVar("Result")
#: What stops for sums: it yields this rank's, and is sent those of all ranks.
Steps = Generator[Sums, Sums, Result]


@dataclass(frozen=True)
class LeafSums:
    """Global sums of the leaves at one point of the walk, in float64: loss over all, the others by leaf.

    What was not asked for is 0, the loss None.
    """

    loss: float | None
    weight: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


@dataclass(frozen=True)
class Leaves:
    """Leaf values before the learning rate, float64 [n_leaves, dimension], and weights, float64 [n_leaves]."""

    values: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class LeafRows:
    """Some of a rank's rows, as the objective reads them; predictions float64 [dimension, n], label as in ``Rows``."""

    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    predictions: NDArray[np.float64]
    leaf_of_row: NDArray[np.uint16]


@dataclass(frozen=True)
class WalkStart:
    """Predictions that a walk starts from, float64 [dimension, n], IN; leaves uint16 [n], IN.

    No |prediction| is above the bound, and no exponent above ``top``.
    """

    predictions: NDArray[np.float64]
    leaf_of_row: NDArray[np.uint16]
    prediction_bound: float
    top: float = math.inf
