"""What a metric is: a value of the whole data set, whoever holds its rows."""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.rows import RowPairs, Segment
from gbdist.kernels import cpu


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows to score on one rank, and global facts that bound the fixed-point sums.

    Parameters
    ----------
    predictions : float64 [dimension, n_rows]
        Raw values.
    label : float32 [n_rows]
    weight : float32 [n_rows] or None
    total_weight : float
        Σ weight over all ranks (the number of rows where weights are None).
    label_bound, prediction_bound : float
        Upper bounds of |label| and |raw prediction| over all ranks.
    prediction_top : float
        Upper bound of the raw predictions over all ranks.
    total_rows : int
        Number of rows over all ranks, 0 where the caller does not know it: a metric with ``use_weights=false`` then
        spends a round on asking.
    group : uint64 [n_rows] or None
        Which rows are ranked together; rows of a group are neighbours, and on one rank.
    risk : RiskOrder or None
        The order of times, for Cox.
    pairs : RowPairs or None
        Given pairs of the rows; None: those that labels make.
    kernels : module
        Those for where the rows lie.
    fetch : callable or None
        Brings an array of the rows to the host.
    segments : tuple of Segment
        Which rows of the whole data set they are, for metrics that are the user's; empty: the first ones.
    """

    predictions: NDArray[np.float64]
    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    total_weight: float
    label_bound: float
    prediction_bound: float
    total_rows: int = 0
    prediction_top: float = math.inf
    group: NDArray[np.uint64] | None = None
    risk: RiskOrder | None = None
    pairs: RowPairs | None = None
    kernels: ModuleType = cpu
    fetch: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    segments: tuple[Segment, ...] = ()

    def on_host(self) -> "Scored":
        """The same rows in the host's memory, for metrics that have no kernels elsewhere."""
        if self.kernels is cpu or self.fetch is None:
            return self
        weight = None if self.weight is None else self.fetch(self.weight)
        predictions, label = self.fetch(self.predictions), self.fetch(self.label)
        return replace(self, predictions=predictions, label=label, weight=weight, kernels=cpu)


class Metric(Protocol):
    """One metric under CatBoost's name and definition.

    ``rounds`` yields int64 vectors of this rank's sums, is sent back the sums over all ranks, and returns the value.
    Additive metrics yield once; all metrics of an iteration share their rounds (``evaluate``), so most iterations cost one.
    """

    @property
    def name(self) -> str:
        """The name under which CatBoost reports the metric, options included."""
        ...

    @property
    def is_max_optimal(self) -> bool:
        """Whether larger is better."""
        ...

    @property
    def skip_train(self) -> bool:
        """CatBoost's hint: do not compute it on the learn set (the default of AUC)."""
        ...

    def rounds(self, scored: Scored) -> Generator[NDArray[np.int64], NDArray[np.int64], float]:
        """Compute the metric; see the class."""
        ...
