"""What the page about a search is made of, from its study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import optuna
from optuna.trial import TrialState

from gbdist.report.study import StudyFacts, TrialFacts, facts_of, study_page
from gbdist.selection.searching.study import ERROR, RESULT, trials_of

_SHOWN: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)


def page_of_search(study: optuna.Study, scoring: str, details: Sequence[tuple[str, str]] = ()) -> str:
    """The page about a search as HTML: ``study`` is its Optuna study, ``scoring`` what the values are, ``details`` more lines for
    the table on top of it."""
    return study_page(search_facts(study, scoring, details))


def search_facts(study: optuna.Study, scoring: str, details: Sequence[tuple[str, str]] = ()) -> StudyFacts:
    """Its trials, under the numbers of ``cv_results_``, with their curves and errors; those of earlier studies are left out."""
    found = trials_of(study, *_SHOWN)
    facts = facts_of(study, trials=list(found.values()), scoring=scoring, details=details)
    trials = [
        replace(
            one,
            number=number,
            error=trial.user_attrs.get(ERROR, ""),
            curve=_curve(one, trial.user_attrs.get(RESULT, {})),
        )
        for one, (number, trial) in zip(facts.trials, found.items(), strict=True)
    ]
    return replace(facts, trials=tuple(trials))


def _curve(facts: TrialFacts, result: Mapping[str, Any]) -> tuple[tuple[int, float], ...]:
    """As kept with the trial; while it runs only what the pruner was told is known."""
    kept = result.get("curve")
    return facts.curve if not kept else tuple((int(iteration), float(score)) for iteration, score in kept)
