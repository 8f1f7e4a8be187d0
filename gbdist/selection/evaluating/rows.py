"""The rows of a fold: what trains and what tests, of data in memory and of Dask collections."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import dask.array as da
import numpy as np
from sklearn.utils import _safe_indexing

from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.estimators.preparation.tables import select_columns
from gbdist.estimators.sources import Given


@dataclass(frozen=True, eq=False)
class FoldRows:
    """Rows, and pairs (train, test) of what chooses among them: row numbers in memory, else lazy masks.

    ``y_is_names`` says whether y names columns of X; ``features`` are the labels of the others, None of arrays.
    """

    given: Given
    pairs: Sequence[tuple[Any, Any]]
    y_is_names: bool
    features: tuple[Hashable, ...] | None

    @classmethod
    def of(cls, given: Given, pairs: Sequence[tuple[Any, Any]]) -> Self:
        """Rows as the user gave them, which are checked here: DataError for what does not go together."""
        parts = given.collect()
        return cls(
            given if parts.lazy else replace(given, X=parts.features), pairs, bool(parts.label_columns), parts.labels
        )

    def train(self, fold: int) -> Given:
        """What a fold trains on."""
        return self._taken(self.pairs[fold][0])

    def test(self, fold: int) -> Given:
        """What a fold tests."""
        return self._taken(self.pairs[fold][1])

    def test_features(self, fold: int) -> Any:
        """X of what a fold tests, without columns that are labels, weights or groups."""
        X = _rows(self.given.X, self.pairs[fold][1])
        if self.features is None:
            return X
        return X[list(self.features)] if is_lazy(X) else select_columns(X, list(self.features))

    def _taken(self, chosen: Any) -> Given:
        given = self.given
        y = given.y if self.y_is_names else _rows(given.y, chosen)
        weight, group_id = _rows(given.sample_weight, chosen), _rows(given.group_id, chosen)
        return Given(_rows(given.X, chosen), y, weight, group_id=group_id)


def beside_arrays(given: Given) -> Given:
    """The same with vectors in memory beside a Dask Array of known chunks as arrays with those; all else as it is."""
    y, weight, group_id = (beside_array(given.X, one) for one in (given.y, given.sample_weight, given.group_id))
    return Given(given.X, y, weight, group_id=group_id)


def beside_array(X: Any, values: Any) -> Any:
    """A vector in memory beside a Dask Array of known chunks as an array with those; all else as it is."""
    if values is None or isinstance(values, str) or is_lazy(values) or not hasattr(X, "chunks"):
        return values
    values = np.asarray(values)
    return da.from_array(values, chunks=(X.chunks[0], *((size,) for size in values.shape[1:])))


def _rows(values: Any, chosen: Any) -> Any:
    """Some rows of a table or vector; the name of a column, or nothing, is what it is."""
    if values is None or isinstance(values, str):
        return values
    return values[chosen] if is_lazy(values) else _safe_indexing(values, chosen)
