"""CPU kernels that number categories: those of one rank, and those that ranks have in common."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel

_FREE = np.uint32(0xFFFFFFFF)
SPREAD = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xBF58476D1CE4E5B9)


@kernel
def number_categories(
    bases: NDArray[np.uint64],
    others: NDArray[np.uint32],
    slots: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    codes: NDArray[np.uint32],
    keys: NDArray[np.uint64],
) -> np.int64:
    """Number the distinct pairs of base and other from 0 in the order in which they come; return how many there are.

    Returns −1, with nothing of use written, where they fill more than half of the slots.

    A pair is told by (base × a + other) × b modulo 2⁶⁴ with odd a and b, which is one to one for each base.

    Parameters
    ----------
    bases : uint64 [n], IN
    others : uint32 [n], IN
    slots : (keys uint64, numbers uint32), each [a power of two, at least 2], scratch
    codes : uint32 [n], OUT
        Number of each row's pair.
    keys : uint64 [n, or half of the slots], OUT
        Key of each number; the rest is not written.
    """
    slot_keys, slot_codes = slots
    slot_codes[:] = _FREE
    mask = np.uint64(slot_codes.shape[0] - 1)
    shift, size = np.uint64(64), slot_codes.shape[0]
    while size > 1:
        shift -= np.uint64(1)
        size >>= 1
    count, most = np.uint32(0), slot_codes.shape[0] // 2
    for i in range(np.uint64(codes.shape[0])):
        key = (bases[i] * SPREAD + np.uint64(others[i])) * MIX
        slot = key >> shift
        while slot_codes[slot] != _FREE and slot_keys[slot] != key:
            slot = (slot + np.uint64(1)) & mask
        if slot_codes[slot] == _FREE:
            if np.int64(count) == most:
                return np.int64(-1)
            slot_keys[slot], slot_codes[slot] = key, count
            keys[count] = key
            count += np.uint32(1)
        codes[i] = slot_codes[slot]
    return np.int64(count)


@kernel
def first_rows(codes: NDArray[np.uint32], out: NDArray[np.int64]) -> None:
    """Write the first row of each category: codes uint32 [n] IN, out int64 [n_categories] OUT."""
    for k in range(np.uint64(codes.shape[0])):
        row = np.uint64(codes.shape[0]) - k - np.uint64(1)
        out[codes[row]] = row


@device_function
def _ones(word: np.uint64) -> np.uint64:
    """How many bits of a word are 1."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@kernel
def number_places(
    bases: NDArray[np.uint64],
    others: NDArray[np.uint32],
    numbers: tuple[NDArray[np.uint32], int],
    words: NDArray[np.uint64],
    codes: NDArray[np.uint32],
) -> int:
    """Number the places base × size + number that any row has, from 0 in ascending order; return how many there are.

    Parameters
    ----------
    bases : uint64 [n], IN
    others : uint32 [n], IN
        Indices into ``numbers``.
    numbers : (uint32 [n_others], size), IN
        Numbers below the size.
    words : uint64 [places / 64, rounded up], IN and OUT
        0 at first; then bit p of word w says whether any row has the place 64·w + p.
    codes : uint32 [n], OUT
    """
    number_of, size = numbers[0], np.uint64(numbers[1])
    one, low = np.uint64(1), np.uint64(63)
    for i in range(np.uint64(codes.shape[0])):
        place = bases[i] * size + np.uint64(number_of[others[i]])
        words[place >> np.uint64(6)] |= one << (place & low)
    before = np.empty(words.shape[0], np.uint32)
    count = np.uint32(0)
    for w in range(np.uint64(words.shape[0])):
        before[w] = count
        count += np.uint32(_ones(words[w]))
    for i in range(np.uint64(codes.shape[0])):
        place = bases[i] * size + np.uint64(number_of[others[i]])
        word = place >> np.uint64(6)
        below = words[word] & ((one << (place & low)) - one)
        codes[i] = before[word] + np.uint32(_ones(below))
    return int(count)


@kernel
def join_places(
    bases: NDArray[np.uint64],
    others: NDArray[np.uint32],
    numbers: tuple[NDArray[np.uint32], int],
    out: NDArray[np.uint64],
) -> None:
    """Write the places of ``number_places``, which has the same arguments: out uint64 [n], OUT."""
    number_of, size = numbers[0], np.uint64(numbers[1])
    for i in range(np.uint64(out.shape[0])):
        out[i] = bases[i] * size + np.uint64(number_of[others[i]])


@kernel
def join_keys(
    bases: NDArray[np.uint64], others: NDArray[np.uint32], numbers: NDArray[np.uint32], out: NDArray[np.uint64]
) -> None:
    """Write the keys that ``number_categories`` has for pairs of a base and a number.

    Parameters
    ----------
    bases : uint64 [n], IN
    others : uint32 [n], IN
        Indices into ``numbers``, uint32 [n_others], IN.
    out : uint64 [n], OUT
    """
    for i in range(np.uint64(out.shape[0])):
        out[i] = (bases[i] * SPREAD + np.uint64(numbers[others[i]])) * MIX


