"""Runs a CUDA kernel and its NumPy twin on the same arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda

from gbdist.kernels import (
    cuda_binning,
    cuda_categories,
    cuda_coding,
    cuda_grouped,
    cuda_histogram,
    cuda_leafwise,
    cuda_losses,
    cuda_metrics,
    cuda_monotone,
    cuda_pointwise,
    cuda_quantiles,
    cuda_rows,
    cuda_survival,
    cuda_uncertainty,
    reference_binning,
    reference_categories,
    reference_coding,
    reference_grouped,
    reference_histogram,
    reference_leafwise,
    reference_losses,
    reference_metrics,
    reference_monotone,
    reference_pointwise,
    reference_quantiles,
    reference_rows,
    reference_survival,
    reference_uncertainty,
)

MODULES = {
    reference_rows: cuda_rows,
    reference_histogram: cuda_histogram,
    reference_losses: cuda_losses,
    reference_metrics: cuda_metrics,
    reference_binning: cuda_binning,
    reference_categories: cuda_categories,
    reference_coding: cuda_coding,
    reference_pointwise: cuda_pointwise,
    reference_monotone: cuda_monotone,
    reference_leafwise: cuda_leafwise,
    reference_quantiles: cuda_quantiles,
    reference_survival: cuda_survival,
    reference_uncertainty: cuda_uncertainty,
    reference_grouped: cuda_grouped,
}


@dataclass
class Card:
    """An array that a kernel wants on the device."""

    values: np.ndarray


@dataclass
class Scratch(Card):
    """A card's array that is of no meaning once the kernel has run."""


def outcome(kernel: Callable[..., Any], arguments: tuple[Any, ...], on_card: bool) -> list[Any]:
    """What the kernel returns, and what it leaves in all its arrays."""

    def copied(one: Any) -> Any:
        if isinstance(one, tuple):
            return tuple(map(copied, one))
        if isinstance(one, Card):
            return cuda.to_device(one.values) if on_card and one.values.size else one.values.copy()
        return one.copy() if isinstance(one, np.ndarray) else one

    def left(one: Any, was: Any) -> list[np.ndarray]:
        if isinstance(one, tuple):
            return [array for pair in zip(one, was, strict=True) for array in left(*pair)]
        if isinstance(was, Scratch):
            return []
        array = one.copy_to_host() if hasattr(one, "copy_to_host") else one
        return [array] if isinstance(array, np.ndarray) else []

    given = copied(arguments)
    return [kernel(*given), *left(given, arguments)]


def equal(name: str, *arguments: Any) -> list[Any]:
    """Run the kernel and its twin on copies of the arguments; all arrays end up the same, which are returned."""
    twin, kernel = next((m, k) for m, k in MODULES.items() if hasattr(m, name) and hasattr(k, name))
    expected = outcome(getattr(twin, name), arguments, on_card=False)
    found = outcome(getattr(kernel, name), arguments, on_card=True)
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes(), name
        else:
            assert one == other
    return found
