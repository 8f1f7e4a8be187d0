"""What the user gave, under one name each and checked as far as it can be before any data are seen."""

import difflib
from collections.abc import Iterator, Mapping, Set

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.catboost_options import ANY_DATA, Written, catboost_defaults, options_of
from gbdist.estimators.parameters.growth import check_growth
from gbdist.estimators.parameters.objects import as_catboost, refuse_object_metric
from gbdist.estimators.parameters.ranking import refuse_where_ranked
from gbdist.estimators.parameters.snapshots import check_snapshots
from gbdist.estimators.parameters.statistics import check_descriptions
from gbdist.estimators.parameters.table import ALIASES, CLASSIFIER_ONLY, RANKER_LOSSES, TABLE
from gbdist.estimators.parameters.value_checks import check_value

#: At most one of each group may be given, as in CatBoost's core.py (_process_synonyms, _process_verbose).
_ONE_OF = (
    ("verbose", "silent", "logging_level"),
    ("scale_pos_weight", "class_weights", "auto_class_weights"),
)
_NO_AUTO_WEIGHTS = ("auto_class_weights", "None")


def canonical(given: Mapping[str, object], *, classifier: bool, ranker: bool = False) -> dict[str, object]:
    """Check parameters; return them under CatBoost's canonical names in plain Python types, Nones dropped, nothing filled in.

    A ranker's loss is: it decides about the metrics, and does not depend on the data. Raises ParameterError, which names the
    parameter as the user wrote it.
    """
    checked: dict[str, object] = {}
    written: dict[str, Written] = {}
    for key, user in under_one_name(given, TABLE.keys(), classifier=classifier):
        written[key] = user
        checked[key] = check_value(user.name, user.value, TABLE[key], classifier=classifier, ranker=ranker)
    if ranker:
        checked.setdefault("loss_function", RANKER_LOSSES[0])
        refuse_where_ranked(checked, written)
    refuse_object_metric(checked)
    refuse_together(checked, written)
    check_descriptions(checked, written)
    check_growth(checked, written)
    check_snapshots(checked, written)
    _refuse_what_catboost_refuses(checked, written, classifier)
    return checked


def under_one_name(given: Mapping[str, object], known: Set[str], *, classifier: bool) -> Iterator[tuple[str, Written]]:
    """What the user gave, by CatBoost's canonical names, one after the other, Nones left out.

    ParameterError for a name that is not ``known``, that the estimator does not have, or that was given before.
    """
    seen: dict[str, Written] = {}
    for name, value in given.items():
        if value is None:
            continue
        key = ALIASES.get(name, name)
        if key not in known:
            raise ParameterError(name, value, "a parameter of CatBoost", _did_you_mean(name))
        if not classifier and key in CLASSIFIER_ONLY:
            fix = "Leave it out; weigh rows with fit(sample_weight=...)."
            raise ParameterError(name, value, "no classes in regression", fix)
        if key in seen:
            raise ParameterError(name, value, f"{key} under one name", _keep_one(seen[key]))
        seen[key] = Written(name, value)
        yield key, seen[key]


def class_order(checked: Mapping[str, object]) -> tuple[object, ...] | None:
    """The labels in the order that the user gave, or None: CatBoost takes the order of a class_weights dictionary."""
    weights = checked.get("class_weights")
    return tuple(weights) if isinstance(weights, Mapping) else None


def _did_you_mean(name: str) -> str:
    near = difflib.get_close_matches(name, [*TABLE, *ALIASES], n=1)
    return f"Did you mean {near[0]}?" if near else "docs/parity.md lists all of them."


def _keep_one(other: Written) -> str:
    return f"{other.name}={other.value!r} is given too; keep one of them."


def refuse_together(checked: Mapping[str, object], written: Mapping[str, Written]) -> None:
    """ParameterError if more than one parameter of a group is given."""
    for group in _ONE_OF:
        found = [written[name] for name in group if name in checked and (name, checked[name]) != _NO_AUTO_WEIGHTS]
        if len(found) > 1:
            first, second = found[:2]
            raise ParameterError(second.name, second.value, f"only one of {', '.join(group)}", _keep_one(first))
    if "scale_pos_weight" in checked and checked.get("loss_function", "Logloss") != "Logloss":
        user = written["scale_pos_weight"]
        expected = "it to be left out unless the loss is Logloss"
        raise ParameterError(user.name, user.value, expected, "Use class_weights instead.")


def _refuse_what_catboost_refuses(checked: dict[str, object], written: Mapping[str, Written], classifier: bool) -> None:
    """Ask CatBoost about the combination. Without a loss, the classifier's may be either of its defaults."""
    given = as_catboost(checked.get("loss_function"))
    losses = [given] if given is not None else ["Logloss", "MultiClass"] if classifier else ["RMSE"]
    refusals = []
    for loss in losses:
        try:
            catboost_defaults({**options_of(checked), "loss_function": loss}, ANY_DATA, written)
        except ParameterError as refusal:
            refusals.append(refusal)
        else:
            return
    raise refusals[0]
