"""Some rows of files, for what has to fit in memory: chosen by a hash of their place, so always the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.jobs.files import DataFile
from gbdist.jobs.pieces import Piece, read_batches
from gbdist.kernels.hashing import hash_numbers, stream_key
from gbdist.spaced import evenly_spaced

#: Pieces that are read, evenly spaced: two gigabytes of numbers at most, whatever there is.
MOST_PIECES = 64
_BATCH_BYTES = 16 << 20
_PURPOSE = 0x5A3D


@dataclass(frozen=True, eq=False)
class Sampled:
    """Rows that were chosen: tables of pyarrow with the files they come from, in order; how many, of how many.

    ``among`` is an estimate unless ``counted``.
    """

    tables: tuple[tuple[Any, DataFile], ...]
    n: int
    among: int
    counted: bool


def sample_files(pieces: Sequence[Piece], columns: Sequence[str], most: int) -> Sampled:
    """At most ``most`` rows of evenly spaced pieces, each as likely as the others; one batch is in memory beside them."""
    visited = evenly_spaced(len(pieces), MOST_PIECES).tolist()
    batch_rows = max(1_024, _BATCH_BYTES // (4 * len(columns)))
    kept = _Kept(most)
    for number in visited:
        first = 0
        for batch in read_batches(pieces[number], columns, batch_rows):
            kept.add(batch.select(list(columns)), pieces[number].file, number, first)
            first += batch.num_rows
    tables = kept.tables()
    among = _rows_of(pieces, visited, kept.seen)
    counted = len(visited) == len(pieces) or all(piece.rows >= 0 for piece in pieces)
    return Sampled(tables, sum(table.num_rows for table, _ in tables), among, counted)


def _rows_of(pieces: Sequence[Piece], visited: Sequence[int], seen: int) -> int:
    """Rows of all pieces: as footers say; else those seen, times the share of bytes that was read."""
    if all(piece.rows >= 0 for piece in pieces):
        return sum(piece.rows for piece in pieces)
    if len(visited) == len(pieces):
        return seen
    # Packed CSV files are one piece each, of unknown size.
    sizes = [piece.stop - piece.start if piece.stop >= 0 else 1 for piece in pieces]
    return round(seen * sum(sizes) / sum(sizes[number] for number in visited))


class _Kept:
    """The rows with the smallest hashes so far."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._below = np.uint64(np.iinfo(np.uint64).max)
        self._found: list[tuple[Any, DataFile, NDArray[np.uint64]]] = []
        self.seen = 0

    def add(self, batch: Any, file: DataFile, piece: int, first: int) -> None:
        """Take those rows of a batch that may stay; its first one is number ``first`` of the piece."""
        rows = np.arange(first, first + batch.num_rows, dtype=np.uint64)
        hashes = hash_numbers(stream_key(_PURPOSE, piece), rows)
        self.seen += batch.num_rows
        self._take(batch, file, hashes)
        if sum(len(each) for _, _, each in self._found) > 2 * self._most:
            self._cut()

    def _take(self, batch: Any, file: DataFile, hashes: NDArray[np.uint64]) -> None:
        chosen = np.flatnonzero(hashes <= self._below)
        if len(chosen):
            self._found.append((batch.take(chosen), file, hashes[chosen]))

    def _cut(self) -> None:
        """Leave the smallest ``most``."""
        hashes = np.concatenate([each for _, _, each in self._found])
        if len(hashes) <= self._most:
            return
        self._below = np.partition(hashes, self._most - 1)[self._most - 1]
        found, self._found = self._found, []
        for batch, file, of_batch in found:
            self._take(batch, file, of_batch)

    def tables(self) -> tuple[tuple[Any, DataFile], ...]:
        """The rows that stay."""
        if self._found:
            self._cut()
        return tuple((batch, file) for batch, file, _ in self._found)
