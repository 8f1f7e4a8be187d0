"""What the estimators of networks share: ``fit``, ``partial_fit``, what they leave behind, saving, loading and pickling."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ModelError, ParameterError
from gbdist.estimators.columns import ColumnRules
from gbdist.estimators.fitted import Fitted, as_list
from gbdist.estimators.listeners import callback_listener, close, progress_listener
from gbdist.estimators.networks.hyperparameters import NetworkHyperparameters
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.networks.parameters import Settings, check_parameters
from gbdist.estimators.networks.prediction import NETWORK, RAW, NetworkValues, expected_of
from gbdist.estimators.networks.presets import SKLEARN, TABULAR
from gbdist.estimators.networks.request import NetworkRequest, Start, network_sources
from gbdist.estimators.prediction.answers import answer
from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.prediction.questions import Question
from gbdist.estimators.profile import profile_of
from gbdist.estimators.sources import Given
from gbdist.models.history import History
from gbdist.neural.training.state import TrainState, decode_state, encode_state

#: Parameters that fit and partial_fit share a value of in partial_fit: one epoch at a time has no plan for the next ones.
_ONE_EPOCH = {"early_stopping": False, "learning_rate": "constant", "warm_up": 0.0, "save_snapshot": False}


class DaskMLP(NetworkHyperparameters, Fitted):
    """Trains a multilayer perceptron on a Dask cluster. Use ``DaskMLPClassifier`` or ``DaskMLPRegressor``."""

    _is_classifier: ClassVar[bool] = False
    _family = NETWORK
    model_: NetworkModel

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        eval_set: Any = None,
        callbacks: Any = None,
        profile: Any = None,
    ) -> Self:
        """Train on X and y; everything given is checked before anything is started.

        Parameters
        ----------
        X : Dask DataFrame or Array, pandas or polars DataFrame, NumPy array, PyArrow table, scipy sparse matrix
            Features, [n_rows, n_features].
        y : vector, or name of a column of X
            One label or number a row; a matrix [n_rows, n_labels], or a list of names of columns, for several.
        sample_weight : vector, or name of a column of X, optional
        eval_set : (X, y), (X, y, sample_weight), or a list of them, optional
            Metrics are computed on it after every epoch; with ``early_stopping`` the last one decides when to stop.
        callbacks : sequence of objects with ``after_iteration(info) -> bool``, optional
            As the trees': ``info.iteration`` counts epochs, ``info.metrics[set][metric]`` lists values so far.
        profile : path of a folder, optional
            Write there where the time of the run went, as the trees' ``fit`` does.

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        settings = check_parameters(self.given_parameters(), classifier=self._is_classifier)
        self._check_target(X, y)
        start = self._start_of_fit(X) if settings["warm_start"] and hasattr(self, "model_") else None
        classes = None if start is None else start.model.classes
        given = Given(X, y, sample_weight)
        return self._train(self._request(given, settings, as_list(eval_set), callbacks, profile, start, classes))

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> Self:
        """One more epoch, on these rows."""
        settings = check_parameters(self.given_parameters(), classifier=self._is_classifier)
        self._check_target(X, y)
        if settings["early_stopping"] and "early_stopping" in settings.given:
            fix = "Use fit, or leave it out: one epoch cannot stop early."
            raise ParameterError("early_stopping", True, "False with partial_fit", fix)
        start = self._start_of_partial_fit(X) if hasattr(self, "model_") else None
        done = 0 if start is None or start.state is None else start.state.epoch
        wanted = {name: value for name, value in _ONE_EPOCH.items() if name not in settings.given}
        if settings["learning_rate"] == "cosine":
            wanted["learning_rate"] = "constant"
        settings = settings.but(max_iter=done + 1, **wanted)
        known = self._known_classes(classes)
        given = Given(X, y, sample_weight)
        return self._train(self._request(given, settings, [], None, None, start, known, one_epoch=True))

    def _request(
        self,
        given: Given,
        settings: Settings,
        eval_sets: Sequence[Any],
        callbacks: Any,
        profile: Any,
        start: Start | None,
        classes: tuple[Any, ...] | None,
        *,
        one_epoch: bool = False,
    ) -> NetworkRequest:
        cat_features = settings["cat_features"]
        named: Mapping[str, object] = {} if cat_features is None else {"cat_features": cat_features}
        columns = ColumnRules(named, hashed=True, cat_nan=settings["cat_nan"])
        if start is not None:  # as the model has them
            model = start.model
            columns = ColumnRules({"cat_features": model.hashed}, hashed=True, cat_nan=model.cat_nan)
        sources, held_out = network_sources(given, eval_sets, settings, columns)
        return NetworkRequest(
            settings=settings,
            classifier=self._is_classifier,
            sources=sources,
            held_out=held_out,
            columns=columns,
            listener=progress_listener(settings["verbose"]),
            callbacks=callback_listener(callbacks),
            start=start,
            classes=classes,
            one_epoch=one_epoch,
            profile=profile_of(profile, type(self).__name__, histograms=True),
        )

    def _train(self, request: NetworkRequest) -> Self:
        from gbdist.estimators.networks.training import (
            train_network,  # loads Numba's kernels, which only training needs
        )

        try:
            result = train_network(request, self.client)
        finally:
            close(request.listener)
        self._adopt(result.model)
        self._state: TrainState | None = result.state
        return self

    def _start_of_fit(self, X: Any) -> Start:
        """The model of the fit before, with a new optimizer."""
        self._expected().check(X, warn_without_names=False)
        return Start(self.model_)

    def _start_of_partial_fit(self, X: Any) -> Start:
        """The model that there is, with the optimizer of its run where that is known."""
        start = self._start_of_fit(X)
        state = self._state
        if state is None:
            return start
        progress = replace(state.progress, flat=self.model_.flat.copy(), loss_sum=0.0)
        return replace(start, state=replace(state, progress=progress, stopped="", best_flat=None))

    def predict(self, X: Any) -> Any:
        """Predict; lazily on a Dask collection, with X's index and divisions or chunks of rows, else at once."""
        return self._answer(X, self._predicted())

    def predict_raw(self, X: Any) -> Any:
        """Raw outputs, float64 [n_rows] or [n_rows, n_outputs]: before they become probabilities; lazily on a Dask collection."""
        self._fitted()
        return self._answer(X, NetworkValues(RAW, self._class_names()))

    def save_model(self, path: str | Path) -> None:
        """Write the network in gbdist's own format; what ``to_sklearn`` gives needs scikit-learn alone."""
        self._fitted().save(path)

    def load_model(self, path: str | Path) -> Self:
        """Take the network of a file in place of fitting; return the estimator itself. ModelError for another file."""
        model = NetworkModel.load(path)
        if (model.classes is not None) != self._is_classifier:
            other = "DaskMLPRegressor" if self._is_classifier else "DaskMLPClassifier"
            raise ModelError(f"{path} is not of a {type(self).__name__}", f"Load it with {other}.")
        self._adopt(model)
        self._state = None
        return self

    def to_sklearn(self) -> Any:
        """A fitted scikit-learn Pipeline of transformers and an MLP with the same predictions; it needs scikit-learn alone.

        Raises
        ------
        ModelError
            The network has a part that scikit-learn has not; it names the part.
        """
        from gbdist.estimators.networks.sklearn_export import as_sklearn

        return as_sklearn(self._fitted(), classifier=self._is_classifier, settings=self.given_parameters())

    # ---- scikit-learn's attributes

    @property
    def coefs_(self) -> list[NDArray[np.float64]]:
        """Matrices of the dense layers, [n_inputs, n_units] each, as scikit-learn's."""
        return self._fitted_attribute("coefs_").coefs

    @property
    def intercepts_(self) -> list[NDArray[np.float64]]:
        """Biases of the dense layers, [n_units] each."""
        return self._fitted_attribute("intercepts_").intercepts

    @property
    def n_layers_(self) -> int:
        """Number of layers, that of the inputs counted."""
        return len(self._fitted_attribute("n_layers_").spec.hidden) + 2

    @property
    def n_outputs_(self) -> int:
        """Number of raw outputs."""
        return self._fitted_attribute("n_outputs_").spec.n_outputs

    @property
    def out_activation_(self) -> str:
        """What raw outputs become: "identity", "logistic" or "softmax"."""
        return self._fitted_attribute("out_activation_").spec.output

    @property
    def t_(self) -> int:
        """Rows seen, over all epochs."""
        return self._fitted_attribute("t_").record.rows_seen

    @property
    def evals_result_(self) -> History:
        """{data set: {metric: [value of each epoch]}}; the training set's is its loss."""
        return self._fitted_attribute("evals_result_").record.evals_result

    @property
    def cat_features_(self) -> list[int]:
        """Positions of the categorical columns."""
        return list(self._fitted_attribute("cat_features_").hashed)

    def __sklearn_tags__(self) -> Any:
        """Missing values are taken where numbers are scaled; sparse matrices, categorical columns and several outputs are."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._fills_missing()
        tags.input_tags.categorical = True
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = not self._is_classifier
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Model and optimizer travel as bytes that are no pickles."""
        state = super().__getstate__()
        if "model_" in state:
            run = state["_state"]
            state |= {"model_": state["model_"].to_bytes(), "_state": None if run is None else encode_state(run)}
            state["_column_labels"] = self._column_labels
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(self.__dict__.get("model_"), bytes):
            model = NetworkModel.from_bytes(self.__dict__["model_"])
            self.model_ = replace(model, labels=self._column_labels)  # which may be of any type here
            run = self.__dict__["_state"]
            self._state = None if run is None else decode_state(run)

    # ---- what the estimators differ in

    def _take_classes(self, model: NetworkModel) -> None:
        """Remember the labels; nothing where there are none."""

    def _known_classes(self, classes: Any) -> tuple[Any, ...] | None:
        """The classes that are known before the data are seen."""
        return None

    # ---- what fit leaves behind

    def _adopt(self, model: NetworkModel) -> None:
        self.model_ = model
        self._take_columns(len(model.names), model.labels)
        record = model.record
        self.loss_curve_ = list(record.loss_curve)
        self.n_iter_ = record.epochs
        self.loss_ = record.loss_curve[-1] if record.loss_curve else float("nan")
        stopped_early = record.best_epoch >= 0
        self.best_iteration_ = record.best_epoch if stopped_early else None
        self.best_loss_ = None if stopped_early else min(record.loss_curve, default=float("nan"))
        self.best_validation_score_ = record.best if stopped_early else None
        self.validation_scores_ = self._deciding_values() if stopped_early else None
        self._take_classes(model)

    def _deciding_values(self) -> list[float]:
        """The first metric of the last eval set after each epoch."""
        *_, of_last_set = self.model_.record.history.values()
        return list(next(iter(of_last_set.values())))

    def _fitted_attribute(self, name: str) -> NetworkModel:
        if not hasattr(self, "model_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r} before fit")
        return self.model_

    def _expected(self) -> Expected:
        return expected_of(self._fitted(), type(self).__name__, self.cat_nan)

    def _answer(self, X: Any, question: Question) -> Any:
        return answer(self._fitted(), X, question, self._expected(), family=NETWORK)

    def _fills_missing(self) -> bool:
        preset = SKLEARN if self.preset == "sklearn" else TABULAR
        return (self.scaling or preset["scaling"]) != "none"
