"""CUDA kernels that number the categories of rows; the twins of ``cpu_coding`` under the same names, with the same numbers."""

from typing import Any

import numpy as np

from gbdist.kernels.cpu_coding import MIX, SPREAD
from gbdist.kernels.cuda_compile import blocks_for, brought, card, device_function, kernel, launch, room, sent
from gbdist.kernels.cuda_sums import exclusive_sums

#: A slot that no category has yet: higher than any row.
_FREE = 0xFFFFFFFF
#: Slots that a row tries before it asks whether so many are taken that the search is in vain.
_PATIENCE = 64
_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)


@device_function
def _pair_key(base: Any, other: Any) -> Any:
    return np.uint64((base * SPREAD + np.uint64(other)) * MIX)


@kernel
def _free_slots(slots: Any) -> None:
    for i in range(card.grid(1), slots.shape[0], card.gridsize(1)):
        slots[i] = np.uint32(_FREE)


@kernel
def _claim_slots(bases: Any, others: Any, shift: Any, slots: Any, codes: Any, taken: Any) -> None:
    """Write the slot of each row's pair, in which the lowest row of the pair is left; unless more than half are taken."""
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        key = _pair_key(bases[i], others[i])
        slot = key >> shift
        row = np.uint32(i)
        for turn in range(slots.shape[0]):
            # An old value does no harm: rows of a slot only fall, and any of them tells its key.
            found = slots[slot]
            if found == np.uint32(_FREE):
                found = card.atomic.cas(slots, np.int64(slot), np.uint32(_FREE), row)
                if found == np.uint32(_FREE):
                    card.atomic.add(taken, 0, np.int32(1))
                    found = row
            if _pair_key(bases[found], others[found]) == key:
                if row < found:
                    card.atomic.min(slots, np.int64(slot), row)
                codes[i] = np.uint32(slot)
                break
            slot = (slot + _ONE) & mask
            if turn % _PATIENCE == _PATIENCE - 1 and card.atomic.add(taken, 0, np.int32(0)) > slots.shape[0] // 2:
                break


@kernel
def _mark_first(slots: Any, codes: Any, numbers: Any) -> None:
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        numbers[i] = np.int32(1) if slots[codes[i]] == np.uint32(i) else np.int32(0)


@kernel
def _number_rows(bases: Any, others: Any, slots: Any, numbers: Any, codes: Any, keys: Any) -> None:
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        first = slots[codes[i]]
        number = numbers[first]
        codes[i] = np.uint32(number)
        if first == np.uint32(i):
            keys[number] = _pair_key(bases[i], others[i])


def number_categories(bases: Any, others: Any, slots: tuple[Any, Any], codes: Any, keys: Any) -> int:
    """See ``cpu_coding.number_categories``: rows meet in ``slots[1]``, and the first row of each slot numbers it."""
    n_rows, n_slots = codes.shape[0], slots[1].shape[0]
    if n_rows == 0:
        return 0
    firsts = slots[1]
    taken = sent("slots that are taken", np.zeros(1), np.int32)
    launch(_free_slots, blocks_for(n_slots), firsts)
    shift = np.uint64(64 - (n_slots.bit_length() - 1))
    launch(_claim_slots, blocks_for(n_rows), bases, others, shift, firsts, codes, taken)
    count = int(brought(taken)[0])
    if count > n_slots // 2:
        return -1
    numbers = room("numbers of first rows", (n_rows,), np.int32)
    launch(_mark_first, blocks_for(n_rows), firsts, codes, numbers)
    exclusive_sums(numbers)
    launch(_number_rows, blocks_for(n_rows), bases, others, firsts, numbers, codes, keys)
    return count


@kernel
def _forget_rows(n_rows: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = n_rows


@kernel
def _first_rows(codes: Any, out: Any) -> None:
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        code = np.int64(codes[i])
        if i < out[code]:  # an old value does no harm: it only falls
            card.atomic.min(out, code, np.int64(i))


def first_rows(codes: Any, out: Any) -> None:
    """See ``cpu_coding.first_rows``."""
    if codes.shape[0]:
        launch(_forget_rows, blocks_for(out.shape[0]), codes.shape[0], out)
        launch(_first_rows, blocks_for(codes.shape[0]), codes, out)


@kernel
def _mark_places(bases: Any, others: Any, numbers: Any, size: Any, words: Any) -> None:
    for i in range(card.grid(1), bases.shape[0], card.gridsize(1)):
        place = bases[i] * size + np.uint64(numbers[others[i]])
        word, bit = np.int64(place >> _SIX), _ONE << (place & _LOW)
        if words[word] & bit == np.uint64(0):  # an old value does no harm: bits are only set
            card.atomic.or_(words, word, bit)


@kernel
def _count_places(words: Any, before: Any) -> None:
    for w in range(card.grid(1), words.shape[0] + 1, card.gridsize(1)):
        before[w] = np.int32(card.popc(words[w])) if w < words.shape[0] else np.int32(0)


@kernel
def _number_places(bases: Any, others: Any, numbers: Any, size: Any, words: Any, before: Any, codes: Any) -> None:
    for i in range(card.grid(1), codes.shape[0], card.gridsize(1)):
        place = bases[i] * size + np.uint64(numbers[others[i]])
        word = np.int64(place >> _SIX)
        below = words[word] & ((_ONE << (place & _LOW)) - _ONE)
        codes[i] = np.uint32(before[word] + np.int32(card.popc(below)))


def number_places(bases: Any, others: Any, numbers: tuple[Any, int], words: Any, codes: Any) -> int:
    """See ``cpu_coding.number_places``."""
    n_rows, n_words = codes.shape[0], words.shape[0]
    if n_rows == 0:
        return 0
    of_column, size = numbers[0], np.uint64(numbers[1])
    launch(_mark_places, blocks_for(n_rows), bases, others, of_column, size, words)
    before = room("places before words", (n_words + 1,), np.int32)
    launch(_count_places, blocks_for(n_words + 1), words, before)
    exclusive_sums(before)
    launch(_number_places, blocks_for(n_rows), bases, others, of_column, size, words, before, codes)
    return int(brought(before[n_words:])[0])


@kernel
def _join_places(bases: Any, others: Any, numbers: Any, size: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = bases[i] * size + np.uint64(numbers[others[i]])


def join_places(bases: Any, others: Any, numbers: tuple[Any, int], out: Any) -> None:
    """See ``cpu_coding.join_places``."""
    if out.shape[0]:
        launch(_join_places, blocks_for(out.shape[0]), bases, others, numbers[0], np.uint64(numbers[1]), out)


@kernel
def _join_keys(bases: Any, others: Any, numbers: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = _pair_key(bases[i], numbers[others[i]])


def join_keys(bases: Any, others: Any, numbers: Any, out: Any) -> None:
    """See ``cpu_coding.join_keys``."""
    if out.shape[0]:
        launch(_join_keys, blocks_for(out.shape[0]), bases, others, numbers, out)


@kernel
def _join_outcomes(bases: Any, outcomes: Any, place: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        out[i] = bases[i] | (np.uint64(outcomes[i]) << place)


def join_outcomes(bases: Any, outcomes: Any, place: int, out: Any) -> None:
    """See ``cpu_coding.join_outcomes``."""
    if out.shape[0]:
        launch(_join_outcomes, blocks_for(out.shape[0]), bases, outcomes, np.uint64(place), out)
