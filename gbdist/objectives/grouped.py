"""What a loss of ranking is to the trainer: a row's derivative depends on all rows of its group."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gbdist.description import name_of
from gbdist.kernels import cpu
from gbdist.objectives.base import LARGEST_PREDICTION, Bounds, Exponent, no_start_value


@dataclass(frozen=True, slots=True, eq=False)
class GroupRows:
    """Rows of some groups, IN, where kernels read them; see ``reference_grouped`` for the shapes.

    ``ranked_by`` are the predictions that pairs are drawn by: where a walk to leaf values starts, wherever it has got to.
    ``first_rows`` are the numbers of the groups' first rows in the whole data set, uint64 [n_groups]. ``draw_keys`` is uint64
    [draws], one key a draw of a random loss, else without elements. ``pairs`` are those that were given, their starts among
    them. ``scratch`` is float64 [n] twice and int32 [n], of no meaning.
    """

    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    starts: NDArray[np.int64]
    ranked_by: NDArray[np.float64]
    prediction: NDArray[np.float64]
    first_rows: NDArray[np.uint64]
    draw_keys: NDArray[np.uint64]
    pairs: tuple[Any, Any, Any] | None
    pair_starts: NDArray[np.int64] | None
    scratch: tuple[Any, Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class GroupParts:
    """What a loss writes for rows and groups; see ``reference_grouped``. ``loss`` stays as it is where a loss has none."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]
    count: NDArray[np.float32]
    loss: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GroupBounds:
    """Facts of all groups that bound derivatives: rows of the largest one; Σ weights of a row's given pairs, at most."""

    largest: int = 1
    pair_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Grouped(ABC):
    """A loss of ranking: of one raw value a row, with a diagonal second derivative; what it shares with ``Objective`` means
    the same.

    ``description`` is CatBoost's, options included. What ``bounds`` says of rows of weight 1 holds for the groups that ``groups``
    describes; of derivatives that do not know the rows' weights it holds for weights of at most 1.

    ``counts_pairs`` says whether a row counts as the weights of its pairs where splits are scored, and leaf values are centred,
    as CatBoost's; ``takes_pairs`` whether pairs may be given.
    """

    description: str
    groups: GroupBounds = field(default=GroupBounds(), kw_only=True)
    dimension: ClassVar[int] = 1
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None
    counts_pairs: ClassVar[bool] = False
    takes_pairs: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """CatBoost's name of the loss."""
        return name_of(self.description)

    @property
    def n_draws(self) -> int:
        """How many draws there are of random predictions; 0 of a loss that is not random."""
        return 0

    @property
    def lowest_label(self) -> float:
        """Labels may not be below."""
        return -math.inf

    @property
    def largest_label(self) -> float:
        """Labels may not be above."""
        return math.inf

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: CatBoost has no ``boost_from_average`` for losses of ranking."""
        raise no_start_value(self.name)

    def among(self, groups: GroupBounds) -> Self:
        """The same loss, told of all groups."""
        return replace(self, groups=groups)

    @abstractmethod
    def bounds(self, label_bound: float, prediction_bound: float, top: float = math.inf) -> Bounds:
        """See ``Objective.bounds``."""

    @abstractmethod
    def write(self, rows: GroupRows, parts: GroupParts, *, with_loss: bool, kernels: ModuleType = cpu) -> None:
        """Write derivatives of all rows, weights included."""
