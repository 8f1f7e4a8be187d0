"""Partitions of lazy collections that are still to be computed: any few of them at a time, and more than once if need be."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from dask.base import collections_to_expr
from dask.core import flatten
from dask.delayed import Delayed
from dask.optimization import cull
from distributed import Client, Future

#: Partitions share little if they need, one by one, at most this many more tasks than all at once, and one more each.
_SHARED_WORK = 0.25


class LazyParts:
    """The graph of some lazy collections with the same partitions; what two of them need of a partition is done once.

    Parameters
    ----------
    columns : sequence of Dask collections, or None where there is nothing to compute
    n_parts : partitions of each
    """

    def __init__(self, columns: Sequence[Any], n_parts: int) -> None:
        self._keys: list[list[Hashable] | None] = [None] * len(columns)
        self._graph: dict[Hashable, Any] = {}
        self._n_parts = n_parts
        # Frames and arrays apart, because Dask plans them apart; those of a kind at once, so that they share what they read.
        for frames in (True, False):
            chosen = [i for i, one in enumerate(columns) if one is not None and hasattr(one, "divisions") == frames]
            if chosen:
                graph, keys = _plan([columns[i] for i in chosen], n_parts)
                self._graph.update(graph)
                for i, of_column in zip(chosen, keys, strict=True):
                    self._keys[i] = of_column

    def computes(self, column: int) -> bool:
        """Whether a column is one of those to compute."""
        return self._keys[column] is not None

    @property
    def apart(self) -> bool:
        """Whether partitions can be computed one by one without doing much work twice (after a shuffle they cannot)."""
        most = len(self._graph) * (1.0 + _SHARED_WORK) + self._n_parts
        total = 0
        for number in range(self._n_parts):
            total += len(cull(self._graph, self._keys_of([number]))[0])
            if total > most:
                return False
        return True

    def compute(self, client: Client, numbers: Sequence[int], worker: str | None = None) -> list[list[Future] | None]:
        """Start computing some partitions, on ``worker`` if it can; a list of futures a column, None for a column not ours."""
        keys = self._keys_of(numbers)
        part, _ = cull(self._graph, keys)
        how = {} if worker is None else {"workers": [worker], "allow_other_workers": True}
        made = dict(zip(keys, client.get(part, keys, sync=False, **how), strict=True))
        return [None if of_column is None else [made[of_column[i]] for i in numbers] for of_column in self._keys]

    def delayed(self, column: int) -> list[Delayed] | None:
        """Partitions of a column for a graph that goes on with them; None for a column not ours."""
        keys = self._keys[column]
        return None if keys is None else [Delayed(key, self._graph) for key in keys]

    def _keys_of(self, numbers: Sequence[int]) -> list[Hashable]:
        return list(dict.fromkeys(of_column[i] for of_column in self._keys if of_column is not None for i in numbers))


def _plan(collections: list[Any], n_parts: int) -> tuple[Mapping[Hashable, Any], list[list[Hashable]]]:
    """Graph of collections of a kind, and the keys of their partitions."""
    expression = collections_to_expr(collections)
    planned = expression.optimize()
    keys = _partition_keys(planned)
    if any(len(of_one) != n_parts for of_one in keys):
        # Where few columns are read, Dask's last step joins small files: fewer partitions than were announced. Without it:
        planned = expression.simplify().lower_completely()
        keys = _partition_keys(planned)
    return planned.__dask_graph__(), keys


def _partition_keys(expression: Any) -> list[list[Hashable]]:
    return [list(flatten([of_one])) for of_one in expression.__dask_keys__()]
