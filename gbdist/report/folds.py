"""The page about a cross-validation: curves of all metrics, as means over the folds with bands."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Range1d, Span
from numpy.typing import NDArray

from gbdist.report.page import Head, rendered
from gbdist.report.style import PALETTE, SOFT, Cell, Chart, Section, Table, chart_figure, nearly_all, with_legend
from gbdist.spaced import evenly_spaced

#: Points of a curve that are drawn; folds whose own curves are drawn, and points of these.
_MOST_POINTS, _MOST_FOLDS, _MOST_POINTS_OF_FOLD = 1_000, 20, 300
_COLORS = {"test": PALETTE[1], "train": "#8a96a3"}
_READING = (
    "Each thick line is the mean of a metric over the folds after each tree of each of them, the first tree being 0; the band "
    "around it is one standard deviation of the folds wide on both sides. “test” are the rows that a fold held out, “train” "
    "those that it was trained on. Bands that are wide beside the distance of two settings mean that the folds cannot tell them "
    "apart."
)
_TABLE = (
    "The best mean of the held-out rows with its standard deviation, where it was reached, and what held after the last "
    "iteration."
)


@dataclass(frozen=True, eq=False)
class Spread:
    """A metric over the folds: ``mean`` and ``deviation`` float64 [n]; ``folds`` float64 [n_folds, n], None where not known."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    folds: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class MetricCurves:
    """A metric after each iteration that it was computed at.

    Parameters
    ----------
    iterations : int64 [n], ascending
    test : of the rows held out
    train : of those trained on; None where it was not computed
    decides : whether it is the one that early stopping looks at
    """

    metric: str
    greater_is_better: bool
    iterations: NDArray[np.int64]
    test: Spread
    train: Spread | None = None
    decides: bool = False

    @property
    def best(self) -> int:
        """Place of the best mean of the rows held out, the first of equal ones; −1 where none is a number."""
        mean = self.test.mean if self.greater_is_better else -self.test.mean
        return int(np.nanargmax(mean)) if np.isfinite(mean).any() else -1


@dataclass(frozen=True, eq=False)
class FoldsFacts:
    """A cross-validation: what the page is called, how many folds there are, and more lines for the table on top."""

    name: str
    n_folds: int
    metrics: tuple[MetricCurves, ...]
    details: tuple[tuple[str, str], ...] = ()


def folds_page(facts: FoldsFacts) -> str:
    """The page as HTML, one file that loads nothing from anywhere."""
    return rendered(Head(facts.name, "Cross-validation report", "The folds", _on_top(facts)), _sections(facts))


def _on_top(facts: FoldsFacts) -> list[tuple[str, str]]:
    told = [("Folds", f"{facts.n_folds:,}")]
    for one in facts.metrics:
        if one.decides and one.best >= 0:
            told.append(("Best iteration", f"{one.iterations[one.best]:,}, by {one.metric}"))
            told.append((f"{one.metric} there", _with_deviation(one.test, one.best)))
    return [*told, *facts.details]


def _sections(facts: FoldsFacts) -> list[Section]:
    if not any(len(one.iterations) for one in facts.metrics):
        return [Section("Learning curves", _READING, notes=("No metric was computed, so there is no curve.",))]
    wide = len(facts.metrics) == 1
    charts = tuple(Chart(f"curve_{k}", one.metric, _drawn(one), wide=wide) for k, one in enumerate(facts.metrics))
    return [Section("Learning curves", _READING, charts, _notes(facts)), *_tables(facts)]


def _notes(facts: FoldsFacts) -> tuple[str, ...]:
    notes = ["The dashed line is the best iteration of the metric itself, dots mark it."]
    folds = [
        spread.folds for one in facts.metrics for spread in (one.test, one.train) if spread and spread.folds is not None
    ]
    if folds:
        few = f"{_MOST_FOLDS} of them are" if facts.n_folds > _MOST_FOLDS else "each is"
        notes.append(f"Thin lines are the folds; {few} drawn.")
    if max(len(one.iterations) for one in facts.metrics) > _MOST_POINTS_OF_FOLD:
        notes.append(
            f"Of means {_MOST_POINTS:,} and of folds {_MOST_POINTS_OF_FOLD} points at most are drawn, evenly chosen."
        )
    return tuple(notes)


