"""From the user's parameters to a run of rounds of native CatBoost, with what CatBoost fills in for all rows together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catboost.core import is_ranking_metric

from gbdist.boosting.params import BoostParams, Stopping
from gbdist.custom.metric import custom_metric
from gbdist.description import name_of
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.aggregation import Aggregation
from gbdist.estimators.parameters.catboost_options import PoolFacts, catboost_defaults
from gbdist.estimators.parameters.class_weights import class_weights
from gbdist.estimators.parameters.columns import ignored_columns, monotone_constraints, penalties
from gbdist.estimators.parameters.facts import DataFacts
from gbdist.estimators.parameters.native import asked_of_catboost, passed_on
from gbdist.estimators.parameters.objects import is_object
from gbdist.estimators.parameters.resolve import boost_params, check_labels, options_for_the_model, use_best_model
from gbdist.metrics.base import Metric
from gbdist.metrics.native import any_metrics, can_be_added_up, metric_of_ranking
from gbdist.objectives import LOSSES, make_objective
from gbdist.rounds.spec import RoundsSpec

#: CatBoost takes no baseline for these, so there is no second round.
_NO_BASELINE = frozenset({"RMSEWithUncertainty"})


@dataclass(frozen=True, slots=True)
class ResolvedRounds:
    """Everything that a run of rounds is told; see ``resolve.Resolved``.

    ``spec`` has no devices yet: which there are depends on the workers. ``dimension`` is that of a baseline.
    """

    spec: RoundsSpec
    options: dict[str, Any]
    class_weights: tuple[float, ...] | None
    all_threads: bool
    dimension: int
    task_type: str
    devices: tuple[int, ...] | None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The one that decides first."""
        return self.spec.metrics


def resolve_rounds(checked: Mapping[str, Any], facts: DataFacts, aggregation: Aggregation) -> ResolvedRounds:
    """Fill in what the user left out, as CatBoost would for all rows together; see ``resolve.resolve``."""
    classes = facts.class_names
    default = "RMSE" if classes is None else "MultiClass" if len(classes) > 2 else "Logloss"
    loss = str(checked.get("loss_function", default))
    check_labels(checked, facts)
    best_model = use_best_model(checked, facts)
    weights = class_weights(checked, classes or (), facts.class_weight_sums)
    asked = {**asked_of_catboost(checked), "loss_function": loss}
    if facts.baseline or facts.init_model:
        asked["boost_from_average"] = False
    ignored_columns(checked, facts.names)
    penalties(checked, facts.names)
    constraints = monotone_constraints(checked, facts.names, {column.position for column in facts.categorical})
    if constraints:
        asked["monotone_constraints"] = list(constraints)
    pool = PoolFacts(facts.rows, facts.features, facts.label_min, facts.label_max, best_model)
    options = catboost_defaults(asked, pool)
    goes_on = facts.baseline or facts.init_model or aggregation.rounds_of(options["boosting_options"]["iterations"]) > 1
    if constraints and goes_on and "model_shrink_rate" not in checked:
        # CatBoost shrinks such models by default, but none that goes on from another.
        options = catboost_defaults({**asked, "model_shrink_rate": 0.0}, pool)
    n_classes = 2 if loss in ("Logloss", "CrossEntropy") else len(classes or (0,))
    native = {**_for_all_rows(options), **passed_on(checked), "loss_function": loss}
    if constraints:
        native["model_shrink_rate"] = options["boosting_options"]["model_shrink_rate"]
    if classes is not None and loss != "CrossEntropy":
        native["class_names"] = list(range(len(classes)))  # a rank may not have seen all of them
    threads = checked.get("thread_count", -1)
    return ResolvedRounds(
        spec=_spec(checked, options, aggregation, native, _metrics(checked, n_classes, loss), n_classes, best_model),
        options=options_for_the_model(options, checked, facts, weights),
        class_weights=weights,
        all_threads=threads == -1,
        dimension=n_classes if loss.startswith("MultiClass") else 1,
        task_type=str(checked.get("task_type", "CPU")),
        devices=checked.get("devices"),
    )


