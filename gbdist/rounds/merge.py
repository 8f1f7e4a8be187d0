"""How the models of a round become one step of the merged model.

"average": every tree keeps the splits that its rank has found, and gets new leaf values from the rows of all ranks
(``refit.py``); where only CatBoost knows the loss, the mean of the models.
"bagging": the mean of the models, weighted by rows. In both each rank goes on from its own model, so that they are independent.
"best": the one model of the round with which the deciding metric is best; all ranks go on from it.
Where ranks meet after several rounds (``schedule.py``), these are merged one after the other, and "best" chooses one rank's or
group's models of all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.metrics.base import Metric
from gbdist.metrics.evaluate import evaluate_many
from gbdist.rounds.sets import RoundSet, largest_of_all


@dataclass(frozen=True)
class Merging:
    """What a merge needs: shares of the ranks in the rows' weight (they add up to 1), and the deciding metric."""

    shares: tuple[float, ...]
    deciding: Metric
    collective: Collective
    threads: int


def mean_step(models: Sequence[catboost.CatBoost], data: RoundSet, merging: Merging) -> NDArray[np.float64]:
    """Mean of the models' raw predictions, added in the order of the ranks: float64 [dimension, n_rows]."""
    step = merging.shares[0] * data.update_of(models[0], merging.threads)
    for share, model in zip(merging.shares[1:], models[1:], strict=True):
        step += share * data.update_of(model, merging.threads)
    return step


def best_column(columns: Sequence[Sequence[catboost.CatBoost]], data: RoundSet, merging: Merging) -> int:
    """Number of the column of models with whose sum the deciding metric is best on a data set; the first of equals."""
    values = []
    for column in columns:  # one by one: all of them at once would be held for every row
        moved = data.predictions
        for model in column:
            moved = moved + data.update_of(model, merging.threads)
        (bound,) = largest_of_all([moved], merging.collective)
        jobs = [((merging.deciding,), data.scored(moved, bound))]
        found, _ = evaluate_many(jobs, np.empty(0, np.int64), merging.collective.all_reduce)
        value = found[0][merging.deciding.name]
        values.append(value if merging.deciding.is_max_optimal else -value)
    return int(np.argmax(np.where(np.isnan(values), -np.inf, values)))