def _drawn(curves: MetricCurves) -> Any:
    best = "greater is better" if curves.greater_is_better else "smaller is better"
    tips = [
        ("rows", "$name"),
        ("iteration", "@x{0,0}"),
        ("mean", "@mean{0.[000000]}"),
        ("deviation", "@deviation{0.[000000]}"),
    ]
    plot = chart_figure("iteration (number of the tree, from 0)", f"{curves.metric} ({best})", 340, zoomed=True)
    means = []
    for name, spread in (("train", curves.train), ("test", curves.test)):
        if spread is not None:
            means.append(_line(plot, name, curves, spread))
    if curves.best >= 0:
        at = int(curves.iterations[curves.best])
        plot.add_layout(Span(location=at, dimension="height", line_color=SOFT, line_dash="dashed", line_width=1.5))
        plot.scatter(
            [at], [curves.test.mean[curves.best]], size=10, color=_COLORS["test"], line_color="white", line_width=1.5
        )
    plot.y_range = _reach(curves)
    plot.add_tools(HoverTool(tooltips=tips, renderers=means, line_policy="nearest"))
    return with_legend(plot, "bottom_right" if curves.greater_is_better else "top_right")


def _line(plot: Any, name: str, curves: MetricCurves, spread: Spread) -> Any:
    """The band, the folds and the mean of one kind of rows; what hovering is about."""
    color = _COLORS[name]
    kept = np.union1d(evenly_spaced(len(curves.iterations), _MOST_POINTS), [curves.best] if curves.best >= 0 else [])
    kept = kept.astype(np.int64)
    x, mean, deviation = curves.iterations[kept], spread.mean[kept], spread.deviation[kept]
    source = ColumnDataSource(
        {"x": x, "mean": mean, "deviation": deviation, "low": mean - deviation, "high": mean + deviation}
    )
    if len(x) == 1:
        plot.segment(x0="x", x1="x", y0="low", y1="high", source=source, color=color, line_width=6, alpha=0.3)
        return plot.scatter("x", "mean", source=source, size=9, color=color, legend_label=name, name=name)
    plot.varea(x="x", y1="low", y2="high", source=source, color=color, alpha=0.18, legend_label=name)
    if spread.folds is not None:
        fewer = evenly_spaced(len(curves.iterations), _MOST_POINTS_OF_FOLD)
        folds = spread.folds[evenly_spaced(len(spread.folds), _MOST_FOLDS)][:, fewer]
        plot.multi_line(
            [curves.iterations[fewer]] * len(folds),
            list(folds),
            color=color,
            alpha=0.4,
            line_width=1,
            legend_label=name,
        )
    return plot.line("x", "mean", source=source, color=color, line_width=2.5, legend_label=name, name=name)


def _reach(curves: MetricCurves) -> Range1d:
    """The axis of the means, with their bands."""
    shown = [spread for spread in (curves.test, curves.train) if spread is not None]
    ends = np.concatenate([edge for one in shown for edge in (one.mean - one.deviation, one.mean + one.deviation)])
    return nearly_all(ends, greater_is_better=curves.greater_is_better, left_out=0.02, room=0.05)


def _tables(facts: FoldsFacts) -> list[Section]:
    rows = []
    for one in facts.metrics:
        last = len(one.iterations) - 1
        if last < 0:
            continue
        cells = (
            ["none", "none"] if one.best < 0 else [_with_deviation(one.test, one.best), f"{one.iterations[one.best]:,}"]
        )
        ends = [_with_deviation(one.test, last), "" if one.train is None else _with_deviation(one.train, last)]
        rows.append(tuple(Cell(text) for text in (one.metric, *cells, *ends)))
    columns = ("metric", "best test", "at iteration", "last test", "last train")
    found = [Section("Best and last values", _TABLE, table=Table(columns, tuple(rows)))]
    deciding = [one for one in facts.metrics if one.decides and one.best >= 0]
    if deciding and any(one.test.folds is not None for one in facts.metrics):
        found.append(_fold_by_fold(facts, deciding[0]))
    return found


def _fold_by_fold(facts: FoldsFacts, deciding: MetricCurves) -> Section:
    """What each fold says at the best iteration, of metrics that were computed then."""
    at = int(deciding.iterations[deciding.best])
    told = [(one, np.flatnonzero(one.iterations == at)) for one in facts.metrics if one.test.folds is not None]
    told = [(one, place) for one, place in told if len(place)]
    rows = tuple(
        (
            Cell(f"{fold}", fold),
            *(_number(one.test.folds[fold, place[0]]) for one, place in told if one.test.folds is not None),
        )
        for fold in range(facts.n_folds)
    )
    reading = f"Metrics of the rows that each fold held out, after iteration {at:,}, the best one by {deciding.metric}."
    return Section("Fold by fold", reading, table=Table(("fold", *(one.metric for one, _ in told)), rows))


def _number(value: float) -> Cell:
    return Cell(f"{value:.6g}", float(value))


def _with_deviation(spread: Spread, at: int) -> str:
    return f"{spread.mean[at]:.6g} ± {spread.deviation[at]:.2g}"
