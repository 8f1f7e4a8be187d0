"""What the model expects of X, checked as scikit-learn words it, and X as CatBoost reads it fastest."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any
from warnings import warn

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from gbdist.boosting.rows import UnbinnedColumn
from gbdist.errors import DataError
from gbdist.estimators.preparation.inputs import is_lazy, is_lazy_frame
from gbdist.estimators.preparation.tables import column_labels, count_columns, is_frame, library_of, take_apart
from gbdist.models.embeddings import embedding_dimensions
from gbdist.quantize.raw import column_place, open_features
from gbdist.quantize.unbinned import frame_for_catboost, positions_by_parameter, read_columns

_SHOWN = 5
#: Longer than any vector of a model that does not say how long its vectors are: CatBoost reads as far as it needs.
_WIDE = 1 << 16


class FeaturesError(DataError):
    """X has not the features that the model was trained on. The words are scikit-learn's, the way out is added."""

    def __init__(self, problem: str, fix: str) -> None:
        Exception.__init__(self, problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        problem, fix = self.args
        return f"{problem}\n{fix}"


@dataclass(frozen=True, slots=True)
class UnbinnedFeature:
    """A categorical, text or embedding feature of a model; ``dimension`` is that of its vectors, 0 if that is not known."""

    position: int
    kind: str
    dimension: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """The features that a fitted estimator expects.

    Parameters
    ----------
    n_features : int
    labels : tuple or None
        Column labels of the frame it was trained on, in order; None if it was trained on an array.
    estimator : str
        Name of the estimator's class, for messages.
    names : tuple of str
        Of the model's features, in order.
    unbinned : tuple of UnbinnedFeature
        Features that are not numbers, ascending in position.
    cat_nan : str or None
        The text that stands for missing values in categorical columns; None: there may be none.
    """

    n_features: int
    labels: tuple[Hashable, ...] | None
    estimator: str
    names: tuple[str, ...] = ()
    unbinned: tuple[UnbinnedFeature, ...] = ()
    cat_nan: str | None = None

    @classmethod
    def of(
        cls, model: Any, labels: tuple[Hashable, ...] | None, estimator: str, cat_nan: str | None = None
    ) -> "Expected":
        """What a CatBoost model expects."""
        names = tuple(str(name) for name in model.feature_names_)
        return cls(len(names), labels, estimator, names, unbinned_features(model), cat_nan)

    def check(self, X: Any, *, warn_without_names: bool = True) -> None:
        """Refuse an X with missing, extra or reordered columns, or of another width; costs nothing on collections.

        Raises
        ------
        FeaturesError
            Naming the columns. Columns are never reordered silently.
        """
        labels = labels_of(X)
        if labels is not None and self.labels is not None:
            if labels != self.labels:
                raise FeaturesError(*self._difference(labels))
            return
        n_features = width_of(X) if labels is None else len(labels)
        if n_features != self.n_features:
            raise FeaturesError(
                f"X has {n_features} features, but {self.estimator} is expecting {self.n_features} features as input.",
                "Pass the columns that the model was trained on.",
            )
        if warn_without_names and (self._has_names(labels) != self._has_names(self.labels)):
            self._warn(labels)

    def _difference(self, labels: tuple[Hashable, ...]) -> tuple[str, str]:
        given, ours = set(labels), set(self.labels or ())
        problem = "The feature names should match those that were passed during fit.\n"
        unseen = sorted(str(label) for label in given - ours)
        missing = sorted(str(label) for label in ours - given)
        if unseen:
            problem += "Feature names unseen at fit time:\n" + _listed(unseen)
        if missing:
            problem += "Feature names seen at fit time, yet now missing:\n" + _listed(missing)
        if not unseen and not missing:
            if len(labels) != len(given):
                repeated = next(label for i, label in enumerate(labels) if label in labels[:i])
                problem += f"Feature name given more than once: {repeated}\n"
            else:
                problem += "Feature names must be in the same order as they were in fit.\n"
        if missing:
            return problem, "Give X all columns of the model, model.feature_names_in_, in that order."
        return problem, "Select the model's columns in the model's order, as in X[list(model.feature_names_in_)]."

    def _warn(self, labels: tuple[Hashable, ...] | None) -> None:
        # scikit-learn's own two sentences, which its users filter by.
        if self._has_names(labels):
            warn(f"X has feature names, but {self.estimator} was fitted without feature names", stacklevel=4)
        else:
            warn(
                f"X does not have valid feature names, but {self.estimator} was fitted with feature names", stacklevel=4
            )

    @staticmethod
    def _has_names(labels: tuple[Hashable, ...] | None) -> bool:
        return labels is not None and all(isinstance(label, str) for label in labels)


def _listed(names: Sequence[str]) -> str:
    more = "- ...\n" if len(names) > _SHOWN else ""
    return "".join(f"- {name}\n" for name in names[:_SHOWN]) + more


def labels_of(X: Any) -> tuple[Hashable, ...] | None:
    """Column labels of a frame, lazy or not; None for arrays and matrices."""
    if is_lazy(X):
        return tuple(X.columns) if is_lazy_frame(X) else None
    return tuple(column_labels(X)) if is_frame(X) else None


def width_of(X: Any) -> int:
    """Number of columns of an array or matrix, lazy or not; a Dask array must not be cut along its columns."""
    if not is_lazy(X):
        return count_columns(X)
    if X.ndim != 2:
        raise DataError("X", f"a {X.ndim}D Dask array", "2D array [n_rows, n_features]", "Reshape your data.")
    if len(X.chunks[1]) != 1:
        raise DataError(
            "X",
            f"a Dask array in {len(X.chunks[1])} chunks along its columns",
            "chunks over rows only",
            "Call X.rechunk({1: -1}).",
        )
    return int(X.shape[1])


def unbinned_features(model: Any) -> tuple[UnbinnedFeature, ...]:
    """The features of a CatBoost model that are not numbers, ascending in position."""
    dimensions = embedding_dimensions(model)
    listed = {
        "cat": model.get_cat_feature_indices(),
        "text": model.get_text_feature_indices(),
        "embedding": model.get_embedding_feature_indices(),
    }
    found = [UnbinnedFeature(at, kind, dimensions.get(at, 0)) for kind, positions in listed.items() for at in positions]
    return tuple(sorted(found, key=lambda feature: feature.position))


def as_catboost_reads(X: Any, expected: Expected, part: int = 0) -> Any:
    """X for CatBoost: a matrix of numbers, or a Pool where the model has other features too.

    Raises
    ------
    DataError
        A column holds something that CatBoost does not take; it names the column and partition ``part``.
    """
    if not expected.unbinned:
        return as_matrix_of_numbers(X, part)
    return _pool(expected, *_columns(X, expected, part))


def as_frame(X: Any, expected: Expected) -> pd.DataFrame:
    """X as a frame of the model's features: numbers in float32, categories and texts as strings, vectors as arrays.

    Raises
    ------
    DataError
        As ``as_catboost_reads``.
    """
    if expected.unbinned:
        return frame_for_catboost(expected.names, *_columns(X, expected, 0))
    matrix = as_matrix_of_numbers(X)
    dense = matrix.toarray() if library_of(matrix) == "scipy" else matrix
    return pd.DataFrame(as_fortran_float(dense), columns=list(expected.names))


def _columns(X: Any, expected: Expected, part: int) -> tuple[list[NDArray[np.float32]], tuple[UnbinnedColumn, ...]]:
    """Columns of numbers, and those of other kinds."""
    kinds = tuple((feature.position, feature.kind) for feature in expected.unbinned)
    table, raw = take_apart(X, kinds, part, expected.cat_nan)
    numbers = open_features(table, part, [position for position, _ in kinds])
    columns = read_columns(raw, part)
    for feature, column, given in zip(expected.unbinned, columns, raw, strict=True):
        if feature.dimension and column.values.shape[1] != feature.dimension:  # CatBoost would read beyond the vector
            raise DataError(
                column_place(given.name, part),
                f"vectors of {column.values.shape[1]} numbers",
                f"{feature.dimension}, as the model was trained on",
                "Make the vectors as they were made for training.",
            )
    return [numbers.column(f) for f in range(len(numbers.names))], columns


def probe(expected: Expected) -> Any:
    """One row of no meaning, as ``as_catboost_reads`` gives it."""
    if not expected.unbinned:
        return np.zeros((1, expected.n_features), dtype=np.float32, order="F")
    columns = tuple(UnbinnedColumn(each.position, each.kind, _any_value(each)) for each in expected.unbinned)
    zeros = [np.zeros(1, np.float32)] * (expected.n_features - len(columns))
    return _pool(expected, zeros, columns)


def _any_value(feature: UnbinnedFeature) -> Any:
    if feature.kind == "embedding":
        return np.zeros((1, feature.dimension or _WIDE), np.float32)
    return pa.array(["none"], pa.large_string())


def _pool(expected: Expected, numbers: list[NDArray[np.float32]], columns: Sequence[UnbinnedColumn]) -> Any:
    from catboost import Pool

    frame = frame_for_catboost(expected.names, numbers, columns)
    return Pool(frame, **positions_by_parameter((each.position, each.kind) for each in expected.unbinned))


def as_matrix_of_numbers(X: Any, part: int = 0) -> Any:
    """X as CatBoost reads it without another copy: a Fortran-ordered float matrix, or a CSR matrix of float32.

    Frames of one floating type (what a Parquet file of features gives) and sparse matrices are not copied.

    Raises
    ------
    DataError
        A column holds something else than numbers; it names the column and partition ``part``.
    """
    if library_of(X) == "scipy" and X.dtype.kind in "fiub":
        return _as_catboosts_csr(X)
    if isinstance(X, pd.DataFrame) and all(isinstance(t, np.dtype) and t.kind in "fiub" for t in X.dtypes):
        # One floating type is no copy; else pandas fills one matrix, which is faster than column by column.
        return np.asfortranarray(X.to_numpy()) if _of_one_float_type(X) else as_fortran_float(X)
    table = open_features(X, part)
    if table.dense is not None:
        return as_fortran_float(table.dense)
    matrix = np.empty((table.n_rows, len(table.names)), dtype=np.float32, order="F")
    for feature in range(len(table.names)):
        matrix[:, feature] = table.column(feature)
    return matrix


def _as_catboosts_csr(X: Any) -> Any:
    """The one sparse format that CatBoost reads without another copy: a csr_matrix, no array, with int32 indices."""
    from scipy.sparse import csr_matrix

    if X.nnz > np.iinfo(np.int32).max:
        raise DataError(
            "X", f"{X.nnz} stored values", "at most 2³¹ − 1 in one sparse matrix", "Predict blocks of its rows."
        )
    with np.errstate(over="ignore"):
        matrix = csr_matrix(X, dtype=np.float32)
    indices, starts = (part.astype(np.int32, copy=False) for part in (matrix.indices, matrix.indptr))
    return csr_matrix((matrix.data, indices, starts), shape=matrix.shape)


def _of_one_float_type(frame: pd.DataFrame) -> bool:
    kinds = set(frame.dtypes)
    return len(kinds) == 1 and kinds <= {np.dtype(np.float32), np.dtype(np.float64)}


def as_fortran_float(values: Any) -> NDArray[np.float32]:
    """A numeric matrix or frame as float32 in Fortran order, rounded as CatBoost rounds: too large becomes ±inf."""
    with np.errstate(over="ignore"):
        narrow = values.to_numpy(dtype=np.float32) if isinstance(values, pd.DataFrame) else values
        return np.asfortranarray(narrow, dtype=np.float32)
