"""Checked parameters and facts of the data → everything the trainer is told, with CatBoost's own defaults filled in."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gbdist.boosting.params import BoostParams, Bootstrap, Stopping
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.custom.metric import custom_metric
from gbdist.custom.objective import OBJECT, custom_objective
from gbdist.description import name_of
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.parameters.catboost_options import PoolFacts, catboost_defaults, options_of
from gbdist.estimators.parameters.categories import category_rules, check_labels_of_statistics, target_of_statistics
from gbdist.estimators.parameters.class_weights import class_weights
from gbdist.estimators.parameters.columns import ignored_columns, monotone_constraints, penalties
from gbdist.estimators.parameters.facts import DataFacts
from gbdist.estimators.parameters.objects import (
    as_catboost,
    check_backtracking,
    dimension_of,
    is_object,
    metrics_beside,
)
from gbdist.estimators.parameters.ranking import is_ranked, metric_of, refuse_statistics
from gbdist.estimators.parameters.statistics import with_target_borders
from gbdist.metrics import make_metrics, make_ranking_metric
from gbdist.metrics.base import Metric
from gbdist.objectives import make_objective
from gbdist.objectives.base import Objective, Unbounded
from gbdist.objectives.cox import Cox
from gbdist.objectives.grouped import Grouped
from gbdist.objectives.multi_target import MULTI_TARGET
from gbdist.objectives.uncertainty import RMSEWithUncertainty

#: Losses of one dimension whose labels are the two classes, or probabilities.
_BINARY = ("Logloss", "CrossEntropy", "Focal")


@dataclass(frozen=True, slots=True)
class Resolved:
    """Everything that a run is told.

    Parameters
    ----------
    params : BoostParams
        ``threads`` is thread_count, or 1 where ``all_threads``.
    options : dict
        CatBoost's nested options for ``model_info.params``; nothing in it depends on threads, machines or talk.
    class_weights : tuple of float or None
        In the order of the classes; they multiply the row weights.
    all_threads : bool
        Whether each rank uses all the threads that Dask gave its worker.
    task_type : "CPU", "GPU" or "auto"
    devices : tuple of int or None
        GPUs that may be used.
    """

    params: BoostParams
    options: dict[str, Any]
    class_weights: tuple[float, ...] | None
    all_threads: bool
    task_type: str
    devices: tuple[int, ...] | None

    @property
    def dimension(self) -> int:
        """Raw values a row."""
        return self.params.objective.dimension

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The one that decides first."""
        return self.params.metrics


def resolve(checked: Mapping[str, object], facts: DataFacts) -> Resolved:
    """Fill in what the user left out, as CatBoost would for these data. ``checked`` is ``canonical``'s answer.

    Raises ParameterError for a parameter that does not go with the data, DataError for labels that cannot be trained on.
    """
    loss = _loss(checked, facts)
    check_labels(checked, facts)
    best_model = use_best_model(checked, facts)
    weights = class_weights(checked, facts.class_names or (), facts.class_weight_sums)
    asked = {**options_of(checked), "loss_function": as_catboost(checked.get("loss_function", loss))}
    categorical = {column.position for column in facts.categorical}
    if constraints := monotone_constraints(checked, facts.names, categorical):
        asked["monotone_constraints"] = list(constraints)
    if facts.baseline or facts.init_model:
        # CatBoost starts from what it is given, and its automatic learning rate knows that; what it is given is not shrunk.
        asked |= {"boost_from_average": False, "model_shrink_rate": 0.0}
    values = (
        [len(each.values) if each.values is not None else 256 for each in facts.categorical] if is_ranked(loss) else []
    )
    pool = PoolFacts(facts.rows, facts.features, facts.label_min, facts.label_max, best_model, max(values, default=0))
    options = catboost_defaults(asked, pool)
    several = _n_classes(loss, facts) if loss.startswith("MultiClass") else None
    target = target_of_statistics(checked, options, several)
    options = with_target_borders(options, *target)
    threads, ignored = checked.get("thread_count", -1), ignored_columns(checked, facts.names)
    objective, beside = _objective(loss, checked, facts)
    if is_ranked(loss):
        metrics = _ranking_metrics(metric_of(options), checked, facts)
    else:
        weighted = facts.weighted or weights is not None
        metrics = _metrics(loss, beside, checked, _n_classes(beside, facts), weighted)
    categories = category_rules(checked, options, facts.categorical, target, several, ignored)
    check_labels_of_statistics(categories, facts.labels)
    if is_ranked(loss):
        refuse_statistics(categories, loss)
    params = boost_params(checked, options, objective, metrics)
    starts = facts.baseline or facts.init_model
    _refuse_backtracking_of_cox(params)
    return Resolved(
        params=replace(
            params,
            boost_from_average=params.boost_from_average or (isinstance(objective, RMSEWithUncertainty) and not starts),
            use_best_model=best_model,
            threads=max(int(str(threads)), 1),
            categories=categories,
            penalties=penalties(checked, facts.names),
            ignored=ignored,
            monotone_constraints=tuple(each for at, each in enumerate(constraints) if at not in categorical),
        ),
        options=options_for_the_model(options, checked, facts, weights),
        class_weights=weights,
        all_threads=threads == -1,
        task_type=str(checked.get("task_type", "CPU")),
        devices=checked.get("devices"),  # type: ignore[arg-type]
    )


