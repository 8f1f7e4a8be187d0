"""What a run is told of categorical columns, from CatBoost's own options and the facts of the training set."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gbdist.categories.rules import CategoricalColumn, CategoryRules, StatisticRule
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.catboost_options import DESCRIBING
from gbdist.estimators.parameters.statistics import target_borders
from gbdist.quantize.unbinned import UnbinnedFacts

#: CatBoost's ``ctr_leaf_count_limit`` where it is left out.
_NO_LIMIT: Final = 2**64 - 1


def target_of_statistics(
    checked: Mapping[str, Any], options: Mapping[str, Any], n_classes: int | None
) -> tuple[int, str]:
    """How many borders cut the target into classes, and their type; ``n_classes`` is None but for a loss of several."""
    target = target_borders(checked)
    if target.count is not None:
        return target.count, target.kind
    default: int = options["cat_feature_params"]["target_binarization"]["border_count"]
    return default if n_classes is None else n_classes - 1, target.kind


def category_rules(
    checked: Mapping[str, Any],
    options: Mapping[str, Any],
    columns: Sequence[UnbinnedFacts],
    target: tuple[int, str],
    n_classes: int | None,
    ignored: frozenset[int] = frozenset(),
) -> CategoryRules | None:
    """The rules of a run; None without categorical columns.

    Parameters
    ----------
    checked : ``canonical``'s answer
    options : CatBoost's nested options
    columns : hashed columns of the training set, ascending in position
    target, n_classes : as of ``target_of_statistics``
    ignored : positions of columns that are not used

    Raises ParameterError for ``per_feature_ctr`` of a column that is not categorical, as CatBoost does, and where statistics
    would count several classes together.
    """
    if not columns:
        return None
    if n_classes is not None and target[0] != n_classes - 1:
        raise _classes_together(checked, n_classes)
    params = options["cat_feature_params"]
    number_of = {each.position: number for number, each in enumerate(columns)}
    described = {int(position): ctrs for position, ctrs in params["per_feature_ctrs"].items()}
    if not described.keys() <= number_of.keys():
        fix = f"They are {list(number_of)}."
        shown = list(checked["per_feature_ctr"])
        raise ParameterError("per_feature_ctr", shown, "positions of categorical columns", fix)
    limit = params["ctr_leaf_count_limit"]
    trees = options["tree_learner_options"]
    # CatBoost takes 0 for 1, and makes no combinations for trees that are not symmetric.
    max_complexity = max(1, params["max_ctr_complexity"]) if trees["grow_policy"] == "SymmetricTree" else 1
    return CategoryRules(
        columns=tuple(_column(each, params["one_hot_max_size"], each.position in ignored) for each in columns),
        simple=_rules(params["simple_ctrs"]),
        combined=_rules(params["combinations_ctrs"]),
        of_column=tuple((number_of[at], _rules(ctrs)) for at, ctrs in sorted(described.items())),
        target_border_count=target[0],
        target_border_type=target[1],
        max_complexity=max_complexity,
        model_size_reg=trees["model_size_reg"],
        permutations=options["boosting_options"]["permutation_count"],
        has_time=options["data_processing_options"]["has_time"],
        counts_evals=params["counter_calc_method"] == "Full",
        leaf_count_limit=None if limit == _NO_LIMIT else limit,
        limit_combinations_only=params["store_all_simple_ctr"],
    )


def check_labels_of_statistics(rules: CategoryRules | None, n_labels: int) -> None:
    """ParameterError for statistics of the label where a row has several.

    CatBoost makes them of each label. Its file of JSON, by which models are made here, names a table of statistics by columns and
    kind alone, so that those of several labels would be one.
    """
    if rules is None or n_labels == 1 or not rules.statistic_columns:
        return
    used = [rule for number in rules.statistic_columns for rule in rules.rules_for(number)]
    used += rules.combined if rules.max_complexity > 1 else ()
    if any(rule.kind != "Counter" for rule in used):
        name = rules.columns[rules.statistic_columns[0]].name
        expected = f"statistics without the label for {name!r}, as a row has {n_labels} labels"
        fix = 'Set simple_ctr="Counter" and combinations_ctr="Counter", or raise one_hot_max_size to its number of values.'
        raise ParameterError("simple_ctr", [rule.kind for rule in rules.simple], expected, fix)


def _column(facts: UnbinnedFacts, one_hot_max_size: int, is_ignored: bool) -> CategoricalColumn:
    """Values of a one-hot column, none of one that is not used, None of one that becomes statistics."""
    values = facts.values
    if is_ignored or (values is not None and len(values) <= 1):
        values = ()
    elif values is not None and len(values) > one_hot_max_size:
        values = None
    return CategoricalColumn(facts.position, facts.name, values)


def _rules(described: Sequence[Mapping[str, Any]]) -> tuple[StatisticRule, ...]:
    return tuple(
        StatisticRule(
            kind=each["ctr_type"],
            priors=tuple(float(prior[0]) for prior in each["priors"]),
            border_count=each["ctr_binarization"]["border_count"],
        )
        for each in described
    )


def _classes_together(checked: Mapping[str, Any], n_classes: int) -> ParameterError:
    expected = f"{n_classes - 1} borders of the target, between all of the {n_classes} classes"
    common = checked.get("ctr_target_border_count")
    if common is not None:
        return ParameterError("ctr_target_border_count", common, expected, "Leave it out.")
    name = next(name for name in DESCRIBING if "targetbordercount=" in "".join(checked.get(name, ())).lower())
    return ParameterError(name, list(checked[name]), expected, "Leave TargetBorderCount out.")
