"""What the facts of all data sets and the settings of a network decide together, before a row is encoded."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from warnings import warn

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import DataError, ParameterError
from gbdist.estimators.networks.parameters import Settings
from gbdist.estimators.networks.presets import automatic_batch
from gbdist.estimators.networks.request import LEAST_HELD_OUT, NetworkRequest
from gbdist.estimators.networks.targets import TargetScale
from gbdist.estimators.preparation.pipeline import require_same_columns
from gbdist.estimators.preparation.quantized import class_names, codes_for_classes, numbers_of_codes
from gbdist.estimators.setup import check_one_of_several, check_range
from gbdist.metrics.base import Metric
from gbdist.metrics.make import make_metrics
from gbdist.neural.training.params import TrainParams
from gbdist.quantize.merge_surveys import DataSurvey

#: What an eval set is scored with where the user says nothing: the loss itself, or with ``preset="sklearn"`` its ``score``.
_METRICS = {
    "Logloss": "Accuracy",
    "MultiClass": "Accuracy",
    "MultiLogloss": "Accuracy",
    "RMSE": "R2",
    "MultiRMSE": "MultiRMSE",
}
_LEAST_CLASSES = 2


@dataclass(frozen=True, eq=False)
class NetworkSetup:
    """Parameters and labels of a run.

    Parameters
    ----------
    params : TrainParams
        Of every rank but for ``threads`` and ``card``, which are the rank's own, and ``target_scale``, which ranks find together.
    loss : one of ``neural.network.spec.LOSSES``
    n_outputs : int
        Raw outputs of a row.
    classes : tuple or None
        Labels in the order of the outputs; numbers of the labels where a row has several; None for a regressor.
    label_of_code : tuple
        One entry a data set: what the label codes in the shards mean to the trainer, None where the shards keep the values.
    class_weights : float64 [n_classes] or None
    rows : tuple of int
        Of each data set.
    target_scale : as ``TrainParams`` has it
        None: ranks are to find it, from the targets of all rows.
    """

    params: TrainParams
    loss: str
    n_outputs: int
    classes: tuple[Any, ...] | None
    label_of_code: tuple[NDArray[np.float32] | None, ...]
    class_weights: NDArray[np.float64] | None
    rows: tuple[int, ...]
    target_scale: TargetScale | None


@dataclass(frozen=True, slots=True)
class _Labels:
    """Labels as a loss takes them; ``objective`` is CatBoost's name of the loss, by which metrics are known."""

    loss: str
    objective: str
    n_outputs: int
    classes: tuple[Any, ...] | None
    label_of_code: tuple[NDArray[np.float32] | None, ...]


def set_up_network(request: NetworkRequest, surveys: Sequence[DataSurvey]) -> NetworkSetup:
    """Match the labels of all data sets, in the order of the request's sources, and resolve the parameters.

    Classes are those of all rows that the user gave to be trained on, also where some of them are held out.

    Raises
    ------
    ParameterError, DataError
    """
    settings, names, train = request.settings, request.names(), surveys[0]
    for name, survey in zip(names, surveys, strict=True):
        require_same_columns(name, survey, train)
    _check_targets(surveys, names)
    if not request.classifier:
        labels = _numbers(surveys, names)
    elif len(train.targets) > 1:
        labels = _flags(surveys, names)
    else:
        labels = _classes(surveys, names, surveys[: 1 + request.held_out], request.classes)
    _require_held_out(surveys, request.held_out)
    if request.start is not None:
        scale: TargetScale | None = request.start.model.target_scale
    else:
        scale = () if request.classifier or settings["scaling"] == "none" else None
    return NetworkSetup(
        params=_train_params(settings, train.n_rows, _metrics(settings, labels), len(surveys) > 1),
        loss=labels.loss,
        n_outputs=labels.n_outputs,
        classes=labels.classes,
        label_of_code=labels.label_of_code,
        class_weights=_class_weights(settings["class_weight"], train, labels),
        rows=tuple(survey.n_rows for survey in surveys),
        target_scale=scale,
    )


def _check_targets(surveys: Sequence[DataSurvey], names: Sequence[str]) -> None:
    """DataError for a data set without labels, or with another number of them a row than the training set's."""
    wanted = len(surveys[0].targets)
    for survey, name in zip(surveys, names, strict=True):
        if not survey.targets:
            fix = "y is required to train: pass y, or name the columns of X that have the labels."
            raise DataError(name or "y", "no labels", "one label a row", fix)
        if len(survey.targets) != wanted:
            found, fix = f"{len(survey.targets)} column(s)", "Give every data set the same labels."
            raise DataError(f"{name}, y", found, f"{wanted} as in the training set", fix)


def _numbers(surveys: Sequence[DataSurvey], names: Sequence[str]) -> _Labels:
    several = len(surveys[0].targets) > 1
    objective = "MultiRMSE" if several else "RMSE"
    tables = tuple(numbers_of_codes(survey, name or "y") for survey, name in zip(surveys, names, strict=True))
    check_range(surveys, names, objective)
    return _Labels("squared_error", objective, len(surveys[0].targets), None, tables)


