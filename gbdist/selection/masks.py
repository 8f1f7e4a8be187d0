"""Lazy columns that a rule makes beside a Dask collection: which rows of a split train, which test, and the like."""

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from dask import delayed
from dask.delayed import Delayed
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.preparation.inputs import is_lazy_frame
from gbdist.estimators.preparation.tables import as_vector
from gbdist.selection.frames import frame_column
from gbdist.selection.rules.base import Run


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a rule: ``what`` is "train", "test", "counts", or "places"; ``name`` is what errors call its values.

    "places" is of rules by which a row tests once at most: the split in which it does.
    """

    what: str
    split: int
    name: str

    def __call__(self, facts: NDArray[np.int64], rule: Any, values: Any, n_rows: int) -> NDArray[Any]:
        """The answer for a run of ``n_rows``, bool, int64 or uint32 [n_rows].

        ``facts`` int64 [n_joined, 2 + n_classes] has, for each partition that the run is made of, the number of its first
        row, of its rows, and of rows of each class before. DataError where rows, or values, are not as many as that.
        """
        counted = int(facts[:, 1].sum())
        if n_rows != counted:
            raise rows_changed("X", n_rows, counted)
        vector = None if values is None else as_vector(values, self.name)
        if vector is not None and vector.shape[0] != counted:
            raise rows_changed(self.name, vector.shape[0], counted)
        run = Run(int(facts[0, 0]), counted, vector, facts[0, 2:])
        if self.what == "counts":
            return np.asarray(rule.counts(self.split, run))
        if self.what == "places":
            return np.asarray(rule.places(run), np.uint32)
        train, test = rule.masks(self.split, run)
        return np.asarray(train if self.what == "train" else test)

    @property
    def dtype(self) -> Any:
        """Of the answers."""
        return np.dtype({"counts": np.int64, "places": np.uint32}.get(self.what, np.bool_))


def rows_changed(name: str, found: int, counted: int) -> DataError:
    """The error for a partition that has other rows than it had when they were counted."""
    fix = "Persist it, or write it to files first."
    return DataError(name, f"{found} rows in a partition", f"the {counted} that were counted there", fix)


def lazy_column(collection: Any, facts: NDArray[np.int64], rule: Any, question: Question, values: Any = None) -> Any:
    """Answers for all rows of a collection, with its partitions: a Series for a frame, else an Array, by which it can be indexed.

    ``values`` is a Series beside a frame, else an Array, or None.
    """
    if is_frame_or_series(collection):
        return frame_column(collection, facts, rule, question, question.dtype, values)
    known = all(length == length for length in collection.chunks[0])
    chunks = tuple(facts[:, 1].tolist()) if known else (np.nan,) * facts.shape[0]
    pairs: list[Any] = [da.from_array(facts, chunks=(1, -1)), "ik"]
    pairs += [None, None] if values is None else [values, "i"]
    return da.blockwise(
        _answer,
        "i",
        *pairs,
        delayed(rule, pure=True),
        None,
        question=question,
        concatenate=True,
        align_arrays=False,
        adjust_chunks={"i": chunks},
        dtype=question.dtype,
        meta=np.empty(0, question.dtype),
    )


def _answer(facts: NDArray[np.int64], values: Any, rule: Any, question: Question) -> NDArray[Any]:
    return question(facts, rule, values, int(facts[:, 1].sum()))


def is_frame_or_series(collection: Any) -> bool:
    """Whether a Dask collection has an index; DataError for what is neither frame nor array."""
    series = hasattr(collection, "divisions") and not isinstance(collection, Delayed)  # which has every attribute
    return series or is_lazy_frame(collection)
