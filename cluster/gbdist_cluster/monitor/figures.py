"""The models of the page, empty: what is in them ``drawing`` says, by the names that they have here.

Their ranges are set from there too: ranges that follow the data in the browser would be told back to the scheduler.
"""

from typing import Any

from bokeh.models import ColumnDataSource, Div, FactorRange, HoverTool, InlineStyleSheet, Range1d
from bokeh.plotting import figure

from gbdist_cluster.monitor.drawing import LEGEND_COLUMNS

__all__ = ["roots"]

_INK, _SOFT, _GRID = "#1f2933", "#66727f", "#e6eaee"

_STYLE = """
:host { font: 14px/1.4 system-ui, sans-serif; color: #1f2933; width: 100%; }
.bk-clearfix { display: block !important; width: 100%; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; font-weight: 600; color: #66727f; border-bottom: 1px solid #b8c1ca; padding: 4px 8px; }
td { padding: 4px 8px; border-bottom: 1px solid #e6eaee; vertical-align: top; overflow-wrap: anywhere; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.trees { position: relative; }
.trees i { position: absolute; left: 0; bottom: 0; height: 3px; background: #0072b2; }
tr.shown { background: #eef4f9; }
a { color: #0b5f94; }
h2 { font-size: 18px; margin: 0; overflow-wrap: anywhere; } p { margin: 2px 0; overflow-wrap: anywhere; }
h2 span { font-size: 14px; font-weight: 400; }
.job { color: #66727f; }
.training, .preparing { color: #0b5f94; } .done { color: #00734f; } .failed, .error { color: #b3174f; }
.cancelled { color: #66727f; }
.training, .preparing, .done, .failed, .cancelled { white-space: nowrap; }
.follow { padding: 4px 8px; }
@media (max-width: 700px) { .wide { display: none; }
  td, th { padding: 4px 3px; font-size: 13px; } td.trees { white-space: normal; } }
"""


def roots() -> list[Any]:
    """All models that the page's template places, each under its name."""
    return [_text("runs"), _text("headline"), _curves(), _times(), _traffic(), _timeline(), _memory()]


def _text(name: str) -> Any:
    return Div(name=name, sizing_mode="stretch_width", margin=0, stylesheets=[InlineStyleSheet(css=_STYLE)])


def _figure(name: str, x: str, y: str, tips: list[tuple[str, str]], **more: Any) -> Any:
    plot = figure(
        name=name,
        x_axis_label=x,
        x_range=Range1d(0, 1, name=f"{name}-x"),
        height=280,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
        **more,
    )
    plot.add_tools(HoverTool(tooltips=tips))
    plot.toolbar.logo = None
    plot.outline_line_color = None
    plot.grid.grid_line_color = _GRID
    plot.yaxis.axis_label = y or None
    plot.yaxis.name = f"{name}-y-axis"
    plot.xaxis.name = f"{name}-x-axis"
    for axis in plot.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = _SOFT
        axis.axis_line_color = axis.major_tick_line_color = "#b8c1ca"
        axis.minor_tick_line_color = None
        axis.major_label_text_color = _INK
    return plot


def _numbers(name: str, x: str, y: str, tips: list[tuple[str, str]]) -> Any:
    plot = _figure(name, x, y, tips, y_range=Range1d(0, 1, name=f"{name}-y"))
    plot.xaxis.formatter.use_scientific = False
    return plot


def _bars(name: str, x: str, tips: list[tuple[str, str]]) -> Any:
    plot = _figure(name, x, "", tips, y_range=FactorRange(name=f"{name}-y"))
    plot.ygrid.grid_line_color = None
    return plot


def _legend(plot: Any, place: Any) -> None:
    for legend in plot.legend:
        legend.orientation = "horizontal"
        legend.border_line_color = None
        legend.background_fill_alpha = 0.0
        legend.label_text_font_size = "12px"
        legend.padding, legend.spacing, legend.margin, legend.glyph_width = 2, 8, 0, 14
        legend.ncols = LEGEND_COLUMNS
        plot.add_layout(legend, place)


def _source(name: str, *columns: str) -> Any:
    return ColumnDataSource({column: [] for column in columns}, name=name)


def _curves() -> Any:
    plot = _numbers("curves", "trees", "", [("set", "@name"), ("after", "$x{0,0}"), ("value", "$y{0.000000}")])
    lines = _source("curves-data", "xs", "ys", "name", "colour")
    plot.multi_line("xs", "ys", source=lines, color="colour", line_width=2, legend_field="name")
    plot.scatter("x", "y", source=_source("curves-best", "x", "y"), size=9, fill_color="white", line_color=_INK)
    _legend(plot, "above")
    return plot


def _times() -> Any:
    plot = _bars("times", "seconds since the epoch began", [("", "@name: @right"), ("", "@worker")])
    plot.hover.tooltips = [("rank", "@rank on @worker"), ("@name", "from @left to @right s")]
    source = _source("times-data", "rank", "left", "right", "name", "colour", "worker")
    plot.hbar("rank", height=0.7, left="left", right="right", color="colour", source=source, legend_field="name")
    _legend(plot, "above")
    return plot


def _traffic() -> Any:
    plot = _numbers("traffic", "trees", "MB", [("after", "@x{0,0}"), ("MB", "@y{0.000}")])
    plot.line("x", "y", source=_source("traffic-data", "x", "y"), color="#0072b2", line_width=2)
    return plot


def _timeline() -> Any:
    plot = _bars("timeline", "seconds since the run began", [("@kind", "@text"), ("at", "@at{0.0} s")])
    bars = _source("timeline-bars", "epoch", "left", "right", "colour")
    plot.hbar("epoch", height=0.5, left="left", right="right", color="colour", source=bars)
    dots = _source("timeline-dots", "epoch", "at", "kind", "text", "colour")
    drawn = plot.scatter("at", "epoch", size=10, color="colour", line_color="white", source=dots)
    plot.hover.renderers = [drawn]
    return plot


def _memory() -> Any:
    plot = _bars("memory", "GiB", [("worker", "@worker"), ("used", "@used{0.00} of @limit{0.00} GiB")])
    source = _source("memory-data", "worker", "used", "limit", "colour")
    plot.hbar("worker", height=0.7, right="limit", color="#dbe3ea", source=source)
    plot.hbar("worker", height=0.7, right="used", color="colour", source=source)
    return plot
