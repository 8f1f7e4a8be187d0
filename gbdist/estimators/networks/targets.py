"""The unit in which a regressor is trained: targets less their mean, divided by their standard deviation, over all ranks."""

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.neural.network.rows import NetworkRows

#: Of each output, its center and its spread.
TargetScale = tuple[tuple[float, float], ...]


def target_scale(rows: NetworkRows, collective: Collective, known: TargetScale | None = None) -> TargetScale:
    """Mean and standard deviation of each target over all ranks, the same on every rank; a constant one has the spread 1.

    Where a scale is ``known`` it is that one, without a round.

    Merged in the order of the ranks, by Chan, Golub and LeVeque's update, which does not cancel as Σy² − (Σy)²/n does.
    """
    if known is not None:
        return known
    target = np.asarray(rows.target, dtype=np.float64)
    mean = target.mean(axis=0) if rows.n_rows else np.zeros(target.shape[1])
    ours = [rows.n_rows, mean.tolist(), ((target - mean) ** 2).sum(axis=0).tolist()]
    count, center, squares = 0, np.zeros(target.shape[1]), np.zeros(target.shape[1])
    for item in collective.all_gather(json.dumps(ours).encode()):
        n_rows, their_mean, their_squares = json.loads(item)
        if n_rows == 0:
            continue
        apart, total = np.asarray(their_mean) - center, count + n_rows
        squares += np.asarray(their_squares) + apart**2 * count * n_rows / total
        center += apart * n_rows / total
        count = total
    spread = np.sqrt(squares / max(count, 1))
    return tuple((float(at), float(each) if each > 0.0 else 1.0) for at, each in zip(center, spread, strict=True))


def with_scaled_targets(rows: NetworkRows, scale: TargetScale) -> NetworkRows:
    """The same rows with targets in that unit; those rows themselves where ``scale`` is empty."""
    if not scale:
        return rows
    center, spread = np.array(scale).T
    return replace(rows, target=((rows.target - center) / spread).astype(rows.target.dtype))


def in_own_units(values: NDArray[np.float64], scale: TargetScale) -> NDArray[np.float64]:
    """Outputs in that unit, float64 [..., n_outputs], in the targets' own; the values themselves where ``scale`` is empty."""
    if not scale:
        return values
    center, spread = np.array(scale).T
    return np.asarray(values * spread + center)
