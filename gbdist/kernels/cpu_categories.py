"""CPU kernels of target statistics: count classes of categories, add them up, count those of earlier rows, cut into bins."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel

#: Counts of so many rows stay in the cache between counting and cutting.
_BLOCK = 4096

#: CatBoost's split.cpp: a statistic goes right of its border ``k`` where it is above k + 0.999999.
BORDER_OFFSET = 0.999999
_OFFSET = np.float32(BORDER_OFFSET)


@kernel
def count_classes(codes: NDArray[np.uint32], classes: NDArray[np.uint8], counts: NDArray[np.int32]) -> None:
    """Add each row to its category and class: codes and classes [n] IN, counts int32 [n_categories, n_classes] IN and OUT."""
    for i in range(np.uint64(codes.shape[0])):
        counts[codes[i], classes[i]] += 1


@kernel
def count_earlier(
    codes: NDArray[np.uint32],
    classes: NDArray[np.uint8],
    backwards: bool,
    counts: NDArray[np.int32],
    earlier: NDArray[np.int32],
) -> None:
    """Write what was counted of each row's category before the row, and count the row.

    Parameters
    ----------
    codes : uint32 [n], IN
    classes : uint8 [n], IN
    backwards : whether the last row comes first
    counts : int32 [n_categories, n_classes], IN and OUT
        Rows counted so far.
    earlier : int32 [n_classes, n], OUT
    """
    n_rows, n_classes = codes.shape[0], counts.shape[1]
    if n_classes == 2:
        for k in range(np.uint64(n_rows)):
            i = np.uint64(n_rows) - k - np.uint64(1) if backwards else k
            code = codes[i]
            earlier[0, i] = counts[code, 0]
            earlier[1, i] = counts[code, 1]
            counts[code, classes[i]] += 1
        return
    for k in range(np.uint64(n_rows)):
        i = np.uint64(n_rows) - k - np.uint64(1) if backwards else k
        code = codes[i]
        for c in range(n_classes):
            earlier[c, i] = counts[code, c]
        counts[code, classes[i]] += 1


@kernel
def add_counts(
    counts: NDArray[np.int32], codes: NDArray[np.uint32], before: NDArray[np.int32], so_far: NDArray[np.int32]
) -> None:
    """Write what has been counted so far of some categories, and add their counts.

    Parameters
    ----------
    counts : int32 [n, n_classes], IN
    codes : uint32 [n], IN
        Number of each category among all.
    before : int32 [n, n_classes], OUT
    so_far : int32 [n_categories, n_classes], IN and OUT
    """
    for i in range(np.uint64(codes.shape[0])):
        code = codes[i]
        for c in range(counts.shape[1]):
            before[i, c] = so_far[code, c]
            so_far[code, c] += counts[i, c]


@kernel
def sum_counts(counts: NDArray[np.int32], codes: NDArray[np.uint32], so_far: NDArray[np.int32]) -> None:
    """Add counts of some categories as ``add_counts`` does: counts int32 [n, n_classes] and codes IN, so_far IN and OUT."""
    for i in range(np.uint64(codes.shape[0])):
        for c in range(counts.shape[1]):
            so_far[codes[i], c] += counts[i, c]


@kernel
def take_counts(counts: NDArray[np.int32], which: NDArray[np.int64], out: NDArray[np.int32]) -> None:
    """Write the counts of some categories: counts int32 [n, k] and which int64 [m] IN, out int32 [m, k] OUT."""
    for i in range(np.uint64(which.shape[0])):
        for c in range(counts.shape[1]):
            out[i, c] = counts[which[i], c]


@kernel
def put_counts(counts: NDArray[np.int32], which: NDArray[np.int64], out: NDArray[np.int32]) -> None:
    """Write counts to some categories' places: counts int32 [m, k] and which int64 [m] IN, out int32 [n, k] OUT there."""
    for i in range(np.uint64(which.shape[0])):
        for c in range(counts.shape[1]):
            out[which[i], c] = counts[i, c]


@kernel
def describe_counts(
    counts: NDArray[np.int32], edges: NDArray[np.int64], n_trained: int, facts: NDArray[np.int64]
) -> None:
    """How many categories of each group have any row in the first ``n_trained`` classes, and in all; rows of the largest one.

    ``counts`` is int32 [n_categories, n_classes], IN; categories ``edges[g] … edges[g + 1] − 1`` are those of a group, int64
    [n_groups + 1], IN; ``facts`` int64 [n_groups, 3], OUT.
    """
    for g in range(facts.shape[0]):
        trained, known, largest = np.int64(0), np.int64(0), np.int64(0)
        for i in range(np.uint64(edges[g]), np.uint64(edges[g + 1])):
            total, of_trained = np.int64(0), np.int64(0)
            for c in range(counts.shape[1]):
                total += counts[i, c]
                of_trained += counts[i, c] if c < n_trained else 0
            trained += of_trained > 0
            known += total > 0
            largest = max(largest, total)
        facts[g, 0], facts[g, 1], facts[g, 2] = trained, known, largest


