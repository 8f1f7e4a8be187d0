"""Rows change ranks and come back: each rank owns a range of places, and has the rows there in the order of their places."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective

#: Matrices travel in groups of rows of about this many bytes a rank.
_GROUP_BYTES = 16 << 20


class RowExchange:
    """Sends rows to the owners of their places, and what the owners make of them back.

    Parameters
    ----------
    places : uint64 [n], all different over all ranks
    edges : ascending, size − 1 of them, the same on all ranks
        Rank r owns the places from edge r − 1, included, to edge r.
    """

    def __init__(self, places: NDArray[np.uint64], edges: Sequence[int], collective: Collective) -> None:
        self._collective, self._n_own = collective, int(places.shape[0])
        owner = np.searchsorted(np.array(edges, np.uint64), places, side="right")
        self._leaving = [np.flatnonzero(owner == rank) for rank in range(collective.size)]
        arrived = self._sent(places[None])
        self._arrived = [piece.shape[1] for piece in arrived]
        self._order = np.argsort(np.concatenate(arrived, axis=1)[0], kind="stable")
        self.n_rows = int(self._order.shape[0])

    def column(self, values: NDArray[Any]) -> NDArray[Any]:
        """One value a row, [n]: those of the rows that this rank owns, in order."""
        out: NDArray[Any] = self._exchange(values[None])[0]
        return out

    def matrix(self, values: Any, out: Any = None) -> Any:
        """Several values a row, [k, n], some of them at a time; in ``out``, if it is given. Either may lie in a file."""
        out = np.empty((values.shape[0], self.n_rows), values.dtype) if out is None else out
        step = max(1, _GROUP_BYTES // max(1, values.shape[1] * values.dtype.itemsize))
        for start in range(0, values.shape[0], step):
            out[start : start + step] = self._exchange(values[start : start + step])
        return out

    def back(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values [k, n_rows] of the rows that this rank owns → those of the rows that it has, [k, n]."""
        unsorted = np.empty_like(values)
        unsorted[:, self._order] = values
        edges = np.cumsum([0, *self._arrived])
        items = [unsorted[:, start:stop].tobytes() for start, stop in pairwise(edges)]
        out = np.empty((values.shape[0], self._n_own), values.dtype)
        for rows, item in zip(self._leaving, self._collective.all_to_all(items), strict=True):
            out[:, rows] = np.frombuffer(item, values.dtype).reshape(values.shape[0], -1)
        return out

    def _exchange(self, values: NDArray[Any]) -> NDArray[Any]:
        joined: NDArray[Any] = np.concatenate(self._sent(values), axis=1)
        return joined[:, self._order]

    def _sent(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        items: Sequence[bytes] = [values[:, rows].tobytes() for rows in self._leaving]
        arrived = self._collective.all_to_all(items)
        return [np.frombuffer(item, values.dtype).reshape(values.shape[0], -1) for item in arrived]
