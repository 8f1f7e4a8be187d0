"""RMSEWithUncertainty in NumPy: what the kernels of ``cpu_uncertainty`` must equal, bit for bit.

Shapes and types are those of ``reference_losses``; predictions are float64 [2, n]: mean, logarithm of the deviation.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.elementary import exp_array
from gbdist.kernels.uncertainty import LOG_DENSITY

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]


def uncertainty_derivatives(label: _F4, weight: _F4, predictions: _F8, out: _F8) -> None:
    """Weight × derivatives by both raw values: out float64 [2, n]."""
    _, by_mean, by_deviation, _ = _parts(label, predictions)
    w = _ones_or(weight, label)
    out[0], out[1] = by_mean * w, by_deviation * w


def add_uncertainty_leaf_sums(
    label: _F4,
    weight: _F4,
    predictions: _F8,
    leaf_of_row: NDArray[np.uint16],
    shift: _F8,
    scales: _F8,
    sums: NDArray[np.int64],
) -> None:
    """Columns: loss, weight, two derivatives, two second derivatives."""
    w = _ones_or(weight, label)
    loss, by_mean, by_deviation, second = _parts(label, predictions + shift[leaf_of_row].T)
    sums[0, 0] += np.rint(loss * w * scales[0]).astype(np.int64).sum()
    columns = ((w, 1), (by_mean * w, 2), (by_deviation * w, 2), (-1.0 * w, 3), (second * w, 3))
    for column, (value, scale) in enumerate(columns, start=1):
        np.add.at(sums[:, column], leaf_of_row, np.rint(value * scales[scale]).astype(np.int64))


def add_uncertainty_sums(label: _F4, weight: _F4, predictions: _F8, scales: _F8, sums: NDArray[np.int64]) -> None:
    """Σ weight × loss, and Σ weight: scales float64 [2] IN, sums int64 [2] IN and OUT."""
    w = _ones_or(weight, label)
    loss = _parts(label, predictions)[0]
    for column, (value, scale) in enumerate(zip((loss * w, w), scales, strict=True)):
        sums[column] += np.rint(value * scale).astype(np.int64).sum()


def _parts(label: _F4, predictions: _F8) -> tuple[_F8, _F8, _F8, _F8]:
    d = label.astype(np.float64) - predictions[0]
    ratio = d * d * exp_array(-2.0 * predictions[1])
    return 0.5 * ratio + predictions[1] + LOG_DENSITY, d, ratio - 1.0, -2.0 * ratio


def _ones_or(weight: _F4, label: _F4) -> _F8:
    return weight.astype(np.float64) if weight.shape[0] else np.ones(label.shape[0])
