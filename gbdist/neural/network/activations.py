"""What hidden units make of their sums, and how a change of the one changes the other; all in place.

Derivatives are taken from what came out, as scikit-learn's are, so that what went in need not be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gbdist.neural.network.arrays import Arrays
from gbdist.neural.network.blocks import Array


@dataclass(frozen=True, slots=True)
class Activation:
    """One of ``spec.ACTIVATIONS``.

    Parameters
    ----------
    apply : (arrays, z, bias, spare) -> None
        ``z`` [n_rows, n_units], IN and OUT, becomes what the activation makes of z + bias. ``spare``: an array like it, OUT.
    differentiate : (arrays, y, spare, change) -> None
        ``change`` [n_rows, n_units], IN and OUT, from a derivative by ``y``, which ``apply`` has left (IN), becomes one by what
        was z + bias. ``spare`` as ``apply`` has left it, free to be used.
    """

    apply: Callable[[Arrays, Array, Array, Array], None]
    differentiate: Callable[[Arrays, Array, Array, Array], None]


def sigmoid(arrays: Arrays, z: Array) -> None:
    """Make 1 / (1 + e^−z) of ``z`` in place: as (1 + tanh(z / 2)) / 2, which no z is too large for."""
    xp = arrays.xp
    xp.multiply(z, 0.5, out=z)
    xp.tanh(z, out=z)
    xp.multiply(z, 0.5, out=z)
    xp.add(z, 0.5, out=z)


def _apply_identity(arrays: Arrays, z: Array, bias: Array, spare: Array) -> None:
    arrays.xp.add(z, bias, out=z)


def _differentiate_identity(arrays: Arrays, y: Array, spare: Array, change: Array) -> None:
    """Leave ``change`` as it is."""


def _apply_logistic(arrays: Arrays, z: Array, bias: Array, spare: Array) -> None:
    arrays.xp.add(z, bias, out=z)
    sigmoid(arrays, z)


def _differentiate_logistic(arrays: Arrays, y: Array, spare: Array, change: Array) -> None:
    xp = arrays.xp
    xp.subtract(1, y, out=spare)
    xp.multiply(spare, y, out=spare)
    xp.multiply(change, spare, out=change)


def _apply_tanh(arrays: Arrays, z: Array, bias: Array, spare: Array) -> None:
    arrays.xp.add(z, bias, out=z)
    arrays.xp.tanh(z, out=z)


def _differentiate_tanh(arrays: Arrays, y: Array, spare: Array, change: Array) -> None:
    xp = arrays.xp
    xp.multiply(y, y, out=spare)
    xp.subtract(1, spare, out=spare)
    xp.multiply(change, spare, out=change)


def _apply_relu(arrays: Arrays, z: Array, bias: Array, spare: Array) -> None:
    arrays.kernels.add_bias_relu(z, bias)


def _differentiate_relu(arrays: Arrays, y: Array, spare: Array, change: Array) -> None:
    arrays.kernels.relu_change(y, change)


def _apply_silu(arrays: Arrays, z: Array, bias: Array, spare: Array) -> None:
    xp = arrays.xp
    xp.add(z, bias, out=z)
    spare[...] = z
    sigmoid(arrays, spare)
    xp.multiply(z, spare, out=z)


def _differentiate_silu(arrays: Arrays, y: Array, spare: Array, change: Array) -> None:
    # (z s)' = s + z s (1 − s) = s + y (1 − s) = y + s (1 − y)
    xp = arrays.xp
    by_z = xp.subtract(1, y)
    xp.multiply(spare, by_z, out=spare)
    xp.add(spare, y, out=spare)
    xp.multiply(change, spare, out=change)


BY_NAME: Final = {
    "identity": Activation(_apply_identity, _differentiate_identity),
    "logistic": Activation(_apply_logistic, _differentiate_logistic),
    "tanh": Activation(_apply_tanh, _differentiate_tanh),
    "relu": Activation(_apply_relu, _differentiate_relu),
    "silu": Activation(_apply_silu, _differentiate_silu),
}
