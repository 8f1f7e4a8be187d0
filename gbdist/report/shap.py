"""SHAP values of some rows: how each feature moved each prediction, and which way."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColorBar, FixedTicker, LinearColorMapper, Span, TabPanel, Tabs
from numpy.typing import NDArray

from gbdist.report.asking import asked
from gbdist.report.importances import MOST_FEATURES, feature_figure, most_important
from gbdist.report.style import HIGH, LOW, MISSING, PALETTE, SOFT, Chart, Section
from gbdist.report.subject import Rows, Subject
from gbdist.spaced import evenly_spaced

#: Rows that are explained, and points that are drawn in all swarms together; a page stays a few megabytes.
SHAP_ROWS, _MOST_CELLS, _MOST_POINTS = 2_000, 20_000_000, 40_000
#: Swarms that are drawn for the raw values of a row: those that move most.
_MOST_VALUES = 8
_LEAST_ROWS = 50
_TITLE = "What moved the predictions (SHAP)"
_READING = (
    "Each dot is a row: how far a feature moved its prediction from the average, to the right for up, to the left for down, in "
    "units of the model's raw value. The colour is the feature's own value in that row, grey for categories and where it is "
    "missing. Red on the right means that high values push predictions up."
)


@dataclass(frozen=True, eq=False)
class Explained:
    """SHAP values, float64 [n_rows, n_values, n_features], of ``rows``; ``which`` says in words which these are."""

    values: NDArray[np.float64]
    rows: Rows
    which: str

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of their sizes over the rows, float64 [n_values, n_features]."""
        return np.asarray(np.abs(self.values).mean(axis=0))


