"""Metrics of all data sets after each tree, in the same round as the facts that the next tree needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.events import MetricTable
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows
from gbdist.kernels import cpu_rows
from gbdist.metrics import evaluate_many
from gbdist.metrics.base import Metric, Scored
from gbdist.models.tree import ObliviousTree


@dataclass
class DataSet:
    """Rows of one data set with their raw predictions, which move on with every tree.

    ``predictions`` is float64 [dimension, n], IN and OUT; ``bound`` is the largest |prediction| any rank may have.
    """

    name: str
    rows: Rows
    population: Population
    predictions: NDArray[np.float64]
    bound: float

    @classmethod
    def at_start(cls, name: str, rows: Rows, population: Population, bias: NDArray[np.float64]) -> "DataSet":
        """Start all rows at the bias, plus their baseline."""
        predictions = np.repeat(bias[:, None], rows.n_rows, axis=1)
        if rows.baseline is not None:
            predictions += rows.baseline
        bound = float(np.abs(bias).max(initial=0.0)) + population.baseline_bound
        return cls(name, rows, population, predictions, bound)

    def add_leaves(self, leaf_of_row: NDArray[np.uint16], values: NDArray[np.float64]) -> None:
        """Move predictions on by one tree: values float64 [n_leaves, dimension], learning rate included."""
        columns = np.ascontiguousarray(values.T)
        for k in range(columns.shape[0]):
            cpu_rows.add_leaf_values(leaf_of_row, columns[k], self.predictions[k])
        self.bound += float(np.abs(values).max(initial=0.0))

    def add_tree(self, tree: ObliviousTree) -> None:
        """Move predictions on by a tree that was grown on other rows."""
        leaf_of_row = np.zeros(self.rows.n_rows, np.uint16)
        for level, split in enumerate(tree.splits):
            cpu_rows.split_leaves(self.rows.bins[split.feature], split.border, level, leaf_of_row)
        self.add_leaves(leaf_of_row, tree.leaf_values)

    def scored(self) -> Scored:
        """What a metric sees."""
        return Scored(
            predictions=self.predictions,
            label=self.rows.label,
            weight=self.rows.weight,
            total_weight=self.population.total_weight,
            label_bound=self.population.label_bound,
            prediction_bound=self.bound,
        )


def set_names(n_evals: int) -> list[str]:
    """Names of the data sets, as CatBoost has them in ``evals_result_``."""
    if n_evals == 1:
        return ["learn", "validation"]
    return ["learn", *(f"validation_{i}" for i in range(n_evals))]


def score_all(
    sets: Sequence[DataSet], metrics: tuple[Metric, ...], extra: NDArray[np.int64], collective: Collective
) -> tuple[MetricTable, NDArray[np.int64]]:
    """Evaluate the metrics and add up ``extra`` over the ranks in the first of their rounds."""
    values, sums = evaluate_many([(metrics, data.scored()) for data in sets], extra, collective.all_reduce)
    return {data.name: table for data, table in zip(sets, values, strict=True)}, sums
