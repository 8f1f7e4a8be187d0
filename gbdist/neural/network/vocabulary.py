"""Which categories of a column have codes of their own: the most frequent ones, the same on every rank."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective

#: Categories of a column that have codes of their own.
MOST_CATEGORIES: Final = 65_535

#: Hashes of the categories that have a code, uint32 [n], in the order of the codes, which begin with 1; all others have code 0.
Vocabulary = NDArray[np.uint32]
#: Distinct hashes, uint32 [n], and how many rows have each, int64 [n].
_Counted = tuple[NDArray[np.uint32], NDArray[np.int64]]


def vocabularies(
    columns: Sequence[NDArray[np.uint32]], collective: Collective, most: int = MOST_CATEGORIES
) -> tuple[Vocabulary, ...]:
    """The vocabulary of each column, from the hashes of this rank's rows (IN), uint32 [n_rows] each.

    More frequent categories have smaller codes, of equal ones that of the smaller hash; those beyond the ``most`` frequent have
    none. Every hash is counted by the rank that its value names, which keeps its own most frequent ones: among these are those of
    all, so that no rank sees more than ``most`` × ranks hashes of others, or its share of the distinct ones.
    """
    counted = [_counted(hashes, np.ones(hashes.shape[0], np.int64)) for hashes in columns]
    told = collective.all_to_all([_message(_owned(counted, rank, collective.size)) for rank in range(collective.size)])
    mine = [_most_frequent(each, most) for each in _merged(told, len(columns))]
    shares = _merged(collective.all_gather(_message(mine)), len(columns))
    return tuple(_most_frequent(each, most)[0] for each in shares)


def codes_of(hashes: NDArray[np.uint32], vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Code of each hash (IN), int32 [n]; 0 for one that the vocabulary has not."""
    if not vocabulary.size:
        return np.zeros(hashes.shape[0], np.int32)
    order = np.argsort(vocabulary)
    ascending = vocabulary[order]
    places = np.minimum(np.searchsorted(ascending, hashes), vocabulary.size - 1)
    return np.where(ascending[places] == hashes, order[places] + 1, 0).astype(np.int32)


def _counted(hashes: NDArray[np.uint32], counts: NDArray[np.int64]) -> _Counted:
    """Each hash once, with all its counts."""
    distinct, which = np.unique(hashes, return_inverse=True)
    totals = np.zeros(distinct.shape[0], np.int64)
    np.add.at(totals, which, counts)
    return distinct, totals


def _most_frequent(counted: _Counted, most: int) -> _Counted:
    hashes, counts = counted
    chosen = np.lexsort((hashes, -counts))[:most]
    return hashes[chosen], counts[chosen]


def _owned(counted: Sequence[_Counted], rank: int, size: int) -> list[_Counted]:
    """Those hashes of each column that a rank counts."""
    shares = []
    for hashes, counts in counted:
        its = hashes % np.uint32(size) == rank
        shares.append((hashes[its], counts[its]))
    return shares


def _message(counted: Sequence[_Counted]) -> bytes:
    """How many hashes each column has, int64; all counts, int64; all hashes, uint32."""
    lengths = np.array([hashes.shape[0] for hashes, _ in counted], np.int64)
    parts: list[NDArray[Any]] = [lengths, *(counts for _, counts in counted), *(hashes for hashes, _ in counted)]
    return b"".join(part.tobytes() for part in parts)


def _merged(messages: Sequence[bytes], n_columns: int) -> list[_Counted]:
    """What several ranks have counted of each column, together."""
    told = [_read(message, n_columns) for message in messages]
    return [
        _counted(
            np.concatenate([of_rank[column][0] for of_rank in told]),
            np.concatenate([of_rank[column][1] for of_rank in told]),
        )
        for column in range(n_columns)
    ]


def _read(message: bytes, n_columns: int) -> list[_Counted]:
    lengths = np.frombuffer(message, np.int64, n_columns)
    total = int(lengths.sum())
    counts = np.frombuffer(message, np.int64, total, 8 * n_columns)
    hashes = np.frombuffer(message, np.uint32, total, 8 * (n_columns + total))
    edges = np.cumsum([0, *lengths]).tolist()
    return [(hashes[start:stop], counts[start:stop]) for start, stop in pairwise(edges)]
