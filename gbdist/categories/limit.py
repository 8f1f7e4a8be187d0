"""The most frequent categories, where CatBoost's ctr_leaf_count_limit says how many are told apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective


def beyond_limits(
    owned: Sequence[tuple[NDArray[np.uint64], NDArray[np.int64], int | None]], collective: Collective
) -> list[NDArray[np.bool_]]:
    """Which categories of each projection are not among the most frequent ones of all ranks, bool [n].

    Of equally frequent ones those of lower keys come first. One round, if there is anything to ask, with at most as many numbers
    a rank as the limits add up to.

    Parameters
    ----------
    owned : (keys uint64 [n], rows int64 [n], limit) of each projection
        Of the categories that this rank owns; limits are the same on all ranks.
    """
    if not owned:
        return []
    mine = b"".join(_first(*one) for one in owned)
    told = [np.frombuffer(data, np.uint64) for data in collective.all_gather(mine)]
    starts = [0] * len(told)
    found = []
    for keys, _, limit in owned:
        firsts = []
        for rank, numbers in enumerate(told):
            count, start = int(numbers[starts[rank]]), starts[rank] + 1
            firsts.append(numbers[start : start + 2 * count].reshape(2, count))
            starts[rank] = start + 2 * count
        every = np.concatenate(firsts, axis=1)
        order = np.lexsort((every[1], -every[0].astype(np.int64)))
        found.append(~np.isin(keys, every[1][order[:limit]]))
    return found


def _first(keys: NDArray[np.uint64], rows: NDArray[np.int64], limit: int | None) -> bytes:
    """How many categories a rank names, their rows and their keys: its most frequent ones."""
    order = np.lexsort((keys, -rows))[:limit]
    return np.concatenate([[np.uint64(order.shape[0])], rows[order].astype(np.uint64), keys[order]]).tobytes()
