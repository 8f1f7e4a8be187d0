"""Where rows lie in pieces, and how functions of pieces run there: in this process, or on the workers of a cluster."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from dask import delayed
from dask.delayed import Delayed
from distributed import Client

from gbdist.estimators.preparation.lazy_parts import LazyParts
from gbdist.estimators.preparation.scope import FutureScope

Function = Callable[..., Any]


class Place(Protocol):
    """Runs functions of pieces. A column is one item a piece: values of this process, or what ``map`` returned."""

    def map(self, function: Function, *columns: Iterable[Any], **same: Any) -> list[Any]:
        """Start ``function(*items, **same)`` for the items of each piece; the results as a column."""
        ...

    def later(self, function: Function, *columns: Iterable[Any], **same: Any) -> list[Any]:
        """The same, computed by whoever needs the results, and as often as they are needed."""
        ...

    def pieces_of(self, collection: Any, n_pieces: int) -> list[Any]:
        """Start computing what has one partition a piece; a column."""
        ...

    def fetch(self, column: Sequence[Any]) -> list[Any]:
        """Values of a column in this process; raises what its functions raised."""
        ...

    def drop(self, column: Iterable[Any]) -> None:
        """Let go of a column that ``map`` or ``pieces_of`` returned."""
        ...


class Here:
    """This process."""

    def map(self, function: Function, *columns: Iterable[Any], **same: Any) -> list[Any]:
        """See ``Place``."""
        return [function(*items, **same) for items in zip(*columns, strict=True)]

    later = map

    def pieces_of(self, collection: Any, n_pieces: int) -> list[Any]:
        """One piece: data in memory are not cut."""
        return [collection]

    def fetch(self, column: Sequence[Any]) -> list[Any]:
        """See ``Place``."""
        return list(column)

    def drop(self, column: Iterable[Any]) -> None:
        """Nothing to do."""


class Workers:
    """The workers of a client, which hold all columns until ``scope`` ends."""

    def __init__(self, client: Client, scope: FutureScope) -> None:
        self._client, self._scope = client, scope

    def map(self, function: Function, *columns: Iterable[Any], **same: Any) -> list[Any]:
        """See ``Place``."""
        return self._scope.hold(self._client.map(function, *columns, pure=False, **same))

    def later(self, function: Function, *columns: Iterable[Any], **same: Any) -> list[Any]:
        """See ``Place``."""
        return lazily(function, *columns, **same)

    def pieces_of(self, collection: Any, n_pieces: int) -> list[Any]:
        """See ``Place``."""
        (column,) = LazyParts([collection], n_pieces).compute(self._client, range(n_pieces))
        return self._scope.hold(column or [])

    def scatter(self, values: Sequence[Any]) -> list[Any]:
        """Send values of this process to the workers; a column."""
        return self._scope.hold(self._client.scatter(list(values), hash=False))

    def hold(self, column: Iterable[Any]) -> list[Any]:
        """Hold a column that somebody else has started."""
        return self._scope.hold(column)

    @property
    def client(self) -> Client:
        """The client."""
        return self._client

    def fetch(self, column: Sequence[Any]) -> list[Any]:
        """See ``Place``."""
        return list(self._client.gather(list(column)))

    def drop(self, column: Iterable[Any]) -> None:
        """See ``Place``."""
        self._scope.drop(column)


def lazily(function: Function, *columns: Iterable[Any], **same: Any) -> list[Delayed]:
    """``function(*items, **same)`` for the items of each piece, once somebody computes it."""
    task = delayed(function)
    return [task(*items, **same) for items in zip(*columns, strict=True)]
