"""The key of a category in CatBoost's tables: a hash of the values and split outcomes that make it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: CatBoost's hash.h, CalcHash.
_FACTOR = np.uint64(0x4906BA494954CB65)
_INVERSE = np.uint64(pow(int(_FACTOR), -1, 1 << 64))


def projection_keys(
    hashes: Sequence[NDArray[np.uint32]], outcomes: Sequence[NDArray[np.bool_]] = ()
) -> NDArray[np.uint64]:
    """Keys of a projection's categories, uint64 [n].

    CatBoost's ctr_provider.h mixes in the hash of each categorical column as a signed number, then the outcome of each split of
    a number, then of each one-hot split, in the order in which the model lists them.

    Parameters
    ----------
    hashes : uint32 [n] each, at least one
        Hashes of the categorical columns.
    outcomes : bool [n] each
        Outcomes of the float splits, then of the one-hot splits.
    """
    keys = np.zeros(hashes[0].shape[0], dtype=np.uint64)
    for column in hashes:
        _mix(keys, column.view(np.int32).astype(np.int64).view(np.uint64))
    for outcome in outcomes:
        _mix(keys, outcome.astype(np.uint64))
    return keys


def mixed_in(keys: NDArray[np.uint64], outcomes: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Keys of a projection that has one more split, uint64 [n], from its ``keys`` without it, uint64 [n], and its outcomes."""
    mixed = keys.copy()
    _mix(mixed, outcomes.astype(np.uint64))
    return mixed


def hashes_of_keys(keys: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Hashes of the categories of one column, uint32 [n], that have the keys [n]: what ``projection_keys`` was given."""
    with np.errstate(over="ignore"):
        return (keys * _INVERSE * _INVERSE).astype(np.uint32)


def _mix(keys: NDArray[np.uint64], values: NDArray[np.uint64]) -> None:
    """Mix ``values`` [n] into ``keys`` [n], IN and OUT."""
    with np.errstate(over="ignore"):
        keys += values * _FACTOR
        keys *= _FACTOR
