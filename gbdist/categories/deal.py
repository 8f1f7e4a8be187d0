"""Rows change ranks, once before the first tree: each rank gets a range of the order that permutations are made of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.kernels.hashing import hash_numbers

#: Bins travel in groups of features of about this many bytes a rank.
_GROUP_BYTES = 16 << 20


def deal(rows: Rows, seed: int, *, has_time: bool, collective: Collective) -> tuple[Rows, tuple[int, ...]]:
    """This rank's range of all rows, in order; and how many rows each rank has.

    Rows are ordered by a hash of (seed, row number), or by their number if they are in order of time. Their numbers from here on
    are their places in that order.
    """
    places, end = rows.numbers(), 1 << 64
    if has_time:
        end = int(collective.all_reduce(np.array([rows.n_rows], np.int64))[0])
    else:
        places = hash_numbers(key_of(seed, Purpose.ROW_ORDER), places)
    dealer = _Dealer(places, end, collective)
    del places
    mine = int(dealer.n_rows)
    rows_of_rank = [int.from_bytes(one, "little") for one in collective.all_gather(mine.to_bytes(8, "little"))]
    dealt = replace(
        rows,
        bins=dealer.matrix(rows.bins),
        label=dealer.column(rows.label) if rows.label.ndim == 1 else dealer.matrix(rows.label),
        weight=None if rows.weight is None else dealer.column(rows.weight),
        baseline=None if rows.baseline is None else dealer.matrix(rows.baseline),
        segments=(Segment(0, mine, sum(rows_of_rank[: collective.rank])),),
        unbinned=tuple(
            UnbinnedColumn(one.position, one.kind, dealer.column(np.asarray(one.values))) for one in rows.unbinned
        ),
        group=None,
    )
    return dealt, tuple(rows_of_rank)


class _Dealer:
    """Sends rows to the owners of their places, and sorts those that arrive.

    Parameters
    ----------
    places : uint64 [n], all different over all ranks
    end : places are below; each rank owns an equal range
    """

    def __init__(self, places: NDArray[np.uint64], end: int, collective: Collective) -> None:
        self._collective = collective
        edges = [end * rank // collective.size for rank in range(1, collective.size)]
        owner = np.searchsorted(np.array(edges, np.uint64), places, side="right")
        self._leaving = [np.flatnonzero(owner == rank) for rank in range(collective.size)]
        self._order: NDArray[np.int64] | None = None
        self._order = np.argsort(self.column(places), kind="stable")
        self.n_rows = int(self._order.shape[0])

    def column(self, values: NDArray[Any]) -> NDArray[Any]:
        """One value a row."""
        out: NDArray[Any] = self._exchange(values[None])[0]
        return out

    def matrix(self, values: NDArray[Any]) -> NDArray[Any]:
        """Several values a row, [k, n], some of them at a time."""
        out = np.empty((values.shape[0], self.n_rows), values.dtype)
        step = max(1, _GROUP_BYTES // max(1, values[:1].nbytes))
        for start in range(0, values.shape[0], step):
            out[start : start + step] = self._exchange(values[start : start + step])
        return out

    def _exchange(self, values: NDArray[Any]) -> NDArray[Any]:
        items: Sequence[bytes] = [values[:, rows].tobytes() for rows in self._leaving]
        pieces = [
            np.frombuffer(item, values.dtype).reshape(values.shape[0], -1)
            for item in self._collective.all_to_all(items)
        ]
        joined: NDArray[Any] = np.concatenate(pieces, axis=1)
        return joined if self._order is None else joined[:, self._order]
