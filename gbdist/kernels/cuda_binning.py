"""Bins of float32 values on a card; the twin of ``cpu_binning``, with the same bins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cuda_compile import SIMULATED, THREADS, blocks_for, brought, card, given, kernel, launch, room

_MOST_BLOCKS_A_FEATURE = 2 if SIMULATED else 256


@kernel
def _bin_tile(tile: Any, tables: Any, first_steps: Any, nan_bins: Any, out: Any) -> None:
    feature = card.blockIdx.x
    for i in range(card.blockIdx.y * THREADS + card.threadIdx.x, tile.shape[1], THREADS * card.gridDim.y):
        value = tile[feature, i]
        position = np.int64(nan_bins[feature])
        if value == value:
            position = np.int64(0)
            step = np.int64(first_steps[feature])
            while step > 0:
                if tables[feature, position + step - 1] < value:
                    position += step
                step //= 2
        out[feature, i] = position


def bin_tile(
    tile: NDArray[np.float32],
    tables: NDArray[np.float32],
    first_steps: NDArray[np.uint32],
    nan_bins: NDArray[np.uint32],
    out: NDArray[Any],
) -> None:
    """See ``cpu_binning.bin_tile``: all arrays are the host's, one tile is on the card at a time."""
    n_features, n_rows = tile.shape
    if not tile.size:
        return
    bins = room("bins", (n_features, n_rows), out.dtype)
    launch(
        _bin_tile,
        (n_features, blocks_for(n_rows, _MOST_BLOCKS_A_FEATURE)),
        given("tile", tile, np.float32),
        given("tables", tables, np.float32),
        given("first steps", first_steps, np.uint32),
        given("nan bins", nan_bins, np.uint32),
        bins,
    )
    out[...] = brought(bins)
