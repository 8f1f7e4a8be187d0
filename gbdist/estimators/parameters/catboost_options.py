"""CatBoost's own defaults and refusals, asked of CatBoost: nothing here is copied from it by hand."""

import difflib
import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from io import StringIO
from typing import Any, Final

from catboost import CatBoostError
from catboost.core import log_fixup
from catboost.utils import DataMetaInfo, TargetStats, compute_training_options

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.objects import as_catboost

#: Parameters that decide how the model is trained; the others are ours to handle, or have no effect.
ASKED: Final = (
    "iterations",
    "learning_rate",
    "depth",
    "grow_policy",
    "l2_leaf_reg",
    "random_strength",
    "rsm",
    "random_seed",
    "score_function",
    "leaf_estimation_method",
    "leaf_estimation_iterations",
    "leaf_estimation_backtracking",
    "boost_from_average",
    "model_shrink_rate",
    "model_shrink_mode",
    "bootstrap_type",
    "subsample",
    "bagging_temperature",
    "mvs_reg",
    "max_leaves",
    "min_data_in_leaf",
    "border_count",
    "feature_border_type",
    "nan_mode",
    "loss_function",
    "eval_metric",
    "custom_metric",
    "auto_class_weights",
    "od_type",
    "od_wait",
    "od_pval",
    "one_hot_max_size",
    "max_ctr_complexity",
    "model_size_reg",
    "simple_ctr",
    "combinations_ctr",
    "per_feature_ctr",
    "ctr_target_border_count",
    "counter_calc_method",
    "ctr_leaf_count_limit",
    "store_all_simple_ctr",
    "has_time",
    "permutation_count",
)
#: Parameters that describe statistics of categories. The last one is an old name of the first two together.
DESCRIBING: Final = ("simple_ctr", "combinations_ctr", "per_feature_ctr", "ctr_description")

#: (part of CatBoost's text, the parameters it is about). The first given one is named in the error.
_ABOUT: Final = (
    ("doesn't support 'subsample'", ("subsample",)),
    ("bagging temperature available", ("bagging_temperature",)),
    ("changing the leaf_estimation_method parameter is prohibited", ("leaf_estimation_method",)),
    ("if bootstrap is disabled", ("subsample", "bagging_temperature")),
    ("Auto-stop PValue", ("od_pval",)),
    ("boost_from_average", ("boost_from_average",)),
    ("shrink", ("model_shrink_rate",)),
    ("onotone constraints", ("monotone_constraints",)),
    ("max_leaves", ("max_leaves",)),
    ("class weights", ("class_weights", "auto_class_weights", "scale_pos_weight")),
    ("enum ELossFunction", ("eval_metric", "custom_metric")),
    ("TargetBorderCount", ("ctr_target_border_count", "simple_ctr", "combinations_ctr", "per_feature_ctr")),
)


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """What CatBoost looks at when it fills in defaults. ``best_model`` is use_best_model, resolved.

    ``category_values`` are how many values a categorical column has at most, where rows are ranked: CatBoost looks at it there.
    """

    rows: int
    features: int
    label_min: float
    label_max: float
    best_model: bool
    category_values: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """What the user wrote for one parameter: the name (maybe an alias) and the value, for error texts."""

    name: str
    value: object


#: For asking before there are data: refusals are looked at, and defaults that do not depend on data.
ANY_DATA: Final = PoolFacts(rows=1000, features=10, label_min=0.0, label_max=1.0, best_model=False)


