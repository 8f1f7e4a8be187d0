"""Memory that one rank uses again for every tree.

A fresh array of a megabyte costs more in page faults than the kernel that fills it: Dask's nanny tells malloc to hand large
blocks back to the system at once (MALLOC_TRIM_THRESHOLD_).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch:
    """Named arrays that live as long as a run and grow to the largest size asked for.

    An array is valid until its name is asked for again. Safe to share between threads that use different names.
    """

    def __init__(self) -> None:
        self._memory: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return an array of that shape with whatever values it has."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        memory = self._memory.get(name)
        if memory is None or memory.shape[0] < size:
            memory = self._memory[name] = np.empty(size, np.uint8)
        return np.ndarray(shape, kind, memory)
