"""What each feature contributes to the model: how far predictions move with it, and how much worse the loss is without it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.report.asking import asked
from gbdist.report.style import PALETTE, Chart, Section, chart_figure, shortened
from gbdist.report.subject import Subject

#: Features that are drawn; all are counted.
MOST_FEATURES = 20
#: Rows that LossFunctionChange, which explains each of them, is computed on.
LOSS_CHANGE_ROWS = 2_000
_READING = (
    "The longer a bar, the more the model leans on that feature. The change of predictions is known from the model alone and "
    "adds up to 100 %; the change of the loss says how much worse the model would be on these rows without the feature, in the "
    "loss's own unit. A feature that moves predictions but does not lower the loss has been learnt in vain."
)


def importances_section(subject: Subject) -> Section:
    """Bars of both kinds, as far as they can be had."""
    charts: list[Chart] = []
    notes: list[str] = []
    moved = asked("Change of predictions", lambda: subject.model.get_feature_importance(type="PredictionValuesChange"))
    if isinstance(moved, str):
        notes.append(moved)
    else:
        heading = "Change of predictions (PredictionValuesChange)"
        charts.append(Chart("importance", heading, bars(moved, subject.features, "share of all changes, %", "#0072b2")))
    lost = loss_change(subject)
    if isinstance(lost, str):
        notes.append(lost)
    else:
        values, which = lost
        unit = f"change of {subject.loss or 'the loss'} without the feature"
        heading = "Change of the loss (LossFunctionChange)"
        charts.append(Chart("loss_change", heading, bars(values, subject.features, unit, PALETTE[1])))
        notes.append(f"The change of the loss is that of {which}.")
    if len(subject.features) > MOST_FEATURES:
        notes.append(f"The {MOST_FEATURES} most important of {len(subject.features):,} features are shown.")
    return Section("Feature importances", _READING, tuple(charts), tuple(notes))


def loss_change(subject: Subject) -> tuple[NDArray[np.float64], str] | str:
    """LossFunctionChange [n_features] and, in words, the rows it was computed on; or why there is none."""
    what = "The change of the loss"
    if subject.task == "other":
        of = "several values a row or of times, nor of losses that the page does not know"
        return f"{what} is not computed for models of {of}."
    if subject.rows is None or subject.rows.label is None:
        return f"With rows that have labels this also shows how much worse the loss is without each feature. {subject.remedy}"
    if subject.task == "ranking":
        return f"{what} of a ranker needs the groups of its rows, which this page is not given."
    if not subject.has_splits:
        return f"{what} is 0 for every feature: no tree has a split."
    rows = subject.rows.some(LOSS_CHANGE_ROWS)
    answer = asked(what, lambda: subject.model.get_feature_importance(subject.pool(rows), type="LossFunctionChange"))
    return answer if isinstance(answer, str) else (answer, subject.rows.told(rows.n))


def most_important(values: NDArray[np.float64], most: int = MOST_FEATURES) -> NDArray[np.int64]:
    """Places of the largest values, largest first; of equal ones the first feature first."""
    return np.argsort(-values, kind="stable")[:most]


def bars(values: NDArray[np.float64], names: tuple[str, ...], unit: str, color: str) -> Any:
    """Horizontal bars of the largest values, the largest on top."""
    shown = most_important(values)
    places = np.arange(len(shown))[::-1]
    source = {"y": places, "value": values[shown], "name": [names[i] for i in shown]}
    tips = [("feature", "@name"), (unit, "@value{0.[0000]}")]
    plot = feature_figure([names[i] for i in shown], unit, 30 * len(shown) + 90, tips)
    plot.hbar(y="y", right="value", height=0.72, color=color, source=source)
    plot.x_range.start = min(0.0, float(values[shown].min()) * 1.05)
    return plot


def feature_figure(names: list[str], unit: str, height: int, tips: list[tuple[str, str]]) -> Any:
    """A figure with a row for each feature, the first one on top, numbered from the bottom."""
    plot = chart_figure(unit, "", height, tips, y_range=(-0.6, len(names) - 0.4))
    plot.yaxis.ticker = list(range(len(names)))
    labels = [shortened(name) for name in reversed(names)]
    plot.yaxis.major_label_overrides = dict(enumerate(labels))
    plot.yaxis.axis_line_color = None
    plot.yaxis.major_tick_line_color = None
    plot.ygrid.grid_line_color = None
    return plot
