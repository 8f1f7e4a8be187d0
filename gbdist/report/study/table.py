"""The table of trials, the best first; its reader can sort it by any column."""

import math
from typing import Any

from gbdist.report.study.columns import Drawn
from gbdist.report.study.facts import TrialFacts, in_short, known
from gbdist.report.style import Cell, Section, Table

#: Rows of the table.
MOST_ROWS = 1_000
_READING = (
    "The best trials first; click on a column's name to sort by it. A trial's number shows it in the charts, and trials that "
    "were chosen in the charts are the only ones here, until all are shown again."
)


def trials_section(drawn: Drawn) -> Section:
    """The section."""
    facts = drawn.facts
    places = list(reversed(range(len(drawn.trials))))[:MOST_ROWS]
    names = [one.name for one in facts.space]
    errors = any(drawn.trials[at].error for at in places)
    columns = ("trial", "state", facts.scoring, "seconds", *names, *(("error",) if errors else ()))
    rows = tuple(_row(drawn.trials[at], names, errors) for at in places)
    best = next((row for row, at in enumerate(places) if drawn.trials[at] is facts.best), -1)
    few = len(places) < len(facts.trials)
    notes = (f"The best {len(places):,} of {len(facts.trials):,} trials are listed.",) if few else ()
    table = Table(columns, rows, "trials", best, tuple(str(at) for at in places))
    return Section("Trials", _READING, notes=notes, table=table)


def _row(trial: TrialFacts, names: list[str], errors: bool) -> tuple[Cell, ...]:
    score = Cell(in_short(trial.value), trial.value) if known(trial) else Cell("none")
    seconds = Cell("") if trial.seconds is None else Cell(f"{trial.seconds:.3g}", trial.seconds)
    told = [_cell(trial.params.get(name)) for name in names]
    return (Cell(f"{trial.number:,}", trial.number), Cell(trial.state, trial.state), score, seconds, *told,
            *((Cell(trial.error, trial.error or None),) if errors else ()))  # fmt: skip


def _cell(value: Any) -> Cell:
    """A parameter's value; nothing for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Cell("")
    return Cell(in_short(value), value)
