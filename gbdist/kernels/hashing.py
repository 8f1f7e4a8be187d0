"""Randomness without state: a hash of (seed, purpose, tree, …) gives a key, a hash of key and row number a draw.

The mixer is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014, fig. 19).
The same source runs in NumPy on uint64 arrays and in kernels on uint64 scalars.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15

GOLDEN = np.uint64(_GOLDEN)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_TO_UNIT = 2.0**-53


def stream_key(*numbers: int) -> np.uint64:
    """Mix small integers (seed, purpose, tree, …) into the key of one stream of draws."""
    state = 0
    for number in numbers:
        state = _mix_int((state + _GOLDEN + (number & _MASK)) & _MASK)
    return np.uint64(state)


def _mix_int(value: int) -> int:
    value = ((value ^ (value >> 30)) * int(_M1)) & _MASK
    value = ((value ^ (value >> 27)) * int(_M2)) & _MASK
    return value ^ (value >> 31)


def hash_numbers(key: np.uint64, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash of (key, number) for an array of numbers, uint64 in and out; the NumPy twin of ``hash_number``."""
    return np.asarray(mixed(key + numbers * GOLDEN), dtype=np.uint64)


def mixed(values: Any) -> Any:
    """The mixer on what keys and numbers add up to, uint64 in and out: arrays of any memory that act as NumPy's do."""
    values = (values ^ (values >> _S30)) * _M1
    values = (values ^ (values >> _S27)) * _M2
    return values ^ (values >> _S31)


def unit_draws(key: np.uint64, numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Uniform float64 draws in [0, 1) for an array of numbers; the NumPy twin of ``unit_draw``."""
    return (hash_numbers(key, numbers) >> _S11).astype(np.float64) * _TO_UNIT


class Draws(NamedTuple):
    """One instance of the functions that kernels call."""

    hash_number: Callable[[Any, Any], Any]
    unit_draw: Callable[[Any, Any], Any]


def draws(times: Callable[[Any, Any], Any], compiled: Callable[[Any], Any]) -> Draws:
    """Make the functions for one kind of kernel; ``times`` and ``compiled`` as in ``elementary.functions``."""

    def hash_number(key: Any, number: Any) -> Any:
        """Hash of (key, number), both uint64 scalars, inside a kernel."""
        value = key + number * GOLDEN
        value = (value ^ (value >> _S30)) * _M1
        value = (value ^ (value >> _S27)) * _M2
        return value ^ (value >> _S31)

    hash_number = compiled(hash_number)

    def unit_draw(key: Any, number: Any) -> Any:
        """Uniform float64 draw in [0, 1), inside a kernel."""
        return times(np.float64(hash_number(key, number) >> _S11), _TO_UNIT)

    return Draws(hash_number, compiled(unit_draw))


@device_function
def product(a: Any, b: Any) -> Any:
    """a × b, which CPU kernels do not fuse with what comes after."""
    return a * b


hash_number, unit_draw = draws(product, device_function)
