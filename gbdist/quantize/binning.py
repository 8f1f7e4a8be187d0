"""From raw values to bins, one partition at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_binning import bin_tile
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.raw import FeatureTable, RawPart

_FEWEST_TILE_ROWS = 128


@dataclass(frozen=True, slots=True)
class Tiles:
    """Who searches the borders of a tile of cells, and how large tiles are: cells, and rows at most."""

    bin_tile: Callable[..., None]
    cells: int
    most_rows: int


#: 512 KiB of float32, so that a tile stays in the L2 cache between transposition and search.
ON_CPU = Tiles(bin_tile, 1 << 17, 4096)


@contextmanager
def tiles_on_card(number: int) -> Iterator[Tiles]:
    """Search on a GPU, for this thread, as long as the context is open: tiles of 64 MiB, which cross to the card and back."""
    from numba import cuda  # and with it CUDA, which others need not have

    from gbdist.kernels import cuda_binning

    with cuda.gpus[number]:
        yield Tiles(cuda_binning.bin_tile, 1 << 24, 1 << 24)


def bin_part(
    part: RawPart,
    borders: Sequence[FeatureBorders],
    out: NDArray[np.uint8] | NDArray[np.uint16],
    tiles: Tiles = ON_CPU,
) -> None:
    """Write the bins of the partition's rows.

    The bin is the number of borders below the value in float32; NaN goes to the last bin under "AsTrue", else to bin 0.

    Parameters
    ----------
    borders : one ``FeatureBorders`` a column
    out : uint8 or uint16 [n_features, n_rows], OUT
        Of ``cells_type(borders)``; may be a slice of a larger array.
    """
    table = part.open_for(len(borders))
    search = _Search.of(borders)
    if table.dense is None:
        _bin_columns(table, search, tiles, out)
    else:
        _bin_tiles(table.dense, search, tiles, out)


def _bin_columns(table: FeatureTable, search: "_Search", tiles: Tiles, out: NDArray[Any]) -> None:
    if table.n_rows == 0:  # columns of any type
        return
    for feature in range(len(table.names)):
        one = slice(feature, feature + 1)
        values = table.column(feature)[np.newaxis]
        tiles.bin_tile(values, search.tables[one], search.first_steps[one], search.nan_bins[one], out[one])


def _bin_tiles(values: NDArray[Any], search: "_Search", tiles: Tiles, out: NDArray[Any]) -> None:
    """Bin a matrix in tiles of rows: each is transposed and cast by NumPy, then searched while it is in the cache."""
    n_rows, n_features = values.shape
    tile_rows = min(tiles.most_rows, max(_FEWEST_TILE_ROWS, tiles.cells // max(1, n_features)), max(1, n_rows))
    tile = np.empty((n_features, tile_rows), dtype=np.float32)
    bins = np.empty((n_features, tile_rows), dtype=out.dtype)
    for start in range(0, n_rows, tile_rows):
        stop = min(start + tile_rows, n_rows)
        if stop - start < tile_rows:
            # Always contiguous, so that the kernel is compiled for one layout only.
            tile, bins = tile.ravel()[: n_features * (stop - start)], bins.ravel()[: n_features * (stop - start)]
            tile, bins = tile.reshape(n_features, -1), bins.reshape(n_features, -1)
        with np.errstate(over="ignore"):
            np.copyto(tile, values[start:stop].T, casting="unsafe")
        tiles.bin_tile(tile, search.tables, search.first_steps, search.nan_bins, bins)
        out[:, start:stop] = bins


@dataclass(frozen=True, eq=False)
class _Search:
    """Borders as ``bin_tile`` wants them."""

    tables: NDArray[np.float32]
    first_steps: NDArray[np.uint32]
    nan_bins: NDArray[np.uint32]

    @classmethod
    def of(cls, borders: Sequence[FeatureBorders]) -> "_Search":
        counts = [each.values.shape[0] for each in borders]
        first_steps = np.array([(1 << count.bit_length()) >> 1 for count in counts], dtype=np.uint32)
        width = 2 * int(first_steps.max(initial=1))
        tables = np.full((len(borders), width), np.inf, dtype=np.float32)
        for row, each in zip(tables, borders, strict=True):
            row[: each.values.shape[0]] = each.values
        nan_bins = [count if each.nan_treatment == "AsTrue" else 0 for count, each in zip(counts, borders, strict=True)]
        return cls(tables, first_steps, np.array(nan_bins, dtype=np.uint32))
