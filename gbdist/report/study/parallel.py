"""Parallel coordinates: a line for each trial, across an axis for each parameter and one for the score."""

from typing import Any

import numpy as np
from bokeh.events import Reset, SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, CustomJS, FixedTicker
from numpy.typing import NDArray

from gbdist.report.study.columns import ABSENT, BEST, MOST_LINES, MOST_PARAMETERS, POINTED, Drawn, view_of
from gbdist.report.style import INK, Chart, Section, chart_figure, shortened

_READING = (
    "Each line is a trial, the darker the better; grey ones were pruned, or failed. The best trial is orange. Draw a box over an "
    "axis to keep the trials that pass there, a second one to keep fewer; the button with the round arrow brings all back."
)
_TITLE = "Parallel coordinates"
#: Pixels between axes; a narrower screen moves the chart to and fro.
_LEAST_WIDTH = 72
#: Chooses trials whose lines pass the box on all axes that it covers, among those that are chosen already.
_CHOOSE = """
const {x0, x1, y0, y1} = cb_obj.geometry
if (!cb_obj.final) return
const covered = axes.filter((axis) => axis >= x0 && axis <= x1)
if (!covered.length) return
const columns = covered.map((axis) => source.get_column(`y_${axis}`))
const before = source.selected.indices
const among = before.length ? before : [...columns[0].keys()]
source.selected.indices = among.filter((i) => columns.every((column) => column[i] >= y0 && column[i] <= y1))
"""
_ALL = "source.selected.indices = []"


def parallel_section(drawn: Drawn) -> Section:
    """The section; in words where no parameter varied."""
    if not drawn.dimensions:
        return Section(
            _TITLE, _READING, notes=("No parameter had more than one value, so there is nothing to compare.",)
        )
    notes = [*left_out(drawn), *drawn.few(MOST_LINES)]
    if _absent(drawn).any():
        notes.append("Lines pass below an axis, at “none”, where a trial had no value.")
    logs = [each.name for each in drawn.dimensions if each.log]
    if logs:
        notes.append(f"Drawn on a scale of logarithms: {', '.join(logs)}.")
    chart = Chart("parallel", "Trials", _drawn(drawn), narrowest=_LEAST_WIDTH * len(drawn.axes))
    return Section(_TITLE, _READING, (chart,), tuple(notes))


def left_out(drawn: Drawn) -> tuple[str, ...]:
    """What charts of parameters do not show."""
    notes = []
    if drawn.n_varied > len(drawn.dimensions):
        chosen = "first" if isinstance(drawn.facts.importances, str) else "most important"
        notes.append(f"The {MOST_PARAMETERS} {chosen} of {drawn.n_varied} parameters are shown.")
    same = [f"{name} ({value})" for name, value in drawn.constants if value is not None]
    if same:
        notes.append(f"The same in all trials: {', '.join(same)}.")
    return tuple(notes)


def _drawn(drawn: Drawn) -> Any:
    n_axes = len(drawn.axes)
    plot = chart_figure(
        "",
        "",
        420,
        zoomed=True,
        tools="reset,save",
        x_range=(-0.15, n_axes - 0.55),
        y_range=(ABSENT - 0.05 if _absent(drawn).any() else -0.05, 1.05),
    )
    plot.grid.visible = plot.yaxis.visible = False
    plot.xaxis.ticker = FixedTicker(ticks=list(range(n_axes)))
    plot.xaxis.major_label_overrides = {at: shortened(axis.dimension.name, 24) for at, axis in enumerate(drawn.axes)}
    plot.xaxis.major_label_orientation = 0.6 if n_axes > 4 else "horizontal"
    plot.xaxis.axis_line_color = plot.xaxis.major_tick_line_color = None
    rows = np.array(drawn.some(MOST_LINES), dtype=np.int64)
    complete = ~np.isnan(drawn.ranks[rows])
    layers = [(rows[chosen].tolist(), most) for chosen, most in ((~complete, 20), (complete, 60))]
    best = _best(drawn)
    for left in range(n_axes - 1):
        ends = {"x0": left, "x1": left + 1, "y0": f"y_{left}", "y1": f"y_{left + 1}"}
        for places, most in layers:
            alpha = float(np.clip(most / max(len(places), 1), 0.03, 0.8))
            plot.segment(**ends, source=drawn.source, view=view_of(places), color=drawn.color,
                         line_width=1.5, alpha=alpha, nonselection_line_alpha=0.02, selection_line_alpha=0.8)  # fmt: skip
        plot.segment(**ends, source=best, color=BEST, line_width=3)
        plot.segment(**ends, source=drawn.pointed, color=POINTED, line_width=3, level="overlay")
    _axes(plot, drawn)
    brush = BoxSelectTool(renderers=[], description="Keep the trials that pass through a box")
    plot.add_tools(brush)
    drawn.point(plot, "amongLines", MOST_LINES, axes=n_axes)
    plot.toolbar.active_drag = None
    given = {"source": drawn.source, "axes": list(range(n_axes))}
    plot.js_on_event(SelectionGeometry, CustomJS(args=given, code=_CHOOSE))
    plot.js_on_event(Reset, CustomJS(args=given, code=_ALL))
    return plot


def _absent(drawn: Drawn) -> NDArray[np.bool_]:
    """Which axes have trials without a value there, bool [n_axes]."""
    return np.array([bool((drawn.source.data[f"y_{k}"] < 0).any()) for k in range(len(drawn.axes))])


def _best(drawn: Drawn) -> ColumnDataSource:
    best = drawn.facts.best
    at = [place for place, trial in enumerate(drawn.trials) if trial is best]
    return ColumnDataSource({f"y_{k}": drawn.source.data[f"y_{k}"][at] for k in range(len(drawn.axes))})


def _axes(plot: Any, drawn: Drawn) -> None:
    """Lines of the axes, and their labels on white, to be read above the trials."""
    n_axes = len(drawn.axes)
    plot.segment(x0=list(range(n_axes)), x1=list(range(n_axes)), y0=0, y1=1, color="#8a96a3", line_width=1.5)
    places = [(at, y, shortened(text, 14)) for at, axis in enumerate(drawn.axes) for y, text in axis.ticks]
    places += [(int(at), ABSENT, "none") for at in np.flatnonzero(_absent(drawn))]
    x, y, text = zip(*places, strict=True)
    plot.text(
        x=list(x),
        y=list(y),
        text=list(text),
        x_offset=4,
        text_baseline="middle",
        text_font_size="11px",
        text_color=INK,
        background_fill_color="white",
        background_fill_alpha=0.75,
    )
