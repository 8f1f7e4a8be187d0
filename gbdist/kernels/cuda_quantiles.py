"""CUDA kernels of exact weighted quantiles; the twins of ``cpu_quantiles`` under the same names, with the same sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import blocks_for, card, given, kernel, launch, on_device, rint, weights_or
from gbdist.kernels.cuda_losses import weight_of

_SIGN = np.uint64(1 << 63)


@kernel
def _residual_keys(label: Any, prediction: Any, out: Any) -> None:
    for i in range(card.grid(1), out.shape[0], card.gridsize(1)):
        residual = np.float64(label[i]) - prediction[i] + 0.0
        bits = np.float64(residual).view(np.uint64)
        out[i] = ~bits if bits & _SIGN != np.uint64(0) else bits | _SIGN


def residual_keys(label: Any, prediction: Any, out: Any) -> None:
    """See ``cpu_quantiles.residual_keys``."""
    if out.shape[0]:
        launch(_residual_keys, blocks_for(out.shape[0]), label, prediction, out)


@kernel
def _add_key_digits(
    keys: Any, leaf_of_row: Any, weight: Any, weighted: Any, label: Any, relative: Any, prefixes: Any, shift: Any,
    scale: Any, sums: Any,
) -> None:  # fmt: skip
    for i in range(card.grid(1), keys.shape[0], card.gridsize(1)):
        leaf = np.int64(leaf_of_row[i])
        rest = keys[i] >> shift
        if rest >> np.uint64(8) == prefixes[leaf]:
            w = weight_of(weight, weighted, i)
            if relative:
                w = w / max(1.0, abs(np.float64(label[i])))
            card.atomic.add(sums, (leaf, np.int64(rest & np.uint64(255))), rint(w * scale))


def add_key_digits(
    keys: Any,
    leaf_of_row: Any,
    weights: tuple[Any, Any, bool],
    prefixes: NDArray[np.uint64],
    shift: int,
    scale: float,
    sums: NDArray[np.int64],
) -> None:
    """See ``cpu_quantiles.add_key_digits``."""
    if not keys.shape[0]:
        return
    weight, label, relative = weights
    there = given("prefixes", prefixes, np.uint64)
    with on_device(sums) as summed:
        launch(
            _add_key_digits, blocks_for(keys.shape[0]), keys, leaf_of_row, *weights_or(weight, label), label, bool(relative),
            there, np.uint64(shift), float(scale), summed,
        )  # fmt: skip