def _flags(surveys: Sequence[DataSurvey], names: Sequence[str]) -> _Labels:
    """Several labels a row, each of which a row has or has not."""
    for survey, name in zip(surveys, names, strict=True):
        for label in survey.targets:
            check_one_of_several(label, "MultiLogloss", f"{name}, y" if name else "y")
    count = len(surveys[0].targets)
    return _Labels("binary_log_loss", "MultiLogloss", count, tuple(range(count)), (None,) * len(surveys))


def _classes(
    surveys: Sequence[DataSurvey],
    names: Sequence[str],
    from_user: Sequence[DataSurvey],
    known: Sequence[Any] | None,
) -> _Labels:
    """One label a row; classes are those of the training set, its held-out rows included, unless they are ``known``."""
    found = [class_names(survey) for survey in from_user]
    classes = tuple(sorted({value for values in found for value in values})) if known is None else tuple(known)
    if len(classes) < _LEAST_CLASSES:
        fix = "Add rows of another class: with one there is nothing to tell apart."
        raise DataError("y", f"1 class, {classes[0]!r}", "at least two classes", fix)
    tables = tuple(codes_for_classes(survey, classes, name or "y") for survey, name in zip(surveys, names, strict=True))
    if len(classes) == _LEAST_CLASSES:
        return _Labels("binary_log_loss", "Logloss", 1, classes, tables)
    return _Labels("log_loss", "MultiClass", len(classes), classes, tables)


def _require_held_out(surveys: Sequence[DataSurvey], held_out: bool) -> None:
    """DataError where too few rows were held out to decide about anything."""
    if held_out and surveys[1].n_rows < LEAST_HELD_OUT:
        n_rows = surveys[0].n_rows + surveys[1].n_rows
        found = f"{surveys[1].n_rows} of {n_rows} row(s) held out (n_samples={n_rows})"
        fix = "Raise validation_fraction, pass eval_set, or set early_stopping=False."
        raise DataError("validation_fraction", found, f"at least {LEAST_HELD_OUT}", fix)


def _metrics(settings: Settings, labels: _Labels) -> tuple[Metric, ...]:
    usual = _METRICS[labels.objective] if settings.preset == "sklearn" else labels.objective
    n_classes = max(labels.n_outputs, _LEAST_CLASSES)
    asked = settings["eval_metric"] or (usual,)
    return tuple(metric for one in asked for metric in make_metrics(one, n_classes, labels.objective))


def _class_weights(asked: Any, train: DataSurvey, labels: _Labels) -> NDArray[np.float64] | None:
    """The weight of each class, as scikit-learn's ``compute_class_weight`` has it."""
    if asked is None:
        return None
    if labels.classes is None or train.label is None:
        raise ParameterError("class_weight", asked, "one label a row", "Leave it out; weigh rows with sample_weight.")
    if asked == "balanced":
        rows = Counter(dict(zip(train.label.values or (), train.label.rows_of_value, strict=True)))
        counts = np.array([rows[each] for each in labels.classes], dtype=np.float64)
        return np.asarray(train.n_rows / (len(counts) * np.maximum(counts, 1.0)))
    return _weights_of_labels(asked, labels.classes)


def _weights_of_labels(asked: Mapping[Any, float], classes: Sequence[Any]) -> NDArray[np.float64]:
    unknown = [label for label in asked if label not in set(classes)]
    if unknown:
        fix = f"The classes are {list(classes)!r}; {unknown[0]!r} is none of them."
        raise ParameterError("class_weight", dict(asked), "labels of y", fix)
    return np.array([asked.get(label, 1.0) for label in classes], dtype=np.float64)


def _train_params(settings: Settings, n_rows: int, metrics: tuple[Metric, ...], scored: bool) -> TrainParams:
    return TrainParams(
        solver=settings["solver"],
        learning_rate_init=settings["learning_rate_init"],
        schedule=settings.schedule,
        power_t=settings["power_t"],
        warm_up=settings["warm_up"],
        momentum=settings["momentum"],
        nesterovs_momentum=settings["nesterovs_momentum"],
        beta_1=settings["beta_1"],
        beta_2=settings["beta_2"],
        epsilon=settings["epsilon"],
        alpha=settings["alpha"],
        decoupled=settings["decoupled"],
        batch_size=_batch_size(settings, n_rows),
        max_iter=settings["max_iter"],
        shuffle=settings["shuffle"],
        seed=settings["random_state"],
        tol=settings["tol"],
        n_iter_no_change=settings["n_iter_no_change"],
        early_stopping=settings["early_stopping"] and scored,
        precision=settings["precision"],
        metrics=metrics,
        strategy=settings.strategy,
    )


def _batch_size(settings: Settings, n_rows: int) -> int:
    asked = settings["batch_size"]
    if asked == "auto":
        return automatic_batch(settings.preset, n_rows)
    if asked > n_rows:
        warn(
            f"batch_size={asked} is more than the {n_rows} rows that there are: a batch has all of them.", stacklevel=2
        )
    return min(int(asked), n_rows)
