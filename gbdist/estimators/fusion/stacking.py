"""Members whose predictions are the features of a final estimator, which is trained on rows that they had not seen."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.fusion.answers import Asked, Voice, codes_of
from gbdist.estimators.fusion.base import Ensemble, EnsembleClassifier, EnsembleRegressor
from gbdist.estimators.fusion.blend import BlendClassifier, BlendRegressor
from gbdist.estimators.fusion.final import Layout, fit_final, require_final
from gbdist.estimators.fusion.members import require_method
from gbdist.estimators.fusion.rows import FitRows, numbers_of, rows_of
from gbdist.estimators.prediction.questions import text_of
from gbdist.estimators.preparation.inputs import Parts
from gbdist.selection.folds import Folds

#: In place of a number of folds: the members are fitted already.
PREFIT = "prefit"
_FOLDS = 5
_METHODS = ("predict_proba", "decision_function", "predict")


@dataclass(frozen=True, eq=False)
class Stack:
    """The final estimator, asked about the members' answers, and about rows of X where it sees them."""

    voices: Sequence[Voice]
    final: Any
    layout: Layout
    classes: NDArray[Any] | None

    @property
    def sees_rows(self) -> bool:
        """Whether the final estimator has the columns of X too."""
        return self.layout.passthrough

    def answer(self, kind: str, rows: Any, columns: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
        """What the final estimator's method says; "transform": its features."""
        values = self.layout.values(columns)
        if kind == "transform":
            return values
        said = np.asarray(getattr(self.final, kind)(self.layout.beside(rows, values)))
        if self.classes is None:
            return said.astype(np.float64).reshape(len(values))
        if kind == "predict":
            return np.asarray(said.reshape(len(values)), dtype=self.classes.dtype)
        return Voice(kind, "final_estimator", self.classes, np.asarray(self.final.classes_)).columns(said)


class _Stacking(TransformerMixin, Ensemble):  # type: ignore[misc]  # scikit-learn is not typed
    final_estimator_: Any
    _default: ClassVar[type[BlendClassifier | BlendRegressor]]

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        final_estimator: Any = None,
        *,
        cv: int | str | None = None,
        passthrough: bool = False,
        client: Any = None,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.cv = cv
        self.passthrough = passthrough
        self.client = client

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit every member on all rows, and once without each fold; and the final estimator on what those said of their folds.

        Everything given is checked before anything is started. Folds are drawn by hash of the global row number. Partitions of
        collections are computed once and held on the workers by Dask until ``fit`` ends, as are the members' predictions.

        Parameters
        ----------
        X : Dask DataFrame or Array, pandas or polars DataFrame, NumPy array, PyArrow table, scipy sparse matrix
            Features, [n_rows, n_features].
        y : vector, or name of a column of X
            One label or number a row.
        sample_weight : vector, or name of a column of X, optional
            All members must take it, and the final estimator.

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        members, parts = self._checked(X, y, sample_weight)
        n_folds = self._checked_folds(parts)
        methods = [self._method(name, estimator) for name, estimator in members]
        final = self._checked_final(methods, parts)
        with rows_of(parts, self._client) as rows:
            if n_folds > rows.n_rows:
                raise _too_many_folds(n_folds, rows.n_rows)
            classes = self._learn_labels(rows)
            fitted, columns = [], []
            for (name, estimator), method in zip(members, methods, strict=True):
                member, of_member = self._member(rows, (name, estimator), method, classes, n_folds)
                fitted.append(member)
                columns.append(of_member)
            self._adopt(parts, fitted, classes)
            self._methods = methods
            names = [name for name, _ in members]
            widths = [self._columns_of(name, method) for name, method in zip(names, methods, strict=True)]
            self._layout = Layout.of(widths, parts, drop_first=self._drops_first(methods), passthrough=self.passthrough)
            self.final_estimator_ = self._fitted_final(final, rows, columns)
        return self

    def transform(self, X: Any) -> Any:
        """What the final estimator is given of the members, float64 [n_rows, n_columns]; lazily on a Dask collection."""
        self._require_fit()
        names = self._layout.names
        return self._answer(X, Asked("transform", (len(names),), np.dtype(np.float64), names))

    # ---- checks

    def _checked_folds(self, parts: Parts) -> int:
        """Number of folds, 0 for members that are fitted already."""
        if isinstance(self.cv, str) and self.cv == PREFIT:
            for _, estimator in self._named():
                if hasattr(estimator, "fit"):
                    check_is_fitted(estimator)
            return 0
        n_folds = _FOLDS if self.cv is None else self.cv
        if not isinstance(n_folds, int | np.integer) or isinstance(n_folds, bool) or n_folds < 2:
            expected = f'a whole number of folds of at least 2, or "{PREFIT}"'
            raise ParameterError("cv", self.cv, expected, f"Leave it out for {_FOLDS}.")
        if parts.n_rows is not None and n_folds > parts.n_rows:
            raise _too_many_folds(int(n_folds), parts.n_rows)
        return int(n_folds)

    def _method(self, name: str, estimator: Any) -> str:
        """The method of a member whose answers are used."""
        return "predict"

    def _checked_final(self, methods: Sequence[str], parts: Parts) -> Any:
        """The final estimator, not fitted yet."""
        if self.final_estimator is None:
            if self.passthrough:
                fix = "Name one that takes the columns of X too, such as a DaskCatBoost estimator."
                raise ParameterError("passthrough", True, "a final_estimator beside it", fix)
            return self._default()
        require_final(self.final_estimator, classifier=self._is_classifier, weighted=parts.has_weight)
        return self.final_estimator

    # ---- members

    def _member(
        self, rows: FitRows, member: tuple[str, Any], method: str, classes: NDArray[Any] | None, n_folds: int
    ) -> tuple[Any, list[Any]]:
        """A member that is fitted on all rows, and a column of what it said of rows that it had not seen."""
        name, estimator = member
        if n_folds == 0:
            return estimator, self._said(rows, estimator, Voice.of(estimator, method, name, classes), rows.whole()[0])
        folds = Folds(n_folds)
        of_folds = []
        for fold in range(n_folds):
            part = f"{name}, fold {fold + 1} of {n_folds},"
            fitted = self._fitted_member(estimator, rows.without(folds, fold), part)
            voice = Voice.of(fitted, method, name, classes)
            of_folds.append(self._said(rows, fitted, voice, rows.held_out(folds, fold)))
        column = rows.interleaved(folds, of_folds)
        return self._fitted_member(estimator, rows.whole(), name), column

    def _said(self, rows: FitRows, fitted: Any, voice: Voice, X: Any) -> list[Any]:
        said = rows.place.pieces_of(getattr(fitted, voice.method)(X), rows.n_pieces)
        return rows.place.map(_columns_of_piece, said, voice=voice)

    # ---- the final estimator

    def _fitted_final(self, final: Any, rows: FitRows, columns: Sequence[list[Any]]) -> Any:
        place = rows.place
        values = place.map(_values_of_piece, *columns, layout=self._layout)
        for column in columns:
            place.drop(column)
        if isinstance(final, BlendClassifier):
            codes = place.map(codes_of, rows.y.pieces, classes=self.classes_)
            return final.fit_pieces(place, values, codes, rows.weights, self.classes_)
        if isinstance(final, BlendRegressor):
            return final.fit_pieces(place, values, place.map(numbers_of, rows.y.pieces), rows.weights)
        return fit_final(clone(final), rows, values, self._layout, self.client, type(self).__name__)

    def _columns_of(self, name: str, method: str) -> list[Hashable]:
        """Names of a member's columns."""
        return [name]

    def _drops_first(self, methods: Sequence[str]) -> list[bool]:
        """Whose first column says nothing that the second does not."""
        return [False] * len(methods)

    def _fusion(self) -> Stack:
        classes = self.classes_ if self._is_classifier else None
        return Stack(self._voices(self._methods), self.final_estimator_, self._layout, classes)


class DaskStackingClassifier(EnsembleClassifier, _Stacking):
    """Classifiers of any kind under a final one, on Dask collections or in memory; scikit-learn's StackingClassifier.

    Parameters
    ----------
    estimators : list of (name, estimator); "drop" in place of an estimator leaves it out
        ``set_params(trees="drop", network__max_iter=20)`` changes members by their names. For collections they must take
        collections, as gbdist's do.
    final_estimator : classifier, optional
        Left out: softmax of a linear function of the logarithms of all probabilities (``BlendClassifier``). Any of gbdist's is
        trained on the cluster; scikit-learn's is given all predictions in this process, if they are not too many.
    cv : int or "prefit", optional
        Number of folds, 5 by default; "prefit": members are fitted already, and trust themselves too much on rows they know.
    stack_method : "auto", "predict_proba", "decision_function" or "predict"
        What members are asked for; "auto": the first of these that each has.
    passthrough : bool
        Whether the final estimator is given the columns of X too.
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Members without one of their own have it too.

    Attributes
    ----------
    estimators_, named_estimators_, final_estimator_, stack_method_, classes_, n_features_in_, feature_names_in_ : as \
scikit-learn's
    """

    _default = BlendClassifier

    def __init__(
        self,
        estimators: Sequence[tuple[str, Any]],
        final_estimator: Any = None,
        *,
        cv: int | str | None = None,
        stack_method: str = "auto",
        passthrough: bool = False,
        client: Any = None,
    ) -> None:
        super().__init__(estimators, final_estimator, cv=cv, passthrough=passthrough, client=client)
        self.stack_method = stack_method

    def predict_proba(self, X: Any) -> Any:
        """Probability of each class, float64 [n_rows, n_classes] in the order of ``classes_``."""
        self._require_fit()
        if not hasattr(self.final_estimator_, "predict_proba"):
            name = type(self.final_estimator_).__name__
            raise ParameterError("final_estimator", name, "one with predict_proba", "Choose another one.")
        return self._answer(X, self._of_classes("predict_proba"))

    @property
    def stack_method_(self) -> list[str]:
        """The method that each member is asked for."""
        self._require_fit()
        return list(self._methods)

    def _method(self, name: str, estimator: Any) -> str:
        if self.stack_method == "auto":
            return next(method for method in _METHODS if hasattr(estimator, method))
        if self.stack_method not in _METHODS:
            expected = f'"auto" or one of {list(_METHODS)}'
            raise ParameterError("stack_method", self.stack_method, expected, "Leave it out for auto.")
        fix = f"stack_method={self.stack_method!r} asks for it; leave it out for what each member has."
        require_method([(name, estimator)], self.stack_method, fix)
        return self.stack_method

    def _checked_final(self, methods: Sequence[str], parts: Parts) -> Any:
        final = super()._checked_final(methods, parts)
        if self.final_estimator is None and set(methods) != {"predict_proba"}:
            expected = "a final_estimator, as members give no probabilities"
            raise ParameterError("final_estimator", None, expected, "Name one, or use members with predict_proba.")
        return final

    def _drops_first(self, methods: Sequence[str]) -> list[bool]:
        return [method == "predict_proba" and len(self.classes_) == 2 for method in methods]

    def _columns_of(self, name: str, method: str) -> list[Hashable]:
        several = method == "predict_proba" or (method == "decision_function" and len(self.classes_) > 2)
        return [f"{name}_{label}" for label in text_of(self.classes_.tolist())] if several else [name]


class DaskStackingRegressor(EnsembleRegressor, _Stacking):
    """Regressors of any kind under a final one, on Dask collections or in memory; scikit-learn's StackingRegressor.

    Parameters
    ----------
    estimators : list of (name, estimator); "drop" in place of an estimator leaves it out
        ``set_params(trees="drop", network__max_iter=20)`` changes members by their names. For collections they must take
        collections, as gbdist's do.
    final_estimator : regressor, optional
        Left out: the average with the best weights, none negative (``BlendRegressor``). Any of gbdist's is trained on the
        cluster; scikit-learn's is given all predictions in this process, if they are not too many.
    cv : int or "prefit", optional
        Number of folds, 5 by default; "prefit": members are fitted already, and trust themselves too much on rows they know.
    passthrough : bool
        Whether the final estimator is given the columns of X too.
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Members without one of their own have it too.

    Attributes
    ----------
    estimators_, named_estimators_, final_estimator_, n_features_in_, feature_names_in_ : as scikit-learn's
    """

    _default = BlendRegressor


def _columns_of_piece(answers: Any, *, voice: Voice) -> NDArray[np.float64]:
    return voice.columns(answers)


def _values_of_piece(*columns: NDArray[np.float64], layout: Layout) -> NDArray[np.float64]:
    return layout.values(columns)


def _too_many_folds(n_folds: int, n_rows: int) -> DataError:
    expected = f"at least as many as folds, cv={n_folds}"
    return DataError("X", f"{n_rows} row(s) (n_samples={n_rows})", expected, "Use fewer folds, or more rows.")
