"""How pieces of rows are put together to what users and estimators handle: tables, Dask DataFrames, Dask Arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import dask.array as da
import dask.dataframe as dd
import numpy as np


class Form(Protocol):
    """A kind of collection."""

    def join(self, pieces: Sequence[Any], lengths: Sequence[float]) -> Any:
        """Put pieces together that have ``lengths`` rows (NaN where that is not known); nothing is computed."""
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """One piece, as it is."""

    def join(self, pieces: Sequence[Any], lengths: Sequence[float]) -> Any:
        """See ``Form``."""
        (piece,) = pieces
        return piece


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A Dask DataFrame or Series like ``meta``; ``divisions`` are as Dask's, None where they are not known."""

    meta: Any
    divisions: tuple[Any, ...] | None

    def join(self, pieces: Sequence[Any], lengths: Sequence[float]) -> Any:
        """See ``Form``."""
        return dd.from_delayed(list(pieces), meta=self.meta, divisions=self.divisions, verify_meta=False)


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """A Dask Array with a chunk a piece, whose rows have the shape ``tail``."""

    dtype: Any
    tail: tuple[int, ...] = ()

    def join(self, pieces: Sequence[Any], lengths: Sequence[float]) -> Any:
        """See ``Form``."""
        chunks = [
            da.from_delayed(piece, (rows, *self.tail), dtype=self.dtype)
            for piece, rows in zip(pieces, lengths, strict=True)
        ]
        return da.concatenate(chunks, axis=0, allow_unknown_chunksizes=True)


def form_of(collection: Any) -> Frame | Chunks:
    """The form of a Dask collection, or of pieces of a vector or matrix of this process that are like this one."""
    if hasattr(collection, "divisions"):
        return frame_like(collection, collection._meta)
    return Chunks(collection.dtype, tuple(collection.shape[1:]))


def frame_like(X: Any, meta: Any) -> Frame:
    """The form of rows of a Dask DataFrame, each of which has become a row of ``meta``."""
    return Frame(meta, tuple(X.divisions) if X.known_divisions else None)


def lengths_of(X: Any) -> list[float]:
    """Rows of each partition of a Dask collection, NaN where they are not known."""
    return [float(np.nan)] * X.npartitions if hasattr(X, "divisions") else list(X.chunks[0])
