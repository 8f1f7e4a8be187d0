"""The methods of a fitted estimator that ask its model about data."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.estimators.parameters.table import names_in
from gbdist.estimators.prediction.answers import answer
from gbdist.estimators.prediction.features import Expected, as_catboost_reads
from gbdist.estimators.prediction.questions import (
    LabelFlags,
    Labels,
    LeafIndexes,
    Question,
    Shap,
    Trees,
    Values,
    VirtualEnsembles,
    stages,
)
from gbdist.estimators.preparation.inputs import is_lazy
from gbdist.estimators.preparation.tables import as_table, count_rows
from gbdist.models.splits import require_splits

_SHAP_TYPES = ("ShapValues", "ShapInteractionValues")
_WITHOUT_DATA = ("FeatureImportance", "PredictionValuesChange", "Interaction")


class Predictor:
    """Predictions, leaves, uncertainties and importances.

    All are lazy for Dask collections: a Dask DataFrame gives a Dask Series or DataFrame with the same index and divisions, a
    Dask Array gives an array with the same chunks of rows. They are NumPy arrays, at once, for data in memory. Columns must
    have the names and the order that they had in ``fit``.
    """

    if TYPE_CHECKING:
        model_: Any
        given_parameters: Callable[[], dict[str, Any]]

        def _fitted(self) -> Any: ...
        def _expected(self) -> Expected: ...
        def _class_names(self) -> tuple[str, ...]: ...

    #: What ``predict`` answers by default, and what else it can.
    _prediction_types: tuple[str, ...] = ("RawFormulaVal",)

    def predict(self, X: Any, prediction_type: str | None = None, ntree_start: int = 0, ntree_end: int = 0) -> Any:
        """Predict with trees ``ntree_start … ntree_end−1`` (0: all); lazily on a Dask collection, else at once.

        ``prediction_type`` is CatBoost's: "Class" (default of a classifier), "RawFormulaVal" (default of a regressor),
        "Probability", "LogProbability" for a classifier, "Exponent" for a regressor (default of Poisson and Tweedie), and
        "RMSEWithUncertainty", mean and variance (default of that loss).
        """
        return self._answer(X, self._question(prediction_type, ntree_start, ntree_end))

    def staged_predict(
        self, X: Any, prediction_type: str | None = None, ntree_start: int = 0, ntree_end: int = 0, eval_period: int = 1
    ) -> Iterator[Any]:
        """Predict with ever more trees: after every ``eval_period`` trees and after the last one.

        In memory every stage goes on from the one before. On a collection each is a lazy prediction of its own, so that
        computing one costs its own trees only, whichever it is.
        """
        if not isinstance(eval_period, int) or eval_period < 1:
            raise ParameterError("eval_period", eval_period, "a whole number of at least 1", "Use 1 for every tree.")
        if prediction_type is None and "Exponent" in self._prediction_types:
            prediction_type = "RawFormulaVal"  # whatever the loss, as CatBoost's
        question = self._question(prediction_type, ntree_start, ntree_end)
        if not is_lazy(X):
            X = as_table(X)
            expected = self._expected()
            expected.check(X)
            if count_rows(X) > 0:
                return stages(self.model_, as_catboost_reads(X, expected), question, eval_period, self._threads())
        last = question.trees.end or self.model_.tree_count_
        ends = [*range(ntree_start + eval_period, last, eval_period), last]
        asked = [replace(question, trees=Trees(ntree_start, end)) for end in ends]
        self._expected().check(X)
        return (self._answer(X, each) for each in asked)

    def calc_leaf_indexes(self, X: Any, ntree_start: int = 0, ntree_end: int = 0) -> Any:
        """Leaf of each tree that each row falls into, uint32 [n_rows, n_trees]; columns tree_0, tree_1, …"""
        return self._answer(X, LeafIndexes(self._trees(ntree_start, ntree_end)))

    def virtual_ensembles_predict(
        self,
        X: Any,
        prediction_type: str = "VirtEnsembles",
        ntree_end: int = 0,
        virtual_ensembles_count: int = 10,
    ) -> Any:
        """Raw values of CatBoost's virtual ensembles ("VirtEnsembles") or their uncertainties ("TotalUncertainty").

        Shapes are CatBoost's, [n_rows, count, n_values] and [n_rows, n_uncertainties]; in a DataFrame they are flattened.
        """
        self._choose("prediction_type", prediction_type, ("VirtEnsembles", "TotalUncertainty"))
        end = self._trees(0, ntree_end).end
        question = VirtualEnsembles(prediction_type, virtual_ensembles_count, end, self._class_names())
        return self._answer(X, question)

    def shap_values(self, X: Any) -> Any:
        """SHAP values, float64 [n_rows, n_features + 1], or [n_rows, n_classes, n_features + 1]; expected value last."""
        return self.get_feature_importance(type="ShapValues", data=X)

    def get_feature_importance(self, type: Any = "FeatureImportance", data: Any = None) -> Any:
        """Importance of features under CatBoost's names of types (or a ``catboost.EFstrType``).

        "FeatureImportance", "PredictionValuesChange" and "Interaction" come from the model alone. "ShapValues" and
        "ShapInteractionValues" are about the rows of ``data``. Any other type is handed to CatBoost with ``data``, which then
        must be in this process (a ``catboost.Pool`` with labels for "LossFunctionChange"): it is not a sum over rows.
        """
        model = self._fitted()
        type = getattr(type, "name", type)
        if type not in _WITHOUT_DATA:
            require_splits(model, type)
        if type in _SHAP_TYPES:
            if data is None:
                raise DataError("data", "None", f"rows to explain, because type is {type!r}", "Pass data=X.")
            names = tuple(str(name) for name in model.feature_names_)
            return self._answer(data, Shap(type, names, self._class_names()))
        if data is not None and is_lazy(data):
            if type in _WITHOUT_DATA:
                data = None  # the model's own leaf weights, as CatBoost uses without data
            else:
                raise ModelError(
                    f"{type} of a Dask collection cannot be computed partition by partition",
                    "Pass a sample that fits in memory, as catboost.Pool(X_sample, y_sample).",
                )
        return model.get_feature_importance(data, type=type)

    def _answer(self, X: Any, question: Question) -> Any:
        model = self._fitted()
        if type(X).__name__ == "DaskPool":
            raise DataError("X", "a DaskPool", "rows with their raw values", "Pass the collection it was made of.")
        return answer(model, X, question, self._expected(), self._threads())

    def _threads(self) -> int:
        """CatBoost's thread_count for data in memory, under any of its names."""
        given = self.given_parameters()
        return next((int(given[name]) for name in names_in(given, "thread_count")), -1)

    def _question(self, prediction_type: str | None, start: int, end: int) -> Values | Labels | LabelFlags:
        kind = self._prediction_types[0] if prediction_type is None else prediction_type
        self._fitted()
        self._choose("prediction_type", kind, self._prediction_types)
        return Values(kind, self._class_names(), self._trees(start, end))

    def _trees(self, start: int, end: int) -> Trees:
        count = self._fitted().tree_count_
        if not 0 <= start < max(count, 1):
            raise ParameterError("ntree_start", start, f"0 to {count - 1}", f"The model has {count} trees.")
        if end != 0 and not start < end <= count:
            fix = f"The model has {count} trees; 0 means all."
            raise ParameterError("ntree_end", end, f"0 or {start + 1} to {count}", fix)
        return Trees(start, end)

    @staticmethod
    def _choose(name: str, value: object, choices: tuple[str, ...]) -> None:
        if value not in choices:
            raise ParameterError(
                name, value, " or ".join(choices), "See the method's documentation for what they mean."
            )
