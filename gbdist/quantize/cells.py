"""What raw numbers become in a shard: numbers of bins for trees, or scaled numbers for a network."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.bins import Bins
from gbdist.quantize.binning import ON_CPU, Tiles, bin_part
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.raw import RawPart, column_place
from gbdist.quantize.scales import ColumnScale

#: [n_features, n_rows].
Cells = Bins | NDArray[np.float32]
#: How the values of a column become cells.
Encoding = FeatureBorders | ColumnScale
#: Types of cells.
BINS: Final[np.dtype[Any]] = np.dtype(np.uint8)
WIDE_BINS: Final[np.dtype[Any]] = np.dtype(np.uint16)
NUMBERS: Final[np.dtype[Any]] = np.dtype(np.float32)


class CellRules(Protocol):
    """How columns are encoded, before anything is known of them."""

    @property
    def cells(self) -> np.dtype[Any]:
        """Type of the cells, the widest that may be needed."""
        ...

    def choose(self, values: NDArray[np.float32], has_nan: bool, name: str) -> Encoding:
        """The encoding of a column, from sampled values, float32 [n_sampled]; ``has_nan`` is about all values."""
        ...


#: Rows that are scaled together: what they are read into and written from stays in the cache.
_TILE_ROWS = 4096


def bins_type(most_borders: int) -> np.dtype[Any]:
    """Type of the bins where no feature has more borders."""
    return BINS if most_borders <= 255 else WIDE_BINS


def cells_type(encodings: Sequence[Encoding]) -> np.dtype[Any]:
    """Type of the cells that some columns become; without columns it does not matter."""
    if any(isinstance(each, ColumnScale) for each in encodings):
        return NUMBERS
    return bins_type(max((each.values.shape[0] for each in borders_in(encodings)), default=0))


def borders_in(encodings: Sequence[Encoding]) -> tuple[FeatureBorders, ...]:
    """Those of the encodings that make bins."""
    return tuple(each for each in encodings if isinstance(each, FeatureBorders))


def scales_in(encodings: Sequence[Encoding]) -> tuple[ColumnScale, ...]:
    """Those of the encodings that make numbers."""
    return tuple(each for each in encodings if isinstance(each, ColumnScale))


def write_cells(part: RawPart, encodings: Sequence[Encoding], out: NDArray[Any], tiles: Tiles = ON_CPU) -> None:
    """Write the cells of the partition's rows.

    Parameters
    ----------
    encodings : one a column, all of a kind
    out : [n_features, n_rows] of ``cells_type(encodings)``, OUT
    """
    scales = scales_in(encodings)
    if scales:
        scale_part(part, scales, out)
    else:
        bin_part(part, borders_in(encodings), out, tiles)


def scale_part(part: RawPart, scales: Sequence[ColumnScale], out: NDArray[np.float32]) -> None:
    """Write the scaled numbers of the partition's rows.

    Parameters
    ----------
    scales : one a column
    out : float32 [n_features, n_rows], OUT

    DataError that names the column for what ``ColumnScale.encode`` refuses.
    """
    table = part.open_for(len(scales))
    places = [column_place(name, part.number) for name in table.names]
    if table.dense is None:
        if table.n_rows:  # else columns may be of any type
            for feature, (scale, place) in enumerate(zip(scales, places, strict=True)):
                out[feature] = scale.encode(table.column(feature), place)
        return
    for start in range(0, table.n_rows, _TILE_ROWS):
        rows = slice(start, start + _TILE_ROWS)
        with np.errstate(over="ignore"):
            tile = np.ascontiguousarray(table.dense[rows].T, dtype=np.float32)
        for feature, (scale, place) in enumerate(zip(scales, places, strict=True)):
            tile[feature] = scale.encode(tile[feature], place)
        out[:, rows] = tile
