"""The rows of a fold: what trains and what tests, of data in memory and of Dask collections."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from sklearn.utils import _safe_indexing

from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.estimators.sources import Given


@dataclass(frozen=True, eq=False)
class FoldRows:
    """Rows, and pairs (train, test) of what chooses among them: row numbers in memory, else lazy masks.

    ``named`` says whether y names columns of X.
    """

    given: Given
    pairs: Sequence[tuple[Any, Any]]
    named: bool

    @classmethod
    def of(cls, given: Given, pairs: Sequence[tuple[Any, Any]]) -> Self:
        """Rows as the user gave them, which are checked here: DataError for what does not go together."""
        return cls(given, pairs, bool(given.collect().label_columns))

    def train(self, fold: int) -> Given:
        """What a fold trains on."""
        return self._taken(self.pairs[fold][0])

    def test(self, fold: int) -> Given:
        """What a fold tests."""
        return self._taken(self.pairs[fold][1])

    def _taken(self, chosen: Any) -> Given:
        given = self.given
        y = given.y if self.named else _rows(given.y, chosen)
        weight, group_id = _rows(given.sample_weight, chosen), _rows(given.group_id, chosen)
        return Given(_rows(given.X, chosen), y, weight, group_id=group_id)


def _rows(values: Any, chosen: Any) -> Any:
    """Some rows of a table or vector; the name of a column, or nothing, is what it is."""
    if values is None or isinstance(values, str):
        return values
    return values[chosen] if is_lazy(values) else _safe_indexing(values, chosen)
