"""CPU kernels of exact weighted quantiles: rows in the order of their residuals, digit by digit."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel

#: Bits of a digit, and how many values it has.
DIGIT_BITS, N_DIGITS = 8, 256
_SIGN = np.uint64(1 << 63)


@kernel
def residual_keys(label: NDArray[np.float32], prediction: NDArray[np.float64], out: NDArray[np.uint64]) -> None:
    """Write the place of each residual, label − prediction, in the order of all float64 numbers.

    The bits of a number that is not negative with the sign's bit set, and all bits of a negative one turned over.

    Parameters
    ----------
    label : float32 [n], IN
    prediction : float64 [n], IN
    out : uint64 [n], OUT
    """
    for i in range(np.uint64(out.shape[0])):
        residual = np.float64(label[i]) - prediction[i] + 0.0  # −0 is 0
        bits = np.float64(residual).view(np.uint64)
        out[i] = ~bits if bits & _SIGN else bits | _SIGN


@kernel
def add_key_digits(
    keys: NDArray[np.uint64],
    leaf_of_row: NDArray[np.uint16],
    weights: tuple[NDArray[np.float32], NDArray[np.float32], bool],
    prefixes: NDArray[np.uint64],
    shift: int,
    scale: float,
    sums: NDArray[np.int64],
) -> None:
    """Add the weights of rows to the digits of their keys, of the rows whose higher digits are those of their leaf.

    Parameters
    ----------
    keys : uint64 [n], IN
    leaf_of_row : uint16 [n], IN
    weights : (weight float32 [n], or [0] where all are 1; label float32 [n]; whether weights are divided by max(1, |label|)), IN
    prefixes : uint64 [n_leaves], IN
        The digits of each leaf that are above ``shift`` + 8.
    shift : bits below the digit
    scale : units of a weight, in which it is rounded
    sums : int64 [n_leaves, 256], IN and OUT
    """
    weight, label, relative = weights
    weighted, low = weight.shape[0] != 0, np.uint64(shift)
    for i in range(np.uint64(keys.shape[0])):
        leaf = np.uint64(leaf_of_row[i])
        rest = keys[i] >> low
        if rest >> np.uint64(8) != prefixes[leaf]:
            continue
        w = np.float64(weight[i]) if weighted else 1.0
        if relative:
            w = w / max(1.0, abs(np.float64(label[i])))
        sums[leaf, rest & np.uint64(255)] += np.int64(np.rint(w * scale))
