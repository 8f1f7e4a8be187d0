"""What a network's numbers are: those of its parameters, and those that its layers compute with.

Lower precision is that of tensor cores: factors of a product have few bits, the sum of the products has many. Parameters,
embeddings, losses and gradients of parameters are float32; weights, activations and what is passed back between layers have the
values of float16 or bfloat16. Where the memory has no such arrays, or no fast products of them (NumPy, and CuPy's for bfloat16),
they lie in float32 and are rounded, to the nearest, ties to even.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from gbdist.neural.network.arrays import Arrays
from gbdist.neural.network.blocks import Array

#: Bits of float32 that bfloat16 has not.
BITS_CUT: Final = 16
#: How far outputs and gradients of a few layers may be from float64's: length of the difference over length. Tests hold to it.
TOLERANCES: Final = {"float64": 1e-12, "float32": 3e-6, "fp16": 3e-3, "bf16": 2e-2}
#: Gradients through ReLU jump where a unit's sum is rounded across 0, a row and unit at a time.
RELU_TOLERANCES: Final = {"float64": 1e-12, "float32": 1e-3, "fp16": 4e-2, "bf16": 1e-1}


@dataclass(frozen=True, slots=True)
class Numbers:
    """Types of one network's arrays.

    Parameters
    ----------
    precision : "float64", "float32", "fp16" or "bf16"
    held : dtype
        Parameters, embeddings, losses.
    computed : dtype
        Arrays between layers.
    arrays : Arrays
    """

    precision: str
    held: np.dtype[Any]
    computed: np.dtype[Any]
    arrays: Arrays

    @property
    def low(self) -> bool:
        """Whether layers compute with fewer bits than the parameters have."""
        return self.precision in ("fp16", "bf16")

    def lowered(self, array: Array) -> Array:
        """An array as layers take it: a rounded copy in lower precision, else itself where its type is right."""
        if not self.low:
            return self.arrays.here(array, self.computed)
        return self.rounded(self.arrays.xp.array(array, self.computed))

    def rounded(self, array: Array) -> Array:
        """The same array (C order, IN and OUT) with values that the precision has; what is too large becomes infinite."""
        if array.dtype != np.float32:
            return array
        if self.precision == "fp16":
            self.arrays.kernels.round_to_half(array.reshape(-1))
        elif self.precision == "bf16":
            # A NaN of arithmetic has none of the bits whose rounding would carry into its sign.
            bits = array.view(np.uint32)
            bits += np.uint32((1 << (BITS_CUT - 1)) - 1) + ((bits >> np.uint32(BITS_CUT)) & np.uint32(1))
            bits &= np.uint32(0xFFFFFFFF << BITS_CUT & 0xFFFFFFFF)
        return array


def held_dtype(precision: str) -> np.dtype[Any]:
    """The numbers that parameters are kept in."""
    return np.dtype(np.float64 if precision == "float64" else np.float32)


def numbers_of(precision: str, arrays: Arrays) -> Numbers:
    """Types of arrays for one of ``training.params.PRECISIONS`` in some memory."""
    held = held_dtype(precision)
    real_half = precision == "fp16" and arrays.on_card
    return Numbers(precision, held, np.dtype(np.float16) if real_half else held, arrays)
