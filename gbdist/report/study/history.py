"""Optimisation history: the score of each trial, and the best one so far."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.report.study.columns import BEST, COLORS, MARKERS, MOST_TRIALS, POINTED, Drawn
from gbdist.report.study.facts import STATES, State, StudyFacts, known
from gbdist.report.style import SOFT, Chart, Section, chart_figure, with_legend
from gbdist.spaced import evenly_spaced

_READING = (
    "Each mark is a trial; the line is the best score of a complete trial so far. Where the line has been flat for long, more "
    "trials of this kind are unlikely to find much more. Click on a trial, or draw a box with the tool above, to see those "
    "trials in all charts and in the table."
)
#: More marks than these hide each other.
_MANY = 1_000


def history_section(drawn: Drawn) -> Section:
    """The section."""
    facts = drawn.facts
    notes = [_of_pruned(facts)] if facts.count("pruned") else []
    without = sum(not known(trial) for trial in facts.trials)
    if without:
        notes.append(f"{without:,} trial(s) have no score yet or never had one; the table has them.")
    if facts.edge is not None:
        beyond = sum(_worse(trial.value, facts.edge, facts) for trial in facts.trials if known(trial))
        notes.append(
            f"{beyond:,} trial(s) worse than {facts.edge:.4g} are drawn there, so that others can be told apart."
        )
    notes += drawn.few(MOST_TRIALS)
    return Section("Optimisation history", _READING, (Chart("history", facts.scoring, _drawn(drawn)),), tuple(notes))


def best_so_far(facts: StudyFacts) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Numbers of the trials that were better than all complete ones before them, and their scores."""
    numbers: list[int] = []
    scores: list[float] = []
    for trial in sorted(facts.trials, key=lambda trial: trial.number):
        if trial.state != "complete" or trial.value is None or not known(trial):
            continue
        if not scores or _worse(scores[-1], trial.value, facts):
            numbers.append(trial.number)
            scores.append(trial.value)
    return np.array(numbers, dtype=np.int64), np.array(scores, dtype=np.float64)


def _worse(one: float | None, other: float, facts: StudyFacts) -> bool:
    return one is not None and (one < other if facts.greater_is_better else one > other)


def _of_pruned(facts: StudyFacts) -> str:
    return f"{facts.count('pruned'):,} trial(s) were pruned, which is to say ended early; theirs is the last score they had."


def _drawn(drawn: Drawn) -> Any:
    facts = drawn.facts
    plot = trials_figure("number of the trial", f"{facts.scoring} ({facts.direction})", 360)
    numbers, scores = best_so_far(facts)
    if numbers.size:
        last = max(trial.number for trial in facts.trials)
        kept = evenly_spaced(len(numbers), MOST_TRIALS)
        x, y = np.append(numbers[kept], last), facts.shown(np.append(scores[kept], scores[-1]))
        plot.step(x, y, mode="after", color=SOFT, line_width=2, legend_label="best so far")
    for state in STATES:
        if any(trial.state == state and known(trial) for trial in drawn.trials):
            mark_trials(plot, drawn, "number", state, 8, legend_label=state)
    mark_pointed(plot, drawn, "number")
    if facts.best is not None:
        at = [facts.best.number], [facts.best.value]
        plot.scatter(*at, size=15, fill_color=None, line_color=BEST, line_width=2.5, legend_label="best")
    return with_legend(plot, "bottom_right" if facts.greater_is_better else "top_right")


def trials_figure(x: str, y: str, height: int, **more: Any) -> Any:
    """A figure in which trials can be chosen by clicks and boxes."""
    plot = chart_figure(x, y, height, zoomed=True, tools="tap,box_select,box_zoom,pan,reset,save", **more)
    plot.toolbar.active_drag = None  # or a finger could not move the page
    return plot


def mark_trials(plot: Any, drawn: Drawn, x: str, state: State, size: int, most: int = MOST_TRIALS, **more: Any) -> None:
    """Trials of a state, among ``most`` of all, as marks; those that were not chosen nearly vanish, where any were."""
    n = drawn.facts.count(state)
    plot.scatter(
        x,
        "height",
        source=drawn.source,
        view=drawn.view(state, most),
        marker=MARKERS[state],
        size=size,
        color=COLORS[state],
        fill_alpha=0.55 if n <= _MANY else 0.2,
        line_alpha=0.9 if n <= _MANY else 0.2,
        nonselection_fill_alpha=0.06,
        nonselection_line_alpha=0.06,
        **more,
    )


def mark_pointed(plot: Any, drawn: Drawn, x: str, most: int = MOST_TRIALS) -> None:
    """Let trials be pointed at, with a ring around the one that is, here or in another chart."""
    log = type(plot.x_scale).__name__ == "LogScale"
    drawn.point(plot, "amongMarks", most, x=x, y="height", log=log)
    plot.scatter(
        x, "height", source=drawn.pointed, size=14, fill_color=None, line_color=POINTED, line_width=2.5, level="overlay"
    )
