"""What a model is: its size, what it consists of, what a prediction costs, and how good it is."""

from dataclasses import dataclass
from typing import Any

from gbdist.compression.cost import Latency, cost_of
from gbdist.compression.passes.tables import bytes_of_tables
from gbdist.compression.passes.worth import columns_of_features
from gbdist.models.catboost_format import cbm_bytes
from gbdist.models.ensemble import Ensemble


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What a model is without a row of data.

    Parameters
    ----------
    size : int
        Bytes of its ``.cbm``, leaf weights included.
    leaves : int
        Of all trees.
    features : int
        Columns that a tree tests, on their own or within a statistic of categories.
    borders : int
        Distinct tests of all trees: borders of numbers and of statistics, and one-hot values.
    tables : int
        Categories that statistics have counts of.
    cost : float
        Units of the fixed model of a prediction's time (``gbdist.compression.cost``).
    """

    size: int
    trees: int
    leaves: int
    features: int
    borders: int
    tables: int
    cost: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A model with its loss on rows that nothing was chosen by, and its latency; None where that was not measured."""

    figures: ModelFigures
    loss: float
    latency: Latency | None = None


def figures_of(ensemble: Ensemble, model: Any) -> ModelFigures:
    """The figures of an ensemble, which ``model`` is as a CatBoost model: the file of that is what counts."""
    tested = ensemble.tested
    in_use, columns = bytes_of_tables(ensemble), columns_of_features(ensemble)
    tables = [table for table in ensemble.categories.tables if (table.projection, table.counter) in in_use]
    return ModelFigures(
        size=len(cbm_bytes(model)),
        trees=len(ensemble.trees),
        leaves=ensemble.n_leaves,
        features=len(frozenset().union(*(columns[feature] for feature in tested))),
        borders=sum(map(len, tested.values())),
        tables=sum(len(table.keys) for table in tables),
        cost=cost_of(ensemble),
    )
