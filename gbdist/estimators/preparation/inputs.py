"""What the user hands to ``fit``, checked without computing anything: X, y, weight, baseline, groups and folds kept together."""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import dask
import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.estimators.preparation.tables import (
    KINDS,
    as_matrix,
    as_table,
    as_vector,
    column_labels,
    count_columns,
    count_rows,
    is_frame,
)

#: What may have several values a row.
_SEVERAL = ("baseline", "y")


@dataclass(frozen=True, eq=False)
class Parts:
    """One data set: either Dask collections with the same partitions, or tables in this process.

    Parameters
    ----------
    features, label, weight, baseline, group, fold
        Dask collections if ``lazy``, else a table, vectors and float64 [n_rows, n] matrices (the baseline, and several labels).
        ``label``, ``weight`` and ``group`` are None where there is none or where they are columns of ``features``.
    lazy : bool
    n_parts : int
        Number of partitions; 1 in memory.
    n_rows : int or None
        None where the lengths of partitions are not known yet.
    feature_names : tuple of str
    labels : tuple or None
        Column labels of the features in a frame, in order; None for arrays.
    label_columns, weight_column, group_column
        Column labels in ``features``: of the labels, if any, and or None.
    unbinned : tuple of (int, str)
        Positions among the features, ascending, and kinds of columns that are not binned (``unbinned.py``).
    cat_nan : str or None
        The text that stands for missing values in categorical columns; None: there may be none.
    """

    features: Any
    label: Any
    weight: Any
    baseline: Any
    lazy: bool
    n_parts: int
    n_rows: int | None
    feature_names: tuple[str, ...]
    labels: tuple[Hashable, ...] | None
    label_columns: tuple[Hashable, ...]
    weight_column: Hashable | None
    group: Any = None
    group_column: Hashable | None = None
    fold: Any = None
    unbinned: tuple[tuple[int, str], ...] = ()
    cat_nan: str | None = None

    @property
    def has_label(self) -> bool:
        """Whether there is a label, separate or as a column."""
        return self.label is not None or bool(self.label_columns)

    @property
    def in_memory(self) -> bool:
        """Whether any of it is in this process's memory."""
        return not self.lazy or any(
            isinstance(one, list) for one in (self.label, self.weight, self.baseline, self.group, self.fold)
        )

    @property
    def has_weight(self) -> bool:
        """Whether there is a weight, separate or as a column."""
        return self.weight is not None or self.weight_column is not None


def collect(
    X: Any, y: Any = None, sample_weight: Any = None, baseline: Any = None, group_id: Any = None, fold: Any = None
) -> Parts:
    """Check that X, y, sample_weight, baseline, group_id and fold belong together, and keep them together; nothing is computed.

    ``y``, ``sample_weight`` and ``group_id`` may be names of columns of X, ``y`` a list of several; ``fold`` is a number that
    folds go by (``rules.predefined.Patterns``), for each row.
    Raises DataError that says what does not fit.
    """
    lazy = is_lazy(X)
    X = X if lazy else as_table(X)
    frame = is_lazy_frame(X) if lazy else is_frame(X)
    label_columns, y = _label_columns(X, y, frame, lazy)
    weight_column, sample_weight = _column_or_vector(X, sample_weight, "sample_weight", frame)
    group_column, group_id = _column_or_vector(X, group_id, "group_id", frame)
    labels = _feature_labels(X, {*label_columns, weight_column, group_column} - {None}, lazy) if frame else None
    names = _names(labels) if labels is not None else tuple(str(i) for i in range(_array_columns(X, lazy)))
    vectors = {"y": y, "sample_weight": sample_weight, "baseline": baseline, "group_id": group_id, "fold": fold}
    if lazy:
        matched = _match_lazy(X, vectors)
        n_parts, n_rows = int(X.npartitions), _known_rows(X)
    else:
        matched = _match_memory(X, vectors)
        n_parts, n_rows = 1, count_rows(X)
    return Parts(
        features=X,
        label=matched["y"],
        weight=matched["sample_weight"],
        baseline=matched["baseline"],
        lazy=lazy,
        n_parts=n_parts,
        n_rows=n_rows,
        feature_names=names,
        labels=labels,
        label_columns=label_columns,
        weight_column=weight_column,
        group=matched["group_id"],
        group_column=group_column,
        fold=matched["fold"],
    )


def is_lazy(data: Any) -> bool:
    """Whether data is a Dask collection."""
    return bool(dask.is_dask_collection(data))