def explain(subject: Subject) -> Explained | str:
    """SHAP values of at most ``SHAP_ROWS`` rows, or why there are none."""
    if subject.rows is None:
        return f"With rows this shows how each feature moved each prediction, and which way. {subject.remedy}"
    if not subject.has_splits:
        return "No tree has a split, so that no feature moves a prediction."
    cells = (len(subject.features) + 1) * subject.n_raw
    rows = subject.rows.some(max(_LEAST_ROWS, min(SHAP_ROWS, _MOST_CELLS // cells)))
    pool = subject.pool(rows)
    answer = asked("SHAP values", lambda: subject.model.get_feature_importance(pool, type="ShapValues"))
    if isinstance(answer, str):
        return answer
    return Explained(answer.reshape(rows.n, -1, answer.shape[-1])[..., :-1], rows, subject.rows.told(rows.n))


def shap_section(subject: Subject) -> Section:
    """A swarm of each raw value; with several also how much features move each of them."""
    found = explain(subject)
    if isinstance(found, str):
        return Section(_TITLE, _READING, notes=(found,))
    charts, notes = [], []
    names = subject.values if len(subject.values) == found.mean.shape[0] else ("",) * found.mean.shape[0]
    shown = np.sort(most_important(found.mean.sum(axis=1), _MOST_VALUES))
    if found.mean.shape[0] > 1:
        charts.append(
            Chart("shap_mean", "Mean size, by raw value", _stacked(found, subject, [int(i) for i in shown], names))
        )
        if len(shown) < found.mean.shape[0]:
            notes.append(f"The {len(shown)} of {found.mean.shape[0]:,} raw values that move most are shown.")
    most = max(_LEAST_ROWS, _MOST_POINTS // (len(shown) * min(MOST_FEATURES, len(subject.features))))
    drawn = evenly_spaced(found.rows.n, most)
    swarms = [(names[i], _swarm(found, subject, int(i), drawn)) for i in shown]
    plot = swarms[0][1] if len(swarms) == 1 else _tabs(swarms)
    charts.append(Chart("shap", "Rows", plot))
    few = "" if len(drawn) == found.rows.n else f"; {len(drawn):,} of them are drawn"
    notes.insert(0, f"Explained are {found.which}{few}.")
    return Section(_TITLE, _READING, tuple(charts), tuple(notes))


def _tabs(swarms: list[tuple[str, Any]]) -> Any:
    panels = [TabPanel(child=plot, title=name or f"value {number}") for number, (name, plot) in enumerate(swarms)]
    return Tabs(tabs=panels, sizing_mode="stretch_width")


def _stacked(found: Explained, subject: Subject, shown: list[int], names: tuple[str, ...]) -> Any:
    """Bars of the mean sizes, one piece for each raw value."""
    order = most_important(found.mean[shown].sum(axis=0))
    features = [subject.features[i] for i in order]
    unit = "mean size of the SHAP value (raw value)"
    plot = feature_figure(
        features, unit, 30 * len(order) + 110, [("feature", "@name"), ("of", "$name"), (unit, "@size{0.[0000]}")]
    )
    places, left = np.arange(len(order))[::-1], np.zeros(len(order))
    for number, i in enumerate(shown):
        size = found.mean[i, order]
        source = {"y": places, "left": left, "right": left + size, "size": size, "name": features}
        label = {"name": names[i], "legend_label": names[i]} if names[i] else {}
        plot.hbar(y="y", left="left", right="right", height=0.72, color=PALETTE[number], source=source, **label)
        left = left + size
    for legend in plot.legend:
        legend.location, legend.border_line_color = "bottom_right", None
    return plot


def _swarm(found: Explained, subject: Subject, value: int, drawn: NDArray[np.int64]) -> Any:
    order = most_important(found.mean[value])
    names = [subject.features[i] for i in order]
    scale = _color_scale()
    tips = [("feature", "$name"), ("its value", "@value"), ("SHAP value", "@x{+0.[0000]}")]
    plot = feature_figure(names, "SHAP value: change of the raw value", max(240, 34 * len(order) + 90), tips)
    for place, i in enumerate(order):
        x = found.values[drawn, value, i]
        column = found.rows.features.iloc[drawn, int(i)]
        source = {
            "x": x.astype(np.float32),
            "y": (len(order) - 1 - place + spread(x)).astype(np.float32),
            "value": column.to_numpy() if column.dtype.kind == "f" else [str(each)[:40] for each in column],
            "rank": ranks_of(column),
        }
        color = {"field": "rank", "transform": scale}
        plot.scatter("x", "y", size=5, fill_color=color, alpha=0.8, line_color=None, source=source, name=names[place])
    plot.add_layout(Span(location=0, dimension="height", line_color="#8a96a3", level="underlay"))
    plot.add_layout(_color_bar(scale), "right")
    return plot


def _color_bar(scale: LinearColorMapper) -> ColorBar:
    return ColorBar(
        color_mapper=scale,
        title="value of the feature",
        ticker=FixedTicker(ticks=[0, 1]),
        major_label_overrides={0: "low", 1: "high"},
        width=10,
        title_text_font_style="normal",
        title_text_color=SOFT,
        major_tick_line_color=None,
        bar_line_color=None,
    )


def spread(x: NDArray[np.float64], bins: int = 120, widest: float = 0.4) -> NDArray[np.float64]:
    """Where the dots of a swarm stand across its line, float64 [n] in ±``widest``: as far apart as there are dots beside them."""
    low, high = float(x.min(initial=0.0)), float(x.max(initial=0.0))
    place = np.zeros(len(x), np.int64) if high == low else ((x - low) / (high - low) * (bins - 1)).astype(np.int64)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=bins)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    rank = np.empty(len(x))
    rank[order] = np.arange(len(x)) - starts[place[order]]
    # 0, 1, −1, 2, −2, …: from the line outwards, on both sides by turns.
    side = np.where(rank % 2 == 1, 1.0, -1.0) * np.ceil(rank / 2)
    return np.asarray(side / max(8.0, counts.max() / 2) * widest)


def ranks_of(column: Any) -> NDArray[np.float32]:
    """Ranks of a feature's values, float32 [n] from 0, the lowest, to 1; NaN for what has no order, or no value."""
    if column.dtype.kind != "f":
        return np.full(len(column), np.nan, np.float32)
    ranks = column.rank(method="average").to_numpy()
    known = ranks[~np.isnan(ranks)]
    if not known.size or known.min() == known.max():
        return np.where(np.isnan(ranks), np.nan, 0.5).astype(np.float32)
    return np.asarray((ranks - known.min()) / (known.max() - known.min()), dtype=np.float32)


def _color_scale() -> LinearColorMapper:
    ends = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (LOW, HIGH)]
    shades = np.linspace(ends[0], ends[1], 256).round().astype(int)
    return LinearColorMapper([f"#{r:02x}{g:02x}{b:02x}" for r, g, b in shades], low=0, high=1, nan_color=MISSING)
