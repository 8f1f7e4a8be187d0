"""Metrics of all data sets after each tree, in the same round as the facts that the next tree needs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.features import TreeFeatures
from gbdist.boosting.population import Population
from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.routes import find_leaves
from gbdist.boosting.rows import Rows
from gbdist.errors import DataError
from gbdist.metrics import evaluate_many
from gbdist.metrics.base import Metric, Scored
from gbdist.models.history import LEARN, MetricTable
from gbdist.models.tree import Tree
from gbdist.objectives.base import Exponent, Objective, Unbounded


@dataclass
class DataSet:
    """Rows of one data set with their raw predictions, which move on with every tree.

    ``predictions`` is float64 [dimension, n], IN and OUT; ``bound`` is above all |predictions| of all ranks, ``top`` above all
    exponents, inf where nothing is one; ``measured`` was ``top`` when it was the largest exponent itself; ``risk`` is the
    order of times that Cox needs.
    """

    name: str
    rows: Rows
    population: Population
    predictions: NDArray[np.float64]
    bound: float
    top: float
    measured: float
    exponent: Exponent | None
    crew: Crew
    risk: RiskOrder | None = None

    @classmethod
    def at_start(
        cls,
        name: str,
        rows: Rows,
        population: Population,
        bias: NDArray[np.float64],
        objective: Objective | Unbounded,
        crew: Crew,
    ) -> "DataSet":
        """Start all rows at the bias, plus their baseline, and bring them to where the crew works.

        Raises DataError where that is not below the objective's largest prediction.
        """
        predictions = np.repeat(bias[:, None], rows.n_rows, axis=1)
        if rows.baseline is not None:
            predictions += rows.baseline
        exponent, largest = objective.exponent, objective.largest_prediction
        baselines = population.baseline_bounds or (0.0,) * len(bias)
        bound, top = float(np.abs(bias).max(initial=0.0)) + max(baselines), math.inf
        if exponent is not None:
            top = exponent.largest(bias[None]) + baselines[exponent.dimension]
        if not (bound if exponent is None else top) < largest:
            found = f"a value of {max(baselines) if exponent is None else baselines[exponent.dimension]}"
            fix = "Leave these rows out, or correct their baseline."
            raise DataError(f"baseline of {name!r}", found, f"values below {largest}", fix)
        there = crew.load_rows(rows, trained=name == LEARN)
        return cls(name, there, population, crew.load(predictions), bound, top, -math.inf, exponent, crew)

    def copied(self) -> "DataSet":
        """The same rows with predictions of their own."""
        return replace(self, predictions=self.crew.copied(self.predictions))

    def add_leaves(self, leaf_of_row: NDArray[np.uint16], values: NDArray[np.float64]) -> None:
        """Move predictions on by one tree: values float64 [n_leaves, dimension], learning rate included."""
        columns, crew = np.ascontiguousarray(values.T), self.crew

        def add(piece: slice) -> None:
            for k in range(columns.shape[0]):
                crew.kernels.add_leaf_values(leaf_of_row[piece], columns[k], self.predictions[k, piece])

        crew.each(add, crew.row_slices(self.rows.n_rows))
        self.bound += float(np.abs(values).max(initial=0.0))
        if self.exponent is not None:
            self.top += self.exponent.largest(values)

    def shrink(self, factor: float) -> None:
        """Multiply predictions, and with them their bounds, by a factor above 0."""

        def scale(piece: slice) -> None:
            for k in range(self.predictions.shape[0]):
                self.crew.kernels.scale_values(factor, self.predictions[k, piece])

        self.crew.each(scale, self.crew.row_slices(self.rows.n_rows))
        self.bound, self.top, self.measured = self.bound * factor, self.top * factor, self.measured * factor

    def range_of_predictions(self) -> NDArray[np.float64]:
        """The smallest and the largest of this rank's predictions, float64 [dimension, 2]; inf and −inf without any."""
        ends = np.tile([math.inf, -math.inf], (self.predictions.shape[0], 1))
        for k in range(self.predictions.shape[0]):
            self.crew.kernels.extend_range(self.predictions[k], ends[k])
        return ends

    def take_range(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> None:
        """Tighten the bounds to the smallest and the largest predictions of all ranks, float64 [dimension] each."""
        if self.exponent is None or not (low <= high).all():  # else nobody has rows
            return
        self.bound = float(max(np.abs(low).max(), np.abs(high).max()))
        self.top = self.measured = self.exponent.largest_between(low, high)

    def add_tree(self, tree: Tree, features: TreeFeatures, number: int) -> None:
        """Move predictions on by a tree that was grown on other rows; ``number`` is that of this eval set."""
        crew = self.crew
        leaf_of_row: NDArray[np.uint16] = crew.scratch.array("eval leaf of row", (self.rows.n_rows,), np.uint16)
        find_leaves(
            tree,
            lambda feature: features.applied_column(feature, number, self.rows),
            features.is_one_hot,
            leaf_of_row,
            crew,
        )
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
            prediction_top=self.top,
            total_rows=self.population.n_rows,
            risk=self.risk,
            group=self.rows.group,
            pairs=self.rows.pairs,
            kernels=self.crew.kernels,
            fetch=self.crew.fetch,
            segments=self.rows.segments,
        )


def score_all(
    sets: Sequence[DataSet], metrics: tuple[Metric, ...], extra: NDArray[np.int64], collective: Collective
) -> tuple[MetricTable, NDArray[np.int64]]:
    """Evaluate the metrics and add up ``extra`` over the ranks in the first of their rounds."""
    on_learn = tuple(metric for metric in metrics if not metric.skip_train)
    jobs = [(on_learn if data.name == LEARN else metrics, data.scored()) for data in sets]
    values, sums = evaluate_many(jobs, extra, collective.all_reduce)
    return {data.name: table for data, table in zip(sets, values, strict=True)}, sums
