"""The page about a search for parameters."""

import json
from pathlib import Path

from gbdist.report.page import Head, rendered
from gbdist.report.study.columns import Drawn
from gbdist.report.study.facts import STATES, StudyFacts, in_short
from gbdist.report.study.history import history_section
from gbdist.report.study.importance import importance_section
from gbdist.report.study.learning import learning_section
from gbdist.report.study.parallel import parallel_section
from gbdist.report.study.slices import slices_section
from gbdist.report.study.table import trials_section
from gbdist.report.style import Section


def study_page(facts: StudyFacts) -> str:
    """The page as HTML, one file that loads nothing from anywhere."""
    drawn = Drawn(facts)
    head = Head(facts.name, "Search report", "The search", _on_top(facts))
    if not facts.trials:
        return rendered(head, [Section("Trials", "", notes=("No trial has begun, so there is nothing to draw.",))])
    sections = [
        history_section(drawn),
        importance_section(facts),
        parallel_section(drawn),
        slices_section(drawn),
        learning_section(drawn),
        trials_section(drawn),
    ]
    return rendered(head, sections, _script(drawn))


def _on_top(facts: StudyFacts) -> list[tuple[str, str]]:
    counts = ", ".join(f"{facts.count(state):,} {state}" for state in STATES if facts.count(state))
    best = facts.best
    found = {
        "Score": f"{facts.scoring} ({facts.direction})",
        "Trials": f"{len(facts.trials):,}" + (f" ({counts})" if counts else ""),
        "Best score": "none: no trial is complete"
        if best is None
        else f"{in_short(best.value)}, trial {best.number:,}",
        "Best parameters": ""
        if best is None
        else ", ".join(f"{name} {in_short(one)}" for name, one in best.params.items()),
        "Time of all trials": _time(facts),
        "First error": next((trial.error for trial in facts.trials if trial.state == "failed" and trial.error), ""),
    }
    return [(name, value) for name, value in [*found.items(), *facts.details] if value]


def _time(facts: StudyFacts) -> str:
    told = [trial.seconds for trial in facts.trials if trial.seconds is not None]
    return f"{sum(told):,.1f} seconds, added up" if told else ""


def _script(drawn: Drawn) -> str:
    """The page's script, and before it what it writes of a trial: labels, columns of the source, and names of categories."""
    lines = [[one.name, f"x_{k}", list(one.choices)] for k, one in enumerate(drawn.dimensions)]
    told = json.dumps({"score": drawn.facts.scoring, "states": STATES, "lines": lines})
    # A name with </script> in it would end the script.
    told = told.replace("<", "\\u003c")
    return f"const FACTS = {told}\n" + (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
