"""Features of a model that are made of categorical columns: one-hot tests, and target statistics with their tables."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, order=True)
class Projection:
    """A combination of columns whose values together make one category.

    Parameters
    ----------
    cats : tuple of int
        Numbers among the model's categorical columns, ascending, at least one.
    float_splits : tuple of (int, int)
        (feature, border) of splits ``value > border``, ascending.
    one_hot_splits : tuple of (int, int)
        (categorical column, hash as uint32) of splits ``value == hash``, ascending.
    """

    cats: tuple[int, ...]
    float_splits: tuple[tuple[int, int], ...] = ()
    one_hot_splits: tuple[tuple[int, int], ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.cats, self.float_splits, self.one_hot_splits)))

    def __hash__(self) -> int:  # asked for many times a tree
        return self._hash

    @property
    def complexity(self) -> int:
        """CatBoost's length of a projection (projection.h): its columns, and one more if it has splits."""
        return len(self.cats) + bool(self.float_splits or self.one_hot_splits)


@dataclass(frozen=True, slots=True, order=True)
class StatisticFeature:
    """A number made of a category's counts: (count + prior) / (total + 1), shifted and scaled to 0 … ``border_count``.

    Parameters
    ----------
    projection : Projection
    kind : "Borders", "Buckets" or "Counter"
        What is counted (CatBoost's online_ctr.h): rows of classes above ``target_border``; rows of that class; all rows, over
        the largest count of any category.
    target_border : int
        0 for "Counter".
    prior : float
        Numerator.
    border_count : int
        Borders are k + 0.999999 for k = 0 … border_count − 1 (CatBoost's split.cpp).
    """

    projection: Projection
    kind: str
    target_border: int
    prior: float
    border_count: int

    @property
    def shift(self) -> float:
        """Added before scaling, so that no value is below 0."""
        return -min(0.0, self.prior)

    @property
    def scale(self) -> float:
        """Multiplied after shifting."""
        return self.border_count / (max(1.0, self.prior) - min(0.0, self.prior))


@dataclass(frozen=True, slots=True)
class OneHotFeature:
    """A categorical column (number among the model's categorical ones) tested for its values: hashes, uint32, ascending."""

    cat: int
    values: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class StatisticTable:
    """Counts of a projection's categories over all training rows.

    Parameters
    ----------
    projection : Projection
    counter : bool
        Whether it is for "Counter", which counts rows, else classes.
    keys : uint64 [n_categories], ascending
        ``categories.keys.projection_keys`` of each.
    counts : int64 [n_categories, n_classes], or [n_categories, 1] for a counter
    """

    projection: Projection
    counter: bool
    keys: NDArray[np.uint64]
    counts: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CategoricalPart:
    """What a model has beside its binned columns.

    Features of trees are numbered on from the binned ones: first ``one_hot``, whose "border" is the number of the value that is
    tested for equality, then ``statistics``.

    Parameters
    ----------
    positions : tuple of int
        Places of the categorical columns among all columns, ascending.
    one_hot : tuple of OneHotFeature
    statistics : tuple of StatisticFeature
    tables : tuple of StatisticTable
        One for each projection and for counters or not, as ``statistics`` need them.
    """

    positions: tuple[int, ...] = ()
    one_hot: tuple[OneHotFeature, ...] = ()
    statistics: tuple[StatisticFeature, ...] = ()
    tables: tuple[StatisticTable, ...] = field(default=(), repr=False)
