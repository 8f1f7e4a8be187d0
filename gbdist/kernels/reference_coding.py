"""The obvious NumPy twins of the kernels that number categories: slow, same signatures, same bits (tests see to it)."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_coding import MIX, SPREAD


def number_categories(
    bases: NDArray[np.uint64],
    others: NDArray[np.uint32],
    slots: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    codes: NDArray[np.uint32],
    keys: NDArray[np.uint64],
) -> int:
    """Twin of ``cpu_coding.number_categories``."""
    pairs = (bases * SPREAD + others.astype(np.uint64)) * MIX
    numbers: dict[int, int] = {}
    for i, pair in enumerate(pairs.tolist()):
        codes[i] = numbers.setdefault(pair, len(numbers))
    if len(numbers) > slots[0].shape[0] // 2:
        return -1
    keys[: len(numbers)] = np.array(list(numbers), np.uint64)
    return len(numbers)


def first_rows(codes: NDArray[np.uint32], out: NDArray[np.int64]) -> None:
    """Twin of ``cpu_coding.first_rows``."""
    out[codes[::-1]] = np.arange(codes.shape[0])[::-1]


def number_places(
    bases: NDArray[np.uint64],
    others: NDArray[np.uint32],
    numbers: tuple[NDArray[np.uint32], int],
    words: NDArray[np.uint64],
    codes: NDArray[np.uint32],
) -> int:
    """Twin of ``cpu_coding.number_places``."""
    places = bases.astype(np.int64) * numbers[1] + numbers[0][others].astype(np.int64)
    known, codes[:] = np.unique(places, return_inverse=True)
    marked = np.zeros(64 * words.shape[0], np.bool_)
    marked[known] = True
    words[:] = np.packbits(marked, bitorder="little").view(np.uint64)
    return int(known.shape[0])


def join_places(
    bases: NDArray[np.uint64],
    others: NDArray[np.uint32],
    numbers: tuple[NDArray[np.uint32], int],
    out: NDArray[np.uint64],
) -> None:
    """Twin of ``cpu_coding.join_places``."""
    out[:] = bases * np.uint64(numbers[1]) + numbers[0][others]


def join_keys(
    bases: NDArray[np.uint64], others: NDArray[np.uint32], numbers: NDArray[np.uint32], out: NDArray[np.uint64]
) -> None:
    """Twin of ``cpu_coding.join_keys``."""
    out[:] = (bases * SPREAD + numbers[others]) * MIX


def join_outcomes(bases: NDArray[np.uint64], outcomes: NDArray[np.bool_], place: int, out: NDArray[np.uint64]) -> None:
    """Twin of ``cpu_coding.join_outcomes``."""
    out[:] = bases | outcomes.astype(np.uint64) << np.uint64(place)


def keys_of_places(words: NDArray[np.uint64], keys: NDArray[np.uint64]) -> None:
    """Twin of ``cpu_coding.keys_of_places``."""
    keys[:] = _marked(words).astype(np.uint64) * SPREAD * MIX


def _marked(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))


def match_names(
    names: NDArray[np.uint64],
    edges: tuple[NDArray[np.int64], NDArray[np.int64]],
    are_places: NDArray[np.bool_],
    slots: tuple[NDArray[np.uint64], NDArray[np.uint32]],
    codes: NDArray[np.uint32],
    found: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_coding.match_names``."""
    found[0] = 0
    for group, places in enumerate(are_places.tolist()):
        parts = [names[first:stop] for first, stop in edges[0][:, group : group + 2].tolist()]
        keys = [_marked(part).tolist() if places else part.tolist() for part in parts]
        distinct = dict.fromkeys(key for part in keys for key in part)
        numbers = {key: found[group] + i for i, key in enumerate(sorted(distinct) if places else distinct)}
        for (first, stop), part in zip(edges[1][:, group : group + 2].tolist(), keys, strict=True):
            codes[first:stop] = [numbers[key] for key in part]
        found[group + 1] = found[group] + len(numbers)
