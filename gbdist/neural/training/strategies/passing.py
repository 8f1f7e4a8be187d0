"""How arrays between layers travel: rows behind one another, in as many bits as their precision has."""

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.neural.network.blocks import Array
from gbdist.neural.network.numbers import BITS_CUT, Numbers


def packed(array: Array, numbers: Numbers) -> bytes:
    """A float array of any shape, which ``numbers.rounded`` has seen, as bytes."""
    here = np.ascontiguousarray(numbers.arrays.numpy(array))
    if numbers.precision == "fp16":
        here = here.astype(np.float16)
    elif numbers.precision == "bf16":
        here = (here.view(np.uint32) >> np.uint32(BITS_CUT)).astype(np.uint16)
    return here.tobytes()


def unpacked(item: bytes | bytearray | memoryview, n_rows: int, numbers: Numbers) -> Array:
    """The array behind some bytes, [n_rows, …] in the network's memory; free to be changed."""
    if numbers.precision == "fp16":
        here = np.frombuffer(item, np.float16).astype(np.float32)
    elif numbers.precision == "bf16":
        here = (np.frombuffer(item, np.uint16).astype(np.uint32) << np.uint32(BITS_CUT)).view(np.float32)
    else:
        here = np.frombuffer(item, numbers.computed)
        here = here if here.flags.writeable else here.copy()
    return numbers.arrays.here(here.reshape(n_rows, -1), numbers.computed)


def add_up(array: Array, group: Collective, numbers: Numbers) -> None:
    """Make an array (IN and OUT) the sum over the ranks of a group, added up in the type that parameters have."""
    here = numbers.arrays.numpy(array).astype(numbers.held, copy=False)
    array[...] = numbers.arrays.here(group.sum_floats(here), array.dtype)
