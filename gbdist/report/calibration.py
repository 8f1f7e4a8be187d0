"""Whether probabilities, or quantiles, keep what they promise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

from gbdist.report.style import PALETTE, SOFT, Chart, chart_figure, with_legend
from gbdist.report.subject import Rows, Subject, quantile_levels

#: Groups of rows of equal size, and classes that are drawn: the most frequent.
N_GROUPS, MOST_CLASSES = 10, 8

Charts = tuple[tuple[Chart, ...], tuple[str, ...]]


def calibration_charts(subject: Subject, rows: Rows) -> Charts:
    """A reliability diagram, of each class against all others where there are several, and histograms of probabilities."""
    label, said = rows.known_label, subject.predicted(rows, "Probability")
    shown = _classes_shown(label, len(subject.classes))
    notes = []
    if len(subject.classes) > 2 and len(shown) < len(subject.classes):
        notes.append(f"The {len(shown)} most frequent of {len(subject.classes):,} classes are shown.")
    plot = chart_figure("probability that the model gave", "share of rows that were of the class", 440,
                        [("class", "$name"), ("said", "@x{0.[000]}"), ("was", "@y{0.[000]}")],
                        x_range=(-0.02, 1.02), y_range=(-0.02, 1.02))  # fmt: skip
    plot.line([0, 1], [0, 1], color=SOFT, line_dash="dashed", line_width=1.5)
    bars = chart_figure("probability that the model gave", "rows", 440, [("class", "$name"), ("rows", "@top{0,0}")],
                        x_range=(-0.02, 1.02))  # fmt: skip
    for number, i in enumerate(shown):
        was, given = reliability(label == i, said[:, i])
        name, color = subject.classes[i], PALETTE[number]
        plot.line(given, was, line_width=2, color=color, legend_label=name, name=name)
        plot.scatter(given, was, size=9, color=color, legend_label=name, name=name)
        counts, edges = np.histogram(said[:, i], bins=25, range=(0, 1))
        if len(shown) == 1:
            bars.quad(
                left=edges[:-1], right=edges[1:], top=counts, bottom=0, color=color, name=name, line_color="white"
            )
        else:  # bars would hide each other
            middles = (edges[:-1] + edges[1:]) / 2
            bars.step(
                "x", "top", source={"x": middles, "top": counts}, mode="center", color=color, name=name, line_width=2
            )
    heading = f"Was it {subject.classes[-1]!r}?" if len(subject.classes) == 2 else "Each class against all others"
    return (
        Chart("calibration", heading, with_legend(plot, "top_left"), wide=False),
        Chart("probabilities", "Probabilities that were given", bars, wide=False),
    ), tuple(notes)


def reliability(was: NDArray[np.bool_], said: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of rows that were of a class, and mean probability given, in each of up to ``N_GROUPS`` groups of equal size."""
    true, predicted = calibration_curve(was, said.clip(0.0, 1.0), n_bins=N_GROUPS, strategy="quantile", pos_label=True)
    return np.asarray(true), np.asarray(predicted)


def _classes_shown(label: NDArray[Any], n_classes: int) -> list[int]:
    """The second of two classes; else those with most rows, in their own order."""
    if n_classes == 2:
        return [1]
    counts = np.bincount(label, minlength=n_classes)
    return sorted(int(i) for i in np.argsort(-counts, kind="stable")[:MOST_CLASSES])


def coverage_charts(subject: Subject, rows: Rows) -> Charts:
    """The share of rows at or below each quantile that the model predicts."""
    levels = np.asarray(quantile_levels(subject.model))
    below = (rows.known_label[:, None] <= subject.predicted(rows)).mean(axis=0)
    plot = chart_figure("quantile that was asked for", f"share of rows whose {rows.label_name} is not above it", 420,
                        [("quantile", "@x"), ("share", "@y{0.[000]}")],
                        x_range=(-0.02, 1.02), y_range=(-0.02, 1.02))  # fmt: skip
    plot.line([0, 1], [0, 1], color=SOFT, line_dash="dashed", line_width=1.5)
    plot.scatter(levels, below, size=11, color=PALETTE[0])
    return (Chart("coverage", "Promised and kept", plot),), ()
