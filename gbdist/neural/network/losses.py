"""Losses of raw outputs: the sum of weight × loss over rows, and its derivatives; safe for outputs of any size."""

from typing import Protocol

from gbdist.neural.network.arrays import Arrays
from gbdist.neural.network.blocks import Array


class Loss(Protocol):
    """One of ``spec.LOSSES``."""

    def sum(self, z: Array, target: Array, weight: Array | None, change: Array) -> float:
        """Sum of weight × loss over rows; its derivatives by ``z`` go to ``change``.

        Parameters
        ----------
        z : float [n_rows, n_outputs], IN
        target : as ``Batch`` has it, of the same type unless it holds numbers of classes, IN
        weight : float [n_rows] or None, IN
        change : float [n_rows, n_outputs], OUT
        """
        ...


def loss_of(name: str, smoothing: float, arrays: Arrays) -> Loss:
    """The loss of that name, with ``label_smoothing`` where it has labels."""
    if name == "squared_error":
        return SquaredError(arrays)
    return BinaryLogLoss(arrays, smoothing) if name == "binary_log_loss" else LogLoss(arrays, smoothing)


class SquaredError:
    """½ (z − y)². Of several outputs the mean is told and the sum is what parameters follow, as in scikit-learn."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def sum(self, z: Array, target: Array, weight: Array | None, change: Array) -> float:
        """See ``Loss``: ``change`` is the derivative of n_outputs × what is returned."""
        xp = self._arrays.xp
        xp.subtract(z, target, out=change)
        squares = change * change
        if weight is not None:
            squares *= weight[:, None]
            change *= weight[:, None]
        return 0.5 * float(squares.sum(dtype="float64")) / int(z.shape[1])


class BinaryLogLoss:
    """log(1 + e^z) − y z for each label, added up over labels; z are log odds."""

    def __init__(self, arrays: Arrays, smoothing: float) -> None:
        self._arrays, self._smoothing = arrays, smoothing

    def sum(self, z: Array, target: Array, weight: Array | None, change: Array) -> float:
        """See ``Loss``."""
        xp = self._arrays.xp
        if self._smoothing:
            target = target * (1 - self._smoothing) + 0.5 * self._smoothing
        decay = xp.exp(-xp.abs(z))
        loss = xp.log1p(decay)
        loss += xp.maximum(z, 0)
        loss -= target * z
        xp.divide(xp.where(z >= 0, 1, decay), 1 + decay, out=change)
        xp.subtract(change, target, out=change)
        if weight is not None:
            loss *= weight[:, None]
            change *= weight[:, None]
        return float(loss.sum(dtype="float64"))


class LogLoss:
    """log Σ e^z − z of the row's class; z are log probabilities up to a constant of the row."""

    def __init__(self, arrays: Arrays, smoothing: float) -> None:
        self._arrays, self._smoothing = arrays, smoothing

    def sum(self, z: Array, target: Array, weight: Array | None, change: Array) -> float:
        """See ``Loss``."""
        xp = self._arrays.xp
        n_rows, n_classes = z.shape
        rows = xp.arange(n_rows)
        xp.subtract(z, z.max(axis=1, keepdims=True), out=change)  # what is subtracted from all classes changes nothing
        loss = change[rows, target] * (self._smoothing - 1)
        if self._smoothing:
            loss -= change.mean(axis=1) * self._smoothing
        xp.exp(change, out=change)
        total = change.sum(axis=1)
        loss += xp.log(total)
        change /= total[:, None]
        change[rows, target] -= 1 - self._smoothing
        if self._smoothing:
            change -= self._smoothing / n_classes
        if weight is not None:
            loss *= weight
            change *= weight[:, None]
        return float(loss.sum(dtype="float64"))