def _spec(
    checked: Mapping[str, Any],
    options: Mapping[str, Any],
    aggregation: Aggregation,
    native: Mapping[str, object],
    metrics: tuple[Metric, ...],
    n_classes: int,
    best_model: bool,
) -> RoundsSpec:
    boosting = options["boosting_options"]
    detector, iterations = boosting["od_config"], int(boosting["iterations"])
    rounds = aggregation.rounds_of(iterations)
    if rounds > 1 and native["loss_function"] in _NO_BASELINE:
        expected = f"1 with loss_function={native['loss_function']!r}, which CatBoost cannot go on with"
        raise ParameterError("rounds", rounds, expected, "Set rounds=1.")
    if rounds > 1 and checked.get("model_shrink_rate"):
        raise ParameterError(
            "rounds", rounds, "1 with model_shrink_rate", "Set rounds=1, or leave model_shrink_rate out."
        )
    trees = -(-iterations // rounds)  # of the largest round
    looked_at = trees * min(aggregation.rounds_together, rounds)  # once all ranks have grown so many
    return RoundsSpec(
        options=native,
        learning_rate=boosting["learning_rate"],
        random_strength=options["tree_learner_options"]["random_strength"],
        iterations=iterations,
        rounds=rounds,
        merge=aggregation.merge,
        refit=_refit(checked, options, str(native["loss_function"]), n_classes, metrics),
        metrics=metrics,
        stopping=Stopping(
            kind=detector["type"],
            wait=-(-int(detector["wait_iterations"]) // looked_at),
            p_value=detector["stop_pvalue"],
            min_trees=max(1, -(-int(checked.get("best_model_min_trees", 1)) // trees)),
        ),
        use_best_model=best_model,
        metric_period=max(1, int(checked.get("metric_period", 1)) // trees),
        random_seed=checked.get("random_seed", options["random_seed"]),
        devices=(),
        threads=max(int(checked.get("thread_count", -1)), 1),
        schedule=aggregation.schedule,
        group_size=aggregation.group_size,
        group_rounds=aggregation.group_rounds,
        max_staleness=aggregation.max_staleness,
    )


def _refit(
    checked: Mapping[str, Any], options: Mapping[str, Any], loss: str, n_classes: int, metrics: tuple[Metric, ...]
) -> BoostParams | None:
    """How leaves are estimated over the rows of all ranks, for losses and trees that are trained exactly too."""
    trees = options["tree_learner_options"]
    known = loss in LOSSES and trees["leaf_estimation_method"] in ("Newton", "Gradient")
    # Values of all rows would neither keep constraints nor be shrunk; means of values that do and are, do and are.
    if trees["monotone_constraints"] or options["boosting_options"]["model_shrink_rate"] > 0.0:
        return None
    if not known or trees["grow_policy"] != "SymmetricTree":
        return None
    objective = make_objective(loss, n_classes)
    # A round's trees are refitted without a look at how large predictions are, which exponents would need.
    return None if objective.exponent is not None else boost_params(checked, options, objective, metrics)


def _for_all_rows(options: Mapping[str, Any]) -> dict[str, object]:
    """What CatBoost would otherwise choose by the rows of a rank and the trees of a round."""
    boosting, trees = options["boosting_options"], options["tree_learner_options"]
    chosen = {
        "learning_rate": boosting["learning_rate"],
        "boosting_type": boosting["boosting_type"],
        "leaf_estimation_method": trees["leaf_estimation_method"],
        "leaf_estimation_iterations": trees["leaf_estimation_iterations"],
        "bootstrap_type": trees["bootstrap"]["type"],
    }
    if "subsample" in trees["bootstrap"]:
        chosen["subsample"] = trees["bootstrap"]["subsample"]
    return chosen


def _metrics(checked: Mapping[str, Any], n_classes: int, loss: str) -> tuple[Metric, ...]:
    """The metric that decides, then the loss, then the custom ones, each once."""
    own = metric_of_ranking(loss) if is_ranking_metric(loss) else loss
    decides = checked.get("eval_metric", own)
    deciding = (custom_metric(decides),) if is_object(decides) else any_metrics(decides, n_classes, loss)
    if len(deciding) > 1:
        names = ", ".join(metric.name for metric in deciding)
        raise ParameterError("eval_metric", decides, "one value", f"It has one for each class: choose one of {names}.")
    made: dict[str, Metric] = {metric.name: metric for metric in deciding}
    own_too, custom = _as_metric(own), checked.get("custom_metric", ())
    for description in (*own_too, *custom):
        for metric in any_metrics(
            description, n_classes, loss, "custom_metric" if description in custom else "eval_metric"
        ):
            made.setdefault(metric.name, metric)
    return tuple(made.values())


def _as_metric(loss: str) -> tuple[str, ...]:
    """The loss beside the metric that decides, where its values on parts of the rows add up."""
    return (loss,) if can_be_added_up(name_of(loss)) else ()