def is_lazy_frame(X: Any) -> bool:
    """Whether a Dask collection is a DataFrame rather than an array; DataError for anything else."""
    if isinstance(X, Delayed):  # it has every attribute one asks for
        raise DataError("X", "a Dask Delayed", KINDS, "Turn it into a collection: dask.dataframe.from_delayed([...]).")
    if _is_dask_array(X):
        return False
    if hasattr(X, "columns") and hasattr(X, "npartitions"):
        if X.ndim == 1:
            raise DataError("X", "a Dask Series", "a table with columns", "Pass a DataFrame, e.g. series.to_frame().")
        return True
    raise DataError("X", f"a Dask {type(X).__name__}", KINDS, "Turn it into a Dask DataFrame or Array first.")


def _is_dask_array(data: Any) -> bool:
    return is_lazy(data) and hasattr(data, "chunks") and hasattr(data, "rechunk")


def _column_or_vector(X: Any, given: Any, name: str, frame: bool) -> tuple[Hashable | None, Any]:
    """(label of the column, None) if ``given`` names a column of X, else (None, given)."""
    if not isinstance(given, str):
        return None, given
    if not frame:
        raise DataError(name, f"the column name {given!r}", "a vector", f"X has no column names; pass {name} itself.")
    if given not in column_labels(X):
        known = ", ".join(str(label) for label in column_labels(X)[:20])
        raise DataError(name, f"the column name {given!r}", "a column of X", f"X has: {known}.")
    return given, None


def _label_columns(X: Any, y: Any, frame: bool, lazy: bool) -> tuple[tuple[Hashable, ...], Any]:
    """(labels of columns, None) if y names one or a list of several of X's columns, else ((), y)."""
    listed = isinstance(y, list | tuple) and frame and y and all(isinstance(name, str) for name in y)
    if listed and (lazy or _names_columns(X, y)):
        if len(set(y)) < len(y):
            raise DataError("y", f"{list(y)}", "each column once", "Name every label once.")
        return tuple(_column_or_vector(X, name, "y", frame)[0] for name in y), None
    column, y = _column_or_vector(X, y, "y", frame)
    return (() if column is None else (column,)), y


def _names_columns(X: Any, y: list[str] | tuple[str, ...]) -> bool:
    """Whether a list beside a table in memory names columns, some of them wrongly perhaps, rather than being labels of rows."""
    known = column_labels(X)
    return len(y) != count_rows(X) and len(y) <= len(known) and any(name in known for name in y)


def _feature_labels(X: Any, without: set[Hashable], lazy: bool) -> tuple[Hashable, ...]:
    every = column_labels(X)
    seen: set[Hashable] = set()
    for label in every:
        if label in seen:
            raise DataError(f"column {label!r}", "the same name more than once", "distinct column names", "Rename one.")
        seen.add(label)
    labels = tuple(label for label in every if label not in without)
    _require_features(len(labels), None if lazy else count_rows(X))
    return labels


def _names(labels: tuple[Hashable, ...]) -> tuple[str, ...]:
    names = tuple(str(label) for label in labels)
    if len(set(names)) < len(names):
        repeated = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataError(f"column {repeated!r}", "two labels with this text", "distinct column names", "Rename one.")
    return names


def _array_columns(X: Any, lazy: bool) -> int:
    if not lazy:
        n_columns = count_columns(X)
    else:
        if X.ndim != 2:
            raise DataError("X", f"a {X.ndim}D Dask array", "2D array [n_rows, n_features]", "Reshape your data.")
        if len(X.chunks[1]) != 1:
            raise DataError(
                "X",
                f"a Dask array in {len(X.chunks[1])} chunks along its columns",
                "chunks over rows only",
                "Call X.rechunk({1: -1}).",
            )
        n_columns = X.chunks[1][0]
        if n_columns != n_columns:  # NaN: not known
            raise DataError(
                "X", "a Dask array of unknown width", "a known number of columns", "Set it when it is made."
            )
    _require_features(int(n_columns), None if lazy else count_rows(X))
    return int(n_columns)


def _require_features(n_columns: int, n_rows: int | None) -> None:
    if n_columns == 0:
        shape = f"({'?' if n_rows is None else n_rows}, 0)"
        found = f"0 feature(s) (shape={shape}) while a minimum of 1 is required"
        raise DataError("X", found, "at least one column", "Pass at least one feature column.")


# ---- data in this process


def _match_memory(X: Any, vectors: dict[str, Any]) -> dict[str, Any]:
    n_rows = count_rows(X)
    matched: dict[str, Any] = {}
    for name, given in vectors.items():
        if given is None:
            matched[name] = None
            continue
        if is_lazy(given):
            raise DataError(
                name,
                "a Dask collection beside X in memory",
                "both of one kind",
                f"Pass {name}.compute(), or X as a Dask collection.",
            )
        matched[name] = _in_memory(given, name, n_rows)
    return matched


