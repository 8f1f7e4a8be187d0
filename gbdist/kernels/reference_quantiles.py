"""The obvious NumPy twins of the kernels of quantiles: slow, same signatures, same bits (tests see to it)."""

import numpy as np
from numpy.typing import NDArray


def residual_keys(label: NDArray[np.float32], prediction: NDArray[np.float64], out: NDArray[np.uint64]) -> None:
    """Twin of ``cpu_quantiles.residual_keys``."""
    residual = label.astype(np.float64) - prediction + 0.0
    bits = residual.view(np.uint64)
    out[:] = np.where(np.signbit(residual), ~bits, bits | np.uint64(1 << 63))


def add_key_digits(
    keys: NDArray[np.uint64],
    leaf_of_row: NDArray[np.uint16],
    weights: tuple[NDArray[np.float32], NDArray[np.float32], bool],
    prefixes: NDArray[np.uint64],
    shift: int,
    scale: float,
    sums: NDArray[np.int64],
) -> None:
    """Twin of ``cpu_quantiles.add_key_digits``."""
    weight, label, relative = weights
    w = weight.astype(np.float64) if weight.shape[0] else np.ones(keys.shape[0])
    if relative:
        w = w / np.maximum(1.0, np.abs(label.astype(np.float64)))
    rest = keys >> np.uint64(shift)
    some = rest >> np.uint64(8) == prefixes[leaf_of_row]
    places = leaf_of_row[some], (rest[some] & np.uint64(255)).astype(np.int64)
    np.add.at(sums, places, np.rint(w[some] * scale).astype(np.int64))
