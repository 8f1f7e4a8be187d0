"""Slices: the score against each parameter alone."""

from typing import Any

from gbdist.report.study.columns import MOST_MARKS, Drawn
from gbdist.report.study.facts import STATES, Dimension, known
from gbdist.report.study.history import mark_pointed, mark_trials, trials_figure
from gbdist.report.study.parallel import left_out
from gbdist.report.style import Chart, Section, shortened
from gbdist.spaced import evenly_spaced

_READING = (
    "The score of each trial against one parameter at a time, marks as in the history. A parameter that matters shows a slope or "
    "a valley; where the best marks lie at an end of the axis, a wider range may hold better ones."
)
_MOST_LABELS = 12


def slices_section(drawn: Drawn) -> Section:
    """A chart for each parameter that varied."""
    if not drawn.dimensions:
        return Section("Slices", _READING, notes=("No parameter had more than one value.",))
    wide = len(drawn.dimensions) == 1
    charts = tuple(
        Chart(f"slice_{k}", one.name, _drawn(drawn, one, f"x_{k}"), wide=wide) for k, one in enumerate(drawn.dimensions)
    )
    return Section("Slices", _READING, charts, (*left_out(drawn), *drawn.few(MOST_MARKS)))


def _drawn(drawn: Drawn, dimension: Dimension, x: str) -> Any:
    plot = trials_figure(
        dimension.name + (" (logarithms)" if dimension.log else ""),
        drawn.facts.scoring,
        300,
        x_axis_type="log" if dimension.log else "linear",
    )
    if dimension.kind == "category":
        places = evenly_spaced(len(dimension.choices), _MOST_LABELS).tolist()
        plot.xaxis.ticker = places
        plot.xaxis.major_label_overrides = {at: shortened(dimension.choices[at], 16) for at in places}
        if len(places) > 4:
            plot.xaxis.major_label_orientation = 0.6
        plot.xgrid.grid_line_color = None
    for state in STATES:
        if any(trial.state == state and known(trial) for trial in drawn.trials):
            mark_trials(plot, drawn, x, state, 6, MOST_MARKS)
    mark_pointed(plot, drawn, x, MOST_MARKS)
    return plot
