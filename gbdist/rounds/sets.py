"""A data set on one rank while rounds go on: its pool, and its raw predictions by the merged model."""

from collections.abc import Sequence
from dataclasses import dataclass

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.population import Population
from gbdist.boosting.rows import Rows
from gbdist.metrics.base import Scored
from gbdist.rounds.native import predict_raw
from gbdist.rounds.pools import RankPool


@dataclass
class RoundSet:
    """Rows of one data set on one rank.

    ``predictions`` is float64 [dimension, n_rows]: those of the merged model, IN and OUT. Without rows there is no pool: CatBoost
    has none.
    """

    name: str
    rows: Rows
    pool: RankPool | None
    population: Population
    predictions: NDArray[np.float64]

    def update_of(self, model: catboost.CatBoost, threads: int) -> NDArray[np.float64]:
        """Raw predictions of one model, float64 [dimension, n_rows]."""
        if self.pool is None:
            return np.zeros_like(self.predictions)
        return predict_raw(model, self.pool, threads)

    def leaves_of(self, model: catboost.CatBoost, tree: int, threads: int) -> NDArray[np.uint16]:
        """Leaf of each row in one tree of a model, uint16 [n_rows]."""
        if self.pool is None:
            return np.empty(0, np.uint16)
        found = model.calc_leaf_indexes(self.pool.pool, ntree_start=tree, ntree_end=tree + 1, thread_count=threads)
        return np.ascontiguousarray(found[:, 0], dtype=np.uint16)

    def scored(self, predictions: NDArray[np.float64], bound: float) -> Scored:
        """What a metric sees at some predictions; ``bound`` is the largest |prediction| of any rank."""
        return Scored(
            predictions=predictions,
            label=self.rows.label,
            weight=self.rows.weight,
            total_weight=self.population.total_weight,
            label_bound=self.population.label_bound,
            prediction_bound=bound,
            total_rows=self.population.n_rows,
            group=self.rows.group,
            segments=self.rows.segments,
        )


def largest_of_all(arrays: Sequence[NDArray[np.float64]], collective: Collective) -> list[float]:
    """Largest absolute value of each array over all ranks; one round."""
    mine = np.array([np.abs(array).max(initial=0.0) for array in arrays])
    every = [np.frombuffer(item) for item in collective.all_gather(mine.tobytes())]
    return [float(value) for value in np.max(every, axis=0)]