def _refuse_backtracking_of_cox(params: BoostParams) -> None:
    many = params.leaf_estimation_iterations > 1 and params.leaf_estimation_backtracking != "No"
    if isinstance(params.objective, Cox) and many:
        expected = "1 with loss_function='Cox', unless leaf_estimation_backtracking='No'"
        raise ParameterError("leaf_estimation_iterations", params.leaf_estimation_iterations, expected, "Set one.")


def _loss(checked: Mapping[str, object], facts: DataFacts) -> str:
    """The loss: what was asked for, else CatBoost's default for that many classes."""
    classes = facts.class_names
    given = checked.get("loss_function")
    if given is None:
        return "RMSE" if classes is None else "MultiClass" if len(classes) > 2 else "Logloss"
    if is_object(given):
        return OBJECT
    if name_of(str(given)) in ("Logloss", "Focal") and classes is not None and len(classes) > 2:
        fix = "Use MultiClass or MultiClassOneVsAll, or leave it out."
        raise ParameterError("loss_function", given, f"a loss for {len(classes)} classes", fix)
    return str(given)


def _objective(loss: str, checked: Mapping[str, Any], facts: DataFacts) -> tuple[Objective | Unbounded, str]:
    """The objective, and the loss whose metrics may stand beside it: its own, or one that an object is like."""
    if loss != OBJECT:
        return make_objective(loss, _n_classes(loss, facts)), loss
    check_backtracking(checked)
    n_classes = None if facts.class_names is None else len(facts.class_names)
    dimension = dimension_of(checked, n_classes)
    return custom_objective(checked["loss_function"], dimension), metrics_beside(checked, dimension, n_classes)


def check_labels(checked: Mapping[str, object], facts: DataFacts) -> None:
    """DataError for labels that cannot be trained on, ParameterError for a start value beside another start."""
    if facts.class_names is not None and len(facts.class_names) < 2:
        raise DataError("y", f"one class, {facts.class_names[0]!r}", "at least two", "Check y.")
    if facts.label_min == facts.label_max and not checked.get("allow_const_label", False):
        fix = "Check y, or set allow_const_label=True."
        rows = "the only row (1 sample)" if facts.rows == 1 else "all rows"
        raise DataError("y", f"the value {facts.label_min:g} in {rows}", "different values", fix)
    if facts.baseline or facts.init_model:
        start = "baseline" if facts.baseline else "init_model"
        if checked.get("boost_from_average"):
            fix = f"Leave it out: predictions start from {start}."
            raise ParameterError("boost_from_average", True, f"False together with {start}", fix)
        if rate := checked.get("model_shrink_rate"):
            fix = f"Leave it out: what {start} says is not shrunk."
            raise ParameterError("model_shrink_rate", rate, f"0 together with {start}", fix)


def use_best_model(checked: Mapping[str, object], facts: DataFacts) -> bool:
    """CatBoost's UpdateUseBestModel: by default true if the labels of the first eval set differ."""
    asked = checked.get("use_best_model")
    if asked and not facts.eval_sets:
        raise ParameterError("use_best_model", True, "an eval set", "Give one to fit: eval_set or eval_fraction.")
    if asked is not None:
        return bool(asked)
    return facts.eval_sets > 0 and not facts.eval_label_constant


def _n_classes(loss: str, facts: DataFacts) -> int:
    """Number of classes that objectives and metrics are made for: 2 for labels that are probabilities, 1 for numbers.

    Of several labels a row it is how many there are.
    """
    if name_of(loss) in MULTI_TARGET:
        return facts.labels
    if name_of(loss) in _BINARY:
        return 2
    return len(facts.class_names or (0,))


