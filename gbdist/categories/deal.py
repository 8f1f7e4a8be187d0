"""Rows change ranks, once before the first tree: each rank gets a range of the order that permutations are made of."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from gbdist.boosting.bins import new_bins_like
from gbdist.boosting.collective import Collective
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.exchange import RowExchange
from gbdist.boosting.rows import Rows, Segment, UnbinnedColumn
from gbdist.kernels.hashing import hash_numbers


def deal(
    rows: Rows, seed: int, *, has_time: bool, collective: Collective, shares: Sequence[int] = ()
) -> tuple[Rows, tuple[int, ...]]:
    """This rank's range of all rows, in order; and how many rows each rank has.

    Rows are ordered by a hash of (seed, row number), or by their number if they are in order of time. Their numbers from here on
    are their places in that order. Ranges are in proportion to the ranks' ``shares``, the same on all ranks; none: equal.
    """
    places, end = rows.numbers(), 1 << 64
    if has_time:
        end = int(collective.all_reduce(np.array([rows.n_rows], np.int64))[0])
    else:
        places = hash_numbers(key_of(seed, Purpose.ROW_ORDER), places)
    ends = list(accumulate(shares or [1] * collective.size))
    edges = [end * before // ends[-1] for before in ends[:-1]]
    dealer = RowExchange(places, edges, collective)
    del places
    mine = int(dealer.n_rows)
    rows_of_rank = [int.from_bytes(one, "little") for one in collective.all_gather(mine.to_bytes(8, "little"))]
    dealt = replace(
        rows,
        bins=dealer.matrix(rows.bins, new_bins_like(rows.bins, rows.n_features, dealer.n_rows)),
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
