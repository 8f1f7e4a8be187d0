"""The rows that borders are chosen from: by hash of the global row number, so that partitioning does not matter."""

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import stream_key, unit_draws
from gbdist.quantize.raw import RawPart, open_features

SAMPLE_LIMIT = 200_000
_TILE_ROWS = 4096
_PURPOSE = 0x626F7264  # keeps this stream of draws apart from the trainer's


def sample_rows(
    part: RawPart, first_row: int, n_rows_total: int, seed: int = 0, limit: int = SAMPLE_LIMIT
) -> NDArray[np.float32]:
    """Values of the sampled rows of one partition, float32 [n_features, n_sampled], C order.

    ``first_row`` is the global number of the partition's first row. Up to ``limit`` rows in all, every row is taken;
    above, each row whose draw falls below ``limit / n_rows_total``, so the sample of all partitions together has about
    (binomially, ±0.7 % at 200 000) ``limit`` rows and is the same for any partitioning.
    """
    table = open_features(part.features, part.number)
    rows = sampled_rows(first_row, table.n_rows, n_rows_total, seed, limit)
    sample = np.empty((len(table.names), rows.shape[0]), dtype=np.float32)
    if table.dense is not None:
        for start in range(
            0, rows.shape[0], _TILE_ROWS
        ):  # in tiles: the raw values may be twice as large as the sample
            tile = slice(start, start + _TILE_ROWS)
            with np.errstate(over="ignore"):
                np.copyto(sample[:, tile], table.dense[rows[tile]].T, casting="unsafe")
        sample += np.float32(0.0)  # −0.0 becomes 0.0, as in a column
    elif rows.shape[0]:
        for feature in range(len(table.names)):
            sample[feature] = table.column(feature)[rows]
    return sample


def sampled_rows(first_row: int, n_rows: int, n_rows_total: int, seed: int, limit: int) -> NDArray[np.int64]:
    """Numbers, within the partition, of the sampled rows, ascending."""
    rows = np.arange(n_rows, dtype=np.int64)
    if n_rows_total <= limit:
        return rows
    draws = unit_draws(stream_key(seed, _PURPOSE), (rows + first_row).astype(np.uint64))
    return rows[draws < limit / n_rows_total]
