"""Networks that say what trees say, and trees that say what networks say: students trained on the raw outputs of a teacher.

Raw outputs rather than probabilities, by the squared error: Ba and Caruana, "Do Deep Nets Really Need to be Deep?", 2014, section
2.2. They tell how sure the teacher is of each row, and need no labels.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from catboost import CatBoost
from sklearn.base import clone

from gbdist.compression.networks.noise import with_copies
from gbdist.compression.networks.prune import require_network, with_model
from gbdist.errors import ModelError, ParameterError
from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.classifier import DaskCatBoostClassifier
from gbdist.estimators.networks.base import DaskMLP
from gbdist.estimators.networks.classifier import DaskMLPClassifier
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.networks.regressor import DaskMLPRegressor
from gbdist.estimators.regressor import DaskCatBoostRegressor
from gbdist.models.catboost_format import to_catboost
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.loss import loss_of
from gbdist.neural.network.network import Network

#: Losses of several classes whose raw outputs are no logarithms of probabilities that add up to 1.
_NO_SOFTMAX = ("MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy")
#: What a student's loss is not for its user to say, under CatBoost's names.
_LOSSES = ("loss_function", "objective")
#: Parameters that are about classes, which the student's training has none of.
_OF_CLASSES = ("class_weight", "label_smoothing")


def distil_to_network(model: Any, X: Any, network: DaskMLP | None = None, *, copies: int = 1, seed: int = 0) -> DaskMLP:
    """Train a network on what a model says of rows that need no labels.

    Of a classifier comes a ``DaskMLPClassifier`` with the same classes, which was trained on raw outputs (log odds, or of several
    classes what softmax takes); of a regressor a ``DaskMLPRegressor``, trained on what it predicts.

    Parameters
    ----------
    model : fitted DaskCatBoostClassifier or DaskCatBoostRegressor, catboost.CatBoost, or a fitted (larger) DaskMLP
    X : Dask DataFrame or Array, or a table in memory
        Rows like those that will be predicted. A collection stays where it is, as in ``fit``, and the model is asked there.
    network : unfitted DaskMLPClassifier or DaskMLPRegressor, of the same kind as the model
        Parameters of the student; left out: those of the default preset for regressors.
    copies : int
        How many times the rows are repeated with some cells changed (``with_copies``).
    seed : int
        Of the copies.

    Raises
    ------
    ParameterError
        An argument is something else, or the student's kind another one.
    ModelError
        The model's probabilities are no softmax of its raw outputs ("MultiClassOneVsAll", several labels a row).
    DataError
        X has not the model's columns.
    """
    teacher = _teacher(model)
    classes = _classes_of(teacher)
    kind = DaskMLPRegressor if classes is None else DaskMLPClassifier
    template = _template(network, "network", kind)
    rows = with_copies(X, copies, seed)
    given = {name: value for name, value in template.get_params().items() if name not in _OF_CLASSES}
    for name in _OF_CLASSES:
        if getattr(template, name) is not None:
            fix = "Leave it out: a student follows raw outputs, not labels."
            raise ParameterError(name, getattr(template, name), "nothing, as there are no labels", fix)
    student = DaskMLPRegressor(**given).fit(rows, _said(teacher, rows))
    if classes is None:
        return student
    return with_model(template, _as_classifier(student.model_, classes))


def distil_to_trees(
    network: DaskMLP, X: Any, trees: DaskCatBoost | None = None, *, copies: int = 1, seed: int = 0
) -> DaskCatBoost:
    """Train trees on what a network says of rows that need no labels.

    Of a classifier comes a ``DaskCatBoostClassifier`` with the same classes, whose ``model_`` is a plain CatBoostClassifier: its
    trees were grown on raw outputs by the squared error (``RMSE``, of several classes ``MultiRMSE``). Of a regressor comes a
    ``DaskCatBoostRegressor``. Columns that are categorical in the network are so in the trees.

    Parameters
    ----------
    network : fitted DaskMLPClassifier or DaskMLPRegressor
    X, copies, seed : as ``distil_to_network``
    trees : unfitted DaskCatBoostClassifier or DaskCatBoostRegressor, of the same kind as the network
        Parameters of the student, without a loss; left out: CatBoost's defaults.

    Raises
    ------
    ParameterError, ModelError, DataError
        As ``distil_to_network``.
    """
    require_network(network)
    teacher: NetworkModel = network._fitted()
    classes = _classes_of(network)
    template = _template(trees, "trees", DaskCatBoostRegressor if classes is None else DaskCatBoostClassifier)
    given = template.given_parameters()
    for name in _LOSSES:
        if name in given:
            fix = "Leave it out: a student follows raw outputs by the squared error."
            raise ParameterError(name, given[name], "nothing, as there are no labels", fix)
    if teacher.hashed and "cat_features" not in given:
        given["cat_features"] = list(teacher.hashed)
    if teacher.cat_nan is not None and "cat_nan" not in given:
        given["cat_nan"] = teacher.cat_nan
    if teacher.spec.n_outputs > 1:  # a model of several targets has no statistics of them
        given = {"simple_ctr": "Counter", "combinations_ctr": "Counter", **given}
    loss = "RMSE" if teacher.spec.n_outputs == 1 else "MultiRMSE"
    rows = with_copies(X, copies, seed)
    student = DaskCatBoostRegressor(client=template.client, loss_function=loss, **given)
    student.fit(rows, network.predict_raw(rows))
    if classes is None:
        return student
    return _with_classes(template, student, classes)


def _teacher(model: Any) -> Any:
    """An estimator that asks the model, lazily where rows are lazy."""
    if isinstance(model, DaskMLP | DaskCatBoostClassifier | DaskCatBoostRegressor):
        model._require_fit()
        return model
    if not isinstance(model, CatBoost):
        expected = "a fitted DaskCatBoostClassifier, DaskCatBoostRegressor or DaskMLP, or a catboost.CatBoost"
        raise ParameterError("model", type(model).__name__, expected, "Load a saved one first.")
    if not model.is_fitted():
        raise ModelError(f"{type(model).__name__} is not fitted: it has no trees", "Fit it, or load a saved model.")
    teacher = DaskCatBoostClassifier() if len(model.classes_) else DaskCatBoostRegressor()
    teacher._adopt(model, None)
    return teacher


def _classes_of(teacher: Any) -> tuple[Any, ...] | None:
    """Labels of a classifier, in the order of its raw outputs; ModelError where those are not what a softmax takes."""
    if not hasattr(teacher, "classes_"):
        return None
    if isinstance(teacher, DaskMLP):
        several = teacher._several
        what = "several labels a row"
    else:
        what = str(loss_of(teacher.model_))
        several = what in _NO_SOFTMAX
    if several:
        problem = f"The model's probabilities ({what}) do not add up to 1, and the student's would"
        raise ModelError(problem, "Distil a model of Logloss, CrossEntropy or MultiClass.")
    return tuple(np.asarray(teacher.classes_).tolist())


def _template(given: Any, name: str, kind: type[Any]) -> Any:
    """The student's parameters, in an estimator that is not fitted."""
    if given is None:
        return kind()
    if not isinstance(given, kind):
        fix = "A student is of its teacher's kind: a classifier's is one, with the same classes."
        raise ParameterError(name, type(given).__name__, f"a {kind.__name__}", fix)
    return clone(given)


