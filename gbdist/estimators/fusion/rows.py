"""The rows of one ``fit``: X, y and weight in pieces, each computed once, and all rows but those of a fold for a member."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.fitted import label_array
from gbdist.estimators.fusion.forms import Form, InMemory, form_of
from gbdist.estimators.fusion.places import Here, Place, Workers
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.lazy_parts import LazyParts
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.tables import (
    as_matrix,
    as_vector,
    column,
    count_rows,
    label_of,
    select_columns,
    take_rows,
)
from gbdist.selection.folds import Folds

#: More labels than that are numbers, and would not fit anywhere either.
_MOST_LABELS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Pieces of X, y or the weight, and the form that they came in."""

    pieces: list[Any]
    form: Form


@dataclass(frozen=True, eq=False)
class FitRows:
    """Rows of a fit, in pieces that lie in ``place``.

    Parameters
    ----------
    lengths, starts : rows of each piece, and the global number of its first one
    """

    place: Place
    X: Column
    y: Column
    weight: Column | None
    lengths: list[int]
    starts: list[int]

    @property
    def n_rows(self) -> int:
        """All rows."""
        return sum(self.lengths)

    @property
    def n_pieces(self) -> int:
        """Pieces, those without rows counted."""
        return len(self.lengths)

    @property
    def weights(self) -> list[Any]:
        """Pieces of the weight, or None for each."""
        return [None] * self.n_pieces if self.weight is None else self.weight.pieces

    def whole(self) -> tuple[Any, Any, Any]:
        """X, y and the weight (None: there is none) of all rows, as members take them."""
        return self._joined(self.X), self._joined(self.y), None if self.weight is None else self._joined(self.weight)

    def without(self, folds: Folds, fold: int) -> tuple[Any, Any, Any]:
        """The same without the rows of a fold; the copy is made when a member reads it, partition by partition."""
        weight = None if self.weight is None else self._taken(self.weight, folds, fold, held_out=False)
        return (
            self._taken(self.X, folds, fold, held_out=False),
            self._taken(self.y, folds, fold, held_out=False),
            weight,
        )

    def held_out(self, folds: Folds, fold: int) -> Any:
        """X of the rows of a fold."""
        return self._taken(self.X, folds, fold, held_out=True)

    def interleaved(self, folds: Folds, of_folds: Sequence[list[Any]]) -> list[Any]:
        """One column from what is known of the rows of each fold: in the order of the rows."""
        return self.place.map(_interleave, self.starts, self.lengths, *of_folds, folds=folds)

    def labels(self) -> NDArray[Any]:
        """The different labels of all rows, sorted; DataError where they are missing, or cannot be sorted."""
        found: set[Hashable] = set().union(*self.place.fetch(self.place.map(_labels_of, self.y.pieces)))
        if len(found) > _MOST_LABELS:
            fix = "Use a regressor for numbers."
            raise DataError(
                "y", f"more than {_MOST_LABELS:,} different labels", "classes", f"Unknown label type. {fix}"
            )
        try:
            return label_array(sorted(found))  # type: ignore[type-var]  # which the exception is for
        except TypeError as error:
            raise DataError("y", f"labels of several types ({error})", "one type", "Convert y first.") from None

    def _joined(self, column: Column) -> Any:
        return column.form.join(column.pieces, self.lengths)

    def _taken(self, column: Column, folds: Folds, fold: int, *, held_out: bool) -> Any:
        pieces = self.place.later(take_fold, column.pieces, self.starts, folds=folds, fold=fold, held_out=held_out)
        masks = [folds.held_out(fold, start, rows) for start, rows in zip(self.starts, self.lengths, strict=True)]
        lengths = [int((mask if held_out else ~mask).sum()) for mask in masks]
        return column.form.join(pieces, lengths)


@contextmanager
def rows_of(parts: Parts, client: Any) -> Iterator[FitRows]:
    """Rows that a fit was given, until the block ends.

    Partitions of collections are computed once, on the workers of ``client`` (a callable that returns one, asked only then), and
    held there by Dask, which moves to disk what does not fit into memory. Raises DataError for pieces that do not fit together.
    """
    if not parts.lazy:
        yield _here(parts)
        return
    with FutureScope() as scope:
        yield _on_workers(parts, Workers(client(), scope))


def _here(parts: Parts) -> FitRows:
    y = parts.label if not parts.label_columns else label_of(parts.features, parts.label_columns)
    w = parts.weight if parts.weight_column is None else column(parts.features, parts.weight_column)
    X = parts.features if parts.labels is None else select_columns(parts.features, list(parts.labels))
    n_rows = count_rows(X)
    weight = None if w is None else Column([as_vector(w, "sample_weight")], InMemory())
    return FitRows(Here(), Column([X], InMemory()), Column([_vector(y)], InMemory()), weight, [n_rows], [0])