def _in_memory(given: Any, name: str, n_rows: int) -> NDArray[Any]:
    """A vector [n_rows], or a matrix float64 [n_rows, n] where a row may have several values; DataError for other lengths."""
    shape = given.shape if hasattr(given, "shape") else np.asarray(given).shape
    several = name == "baseline" or (name == "y" and len(shape) == 2 and shape[1] > 1)
    values = as_matrix(given, name) if several else as_vector(given, name)
    _require_rows(name, len(values), n_rows)
    return values


def _require_rows(name: str, found: int, n_rows: int) -> None:
    if found != n_rows:
        fix = f"X and {name} have inconsistent numbers of samples; pass one value of {name} for each row of X."
        raise DataError(name, f"{found} rows", f"as many as X, {n_rows}", fix)


# ---- Dask collections


def _known_rows(X: Any) -> int | None:
    if not _is_dask_array(X):
        return None
    lengths = X.chunks[0]
    return None if any(length != length for length in lengths) else int(sum(lengths))


def _match_lazy(X: Any, vectors: dict[str, Any]) -> dict[str, Any]:
    return {name: None if given is None else _match_one(X, given, name) for name, given in vectors.items()}


def _match_one(X: Any, given: Any, name: str) -> Any:
    """Return ``given`` as a Dask collection whose partitions are X's."""
    if not is_lazy(given):
        return _in_chunks_of(X, given, name)
    if _is_dask_array(given):
        _require_vector(given, name)
        if _is_dask_array(X):
            return _align(X, given, name)
    elif name not in _SEVERAL and getattr(given, "ndim", 1) == 2 and len(given.columns) != 1:
        raise DataError(name, f"a Dask DataFrame of {len(given.columns)} columns", "one column", f"Pass {name}['…'].")
    if given.npartitions != X.npartitions:
        raise _partitions_differ(X, given, name)
    ours, theirs = getattr(X, "divisions", (None,)), getattr(given, "divisions", (None,))
    if None not in ours and None not in theirs and ours != theirs:
        raise DataError(
            name,
            f"partitions that begin at {_few(theirs)}",
            f"X's, which begin at {_few(ours)}",
            f"Take {name} from the same frame as X, or repartition it with divisions=X.divisions.",
        )
    return given


def _require_vector(given: Any, name: str) -> None:
    most = 2 if name in _SEVERAL else 1
    if given.ndim > most and not (given.ndim == 2 and given.shape[1] == 1):
        raise DataError(name, f"a {given.ndim}D Dask array", "one value a row", f"Pass {name} as a vector.")


def _align(X: Any, given: Any, name: str) -> Any:
    """Give a Dask array the row chunks of X; those of both must be known where they are not the same."""
    if given.ndim == 2 and len(given.chunks[1]) != 1:
        given = given.rechunk({1: -1})
    ours, theirs = X.chunks[0], given.chunks[0]
    ours_known, theirs_known = _known_rows(X) is not None, _known_rows(given) is not None
    if ours_known and theirs_known:
        _require_rows(name, sum(theirs), sum(ours))
        return given if ours == theirs else given.rechunk({0: ours})
    if len(ours) != len(theirs):
        raise _partitions_differ(X, given, name)
    return given


def _partitions_differ(X: Any, given: Any, name: str) -> DataError:
    return DataError(
        name,
        f"{given.npartitions} partitions",
        f"X's {X.npartitions}, with the same rows in each",
        f"Take {name} from the same collection as X, or give both known chunk sizes (compute_chunk_sizes()).",
    )


def _in_chunks_of(X: Any, given: Any, name: str) -> Any:
    """Cut a vector in memory as the rows of the Dask array X are cut."""
    n_rows = _known_rows(X)
    if n_rows is None:
        raise DataError(
            name,
            f"a {type(given).__name__} in memory beside a Dask collection whose partition lengths are not known",
            "a Dask collection with the partitions of X",
            f"Pass {name} as a column of X, or turn X into an array of known chunks: X.to_dask_array(lengths=True).",
        )
    values = _in_memory(given, name, n_rows)
    edges = np.concatenate(([0], np.cumsum(X.chunks[0]))).astype(np.int64)
    return [values[start:stop] for start, stop in pairwise(edges)]


def _few(divisions: tuple[Any, ...]) -> str:
    shown = ", ".join(str(d) for d in divisions[:4])
    return shown + (", …" if len(divisions) > 4 else "")
