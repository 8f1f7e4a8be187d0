"""Small batches for any network, and a gradient that is obvious."""

import numpy as np

from gbdist.neural.network.blocks import Batch, Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec


def batch_for(spec: NetworkSpec, n_rows: int, seed: int = 0, *, weighted: bool = True) -> Batch:
    """Rows with whatever the network takes."""
    draw = np.random.default_rng(seed)
    if spec.loss == "log_loss":
        target: np.ndarray = draw.integers(0, spec.n_outputs, n_rows).astype(np.int32)
    elif spec.loss == "binary_log_loss":
        target = draw.integers(0, 2, (n_rows, spec.n_outputs)).astype(float)
    else:
        target = draw.normal(size=(n_rows, spec.n_outputs))
    codes = np.zeros((n_rows, len(spec.categories)), np.int32)
    for column, count in enumerate(spec.categories):
        codes[:, column] = draw.integers(0, count, n_rows)
    weight = draw.uniform(0.5, 2.0, n_rows) if weighted else None
    numbers = draw.permutation(10 * n_rows)[:n_rows].astype(np.uint64)
    return Batch(draw.normal(size=(n_rows, spec.n_numeric)), codes, target, weight, numbers)


def differences(
    network: Network, flat: np.ndarray, batch: Batch, noise: Noise | None, step: float = 1e-5
) -> np.ndarray:
    """Central differences of the loss by each parameter, of the sum over outputs as parameters follow it."""
    outputs = network.spec.n_outputs if network.spec.loss == "squared_error" else 1
    unused, found = np.empty_like(flat), np.empty_like(flat)
    for place in range(flat.size):
        losses = []
        for sign in (1, -1):
            moved = flat.copy()
            moved[place] += sign * step
            losses.append(network.loss_and_gradient(moved, batch, unused, noise))
        found[place] = outputs * (losses[0] - losses[1]) / (2 * step)
    return found


def gradient_of(network: Network, flat: np.ndarray, batch: Batch, noise: Noise | None = None) -> np.ndarray:
    """The gradient, in an array of its own that was full of nonsense before."""
    gradient = np.full(network.n_parameters, np.nan, network.dtype)
    network.loss_and_gradient(flat.astype(network.dtype), batch, gradient, noise)
    return gradient