@kernel
def join_outcomes(bases: NDArray[np.uint64], outcomes: NDArray[np.bool_], place: int, out: NDArray[np.uint64]) -> None:
    """Write bases, uint64 [n] IN, with the bit ``place`` set where outcomes, bool [n] IN, are true: out uint64 [n], OUT."""
    for i in range(np.uint64(out.shape[0])):
        out[i] = bases[i] | (np.uint64(outcomes[i]) << np.uint64(place))


@kernel
def keys_of_places(words: NDArray[np.uint64], keys: NDArray[np.uint64]) -> None:
    """Write a key for each place that ``number_places`` marked, ascending: words uint64 [n] IN, keys uint64 [ones] OUT."""
    i, one = np.uint64(0), np.uint64(1)
    for w in range(np.uint64(words.shape[0])):
        word = words[w]
        while word != np.uint64(0):
            bit = word & (~word + one)
            keys[i] = (np.uint64(w) * np.uint64(64) + _ones(bit - one)) * SPREAD * MIX
            word ^= bit
            i += one


@kernel
def match_names(
    names: NDArray[np.uint64],
    edges: tuple[NDArray[np.int64], NDArray[np.int64]],
    are_places: NDArray[np.bool_],
    slots: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    codes: NDArray[np.uint32],
    found: NDArray[np.int64],
) -> None:
    """Number the different categories of each group in several parts, those of one group after those of another.

    Parameters
    ----------
    names : uint64 [n], IN
        Keys of categories, or bits of their places (see ``number_places``).
    edges : two int64 [n_parts, n_groups + 1], IN
        Names, and ``codes``, ``edges[p, g] … edges[p, g + 1] − 1`` are those of a group in a part.
    are_places : bool [n_groups], IN
        Groups whose names are places.
    slots : (uint64, uint32), each [a power of two, at least 2 and above the names of any group], scratch
    codes : uint32 [number of categories in all parts], OUT
    found : int64 [n_groups + 1], OUT
        Numbers ``found[g] … found[g + 1] − 1`` are those of a group.
    """
    of_names, of_codes = edges
    found[0] = 0
    for g in range(are_places.shape[0]):
        if are_places[g]:
            found[g + 1] = _match_places(names, of_names[:, g : g + 2], of_codes[:, g], slots, codes, found[g])
        else:
            found[g + 1] = _match_keys(names, of_names[:, g : g + 2], of_codes[:, g], slots, codes, found[g])


@device_function
def _match_keys(
    names: NDArray[np.uint64],
    edges: NDArray[np.int64],
    firsts: NDArray[np.int64],
    slots: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    codes: NDArray[np.uint32],
    start: int,
) -> int:
    slot_keys, slot_codes = slots
    count = np.uint32(start)
    n_keys = 0
    for p in range(edges.shape[0]):
        n_keys += edges[p, 1] - edges[p, 0]
    shift, size = np.uint64(63), 2
    while size < 2 * n_keys:
        shift -= np.uint64(1)
        size *= 2
    mask = np.uint64(size - 1)
    slot_codes[:size] = _FREE
    for p in range(edges.shape[0]):
        to = np.uint64(firsts[p])
        for i in range(np.uint64(edges[p, 0]), np.uint64(edges[p, 1])):
            key = names[i]
            slot = (key * MIX) >> shift
            while slot_codes[slot] != _FREE and slot_keys[slot] != key:
                slot = (slot + np.uint64(1)) & mask
            if slot_codes[slot] == _FREE:
                slot_keys[slot], slot_codes[slot] = key, count
                count += np.uint32(1)
            codes[to] = slot_codes[slot]
            to += np.uint64(1)
    return int(count)


@device_function
def _match_places(
    names: NDArray[np.uint64],
    edges: NDArray[np.int64],
    firsts: NDArray[np.int64],
    slots: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    codes: NDArray[np.uint32],
    start: int,
) -> int:
    union, before = slots
    count, one = np.uint32(start), np.uint64(1)
    n_words = np.uint64(edges[0, 1] - edges[0, 0])
    for w in range(n_words):
        word = np.uint64(0)
        for p in range(edges.shape[0]):
            word |= names[np.uint64(edges[p, 0]) + w]
        union[w], before[w] = word, count
        count += np.uint32(_ones(word))
    for p in range(edges.shape[0]):
        to = np.uint64(firsts[p])
        for w in range(n_words):
            word, everyone = names[np.uint64(edges[p, 0]) + w], union[w]
            while word != np.uint64(0):
                bit = word & (~word + one)
                codes[to] = before[w] + np.uint32(_ones(everyone & (bit - one)))
                word ^= bit
                to += one
    return int(count)
