"""How all charts look: one factory of figures, one palette. Units stand on the axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import HoverTool, Range1d
from bokeh.plotting import figure
from numpy.typing import NDArray

#: Distinct also to most who do not see all colours (Okabe and Ito's set, the yellow left out).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b5b5b", "#8c4a2f")
INK, SOFT, GRID = "#1f2933", "#66727f", "#e6eaee"
#: From low to high.
LOW, HIGH, MISSING = "#2f6fdb", "#d6336c", "#a9b2bb"


@dataclass(frozen=True, eq=False)
class Chart:
    """One plot on the page: a name for it that is unique there, its heading, and Bokeh's model of it.

    On screens narrower than ``narrowest`` pixels it is moved to and fro.
    """

    name: str
    heading: str
    model: Any
    wide: bool = True
    narrowest: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """What a place of a table says, and what its column is sorted by there; None stands last whichever way one sorts."""

    text: str
    key: float | str | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of as many cells as there are columns; a table with a ``name`` can be sorted by its reader.

    ``marked`` is the row that stands out, −1 for none. ``tags`` are what scripts know the rows by, as long as ``rows`` or empty.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    name: str = ""
    marked: int = -1
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Section:
    """A part of the page: how to read its charts in a sentence or two, and notes: what was used, and what is not here."""

    title: str
    reading: str
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()
    table: Table | None = None


def nearly_all(values: NDArray[np.float64], *, greater_is_better: bool, left_out: float, room: float) -> Range1d:
    """An axis from the best value to what nearly all are better than: first iterations would press the rest into a line.

    Parameters
    ----------
    values : float64 [n]; those that are not finite do not count
    left_out : the share of the worst values that may lie outside
    room : beyond both ends, as a share of their distance
    """
    told = values[np.isfinite(values)]
    if not told.size:
        return Range1d(0, 1)
    low, high = told.min(), told.max()
    if greater_is_better:
        low = np.quantile(told, left_out)
    else:
        high = np.quantile(told, 1 - left_out)
    beyond = float(high - low) * room or 0.5
    return Range1d(float(low) - beyond, float(high) + beyond)


def chart_figure(
    x: str, y: str, height: int, tips: Sequence[tuple[str, str]] | None = None, *, zoomed: bool = False, **more: Any
) -> Any:
    """An empty figure as wide as its place; ``x`` and ``y`` are the axes' names with units, ``tips`` what hovering shows.

    With ``zoomed`` one may zoom in, and out again, with the buttons above it; ``tools`` are others than these.
    """
    given = {"tools": "pan,box_zoom,reset,save" if zoomed else "", "toolbar_location": "above" if zoomed else None}
    plot = figure(
        x_axis_label=x or None, y_axis_label=y or None, height=height, sizing_mode="stretch_width", **(given | more)
    )
    if tips is not None:
        plot.add_tools(HoverTool(tooltips=list(tips)))
    plot.toolbar.logo = None
    plot.outline_line_color = None
    plot.background_fill_color = plot.border_fill_color = "#ffffff"
    plot.grid.grid_line_color = GRID
    for axis in plot.axis:
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = SOFT
        axis.axis_line_color = axis.major_tick_line_color = "#b8c1ca"
        axis.minor_tick_line_color = None
        axis.major_label_text_color = INK
        axis.axis_label_text_font_size = "13px"
        axis.major_label_text_font_size = "12px"
    return plot


def with_legend(plot: Any, location: str = "top_right") -> Any:
    """The figure with its legend above or in it, whose entries switch lines off."""
    for legend in plot.legend:
        legend.location = location
        legend.click_policy = "hide"
        legend.background_fill_alpha = 0.8
        legend.border_line_color = None
        legend.label_text_font_size = "12px"
        legend.label_text_color = INK
    return plot


def shortened(name: str, most: int = 28) -> str:
    """A name that fits beside a chart; its end stays, which is where the names of columns and the borders of tests differ."""
    tail = most // 2 - 1
    return name if len(name) <= most else f"{name[: most - tail - 1]}…{name[-tail:]}"
