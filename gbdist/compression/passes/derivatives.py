"""First and second derivatives of the model's loss, row by row, as exact on every rank as sums of them must be."""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.fixed_point import sum_scale
from gbdist.boosting.measured import largest_of
from gbdist.boosting.population import Population, survey_population, with_weights
from gbdist.boosting.rows import Rows, part_of_label
from gbdist.compression.passes.base import PassData
from gbdist.elimination.losses import ranges_of
from gbdist.errors import DataError, ModelError
from gbdist.objectives.base import LeafScales, Objective
from gbdist.objectives.grouped import Grouped

#: Every row is given a leaf of its own, and leaves are numbered by 16 bits.
_BLOCK = 1 << 15
#: To a row's curvature so much of the average one is added: where the model is sure of a row, a student may still not be free.
_EVEN_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Expansion:
    """The loss around raw predictions: −loss(a + s) ≈ −loss(a) + first·s − ½ curvature·s², for each raw value on its own.

    Parameters
    ----------
    first : float64 [dimension, n_rows] or None
        Derivative of minus the loss times the row's weight; None where there are no bounds of it (Cox).
    curvature : float64 [dimension, n_rows]
        Above 0: minus the second derivative times the weight, and a quarter of the average one; the weight itself for losses
        that have no second derivative (MAE), or none of each row alone (Cox).
    mean_curvature : float
        Per unit of weight, over all ranks.
    largest_curvature : float
        Over all ranks.
    is_curved : bool
        Whether the loss itself has second derivatives.
    population : Population
        Of the rows.
    """

    first: NDArray[np.float64] | None
    curvature: NDArray[np.float64]
    mean_curvature: float
    largest_curvature: float
    is_curved: bool
    population: Population


def slopes_of(expansion: Expansion, data: PassData) -> NDArray[np.float64]:
    """First derivatives of minus the loss, float64 [dimension, n_rows].

    Raises
    ------
    ModelError
        Where the loss has none of each row alone.
    """
    if expansion.first is None:
        raise ModelError(
            f"rows of the loss {data.objective.name} have no derivatives of their own, so that no step leads to their labels",
            "Use towards='teacher'.",
        )
    return expansion.first


def expand(raw: NDArray[np.float64], data: PassData) -> Expansion:
    """Derivatives at raw predictions of the rank's rows, float64 [dimension, n_rows]; a handful of rounds.

    Raises
    ------
    DataError
        Where no row of any rank has a weight.
    ModelError
        Where predictions are so large that derivatives are no numbers.
    """
    population = survey_population(data.rows, data.collective)
    if not population.total_weight > 0.0:
        fix = "Give rows that have weights, or leave weights out."
        raise DataError("rows to compress a model with", "a total weight of 0", "some weight above 0", fix)
    rows = with_weights(data.rows, population.weighted)
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight.astype(np.float64)
    first, second = _of_rows(raw, rows, population, data)
    mean = 0.0
    if second is not None:
        total, scale = second
        sums = data.collective.all_reduce(total.sum(axis=1))
        mean = sum(sums.tolist()) / scale / (raw.shape[0] * population.total_weight)
    is_curved = mean > 0.0
    if not is_curved:
        curvature, mean = np.repeat(weight[np.newaxis], raw.shape[0], axis=0), 1.0
    else:
        curvature = total / scale + _EVEN_SHARE * mean * weight
        mean *= 1.0 + _EVEN_SHARE
    largest = float(largest_of([curvature], data.collective)[0])
    return Expansion(first, curvature, mean, largest, is_curved, population)


def bounds_of(raw: NDArray[np.float64], data: PassData) -> tuple[float, float]:
    """Bounds of every |raw value| and of every exponent, of all ranks' predictions [dimension, n_rows]; a round.

    Raises
    ------
    ModelError
        Where the loss cannot be told at such predictions.
    """
    (found,) = ranges_of([raw], data.objective, data.collective)
    if not found.in_bounds:
        raise ModelError(
            f"raw predictions up to {found.bound:g} are too large for the loss {data.objective.name}",
            "Leave out the passes that look at rows, or train the model with a lower learning rate.",
        )
    return found.bound, found.top


def _of_rows(
    raw: NDArray[np.float64], rows: Rows, population: Population, data: PassData
) -> tuple[NDArray[np.float64] | None, tuple[NDArray[np.int64], float] | None]:
    """First derivatives, and minus the second ones as integers with their scale; None where the loss has none of a row alone."""
    objective = data.objective
    if isinstance(objective, Grouped) or not hasattr(objective, "bounds"):
        return None, None
    objective = cast(Objective, objective)
    size, top = bounds_of(raw, data)
    bounds = objective.bounds(population.label_bound, size, top)
    first_scale, second_scale = (
        sum_scale(bound * population.weight_bound, raw.shape[0] * population.n_rows)
        for bound in (bounds.derivative, bounds.second_derivative)
    )
    scales = LeafScales(first_scale, second_scale, loss=0.0, weight=0.0)
    k = raw.shape[0]
    first, second = np.empty(raw.shape, np.int64), np.empty(raw.shape, np.int64)
    places = 2 + k + _diagonal(objective)
    n_columns = 2 + k + (k if objective.second_order == "diagonal" else k * (k + 1) // 2)
    for start in range(0, rows.n_rows, _BLOCK):
        data.check()
        piece = slice(start, min(start + _BLOCK, rows.n_rows))
        n = piece.stop - piece.start
        sums = np.zeros((n, n_columns), np.int64)
        weight = None if rows.weight is None else rows.weight[piece]
        own_leaf, no_shift = np.arange(n, dtype=np.uint16), np.zeros((n, k))
        predictions = np.ascontiguousarray(raw[:, piece])
        objective.add_leaf_sums(part_of_label(rows.label, piece), weight, predictions, own_leaf, no_shift, scales, sums)
        first[:, piece], second[:, piece] = sums[:, 2 : 2 + k].T, sums[:, places].T
    return first / first_scale, (np.maximum(-second, 0), second_scale)


def _diagonal(objective: Objective) -> NDArray[np.int64]:
    """Where the second derivatives by one raw value each stand among all, int64 [dimension]."""
    k = objective.dimension
    if objective.second_order == "diagonal":
        return np.arange(k)
    pairs = combinations_with_replacement(range(k), 2)
    return np.array([place for place, (a, b) in enumerate(pairs) if a == b])
