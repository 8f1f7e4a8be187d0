"""Learning curves: every metric on every data set after each tree."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import Span
from numpy.typing import NDArray

from gbdist.models.history import LEARN, TrainingRecord
from gbdist.report.style import PALETTE, SOFT, Chart, Section, chart_figure, with_legend
from gbdist.report.subject import Subject
from gbdist.spaced import evenly_spaced

#: Points of a curve that are drawn; a screen has fewer columns.
_MOST_POINTS = 2_000
_READING = (
    "Each line is a metric on one data set after each tree that was added, the first one being 0. Where the line of a validation "
    "set turns back while that of the training set (learn) goes on, the model has begun to learn its rows by heart."
)
_NO_RECORD = (
    "This file does not say how metrics went in training, so there are no curves to draw. Files that gbdist or CatBoost wrote "
    "after a fit say it; sums of models do not."
)


@dataclass(frozen=True, eq=False)
class Curve:
    """Values of a metric on one data set: ``iterations`` int64 [n] ascending, ``values`` float64 [n]."""

    data_set: str
    iterations: NDArray[np.int64]
    values: NDArray[np.float64]


def curves_of(record: TrainingRecord) -> dict[str, list[Curve]]:
    """Curves by metric, in the order in which metrics appear; values that are not finite are left out."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for iteration, table in enumerate(record.scores):
        for data_set, values in table.items():
            for metric, value in values.items():
                if np.isfinite(value):
                    found.setdefault(metric, {}).setdefault(data_set, []).append((iteration, value))
    return {
        metric: [
            Curve(name, np.array([i for i, _ in points]), np.array([value for _, value in points]))
            for name, points in of_sets.items()
        ]
        for metric, of_sets in found.items()
    }


def curves_section(subject: Subject) -> Section:
    """The section; in words where the model does not keep its history."""
    record = subject.record
    if record is None:
        return Section("Learning curves", _READING, notes=(_NO_RECORD,))
    curves = curves_of(record)
    if not curves:
        return Section(
            "Learning curves", _READING, notes=("No metric was computed in training, so there is no curve.",)
        )
    colors = _colors([curve for of_metric in curves.values() for curve in of_metric])
    charts = [
        Chart(f"curve_{number}", metric, _drawn(metric, of_metric, record, colors), wide=len(curves) == 1)
        for number, (metric, of_metric) in enumerate(curves.items())
    ]
    return Section("Learning curves", _READING, tuple(charts), _notes(record, subject))


def _notes(record: TrainingRecord, subject: Subject) -> tuple[str, ...]:
    if record.best_iteration < 0:
        return ("There was no validation set, so there is no best iteration.",)
    kept, grown = subject.model.tree_count_, len(record.scores)
    best = f"The best iteration, {record.best_iteration:,}, is marked"
    return (f"{best}; {grown:,} were done, and the model has {kept:,} trees.",)


def _colors(curves: list[Curve]) -> dict[str, str]:
    """A colour for each data set, the same in all charts; the training set's is grey."""
    evals = [name for name in dict.fromkeys(curve.data_set for curve in curves) if name != LEARN]
    return {name: PALETTE[number % len(PALETTE)] for number, name in enumerate(evals)} | {LEARN: "#8a96a3"}


def _drawn(metric: str, curves: list[Curve], record: TrainingRecord, colors: dict[str, str]) -> Any:
    tips = [("data set", "$name"), ("iteration", "@x{0,0}"), (metric, "@y{0.[000000]}")]
    plot = chart_figure("iteration (number of the tree, from 0)", metric, 320, tips, zoomed=True)
    for curve in curves:
        color, kept = colors[curve.data_set], _thinned(curve, record.best_iteration)
        x, y = curve.iterations[kept], curve.values[kept]
        label = {"legend_label": curve.data_set, "name": curve.data_set}
        if len(x) == 1:
            plot.scatter(x, y, size=9, color=color, **label)
        else:
            plot.line(x, y, line_width=2.5, color=color, **label)
        best = x == record.best_iteration
        if curve.data_set != LEARN and best.any():
            plot.scatter(x[best], y[best], size=10, color=color, line_color="white", line_width=1.5, **label)
    if record.best_iteration >= 0:
        plot.add_layout(
            Span(
                location=record.best_iteration, dimension="height", line_color=SOFT, line_dash="dashed", line_width=1.5
            )
        )
    rises = curves[-1].values[-1] > curves[-1].values[0]
    return with_legend(plot, "bottom_right" if rises else "top_right")


def _thinned(curve: Curve, best: int) -> NDArray[np.int64]:
    """Places of the points that are drawn: evenly spaced, with the last one and the best."""
    return np.union1d(evenly_spaced(len(curve.iterations), _MOST_POINTS), np.flatnonzero(curve.iterations == best))
