"""Some of many things, evenly spaced."""

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(n: int, most: int) -> NDArray[np.int64]:
    """Places of at most ``most`` of ``n`` things, ascending, the first and the last among them; all if there are no more."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)