def _on_workers(parts: Parts, place: Workers) -> FitRows:
    given = {"X": parts.features, "y": parts.label, "weight": parts.weight}
    in_memory = {name: one for name, one in given.items() if isinstance(one, list)}  # cut like X
    lazy = [None if name in in_memory else one for name, one in given.items()]
    computed = LazyParts(lazy, parts.n_parts).compute(place.client, range(parts.n_parts))
    columns: dict[str, Column | None] = {}
    for (name, one), pieces in zip(given.items(), computed, strict=True):
        if name in in_memory:
            columns[name] = Column(place.scatter(one), form_of(one[0]))
        else:
            columns[name] = None if pieces is None else Column(place.hold(pieces), form_of(one))
    X = columns["X"]
    if X is None:
        raise TypeError("a collection has partitions")
    table = X.pieces
    if parts.label_columns:
        y = place.map(label_of, table, labels=parts.label_columns)
        columns["y"] = Column(y, form_of(label_of(parts.features, parts.label_columns)))
    if parts.weight_column is not None:
        w = place.map(column, table, label=parts.weight_column)
        columns["weight"] = Column(w, form_of(column(parts.features, parts.weight_column)))
    if parts.label_columns or parts.weight_column is not None:
        labels = list(parts.labels or ())
        X = Column(place.map(select_columns, table, labels=labels), form_of(parts.features[labels]))
    y_column, weight = columns["y"], columns["weight"]
    if y_column is None:
        raise TypeError("y was checked")
    of_weight = [None] * parts.n_parts if weight is None else weight.pieces
    lengths = _checked_lengths(place.fetch(place.map(_counted, X.pieces, y_column.pieces, of_weight)))
    place.drop(table if X.pieces is not table else ())
    starts = list(accumulate(lengths, initial=0))[:-1]
    return FitRows(place, X, y_column, weight, lengths, starts)


def take_fold(piece: Any, first_row: int, *, folds: Folds, fold: int, held_out: bool) -> Any:
    """Rows of a piece that are in a fold, or the others; in memory of a worker or of this process."""
    mask = folds.held_out(fold, first_row, count_rows(piece))
    return take_rows(piece, mask if held_out else ~mask)


def _interleave(first_row: int, n_rows: int, *of_folds: NDArray[Any], folds: Folds) -> NDArray[Any]:
    """[n_rows, …] from the rows of each fold, which are in their order."""
    fold = folds.of_rows(first_row, n_rows)
    out = np.empty((n_rows, *of_folds[0].shape[1:]), of_folds[0].dtype)
    for number, values in enumerate(of_folds):
        out[fold == number] = values
    return out


def _vector(y: Any) -> NDArray[Any]:
    """Labels [n_rows]; DataError for several a row."""
    shape = np.shape(y)
    if len(shape) == 2 and shape[1] > 1:
        raise several_labels(shape[1])
    return as_vector(y, "y")


def several_labels(count: int) -> DataError:
    """The error for rows that have more than one label."""
    return DataError("y", f"{count} labels a row", "one", "Train an estimator for each label, or one member alone.")


def _labels_of(y: Any) -> set[Hashable]:
    values = _vector(y)
    if np.iscomplexobj(values):
        raise DataError("y", "complex numbers (Complex data not supported)", "labels", "Convert y first.")
    if pd.isna(values).any():
        raise DataError("y", "missing values (NaN)", "a label for each row", "Drop those rows.")
    return set(pd.unique(pd.Series(values))[: _MOST_LABELS + 1].tolist())


def _counted(*pieces: Any) -> list[int | None]:
    """Rows of what there is."""
    return [None if piece is None else count_rows(piece) for piece in pieces]


def _checked_lengths(counted: Sequence[Sequence[int | None]]) -> list[int]:
    """Rows of each partition, from those of its X, y and weight; DataError unless they are as many."""
    for number, (rows, *others) in enumerate(counted):
        for name, found in zip(("y", "sample_weight"), others, strict=True):
            if found is not None and found != rows:
                raise DataError(
                    f"{name} of partition {number}",
                    f"{found} rows",
                    f"as many as X has there, {rows}",
                    f"Give X and {name} the same rows in each partition; take both from one collection if you can.",
                )
    return [rows or 0 for rows, *_ in counted]


def numbers_of(y: Any) -> NDArray[np.float64]:
    """Targets of a piece, float64 [n_rows]; DataError for what is no number."""
    values = _vector(y)
    numbers = as_matrix(values, "y")[:, 0]
    if not np.isfinite(numbers).all():
        raise DataError("y", "missing or infinite values (NaN or inf)", "a number for each row", "Drop those rows.")
    return numbers
