"""Residuals of a regressor: where predictions miss, and by how much."""

from typing import Any

import numpy as np
from bokeh.models import Span
from numpy.typing import NDArray

from gbdist.report.style import PALETTE, SOFT, Chart, chart_figure, with_legend
from gbdist.report.subject import Rows, Subject
from gbdist.spaced import evenly_spaced

#: Dots that are drawn, groups of rows that the median is drawn of, and bars of the histogram.
_MOST_POINTS, N_GROUPS, _BARS = 4_000, 15, 60
_FEWEST_IN_GROUP = 10


def residual_charts(subject: Subject, rows: Rows) -> tuple[tuple[Chart, ...], tuple[str, ...]]:
    """Predictions against residuals, and the residuals' histogram."""
    predicted = subject.predicted(rows)[:, 0]
    residual = residuals(rows, predicted)
    name = rows.label_name
    notes = []
    if rows.n > _MOST_POINTS:
        notes.append(f"{_MOST_POINTS:,} of them are drawn as dots.")
    charts = (
        Chart("residuals", "Where predictions miss", _scatter(predicted, residual, name)),
        Chart("residual_histogram", "How often they miss by how much", _histogram(residual, name)),
    )
    return charts, tuple(notes)


def residuals(rows: Rows, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Label less prediction, float64 [n]."""
    return np.asarray(rows.known_label - predicted, dtype=np.float64)


def quartiles(
    predicted: NDArray[np.float64], residual: NDArray[np.float64], n_groups: int = N_GROUPS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean prediction [groups] and quartiles of the residuals [groups, 3] of groups of rows, of like predictions and size."""
    groups = np.array_split(
        np.argsort(predicted, kind="stable"), max(1, min(n_groups, len(predicted) // _FEWEST_IN_GROUP))
    )
    middles = [predicted[group].mean() for group in groups]
    return np.asarray(middles), np.asarray([np.quantile(residual[group], (0.25, 0.5, 0.75)) for group in groups])


def _scatter(predicted: NDArray[np.float64], residual: NDArray[np.float64], name: str) -> Any:
    tips = [("prediction", "@x{0.[0000]}"), ("residual", "@y{+0.[0000]}")]
    plot = chart_figure(f"prediction (units of {name})", f"residual: {name} − prediction", 440, tips, zoomed=True)
    drawn = evenly_spaced(len(predicted), _MOST_POINTS)
    plot.scatter(predicted[drawn].astype(np.float32), residual[drawn].astype(np.float32), size=5, alpha=0.35,
                 color=PALETTE[0], line_color=None)  # fmt: skip
    middle, of_groups = quartiles(predicted, residual)
    plot.varea(middle, of_groups[:, 0], of_groups[:, 2], color=PALETTE[1], alpha=0.25, legend_label="half of the rows")
    plot.line(middle, of_groups[:, 1], color=PALETTE[1], line_width=2.5, legend_label="median")
    plot.add_layout(Span(location=0, dimension="width", line_color=SOFT, line_dash="dashed", line_width=1.5))
    return with_legend(plot, "top_left")


def _histogram(residual: NDArray[np.float64], name: str) -> Any:
    # A few rows far out would squeeze all others into one bar.
    low, high = np.quantile(residual, (0.002, 0.998))
    counts, edges = np.histogram(residual.clip(low, high), bins=_BARS)
    tips = [("rows", "@top{0,0}"), ("from", "@left{+0.[0000]}"), ("to", "@right{+0.[0000]}")]
    plot = chart_figure(f"residual: {name} − prediction (the outer bars hold all rows beyond)", "rows", 260, tips)
    plot.quad(left=edges[:-1], right=edges[1:], top=counts, bottom=0, color=PALETTE[0], line_color="white")
    plot.add_layout(Span(location=0, dimension="height", line_color=SOFT, line_dash="dashed", line_width=1.5))
    return plot