def _said(teacher: Any, rows: Any) -> Any:
    """What a student learns of each row: raw outputs of a classifier, predictions of a regressor."""
    if isinstance(teacher, DaskMLP):
        return teacher.predict_raw(rows)
    return teacher.predict(rows, "RawFormulaVal") if hasattr(teacher, "classes_") else teacher.predict(rows)


def _as_classifier(model: NetworkModel, classes: tuple[Any, ...]) -> NetworkModel:
    """The same raw outputs, as those of classes; the targets' unit goes into the last layer."""
    spec = replace(model.spec, loss="binary_log_loss" if model.spec.n_outputs == 1 else "log_loss")
    flat = model.flat.astype(np.float64)
    matrix, bias = Network(spec).slots[-2:]
    matrix.of(flat)[...] = model.coefs[-1]
    bias.of(flat)[...] = model.intercepts[-1]
    return replace(model, spec=spec, flat=flat.astype(model.flat.dtype), target_scale=(), classes=classes)


def _with_classes(template: Any, student: DaskCatBoost, classes: tuple[Any, ...]) -> DaskCatBoost:
    """A classifier with the trees of a regressor, whose values are raw outputs."""
    ensemble = from_catboost(student.model_)
    loss: dict[str, Any] = {"type": "Logloss" if ensemble.dimension == 1 else "MultiClass", "params": {}}
    options = dict(ensemble.options)
    options["loss_function"] = loss
    options["metrics"] = {**options["metrics"], "objective_metric": loss, "eval_metric": loss}
    options["flat_params"] = {**options.get("flat_params", {}), "loss_function": loss["type"]}
    model = to_catboost(replace(ensemble, class_names=classes, options=options))
    template._adopt(model, student._column_labels, classes)
    return template  # type: ignore[no-any-return]  # a clone of what the user gave