def boost_params(
    checked: Mapping[str, Any],
    options: Mapping[str, Any],
    objective: Objective | Grouped | Unbounded,
    metrics: tuple[Metric, ...],
) -> BoostParams:
    """Pick what the trainer needs out of CatBoost's nested options."""
    boosting, trees = options["boosting_options"], options["tree_learner_options"]
    bootstrap, detector = trees["bootstrap"], boosting["od_config"]
    return BoostParams(
        objective=objective,
        metrics=metrics,
        eval_metric=0,
        iterations=boosting["iterations"],
        learning_rate=boosting["learning_rate"],
        depth=trees["depth"],
        grow_policy=trees["grow_policy"],
        max_leaves=trees["max_leaves"],
        min_data_in_leaf=max(1, math.ceil(trees["min_data_in_leaf"])),
        l2_leaf_reg=trees["l2_leaf_reg"],
        score_function=trees["score_function"],
        leaf_estimation_method=trees["leaf_estimation_method"],
        leaf_estimation_iterations=trees["leaf_estimation_iterations"],
        leaf_estimation_backtracking=trees["leaf_estimation_backtracking"],
        bootstrap=Bootstrap(
            kind=bootstrap["type"],
            subsample=bootstrap.get("subsample", 1.0),
            bagging_temperature=bootstrap.get("bagging_temperature", 1.0),
            mvs_reg=bootstrap.get("mvs_reg"),
        ),
        random_strength=trees["random_strength"],
        rsm=trees["rsm"],
        random_seed=checked.get("random_seed", options["random_seed"]),
        boost_from_average=boosting["boost_from_average"],
        shrinkage=_shrinkage(boosting),
        stopping=Stopping(
            kind=detector["type"],
            wait=detector["wait_iterations"],
            p_value=detector["stop_pvalue"],
            min_trees=checked.get("best_model_min_trees", 1),
        ),
        metric_period=checked.get("metric_period", 1),
    )


def _shrinkage(boosting: Mapping[str, Any]) -> Shrinkage | None:
    """How the model is shrunk. CatBoost does not look at rates again once it has chosen one of them itself."""
    rate, learning_rate = boosting["model_shrink_rate"], boosting["learning_rate"]
    shrinkage = Shrinkage(rate, boosting["model_shrink_mode"]) if rate > 0.0 else None
    if shrinkage is not None and not shrinkage.factor(1, learning_rate) > 0.0:
        expected = f"a rate that times learning_rate, here {learning_rate:g}, is below 1"
        raise ParameterError("model_shrink_rate", rate, expected, "Lower one of them.")
    return shrinkage


def _metrics(loss: str, beside: str, checked: Mapping[str, Any], n_classes: int, weighted: bool) -> tuple[Metric, ...]:
    """The metric that decides, then the loss, then the custom ones, each once: CatBoost's order (its learn_error.tsv).

    They are those that may stand ``beside`` a loss. On weighted rows CatBoost reports a custom metric twice, with the weights and
    without.
    """
    decides = checked.get("eval_metric", loss)
    deciding = (custom_metric(decides),) if is_object(decides) else make_metrics(decides, n_classes, beside)
    if len(deciding) > 1:
        names = ", ".join(metric.name for metric in deciding)
        raise ParameterError("eval_metric", decides, "one value", f"It has one for each class: choose one of {names}.")
    made: dict[str, Metric] = {metric.name: metric for metric in deciding}
    own = [] if loss == OBJECT else [("loss_function", loss, False)]
    custom = (("custom_metric", name, weighted) for name in checked.get("custom_metric", ()))
    for parameter, description, twice in (*own, *custom):
        for metric in make_metrics(description, n_classes, beside, expand_weights=twice, parameter=parameter):
            made.setdefault(metric.name, metric)
    return tuple(made.values())


def _ranking_metrics(own: str, checked: Mapping[str, Any], facts: DataFacts) -> tuple[Metric, ...]:
    """As ``_metrics``; ``own`` is what CatBoost follows the loss by. Metrics of groups are reported once, weights or not."""
    made: dict[str, Metric] = {}
    custom = (("custom_metric", name) for name in checked.get("custom_metric", ()))
    for parameter, description in (("eval_metric", checked.get("eval_metric", own)), ("eval_metric", own), *custom):
        metric = make_ranking_metric(description, group_weighted=facts.group_weighted, parameter=parameter)
        made.setdefault(metric.name, metric)
    return tuple(made.values())


def options_for_the_model(
    options: dict[str, Any], checked: Mapping[str, object], facts: DataFacts, weights: tuple[float, ...] | None
) -> dict[str, Any]:
    """The options as CatBoost writes them into a model, less what depends on the machine."""
    kept = {name: part for name, part in options.items() if name != "system_options"}
    kept["logging_level"] = "Silent"
    kept["random_seed"] = checked.get("random_seed", options["random_seed"])
    if "eval_metric" not in checked:
        kept["metrics"] = {**options["metrics"], "eval_metric": options["metrics"]["objective_metric"]}
    names = [name.item() if hasattr(name, "item") else name for name in facts.class_names or ()]
    data = {**options["data_processing_options"], "class_names": names, "class_weights": list(weights or ())}
    if "allow_const_label" in checked:
        data["allow_const_label"] = checked["allow_const_label"]
    kept["data_processing_options"] = data
    return kept