def options_of(checked: Mapping[str, object]) -> dict[str, object]:
    """The part of checked parameters that CatBoost is asked about, as its flat options."""
    options = {name: checked[name] for name in ASKED if name in checked}
    options |= {name: as_catboost(options[name]) for name in ("loss_function", "eval_metric") if name in options}
    if "custom_metric" in options:
        options["custom_metric"] = list(checked["custom_metric"])  # type: ignore[call-overload]
    options |= {name: list(texts) for name, texts in described_by(checked).items()}
    weights = checked.get("class_weights")
    if weights is not None:
        options["class_weights"] = list(weights.values() if isinstance(weights, Mapping) else weights)  # type: ignore[call-overload]
    constraints: Any = checked.get("monotone_constraints", ())
    if any(constraints.values() if isinstance(constraints, Mapping) else constraints):
        options["monotone_constraints"] = [1]  # of any column, as CatBoost looks whether there are some
    if "scale_pos_weight" in checked:
        options["class_weights"] = [1.0, checked["scale_pos_weight"]]
    return options


def described_by(checked: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Descriptions of statistics, by the parameter that they count for; the old name counts where a new one is left out."""
    old = checked.get("ctr_description")
    found = {name: checked.get(name, old) for name in ("simple_ctr", "combinations_ctr")}
    return {
        name: texts for name, texts in {**found, "per_feature_ctr": checked.get("per_feature_ctr")}.items() if texts
    }


def catboost_defaults(
    options: Mapping[str, object], facts: PoolFacts, written: Mapping[str, Written] | None = None
) -> dict[str, Any]:
    """CatBoost's full nested options for these flat ones and this data.

    ``written`` holds what the user wrote, by canonical name. What CatBoost refuses becomes a ParameterError that quotes it.
    """
    target = TargetStats(facts.label_min, facts.label_max)
    learn = DataMetaInfo(facts.rows, facts.features, facts.category_values, target, False)
    # CatBoost looks at the eval set only to decide use_best_model, and there takes no heed of an explicit False.
    test = DataMetaInfo(facts.rows, facts.features, 0, TargetStats(0.0, 1.0), False) if facts.best_model else None
    try:
        # Of categorical columns CatBoost would say that their statistics need a target: it cannot be told of one here.
        with log_fixup(StringIO(), StringIO()) if facts.category_values else nullcontext():
            filled: dict[str, Any] = compute_training_options(dict(options), learn, test)
    except CatBoostError as refusal:
        raise _in_our_words(str(refusal), options, written or {}) from None
    return filled


def _nearest_option(text: str) -> str:
    """Words that follow CatBoost's refusal of a name: `` Did you mean AUC?`` for "auc", or nothing."""
    refused = re.search(r"Key '(?P<key>[^']+)' not found .* Valid options are: (?P<options>.*)", text)
    if refused is None:
        return ""
    options = {option.lower(): option for option in re.findall(r"'([^']+)'", refused["options"])}
    near = difflib.get_close_matches(refused["key"].lower(), options, n=1)
    return f" Did you mean {options[near[0]]}?" if near else ""


#: What to do, by a part of CatBoost's refusal.
_REMEDIES: Final = {"works only with lossguide tree growing": 'Set grow_policy="Lossguide", or leave it out.'}


def without_source_line(text: str) -> str:
    """CatBoost's refusal without the place in its source that it begins with."""
    return re.sub(r"^\S+:\d+: (Error: )?", "", text).strip()


def _in_our_words(text: str, options: Mapping[str, object], written: Mapping[str, Written]) -> ParameterError:
    """CatBoost's refusal without its source line, pinned to a parameter where the text tells which."""
    # The list of valid options is every metric that CatBoost has: more than is computed here, and too long to read.
    reason = re.sub(r"\.? Valid options are: .*", "", without_source_line(text)).strip()
    remedy = next((f" {what}" for part, what in _REMEDIES.items() if part in reason), "")
    fix = f'CatBoost says: "{reason}".{_nearest_option(text)}{remedy}'
    expected = "a value that CatBoost takes together with the other parameters"
    for part, names in _ABOUT:
        if part in reason:
            for name in names:
                if name in written or name in options:
                    user = written.get(name, Written(name, options.get(name)))
                    return ParameterError(user.name, user.value, expected, fix)
    shown = {user.name: user.value for user in written.values()} or dict(options)
    return ParameterError("parameters", shown, "a combination that CatBoost takes", fix)
