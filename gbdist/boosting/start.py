"""What a run starts with: who works for a rank, which columns may be split, and the value that all rows start at."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.control import FREE, Control
from gbdist.boosting.crew import Crew
from gbdist.boosting.exact_leaves import quantile_rules, start_of_labels
from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.groups import Groups, GroupWork, bounds_of
from gbdist.boosting.leaves import LeafEstimator
from gbdist.boosting.params import BoostParams
from gbdist.boosting.population import Population, with_weights
from gbdist.boosting.rows import Rows
from gbdist.kernels.elementary import log_array
from gbdist.objectives.grouped import Grouped
from gbdist.objectives.uncertainty import RMSEWithUncertainty

_LEAST_WEIGHT = 1e-290
#: Labels that are all the same do not start at a deviation of 0, whose logarithm is no number.
_LEAST_VARIANCE = 1e-38


def without_ignored(n_bins: NDArray[np.int64], params: BoostParams) -> NDArray[np.int64]:
    """Bins of each binned column, int64 [n]: one of those that are ignored, so that they have nothing to split."""
    categorical = {column.position for column in params.categories.columns} if params.categories is not None else set()
    binned = [position for position in range(n_bins.shape[0] + len(categorical)) if position not in categorical]
    return np.where([position in params.ignored for position in binned], 1, n_bins)


def crew_for(params: BoostParams, train: Rows, collective: Collective, control: Control = FREE) -> Crew:
    """Who works for a rank: its card if it has one and any rows, else its CPU."""
    if params.card is None or not train.n_rows:
        return Crew(params.threads, control)
    from gbdist.boosting.cuda_crew import CardCrew  # and with it CUDA, which other runs need not have

    # What a loss of ranking keeps for each row takes about as much as two more raw values.
    values = params.objective.dimension + 2 * isinstance(params.objective, Grouped)
    return CardCrew(params.threads, params.card, values, control, shares_tables=collective.size > 1)


def start_value(
    params: BoostParams, train: Rows, population: Population, collective: Collective, host: Crew
) -> NDArray[np.float64]:
    """Raw values that all rows start at, float64 [dimension]: of means, or of a quantile, which costs a few rounds."""
    bias = np.zeros(params.objective.dimension)
    if params.boost_from_average:
        if isinstance(params.objective, RMSEWithUncertainty):
            return _start_of_uncertainty(train, population, collective)
        if quantile_rules(params.objective):
            exact = replace(params, leaf_estimation_method="Exact")
            rows = with_weights(train, population.weighted)
            bias[:] = start_of_labels(LeafEstimator(exact, population, collective, host), rows)
        else:
            bias[:] = [params.objective.start_value(mean) for mean in population.label_means]
    return bias


def _start_of_uncertainty(train: Rows, population: Population, collective: Collective) -> NDArray[np.float64]:
    """Mean as float32, and logarithm of the deviation, of a variance as float32, as CatBoost (optimal_const_for_loss.h)."""
    (mean,), largest = population.label_means, population.label_bound
    scale = sum_scale(4.0 * largest * largest * population.weight_bound, population.n_rows)
    squares = (train.label.astype(np.float64) - mean) ** 2 * (1.0 if train.weight is None else train.weight)
    total = collective.all_reduce(np.array([np.rint(squares * scale).astype(np.int64).sum()], np.int64))
    variance = np.float64(np.float32(int(total[0]) / scale / max(population.total_weight, _LEAST_WEIGHT)))
    deviation = 0.5 * float(log_array(np.maximum(variance, _LEAST_VARIANCE)))
    return np.array([np.float64(np.float32(mean)), deviation])


def groups_of(
    train: Rows, params: BoostParams, population: Population, collective: Collective
) -> tuple[Groups | None, BoostParams, Population]:
    """Groups of a rank's training rows for a loss of ranking, else None; parameters and facts that hold for all groups.

    Derivatives of some of these losses do not know weights, so that the bound of a weight is at least 1. A round.
    """
    objective = params.objective
    if not isinstance(objective, Grouped):
        return None, params, population
    groups = Groups.of(train)
    told = objective.among(bounds_of(train, groups, collective))
    bounded = replace(population, weight_bound=max(population.weight_bound, 1.0))
    return groups, replace(params, objective=told), bounded


def work_on(groups: Groups | None, rows: Rows, params: BoostParams, crew: Crew) -> GroupWork | None:
    """A loss of ranking at work on the training rows, which lie where the crew works; None of other losses."""
    if groups is None or not isinstance(params.objective, Grouped):
        return None
    return GroupWork(params.objective, rows, groups, params.random_seed, crew)
