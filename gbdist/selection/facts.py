"""Facts that rules need of all rows: computed where the rows are, one partition at a time, and small when they come here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
from dask import delayed
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.preparation.tables import as_vector, count_rows
from gbdist.selection.inputs import Given
from gbdist.selection.rules.classes import Classes

#: More labels than that are numbers.
_MOST_LABELS = 10_000
#: Tables of groups merged at a time.
_FAN_IN = 16

#: What a partition says of its values: gets vectors, and what errors call each.
Survey = Callable[..., Any]


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Rows of partitions, int64 [n_partitions] each: how many, and the global number of the first one.

    ``found`` is what a survey said of each partition; empty without one.
    """

    lengths: NDArray[np.int64]
    starts: NDArray[np.int64]
    found: Sequence[Any]

    @property
    def n_rows(self) -> int:
        """All rows."""
        return int(self.lengths.sum())

    def table(self, before: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """What masks are made from, int64 [n_partitions, 2 + n_classes]: start, length, rows of each class ``before``."""
        columns = np.column_stack((self.starts, self.lengths))
        return columns if before is None else np.hstack((columns, before))


def count(rows: Given) -> Facts:
    """Rows of each partition; computed for collections that do not know."""
    if rows.known_lengths is not None:
        return _facts(rows.known_lengths, ())
    (pieces,) = _partitions(rows.n_parts, [rows.narrow])
    return _facts(dask.compute(*[delayed(count_rows)(piece) for piece in pieces]), ())


def survey(
    rows: Given, values: Mapping[str, Any], function: Survey, merge: Callable[[list[Any]], Any] | None = None
) -> Facts:
    """Rows of each partition and what ``function`` says of its values; DataError where rows and values are not as many.

    Parameters
    ----------
    values : what errors call them, and vectors as ``vector_beside`` returns them
    function : one that workers can import; raises DataError for values that will not do
    merge : what makes one of several of its answers; without it there is one for each partition
    """
    if not rows.lazy:
        return _facts([count_rows(rows.data)], [function(*values.values(), *values)])
    lengths = rows.known_lengths
    narrow = rows.narrow if lengths is None else None
    pieces, *vectors = _partitions(rows.n_parts, [narrow, *values.values()])
    asked = [
        delayed(_asked, nout=2)(list(values), function, *of_part)
        for of_part in zip(lengths or pieces, *vectors, strict=True)
    ]
    counted, found = [n_rows for n_rows, _ in asked], [one for _, one in asked]
    while merge is not None and len(found) > 1:
        found = [delayed(merge)(found[i : i + _FAN_IN]) for i in range(0, len(found), _FAN_IN)]
    return _facts(*dask.compute(counted, found))


def _facts(lengths: Sequence[int], found: Sequence[Any]) -> Facts:
    counted = np.asarray(lengths, dtype=np.int64)
    return Facts(counted, np.cumsum(counted) - counted, found)


def _partitions(n_parts: int, columns: Sequence[Any]) -> list[list[Any]]:
    """Partitions of some collections, delayed; none of those that are None."""
    from gbdist.estimators.preparation.lazy_parts import LazyParts  # loads distributed, which only collections need

    parts = LazyParts(columns, n_parts)
    return [parts.delayed(number) or [] for number in range(len(columns))]


def _asked(names: list[str], function: Survey, rows: Any, *values: Any) -> tuple[int, Any]:
    """Rows of a partition, given or as a piece, and what is said of its values."""
    n_rows = rows if isinstance(rows, int) else count_rows(rows)
    vectors = [as_vector(one, name) for one, name in zip(values, names, strict=True)]
    for vector, name in zip(vectors, names, strict=True):
        if vector.shape[0] != n_rows:
            fix = f"Give X and {name} the same rows in each partition; take both from one collection if you can."
            raise DataError(
                f"{name} of a partition", f"{vector.shape[0]} rows", f"as many as X has there, {n_rows}", fix
            )
    return n_rows, function(*vectors, *names)


# ---- labels


def labels_of(values: NDArray[Any], name: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Different labels in the order of their first rows, and the rows of each; DataError for what are no classes."""
    require_present(values, name, "a label for each row")
    codes, labels = pd.factorize(values)
    if values.dtype.kind in "fc" and (labels != np.round(labels)).any():
        value = labels[np.argmax(labels != np.round(labels))].item()
        raise DataError(
            name, f"the number {value!r}", "classes", f"Split without regard to {name}: KFold or ShuffleSplit."
        )
    if len(labels) > _MOST_LABELS:
        raise _too_many(name)
    return np.asarray(labels), np.bincount(codes, minlength=len(labels)).astype(np.int64)


def _too_many(name: str) -> DataError:
    fix = f"Split without regard to {name}: KFold or ShuffleSplit."
    return DataError(name, f"more than {_MOST_LABELS:,} different labels", "classes", fix)


def classes_of(facts: Facts, name: str) -> tuple[Classes, NDArray[np.int64]]:
    """Classes, from a survey by ``labels_of``, and rows of each before each partition, int64 [n_partitions, n_classes]."""
    numbers: dict[Any, int] = {}
    for labels, _ in facts.found:
        for label in labels.tolist():
            numbers.setdefault(label, len(numbers))
    if len(numbers) > _MOST_LABELS:
        raise _too_many(name)
    counts = np.zeros((len(facts.found), len(numbers)), np.int64)
    for of_part, (labels, found) in zip(counts, facts.found, strict=True):
        of_part[[numbers[label] for label in labels.tolist()]] = found
    return Classes(pd.Index(list(numbers)), counts.sum(axis=0)), np.cumsum(counts, axis=0) - counts


def require_present(values: NDArray[Any], name: str, expected: str) -> None:
    """DataError if a value is missing."""
    if pd.isna(values).any():
        raise DataError(name, "missing values (NaN)", expected, "Drop those rows, or fill them in.")


# ---- groups


def groups_of(groups: NDArray[Any], name: str) -> pd.DataFrame:
    """The different ``group`` and the ``rows`` of each, one a line."""
    require_present(groups, name, "a group for each row")
    codes, different = pd.factorize(groups)
    return pd.DataFrame({"group": different, "rows": np.bincount(codes, minlength=len(different))})


def groups_by_class(groups: NDArray[Any], labels: NDArray[Any], groups_name: str, name: str) -> pd.DataFrame:
    """The different pairs of ``group`` and ``label`` and the ``rows`` of each, one a line."""
    require_present(groups, groups_name, "a group for each row")
    different_labels, _ = labels_of(labels, name)
    codes, different = pd.factorize(groups)
    of_class = pd.factorize(labels)[0]
    pairs, rows = np.unique(codes * max(1, len(different_labels)) + of_class, return_counts=True)
    at_group, at_label = np.divmod(pairs, max(1, len(different_labels)))
    return pd.DataFrame({"group": different[at_group], "label": different_labels[at_label], "rows": rows})


def merged_groups(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """The sum of tables of groups."""
    some = [table for table in tables if len(table)] or tables[:1]
    keys = [column for column in some[0].columns if column != "rows"]
    return pd.concat(some).groupby(keys, sort=False)["rows"].sum().reset_index()


def sorted_table(found: pd.DataFrame) -> tuple[pd.Index, pd.Index, NDArray[np.int64]]:
    """Groups and labels (none, if these were not looked at), both sorted, and rows of each class, int64 [n_groups, n_classes].

    Without labels there is one class. DataError for what has no order.
    """
    groups, at_group = _sorted(found["group"], "groups")
    labels, at_label = (
        _sorted(found["label"], "y") if "label" in found else (pd.Index([]), np.zeros(len(found), np.int64))
    )
    rows = np.zeros((len(groups), max(1, len(labels))), np.int64)
    rows[at_group, at_label] = found["rows"]
    return groups, labels, rows


def _sorted(values: pd.Series, name: str) -> tuple[pd.Index, NDArray[np.int64]]:
    """Different values, sorted, and where among them each value is; DataError, which calls them ``name``, for mixed types."""
    try:
        different = pd.Index(values.unique()).sort_values()
    except TypeError as error:
        fix = f"Convert {name} to strings first."
        raise DataError(name, f"values of several types ({error})", "one type", fix) from None
    return different, np.asarray(different.get_indexer(pd.Index(values)), dtype=np.int64)


# ---- what else is surveyed


def folds_of(values: NDArray[Any], name: str) -> dict[int, int]:
    """Different numbers of folds, ascending, and rows of each; DataError for what is no whole number."""
    require_present(values, name, "a fold for each row")
    if values.dtype.kind not in "iufb" or (values != np.round(values)).any():
        raise DataError(
            name, f"values of type {values.dtype}", "whole numbers", "Number the folds 0, 1, …, and -1 for none."
        )
    folds, rows = np.unique(values, return_counts=True)
    return {int(fold): n for fold, n in zip(folds, rows.tolist(), strict=True)}


def times_of(values: NDArray[Any], name: str) -> tuple[Any, ...]:
    """() without rows, else the first time and the last one; the first row whose time falls, the time above it, and its own."""
    require_present(values, name, "a time for each row")
    if not values.shape[0]:
        return ()
    falls = np.flatnonzero(values[1:] < values[:-1])
    if not falls.size:
        return values[0], values[-1], None, None, None
    at = int(falls[0])
    return values[0], values[-1], at + 1, values[at], values[at + 1]


def require_ascending(facts: Facts, name: str) -> None:
    """DataError naming the first row whose time, by a survey by ``times_of``, is before that of the row above."""
    last: tuple[int, Any] | None = None
    for start, length, found in zip(facts.starts.tolist(), facts.lengths.tolist(), facts.found, strict=True):
        if not found:
            continue
        first_time, last_time, at, above, below = found
        if last is not None and first_time < last[1]:
            raise _falls(name, start, last[1], first_time)
        if at is not None:
            raise _falls(name, start + at, above, below)
        last = (start + length - 1, last_time)


def _falls(name: str, row: int, above: Any, below: Any) -> DataError:
    fix = f"Sort the rows by {name} first."
    return DataError(name, f"{below} in row {row}, after {above}", "times that never fall", fix)
