"""Parameters of rounds of native CatBoost, checked as far as they can be before any data are seen."""

import inspect
from collections.abc import Mapping
from typing import Final

import catboost
from catboost import CatBoostError

from gbdist.description import name_of
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.canonical import refuse_together, under_one_name
from gbdist.estimators.parameters.catboost_options import ANY_DATA, Written, catboost_defaults, without_source_line
from gbdist.estimators.parameters.losses import KINDS as KINDS_OF_LOSSES
from gbdist.estimators.parameters.losses import Kind, kind_of, nearest
from gbdist.estimators.parameters.objects import as_catboost, is_object
from gbdist.estimators.parameters.table import RANKER_LOSSES, TABLE, OnlyAt, Refused, Rule, Used
from gbdist.estimators.parameters.value_checks import check_value, plain_value
from gbdist.quantize.unbinned import KINDS

#: Decided for all ranks together, by the rules of ``table.TABLE``.
_OURS: Final = frozenset(
    {
        "iterations",
        "learning_rate",
        "random_seed",
        "border_count",
        "feature_border_type",
        "nan_mode",
        "per_float_feature_quantization",
        "input_borders",
        "eval_metric",
        "custom_metric",
        "metric_period",
        "class_weights",
        "auto_class_weights",
        "scale_pos_weight",
        "allow_const_label",
        "od_type",
        "od_wait",
        "od_pval",
        "use_best_model",
        "best_model_min_trees",
        "thread_count",
        "task_type",
        "devices",
        "verbose",
        "silent",
        "logging_level",
    }
)
#: Refused, or accepted at one value only, here too.
_REFUSED: Final = frozenset(
    {
        "output_borders",
        "class_names",
        "classes_count",
        "target_border",
        "eval_fraction",
        "used_ram_limit",
        "allow_writing_files",
        "metadata",
        "callback",
    }
)
_NO_SNAPSHOT = "Rounds of models keep no snapshots: leave aggregate out."
#: What works where trees are grown exactly, and does not here.
_RULES: Final[dict[str, Rule]] = {
    "save_snapshot": OnlyAt((False,), "no snapshots are written", _NO_SNAPSHOT),
    "snapshot_file": Refused(_NO_SNAPSHOT),
    "snapshot_interval": Refused(_NO_SNAPSHOT),
    "train_dir": Refused("No files are written while training; follow it with fit(callbacks=...)."),
}
#: About columns of X, as where trees are grown exactly: looked at beside the data.
_OF_COLUMNS: Final = frozenset(
    {"ignored_features", "monotone_constraints", "feature_weights", "first_feature_use_penalties"}
)
#: May name columns, which CatBoost can be asked about only beside the data.
_ABOUT_COLUMNS: Final = _OF_COLUMNS | {"per_object_feature_penalties"}
#: The user's names of columns, which shards and pools carry beside the bins.
_COLUMNS: Final[dict[str, Rule]] = {parameter: Used("columns") for parameter in KINDS.values()}
#: Not passed on: done for all ranks, or chosen for each.
_NOT_PASSED: Final = (_OURS | _REFUSED | _RULES.keys() | _COLUMNS.keys() | {"name", "loss_function"}) - {
    "learning_rate"
}


def canonical_native(given: Mapping[str, object], *, classifier: bool, ranker: bool = False) -> dict[str, object]:
    """As ``canonical`` for ``aggregate="models"``: whatever CatBoost takes is taken, and CatBoost is asked whether it does.

    A ranker's loss is filled in: it decides about the metrics, and does not depend on the data.
    """
    checked: dict[str, object] = {}
    written: dict[str, Written] = {}
    for key, user in under_one_name(given, TABLE.keys() | _catboost_names(), classifier=classifier):
        written[key] = user
        rule = (_COLUMNS | _RULES).get(key, TABLE[key] if key in _OURS | _REFUSED | _OF_COLUMNS else None)
        if rule is None:
            checked[key] = plain_value(user.value)
        else:
            checked[key] = check_value(user.name, user.value, rule, classifier=classifier, ranker=ranker)
    refuse_together(checked, written)
    if is_object(checked.get("loss_function")):
        user = written["loss_function"]
        expected = (
            "the name of a loss: CatBoost compiles an object's methods from their source, which workers do not have"
        )
        raise ParameterError(user.name, type(user.value).__name__, expected, 'Leave out aggregate="models".')
    if "loss_function" in checked:
        kind = kind_of(classifier=classifier, ranker=ranker)
        _check_loss(written["loss_function"], str(checked["loss_function"]), kind)
    elif ranker:
        checked["loss_function"] = RANKER_LOSSES[0]
    loss = {"loss_function": "Logloss" if classifier else "RMSE"}
    catboost_defaults({**loss, **asked_of_catboost(checked), **_metrics_of(checked)}, ANY_DATA, written)
    return checked


def _check_loss(written: Written, loss: str, kind: Kind) -> None:
    """Refuse a loss of another estimator, as CatBoost's own estimators do, and one that CatBoost does not know."""
    expected = f"a loss of CatBoost's for {kind.noun}"
    if name_of(loss) == "Cox":
        fix = "Leave aggregate out: a worker does not know which rows of others are at risk."
        raise ParameterError(written.name, written.value, "another loss with aggregate='models'", fix)
    try:
        if kind.trains(loss):
            return
        others = [other.estimator for other in KINDS_OF_LOSSES if other.trains(loss)]
    except CatBoostError as refusal:
        fix = f'CatBoost says: "{without_source_line(str(refusal))}". {nearest(name_of(loss), kind.losses)}'.rstrip()
        raise ParameterError(written.name, written.value, expected, fix) from None
    fix = f"Use {others[0]}, or another loss." if others else "Choose another loss."
    raise ParameterError(written.name, written.value, expected, fix)


def _catboost_names() -> set[str]:
    return set(inspect.signature(catboost.CatBoostClassifier.__init__).parameters) - {"self"}


def asked_of_catboost(checked: Mapping[str, object]) -> dict[str, object]:
    """What CatBoost is asked to fill in: all that it is given later, and what it fills in for all ranks."""
    ours = (
        "iterations",
        "od_type",
        "od_wait",
        "od_pval",
        "border_count",
        "feature_border_type",
        "nan_mode",
        "per_float_feature_quantization",
        "input_borders",
        "loss_function",
    )
    asked = passed_on(checked) | {name: checked[name] for name in ours if name in checked}
    if checked.get("task_type") == "GPU":
        asked["task_type"] = "GPU"
    return _with_lists({name: value for name, value in asked.items() if name not in _ABOUT_COLUMNS})


def _metrics_of(checked: Mapping[str, object]) -> dict[str, object]:
    """Metrics that are computed for all ranks together, as CatBoost reads their names."""
    found = {name: as_catboost(checked[name]) for name in ("eval_metric",) if name in checked}
    return found | _with_lists({name: checked[name] for name in ("custom_metric",) if name in checked})


def passed_on(checked: Mapping[str, object]) -> dict[str, object]:
    """What every rank's CatBoost is given as it is."""
    return _with_lists({name: value for name, value in checked.items() if name not in _NOT_PASSED})


def _with_lists(options: Mapping[str, object]) -> dict[str, object]:
    """Options as CatBoost reads them: it takes no tuples."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}