@kernel
def narrow_counts(counts: NDArray[np.int32], largest: int, out: NDArray[np.uint8]) -> int:
    """Write min(count, largest) of counts, int32 [n], to uint8 [n], OUT; return how many are ``largest`` or more."""
    many = np.int64(0)
    for i in range(np.uint64(counts.shape[0])):
        out[i] = np.uint8(min(counts[i], largest))
        many += counts[i] >= largest
    return int(many)


@kernel
def add_classes(counts: NDArray[np.int32], first: int, stop: int, out: NDArray[np.int32]) -> None:
    """Write the rows of the classes ``first … stop−1``: counts int32 [n, n_classes] IN, out int32 [n] OUT."""
    for i in range(np.uint64(out.shape[0])):
        total = np.int32(0)
        for c in range(first, stop):
            total += counts[i, c]
        out[i] = total


@kernel
def take_bins(codes: NDArray[np.uint32], bins: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Write the bin of each row's category: codes uint32 [n], bins uint8 [n_categories] IN, out uint8 [n] OUT."""
    for i in range(np.uint64(out.shape[0])):
        out[i] = bins[codes[i]]


@kernel
def statistic_bins(
    good: NDArray[np.int32],
    total: NDArray[np.int32],
    rule: tuple[np.float32, np.float32, np.float32, int],
    out: NDArray[np.uint8],
) -> None:
    """Write the bins of a statistic, in the float32 arithmetic in which CatBoost's models apply it (online_ctr.h, TModelCtr).

    The value is ((good + prior) / (total + 1) + shift) × scale; the bin is the number of borders k + 0.999999 below it. From
    k = 32 on float32 rounds them up to k + 1, so that a value of k + 1 is not above its own border.

    Parameters
    ----------
    good, total : int32 [n], IN
    rule : (prior float32, shift float32, scale float32, number of borders)
    out : uint8 [n], OUT
    """
    prior, shift, scale, n_borders = rule
    last = np.int32(n_borders)
    for i in range(np.uint64(out.shape[0])):
        value = (np.float32(good[i]) + prior) / (np.float32(total[i]) + np.float32(1.0))
        value = (value + shift) * scale
        whole = min(np.int32(value), last)
        above = np.int32(value > np.float32(whole) + _OFFSET)
        beyond = np.int32(whole > 0) & np.int32(value <= np.float32(whole - 1) + _OFFSET)
        out[i] = np.uint8(min(whole + above - beyond, last))


@device_function
def _add_classes(counts: NDArray[np.int32], first: int, stop: int, out: NDArray[np.int32]) -> None:
    """Sum of the rows ``first … stop−1`` of counts, int32 [n_classes, n]; out int32 [n], OUT."""
    out[:] = 0
    for c in range(first, stop):
        for i in range(np.uint64(out.shape[0])):
            out[i] += counts[c, i]


@kernel
def learn_bins(
    rows: tuple[NDArray[np.uint32], NDArray[np.uint8], bool],
    first_row: int,
    counts: NDArray[np.int32],
    dropped: NDArray[np.bool_],
    n_classes: int,
    features: tuple[NDArray[np.int64], NDArray[np.float32]],
    out: NDArray[np.uint8],
) -> None:
    """Write the bins of statistics of neighbouring rows, each row's from what was counted before it.

    Parameters
    ----------
    rows : (codes uint32 [n], classes uint8 [n], whether the last row comes first), IN
    first_row : where in ``out`` they begin
    counts : int32 [n_categories, n_columns], IN
        Rows counted before these; the first ``n_classes`` columns are classes.
    dropped : bool [n_categories] or [0], IN
        Categories that count as never met; none of them if empty.
    features : (wholes int64 [n_features, 4], numbers float32 [n_features, 3]), IN
        First class that counts as good, the one after the last, number of borders, row of ``out``; prior, shift, scale.
    out : uint8 [n_features or more, first_row + n or more], OUT
    """
    codes, classes, backwards = rows
    wholes, numbers = features
    n_rows, counts = codes.shape[0], counts.copy()
    earlier = np.empty((counts.shape[1], _BLOCK), np.int32)
    total, good = np.empty(_BLOCK, np.int32), np.empty(_BLOCK, np.int32)
    n_blocks = (n_rows + _BLOCK - 1) // _BLOCK
    for number in range(n_blocks):
        start = (n_blocks - 1 - number if backwards else number) * _BLOCK
        stop = min(start + _BLOCK, n_rows)
        size = stop - start
        count_earlier(codes[start:stop], classes[start:stop], backwards, counts, earlier[:, :size])
        if dropped.shape[0]:
            for i in range(size):
                if dropped[codes[start + i]]:
                    earlier[:, i] = 0
        _add_classes(earlier, 0, n_classes, total[:size])
        for f in range(wholes.shape[0]):
            if f == 0 or wholes[f, 0] != wholes[f - 1, 0] or wholes[f, 1] != wholes[f - 1, 1]:
                _add_classes(earlier, wholes[f, 0], wholes[f, 1], good[:size])
            rule = (numbers[f, 0], numbers[f, 1], numbers[f, 2], wholes[f, 2])
            statistic_bins(good[:size], total[:size], rule, out[wholes[f, 3], first_row + start : first_row + stop])
