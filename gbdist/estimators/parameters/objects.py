"""Losses and metrics that are objects of the user's: what is looked at before any data are seen, and beside them."""

from collections.abc import Mapping
from typing import Any

from gbdist.description import name_of
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import LABELS_LOSSES, RANKER_LOSSES

#: Metrics of CatBoost's that give a loss which is an object one raw value a class.
_OF_SEVERAL = ("MultiClass", "MultiClassOneVsAll")


class _StandIn:
    """What CatBoost is asked with in place of a user's object, which it would look into and change."""

    no_jit = True

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> list[tuple[float, float]]:
        """One of the methods that CatBoost looks for; nobody calls it."""
        return [(0.0, 0.0) for _ in targets]


_STAND_IN = _StandIn()


def is_object(value: object) -> bool:
    """Whether a loss or metric is an object, not the name of one."""
    return value is not None and not isinstance(value, str)


def as_catboost(value: object) -> object:
    """A loss or metric as CatBoost can be asked about it."""
    return _STAND_IN if is_object(value) else value


def checked_object(name: str, value: object) -> object:
    """The object itself, which can be sent to workers.

    Raises ParameterError for one that has not the methods of a loss, or of a metric, and for one that cannot be pickled.
    """
    from distributed.protocol.pickle import dumps

    from gbdist.custom.metric import custom_metric  # loads Numba's kernels
    from gbdist.custom.objective import MULTI, RANGE, VECTORISED

    if isinstance(value, type):
        fix = f"Pass {value.__name__}(), an object of it."
        raise ParameterError(name, value, "an object, not its class", fix)
    if name == "eval_metric":
        custom_metric(value)
    elif not any(callable(getattr(value, method, None)) for method in (VECTORISED, RANGE, MULTI)):
        expected = f"the name of a loss, or an object with a method {VECTORISED}, {RANGE} or {MULTI}"
        raise ParameterError(name, value, expected, "docs/custom.md says how such an object looks.")
    try:
        dumps(value)
    except Exception as error:
        problem = f"an object that can be pickled, as workers are sent it ({type(error).__name__}: {error})"
        raise ParameterError(name, type(value).__name__, problem, "Make what it holds when it is called.") from None
    return value


def dimension_of(checked: Mapping[str, Any], n_classes: int | None) -> int:
    """Raw values a row of a loss that is an object; ``n_classes`` is None in regression.

    CatBoost has one a class where the eval metric is one of several classes, else one. A vectorised object may say it itself.
    Raises ParameterError without an eval metric, and for a number that does not go with the classes.
    """
    given, metric = checked["loss_function"], checked.get("eval_metric")
    if metric is None:
        expected = "a metric: a loss that is an object has none of its own, and CatBoost wants one too"
        raise ParameterError("eval_metric", None, expected, "Name one, or pass an object.")
    several = isinstance(metric, str) and name_of(metric) in _OF_SEVERAL
    if several and n_classes is None:
        raise ParameterError("eval_metric", metric, "a metric of numbers", "Use DaskCatBoostClassifier.")
    of_metric = n_classes if several and n_classes is not None else 1
    stated = getattr(given, "dimension", None)
    if stated is None:
        stated = of_metric
    allowed = None if n_classes is None else (of_metric,) if isinstance(metric, str) else (1, n_classes)
    shown = f"{type(given).__name__}.dimension={stated!r}"
    if isinstance(stated, bool) or not isinstance(stated, int) or stated < 1:
        raise ParameterError("loss_function", shown, "an integer of at least 1", "Leave it out for 1.")
    if (allowed is not None and stated not in allowed) or (stated == 1 and (n_classes or 2) > 2):
        expected = (
            f"{n_classes}, one raw value a class" if (n_classes or 2) > 2 else f"{of_metric} with this eval_metric"
        )
        fix = 'Set eval_metric="MultiClass", which gives a loss that is an object one raw value a class.'
        raise ParameterError("loss_function", shown, expected, fix)
    return stated


def refuse_object_metric(checked: Mapping[str, Any]) -> None:
    """ParameterError for a metric that is an object beside a loss of groups, or of several labels a row."""
    loss = checked.get("loss_function")
    if not isinstance(loss, str) or name_of(loss) not in (*RANKER_LOSSES, *LABELS_LOSSES):
        return
    if is_object(checked.get("eval_metric")):
        expected = (
            f"the name of a metric with loss_function={loss!r}: an object is given one label a row, and no groups"
        )
        raise ParameterError("eval_metric", type(checked["eval_metric"]).__name__, expected, "Name one of CatBoost's.")


def metrics_beside(checked: Mapping[str, Any], dimension: int, n_classes: int | None) -> str:
    """The loss whose metrics may stand beside one that is an object; ParameterError where there is none such."""
    metric = checked["eval_metric"]
    if n_classes is not None:
        if dimension == 1:
            return "Logloss"
        return name_of(metric) if isinstance(metric, str) else "MultiClass"
    if dimension > 1:
        named = [one for one in (metric, *checked.get("custom_metric", ())) if isinstance(one, str)]
        if named:
            expected = f"an object, for {dimension} raw values a row"
            raise ParameterError("eval_metric", named[0], expected, "Pass a metric that is an object.")
    return "RMSE"


def check_backtracking(checked: Mapping[str, Any]) -> None:
    """ParameterError for steps that are halved until the loss improves: an object has derivatives, and no loss."""
    if checked.get("leaf_estimation_backtracking", "No") != "No":
        value = checked["leaf_estimation_backtracking"]
        expected = "'No' with a loss that is an object, of which only derivatives are known"
        raise ParameterError("leaf_estimation_backtracking", value, expected, "Leave it out.")
