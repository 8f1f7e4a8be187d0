"""From a study of Optuna's to the facts that its page is made of."""

import math
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gbdist.errors import ParameterError
from gbdist.report.study.facts import Dimension, State, StudyFacts, TrialFacts

#: Complete trials with fewer values than these say nothing of what made some of them good.
FEWEST_FOR_IMPORTANCES = 4


def facts_of(
    study: Any,
    *,
    trials: Sequence[Any] | None = None,
    name: str = "",
    scoring: str = "score",
    details: Sequence[tuple[str, str]] = (),
) -> StudyFacts:
    """The facts of an ``optuna.Study`` of one direction. Why trials failed Optuna does not know.

    Parameters
    ----------
    trials : which of the study's trials; all that were begun if left out
    name : what the page is called; the study's own name if left out
    scoring : what the values are
    details : more lines for the table on top of the page

    Raises
    ------
    ParameterError
        The study looks for the best of several values at once.
    """
    if len(study.directions) != 1:
        fix = "Draw one of its values at a time with optuna.visualization."
        raise ParameterError("study", study.study_name, f"one value a trial, not {len(study.directions)}", fix)
    known = study.get_trials(deepcopy=False) if trials is None else trials
    begun = [trial for trial in known if trial.state.name != "WAITING"]
    space = _space(begun)
    return StudyFacts(
        name=name or study.study_name,
        scoring=scoring,
        greater_is_better=study.direction.name == "MAXIMIZE",
        trials=tuple(_trial(trial, space) for trial in begun),
        space=tuple(space.values()),
        importances=_importances(study.direction, begun),
        details=tuple(details),
    )


def _trial(trial: Any, space: Mapping[str, Dimension]) -> TrialFacts:
    names: dict[str, State] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    curve = tuple((int(step), float(value)) for step, value in sorted(trial.intermediate_values.items()))
    value = trial.value if trial.value is not None or not curve else curve[-1][1]
    return TrialFacts(
        number=trial.number,
        state=names.get(trial.state.name, "running"),
        value=None if value is None or math.isnan(value) else float(value),
        params={
            name: _plain(value, trial.distributions[name])
            for name, value in trial.params.items()
            if _is_category(trial.distributions[name]) == (space[name].kind == "category")
        },
        curve=curve,
        seconds=_seconds(trial.datetime_start, trial.datetime_complete),
    )


def _plain(value: Any, distribution: Any) -> Any:
    """A number as it is, a category in words."""
    if not _is_category(distribution):
        return value
    return _words(distribution.choices)[int(distribution.to_internal_repr(value))]


def _is_category(distribution: Any) -> bool:
    return hasattr(distribution, "choices")


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def _space(trials: Sequence[Any]) -> dict[str, Dimension]:
    """All parameters that any trial had, in the order in which they came up."""
    found: dict[str, Dimension] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            new = _dimension(name, distribution)
            found[name] = _joined(found[name], new) if name in found else new
    return found


def _dimension(name: str, distribution: Any) -> Dimension:
    if _is_category(distribution):
        return Dimension(name, "category", choices=_words(distribution.choices))
    kind = type(distribution).__name__
    low, high, log = float(distribution.low), float(distribution.high), bool(distribution.log)
    return Dimension(name, "integer" if kind.startswith("Int") else "number", low, high, log)


def _joined(one: Dimension, other: Dimension) -> Dimension:
    """A parameter whose range was changed on the way; trials before and after keep their places."""
    if one == other or (one.kind == "category") != (other.kind == "category"):
        return one
    if one.kind == "category":
        return Dimension(one.name, one.kind, choices=tuple(dict.fromkeys((*one.choices, *other.choices))))
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Dimension(one.name, one.kind, low, high, one.log and other.log)


def _words(choices: Sequence[Any]) -> tuple[str, ...]:
    """What choices are called: as they are written, with their quotes where two would be called the same."""
    told = [str(choice) for choice in choices]
    return tuple(told if len(set(told)) == len(told) else [repr(choice) for choice in choices])


def _importances(direction: Any, trials: Sequence[Any]) -> Mapping[str, float] | str:
    """Optuna's answer, by PED-ANOVA, which draws nothing and so needs no seed; or why it has none."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    complete = [trial for trial in trials if trial.state.name == "COMPLETE" and math.isfinite(trial.value)]
    values = [trial.value for trial in complete]
    if len(values) < FEWEST_FOR_IMPORTANCES:
        least = f"at least {FEWEST_FOR_IMPORTANCES} complete trials are needed"
        return f"Which parameters matter cannot be said of {len(values)} complete trial(s); {least}."
    if min(values) == max(values):
        return f"All complete trials have the value {values[0]:.6g}, so that no parameter mattered."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = _study_of(direction, complete)
        try:
            found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(), normalize=False)
        except (ValueError, RuntimeError) as error:
            return f"Which parameters matter cannot be said: Optuna says “{str(error).splitlines()[0]}”."
    total = sum(found.values())
    if not total > 0:
        return "The best trials have the same values of all parameters as the others, as far as so few can tell."
    return {name: float(value) / total for name, value in found.items()}


def _study_of(direction: Any, trials: Sequence[Any]) -> Any:
    """A study of these trials alone, made without a word on stderr."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction=direction)
    finally:
        optuna.logging.set_verbosity(before)
    study.add_trials(trials)
    return study
