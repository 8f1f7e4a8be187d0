"""What all estimators of trees share: ``fit``, what it leaves behind, saving, loading and pickling."""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gbdist.estimators.arguments import refuse_arguments
from gbdist.estimators.feature_selector import FeatureSelector
from gbdist.estimators.fitted import Fitted, as_list, scheduler_of
from gbdist.estimators.hyperparameters import Hyperparameters
from gbdist.estimators.listeners import close, progress_listener
from gbdist.estimators.parameters.check import check_parameters, checked_bins_on_disk
from gbdist.estimators.plotting import Plot, page_of_fit, plot_asked
from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.prediction.predictor import Predictor
from gbdist.estimators.prediction.questions import Question
from gbdist.models.catboost_format import cbm_bytes, load_file, read_cbm, save_file
from gbdist.models.history import TrainingRecord, record_of
from gbdist.models.missing import cat_nan_of, note_cat_nan


class DaskCatBoost(FeatureSelector, Predictor, Hyperparameters, Fitted):
    """Trains a CatBoost model on a Dask cluster. Use ``DaskCatBoostClassifier``, ``…Regressor`` or ``…Ranker``."""

    _is_classifier: ClassVar[bool] = False
    _is_ranker: ClassVar[bool] = False

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        eval_set: Any = None,
        eval_fraction: float | None = None,
        baseline: Any = None,
        init_model: Any = None,
        callbacks: Any = None,
        plot: bool = False,
        plot_file: Any = None,
        profile: Any = None,
        **others: Any,
    ) -> Self:
        """Train on X and y; everything given is checked before anything is started.

        Parameters
        ----------
        X : Dask DataFrame or Array, DaskPool, pandas or polars DataFrame, NumPy array, PyArrow table, scipy sparse matrix
            Features, [n_rows, n_features]. Categorical are the columns that the estimator's ``cat_features`` names; where it is
            left out, those whose type is that of categories or of strings (of a Dask DataFrame as ``X.dtypes`` announces it).
        y : vector, or name of a column of X
            One label or number a row. Left out with a DaskPool, which has it. For losses of several labels a row a matrix
            [n_rows, n_labels], or a list of names of columns of X.
        sample_weight : vector, or name of a column of X, optional
        eval_set : (X, y), (X, y, sample_weight), DaskPool, or a list of them, optional
            Metrics are computed on it; the last one decides when to stop.
        eval_fraction : float, optional
            Set this share of the rows apart as the eval set, by a hash of the row number.
        baseline : vector or matrix [n_rows, dimension], optional
            Raw predictions to start from.
        init_model : fitted estimator, CatBoost model or path, optional
            Go on from this model; its trees stay as they are.
        callbacks : sequence of objects with ``after_iteration(info) -> bool``, optional
            As CatBoost's: ``info.iteration`` counts trees, ``info.metrics[set][metric]`` lists values so far.
        plot : bool
            Write a page about the model, which opens in any browser: learning curves, importances, SHAP values, calibration or
            residuals, trees. It looks at some thousand rows of the last eval set, else of X; of a collection it computes up to
            eight partitions once more.
        plot_file : path, or text file open for writing, optional
            Where the page goes, whatever ``plot`` is; ``report.html`` in the current folder by default. A line on stderr says
            where it is, unless ``verbose`` is False.
        profile : path of a folder, optional
            Write there where the time of the run went: a timeline of all ranks, ``trace.json``, for https://ui.perfetto.dev or
            chrome://tracing, and ``summary.txt``. Files of these names are written over. Not with ``aggregate="models"``.
        others
            Refused; the error says where an argument of CatBoost's ``fit`` belongs.

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        refuse_arguments(others, type(self).__name__, self.fit, ranker=False)
        return self._fit(
            X,
            y,
            sample_weight=sample_weight,
            eval_sets=as_list(eval_set),
            eval_fraction=eval_fraction,
            baseline=baseline,
            init_model=init_model,
            callbacks=callbacks,
            plot=plot_asked(plot, plot_file),
            profile=profile,
        )

    def _fit(self, X: Any, y: Any, *, init_model: Any, plot: Plot | None, **given: Any) -> Self:
        """Check the parameters, train, and keep what comes out; ``given`` are the other arguments of ``train``."""
        aggregation, parameters = check_parameters(
            self.given_parameters(), classifier=self._is_classifier, ranker=self._is_ranker
        )
        self._check_target(X, y)
        from gbdist.estimators.training import train  # loads Numba's kernels, which only training needs

        listener = progress_asked(parameters)
        try:
            result = train(
                X,
                y,
                parameters=parameters,
                classifier=self._is_classifier,
                init_model=getattr(init_model, "model_", init_model),
                listener=listener,
                client=self.client,
                aggregation=aggregation,
                cat_nan=self.cat_nan,
                on_disk=checked_bins_on_disk(self.bins_on_disk),
                title=type(self).__name__,
                **given,
            )
        finally:
            close(listener)
        self._take_model(result.model, result.labels, result.class_names, result.record)
        if plot is not None:
            train_set = X, y, given["sample_weight"], None, given.get("group_id")
            self._plot(plot, [train_set, *given["eval_sets"]], result)
        return self

    def _take_model(
        self,
        model: Any,
        labels: tuple[Hashable, ...] | None,
        class_names: Sequence[Hashable] | None,
        record: TrainingRecord | None,
    ) -> Self:
        """Become what a fit leaves: ``model`` is a plain CatBoost model, ``labels`` columns of the frame it was trained on."""
        if model.get_cat_feature_indices():
            note_cat_nan(model, self.cat_nan)
        self._adopt(model, labels, class_names)
        self._recall(record)
        return self

    def _plot(self, plot: Plot, data_sets: Sequence[Any], result: Any) -> None:
        """Write the page about the model, and say where it is unless silence was asked for."""
        scheduler, expected = scheduler_of(self.client), self._expected()
        page = page_of_fit(self.model_, result.record, data_sets, result.rows, expected, scheduler)
        plot.write_and_tell(page, verbosity(self.given_parameters()))

    def save_model(self, path: str | Path, format: str = "cbm", **options: Any) -> None:
        """Write the model in one of CatBoost's formats; what is written needs CatBoost alone to be used."""
        save_file(self._fitted(), path, format, options)

    def load_model(self, path: str | Path, format: str = "cbm") -> Self:
        """Take the model of a file, gbdist's or CatBoost's own, in place of fitting; return the estimator itself."""
        model = load_file(self._new_model(), path, format)
        self._adopt(model, None)
        self._recall(record_of(model))
        return self

    def to_local(self) -> Any:
        """Return a plain CatBoost estimator of one's own: changing it leaves this one as it is."""
        return read_cbm(cbm_bytes(self._fitted()), self._new_model())

    @property
    def feature_importances_(self) -> NDArray[np.float64]:
        """Share of each feature in the changes of predictions, in percent (CatBoost's PredictionValuesChange)."""
        return np.asarray(self.get_feature_importance(type="PredictionValuesChange"), dtype=np.float64)

    @property
    def cat_features_(self) -> list[int]:
        """Positions of the categorical columns."""
        return [int(position) for position in self._fitted().get_cat_feature_indices()]

    @property
    def tree_count_(self) -> int:
        """Number of trees."""
        return int(self._fitted().tree_count_)

    @property
    def learning_rate_(self) -> float:
        """The learning rate that was used, automatic or given."""
        return float(self._fitted().learning_rate_)

    def __sklearn_tags__(self) -> Any:
        """NaNs are treated as CatBoost does, and sparse matrices and categorical columns are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """The model travels as the bytes of its ``.cbm`` file."""
        state = super().__getstate__()
        if "model_" in state:
            state["model_"] = cbm_bytes(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(self.__dict__.get("model_"), bytes):
            self.model_ = read_cbm(self.model_, self._new_model())

    # ---- what the estimators differ in

    def _new_model(self) -> Any:
        """Return an empty plain CatBoost estimator of the same kind."""
        raise TypeError("use DaskCatBoostClassifier, DaskCatBoostRegressor or DaskCatBoostRanker")

    def _take_classes(self, model: Any, class_names: Sequence[Hashable] | None) -> None:
        """Remember the labels; nothing where there are none."""

    # ---- what fit leaves behind

    def _expected(self) -> Expected:
        self._fitted()
        cat_nan = cat_nan_of(self.model_) if self.cat_nan is None else self.cat_nan
        return Expected.of(self.model_, self._column_labels, type(self).__name__, cat_nan)

    def _predicted(self) -> Question:
        return self._question(None, 0, 0)

    def _adopt(self, model: Any, labels: tuple[Hashable, ...] | None, class_names: Any = None) -> None:
        """Take a plain CatBoost model as ours; ``labels`` are the columns of the frame it was trained on."""
        names = list(model.feature_names_)
        if labels is None and names != [str(i) for i in range(len(names))]:
            labels = tuple(names)
        self.model_ = model
        self._take_columns(len(names), labels)
        self._take_classes(model, class_names)

    def _recall(self, record: TrainingRecord | None) -> None:
        """Say how the model was trained; nothing where that is not known."""
        for left_by_fit in ("evals_result_", "best_iteration_", "best_score_"):
            self.__dict__.pop(left_by_fit, None)
        if record is not None:
            self.evals_result_ = record.history
            self.best_iteration_ = None if record.best_iteration < 0 else record.best_iteration
            self.best_score_ = record.best_scores


def progress_asked(parameters: dict[str, Any]) -> Any:
    """The listener that reports progress, as the parameters ask for it."""
    return progress_listener(verbosity(parameters), int(parameters.get("metric_period", 1)))


def verbosity(parameters: dict[str, Any]) -> Any:
    """CatBoost's ``verbose``, also where ``silent`` or ``logging_level`` say it; None where nothing is said."""
    verbose = parameters.get("verbose")
    if parameters.get("silent") is not None:
        verbose = not parameters["silent"]
    if parameters.get("logging_level") is not None:
        verbose = parameters["logging_level"] != "Silent"
    return verbose
