"""What ``scoring=`` may be: names of scikit-learn's scorers, CatBoost's metrics, callables; and what each asks for.

All scores are the greater the better, as scikit-learn's scorers.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sklearn.metrics import get_scorer, get_scorer_names

from gbdist.description import Description, name_of, parse_description
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import LABELS_LOSSES
from gbdist.metrics import METRICS_OF_LOSS, RANKING_METRICS, make_metrics, make_ranking_metric

#: ``scorer(estimator, X, y)``, as scikit-learn's.
Function = Callable[..., float]
#: The name of the only score, as scikit-learn calls it.
SCORE = "score"
#: What ``neg_`` says: a loss with its sign turned.
_NEGATED = "neg_"


@dataclass(frozen=True, slots=True)
class Scorer:
    """One score of a model on the rows that a fold tests.

    Parameters
    ----------
    name : what results call it
    metric : str or None
        CatBoost's description of a metric that says it of raw predictions; None where there is none.
    in_training : whether the metric can be computed while trees are grown
    sign : 1.0, or −1.0 for a loss
    squared : whether the score is the square of the metric
    of_classes : whether the metric has a value for each class, and the score is their mean
    function : callable or None
        What is called with a fitted estimator, where there is no metric; None: the estimator's own ``score``.
    takes_weights : whether ``function`` does, as ``sample_weight``
    """

    name: str
    metric: str | None
    in_training: bool = True
    sign: float = 1.0
    squared: bool = False
    of_classes: bool = False
    function: Function | None = None
    takes_weights: bool = False

    def of(self, values: Mapping[str, float]) -> float:
        """The score, from the values of metrics by name."""
        found = [values[name] for name in self.found_in(values)]
        value = sum(found) / len(found)
        return self.sign * (value * value if self.squared else value)

    def found_in(self, names: Iterable[str]) -> list[str]:
        """Names under which the metric is reported: one for each class where it is of classes. KeyError for none."""
        wanted = parse_description(self.metric or "", "scoring")
        apart = {name: _more_options(wanted, parse_description(name, "scoring"), self.of_classes) for name in names}
        matching = {name: more for name, more in apart.items() if more is not None}
        if not matching:
            raise KeyError(self.metric)
        fewest = min(matching.values())
        return [name for name, more in matching.items() if more == fewest]


def _more_options(wanted: Description, found: Description, of_classes: bool) -> int | None:
    """How many options a reported metric has beyond those asked for; None if it is another one."""
    options = dict(found.options)
    of_class = options.pop("class", None) is not None
    if found.metric != wanted.metric or found.use_weights != wanted.use_weights or of_class != of_classes:
        return None
    for key, value in wanted.options:
        if of_classes and key == "type":  # which names of metrics of classes leave out
            continue
        if key not in options or not _same(options.pop(key), value):
            return None
    return len(options)


def _same(told: str, asked: str) -> bool:
    """Whether an option is told as it was asked for: names of metrics round some numbers to three digits."""
    try:
        return float(told) in (float(asked), float(f"{float(asked):.3g}"))
    except ValueError:
        return told == asked


@dataclass(frozen=True, slots=True)
class Target:
    """What is predicted: ``kind`` is "classes", "numbers" or "ranking"; ``loss`` a name of a loss with its options.

    ``n_classes`` is that of the labels, or of labels a row where there are several; 1 for numbers. ``trees``: whether metrics are
    computed while trees are grown, by the loss; else raw predictions are made of what the estimator predicts.
    """

    kind: str
    loss: str
    n_classes: int
    trees: bool = True

    @property
    def family(self) -> str:
        """Name of the loss."""
        return name_of(self.loss)

    @property
    def several_labels(self) -> bool:
        """Whether a row has several."""
        return self.family in LABELS_LOSSES

    @property
    def are_classes(self) -> bool:
        """Whether labels are classes, each row of one: neither numbers, nor probabilities, nor several a row."""
        return self.kind == "classes" and self.family != "CrossEntropy" and not self.several_labels


#: scikit-learn's names, for which there is a metric that says the same of raw predictions.
_OF_NUMBERS = {
    "r2": Scorer("", "R2"),
    "neg_root_mean_squared_error": Scorer("", "RMSE", sign=-1.0),
    "neg_mean_squared_error": Scorer("", "RMSE", sign=-1.0, squared=True),
    "neg_mean_absolute_error": Scorer("", "MAE", sign=-1.0),
}
_OF_TWO = {
    "roc_auc": Scorer("", "AUC"),
    "f1": Scorer("", "F1"),
    "precision": Scorer("", "Precision"),
    "recall": Scorer("", "Recall"),
    "neg_log_loss": Scorer("", "Logloss", sign=-1.0),
    "neg_brier_score": Scorer("", "BrierScore", sign=-1.0),
}
_OF_SEVERAL = {
    "roc_auc_ovr": Scorer("", "AUC:type=OneVsAll", of_classes=True),
    "neg_log_loss": Scorer("", "MultiClass", sign=-1.0),
}
_OF_ANY_CLASSES = {
    "accuracy": Scorer("", "Accuracy"),
    "f1_macro": Scorer("", "TotalF1:average=Macro"),
    "f1_micro": Scorer("", "TotalF1:average=Micro"),
    "f1_weighted": Scorer("", "TotalF1:average=Weighted"),
    "matthews_corrcoef": Scorer("", "MCC"),
}
#: Losses whose raw values are not what ``predict`` says.
_OTHERWISE = ("Poisson", "Tweedie", "Cox", "SurvivalAft")


def scorers_of(scoring: Any, target: Target, *, lazy: bool) -> tuple[Scorer, ...]:
    """The scorers that ``scoring`` asks for, each with a name of its own. ParameterError for what is none.

    ``scoring`` is None (the estimator's own ``score``), a name, a callable, a list or tuple of names, or a dictionary of names
    and callables under names of one's own. ``lazy``: rows are Dask collections, which scikit-learn's own scorers do not take.
    """
    if scoring is None:
        return (replace(_own(target), name=SCORE),)
    if isinstance(scoring, str) or callable(scoring):
        return (replace(_scorer(scoring, target, lazy=lazy), name=SCORE),)
    listed: list[tuple[Any, Any]] = []
    if isinstance(scoring, Mapping):
        listed = list(scoring.items())
    elif isinstance(scoring, list | tuple | set | frozenset):
        listed = [(None, one) for one in scoring]
    if not listed or not all(name is None or isinstance(name, str) for name, _ in listed):
        expected = "a name, a callable, a list of names, or a dictionary of such under names of one's own"
        raise ParameterError("scoring", scoring, expected, 'As in scoring=["accuracy", "roc_auc"].')
    found: dict[str, Scorer] = {}
    for name, one in listed:
        if name is None and not isinstance(one, str):
            raise ParameterError("scoring", one, "names in a list", 'Give a callable a name: scoring={"mine": …}.')
        scorer = _scorer(one, target, lazy=lazy)
        scorer = scorer if name is None else replace(scorer, name=name)
        if scorer.name in found:
            raise ParameterError("scoring", one, "each score once", f"{scorer.name!r} is given twice.")
        found[scorer.name] = scorer
    return tuple(found.values())


def _scorers_for(target: Target) -> list[str]:
    """Names of scikit-learn's scorers of the task; it lists all of them together, so the modules of their functions tell."""
    modules = {"classes": ("_classification", "_ranking"), "numbers": ("_regression",)}.get(target.kind, ())
    functions = {name: getattr(get_scorer(name), "_score_func", None) for name in get_scorer_names()}
    return [name for name, one in functions.items() if getattr(one, "__module__", "").endswith(modules)]


def _own(target: Target) -> Scorer:
    """What the estimator's ``score`` says."""
    if target.kind == "ranking":
        return Scorer("", "NDCG")
    known = _names(target).get("accuracy" if target.kind == "classes" else "r2")
    return known if known is not None and known.in_training else Scorer("", None, in_training=False)


def _scorer(one: Any, target: Target, *, lazy: bool) -> Scorer:
    if not isinstance(one, str):
        if not callable(one):
            raise ParameterError("scoring", one, "a name or a callable", "As scorer(estimator, X, y).")
        return Scorer(getattr(one, "__name__", type(one).__name__), None, in_training=False, function=one)
    known = _names(target).get(one)
    if known is not None and (known.in_training or lazy):
        return replace(known, name=one)
    if not lazy and one in get_scorer_names():
        return Scorer(one, None, in_training=False, function=get_scorer(one), takes_weights=True)
    return _metric(one, target, lazy=lazy)


def _names(target: Target) -> dict[str, Scorer]:
    """scikit-learn's names for what is predicted, as far as a metric says the same."""
    if target.kind == "ranking" or (target.several_labels and target.kind == "numbers"):
        return {}
    if target.several_labels:
        found = {"accuracy": _OF_ANY_CLASSES["accuracy"]}
    elif target.kind == "numbers":
        found = _OF_NUMBERS
    elif target.family == "CrossEntropy":
        found = {}
    else:
        two = _OF_TWO if target.n_classes == 2 else {}
        several = _OF_SEVERAL if not two or target.family == "MultiClass" else {}
        found = {**_OF_ANY_CLASSES, **two, **several}
    return {name: _with_weights(_for(one, target), target) for name, one in found.items()}


def _for(scorer: Scorer, target: Target) -> Scorer:
    """The same, and whether it can be told while trees are grown."""
    known = name_of(scorer.metric or "") in METRICS_OF_LOSS.get(target.family, ()) and target.family not in _OTHERWISE
    # Two classes of a loss of several have a raw value each, of which there are no metrics of two.
    apart = target.n_classes == 2 and target.family.startswith("MultiClass") and scorer in _OF_TWO.values()
    return replace(scorer, in_training=target.trees and known and not apart)


def _with_weights(scorer: Scorer, target: Target) -> Scorer:
    """The same with the flag that CatBoost would otherwise ask both ways; the loss itself is always reported."""
    if scorer.metric == target.loss:
        return scorer
    colon = ";" if ":" in (scorer.metric or "") else ":"
    return replace(scorer, metric=f"{scorer.metric}{colon}use_weights=true")


def _metric(text: str, target: Target, *, lazy: bool) -> Scorer:
    """CatBoost's metric of that description; a loss is told as ``neg_…``, under which name it may also be given."""
    description = text.removeprefix(_NEGATED)
    given = parse_description(description, "scoring")
    allowed = RANKING_METRICS if target.kind == "ranking" else METRICS_OF_LOSS.get(target.family, ())
    if given.metric not in allowed:
        raise _unknown(text, given.metric, target, allowed, lazy=lazy)
    if target.kind == "ranking":
        made: Sequence[Any] = [make_ranking_metric(description, group_weighted=False, parameter="scoring")]
    else:
        made = make_metrics(description, target.n_classes, target.family, parameter="scoring")
    if len(made) > 1:
        mean = "roc_auc_ovr" if given.metric == "AUC" else "f1_macro"
        raise ParameterError("scoring", text, "one value", f"It has one for each class; {mean!r} is a mean over them.")
    is_loss = not made[0].is_max_optimal
    if text != description and not is_loss:
        raise ParameterError("scoring", text, f"{description!r}, which is the greater the better", "Leave neg_ out.")
    name, sign = (f"{_NEGATED}{description}", -1.0) if is_loss else (description, 1.0)
    scorer = Scorer(name, description, in_training=target.trees, sign=sign)
    decided = given.use_weights is not None or given.metric == "AUC" or target.kind == "ranking"
    return scorer if decided else _with_weights(scorer, target)


def _unknown(text: str, metric: str, target: Target, allowed: Sequence[str], *, lazy: bool) -> ParameterError:
    """The error for a name that is none, with what there is, the nearest first."""
    known = sorted({*_names(target), *allowed}, key=lambda name: (name.lower(), name))
    every = list(dict.fromkeys([*known, *(() if lazy else _scorers_for(target))]))
    near = difflib.get_close_matches(metric, every, cutoff=0.6)
    if not near:
        by_lower = {name.lower(): name for name in every}
        near = [by_lower[one] for one in difflib.get_close_matches(metric.lower(), by_lower, cutoff=0.6)]
    listed = ", ".join([*near, *(name for name in known if name not in near)])
    others = "" if lazy else ", another name of scikit-learn's"
    fix = f"Did you mean {near[0]!r}?" if near else "Choose one of these, or pass a callable scorer(estimator, X, y)."
    return ParameterError("scoring", text, f"one of {listed}{others} with loss_function={target.loss!r}", fix)
