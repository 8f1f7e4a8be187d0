"""The rows that borders are chosen from: by hash of the global row number, so that partitioning does not matter.

A row is in the sample if its draw is below ``limit`` / number of all rows. Where that number is not known yet, the number of
rows so far does: the sample then holds more rows, all that are wanted among them, and ``join_samples`` leaves out the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.hashing import stream_key, unit_draws
from gbdist.quantize.raw import RawPart

SAMPLE_LIMIT = 200_000
_TILE_ROWS = 4096
_PURPOSE = 0x626F7264  # keeps this stream of draws apart from the trainer's


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows: values float32 [n_features, n], which may lie in a file, and global row numbers int64 [n], ascending."""

    values: Any
    rows: NDArray[np.int64]


def sample_rows(part: RawPart, first_row: int, n_rows_total: int, seed: int = 0, limit: int = SAMPLE_LIMIT) -> Sample:
    """Sampled rows of one partition.

    ``first_row`` is the global number of the partition's first row. Up to ``limit`` rows in all, every row is taken;
    above, each row whose draw falls below ``limit / n_rows_total``, so the sample of all partitions together has about
    (binomially, ±0.7 % at 200 000) ``limit`` rows and is the same for any partitioning.
    """
    table = part.open()
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
    return Sample(sample, rows + first_row)


def sampled_rows(first_row: int, n_rows: int, n_rows_total: int, seed: int, limit: int) -> NDArray[np.int64]:
    """Numbers, within the partition, of the sampled rows, ascending."""
    rows = np.arange(n_rows, dtype=np.int64)
    return rows if n_rows_total <= limit else rows[_drawn(rows + first_row, n_rows_total, seed, limit)]


def join_samples(
    samples: Sequence[Sample], n_rows_total: int, seed: int = 0, limit: int = SAMPLE_LIMIT
) -> NDArray[np.float32]:
    """Values of those rows of some samples that the sample of all ``n_rows_total`` rows has: float32 [n_features, n]."""
    kept = []
    for sample in samples:
        chosen = _drawn(sample.rows, n_rows_total, seed, limit) if n_rows_total > limit else np.ones(1, np.bool_)
        kept.append(sample.values if chosen.all() else sample.values[:, chosen])
    return kept[0] if len(kept) == 1 else np.concatenate(kept, axis=1)


def _drawn(rows: NDArray[np.int64], n_rows_total: int, seed: int, limit: int) -> NDArray[np.bool_]:
    draws = unit_draws(stream_key(seed, _PURPOSE), rows.astype(np.uint64))
    return np.asarray(draws < limit / n_rows_total)
