"""The array functions that a network computes with: NumPy's, or CuPy's on a card. Nothing else loads CuPy."""

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gbdist.errors import ParameterError
from gbdist.kernels import cpu_networks, reference_networks
from gbdist.neural.network.blocks import Array


class Kernels(Protocol):
    """What is computed in one pass on a CPU; see ``cpu_networks``."""

    add_bias_relu: Any
    relu_change: Any
    round_to_half: Any
    dropout_mask: Any
    embed_piecewise: Any
    piecewise_change: Any
    wave_phases: Any
    frequency_change: Any
    add_rows: Any


@dataclass(frozen=True, slots=True)
class Arrays:
    """One memory and its functions.

    Parameters
    ----------
    xp : module
        NumPy or what has its functions.
    kernels : Kernels
    on_card : bool
        Whether its arrays are elsewhere than NumPy's.
    """

    xp: Any
    kernels: Kernels
    on_card: bool

    def here(self, array: Any, dtype: DTypeLike) -> Array:
        """An array in this memory and of that type: itself where it is already."""
        return self.xp.asarray(array, dtype)

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
        """An array with whatever values it has."""
        return self.xp.empty(shape, dtype)

    def to_fill(self, array: Array, dtype: DTypeLike) -> Array:
        """One of NumPy's arrays, or on a card one of its shape and that type, with whatever values it has."""
        return self.empty(array.shape, dtype) if self.on_card else array

    def numpy(self, array: Array) -> NDArray[Any]:
        """An array in NumPy's memory: itself where it is already."""
        found: NDArray[Any] = self.xp.asnumpy(array) if self.on_card else array
        return found

    def product(self, a: Array, b: Array, out: Array) -> None:
        """Write the matrix product (or one for each pair of a stack) to ``out``, which may have more precise numbers."""
        if out.dtype == a.dtype:
            self.xp.matmul(a, b, out=out)
        else:
            out[...] = self.xp.matmul(a, b)


#: ``cpu_networks`` are compiled when they are called first.
NUMPY = Arrays(np, cpu_networks, on_card=False)


def card_arrays(number: int) -> Arrays:
    """CuPy's arrays on the card of that number, which becomes this thread's.

    Raises
    ------
    ParameterError
        CuPy is not installed, or sees no such card.
    """
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise ParameterError(
            "task_type", "GPU", "CuPy where a network is trained", f'Install it: pip install "gbdist[cuda]" ({error}).'
        ) from error
    try:
        cupy.cuda.Device(number).use()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise ParameterError("devices", number, "a card that CuPy sees", f"Choose another one ({error}).") from error
    return Arrays(cupy, reference_networks, on_card=True)
