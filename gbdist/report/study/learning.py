"""Learning curves of trials: the score after each iteration, while they ran."""

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource

from gbdist.report.study.columns import BEST, Drawn, best_and_some, view_of
from gbdist.report.study.facts import TrialFacts
from gbdist.report.style import Chart, Section, chart_figure, nearly_all, with_legend
from gbdist.spaced import evenly_spaced

#: Curves that are drawn, and points of each.
MOST_CURVES, MOST_POINTS = 300, 150
_TITLE = "Learning curves of trials"
_READING = (
    "The score of each trial while it ran, darker for better trials; those that were pruned are grey and end where they were "
    "stopped. Curves that cross late mean that pruning this early may lose good trials."
)


def learning_section(drawn: Drawn) -> Section:
    """The section; in words where trials told no scores on the way."""
    places = [at for at, trial in enumerate(drawn.trials) if len(trial.curve) > 1]
    if not places:
        return Section(
            _TITLE, _READING, notes=("Trials told their scores at their end alone, so there are no curves.",)
        )
    kept = [places[at] for at in best_and_some(len(places), MOST_CURVES)]
    notes = []
    if len(kept) < len(places):
        notes.append(f"{len(kept)} of {len(places):,} curves are drawn: the best, and others evenly chosen.")
    if max(len(drawn.trials[at].curve) for at in kept) > MOST_POINTS:
        notes.append(f"Of each, {MOST_POINTS} points at most are drawn, evenly chosen.")
    return Section(_TITLE, _READING, (Chart("learning", drawn.facts.scoring, _drawn(drawn, kept)),), tuple(notes))


def thinned(trial: TrialFacts) -> tuple[Any, Any]:
    """Iterations and scores that are drawn, float64 [n] each; gaps where a score is not finite."""
    points = np.array(trial.curve, dtype=np.float64)[evenly_spaced(len(trial.curve), MOST_POINTS)]
    return points[:, 0], np.where(np.isfinite(points[:, 1]), points[:, 1], np.nan)


def _drawn(drawn: Drawn, kept: list[int]) -> Any:
    facts = drawn.facts
    curves = [thinned(drawn.trials[at]) for at in kept]
    source = ColumnDataSource(
        {
            "x": [x.astype(np.int32) for x, _ in curves],
            "y": [y for _, y in curves],
            "rank": drawn.ranks[kept].astype(np.float32),
            "place": np.array(kept, dtype=np.int32),
        }
    )
    plot = chart_figure("iteration", f"{facts.scoring} ({facts.direction})", 380, zoomed=True)
    plot.toolbar.active_drag = None
    scores = np.concatenate([y for _, y in curves])
    plot.y_range = nearly_all(scores, greater_is_better=facts.greater_is_better, left_out=0.05, room=0.06)
    faint = float(np.clip(20 / len(kept), 0.35, 0.7))
    for label, ended, alpha in (("pruned or not ended", False, faint), ("complete", True, 0.75)):
        rows = [row for row, at in enumerate(kept) if (drawn.trials[at].state == "complete") == ended]
        if rows:
            plot.multi_line("x", "y", source=source, view=view_of(rows), color=drawn.color,
                            line_width=1.5, alpha=alpha, legend_label=label)  # fmt: skip
    best = [row for row, at in enumerate(kept) if drawn.trials[at] is facts.best]
    if best:
        x, y = curves[best[0]]
        plot.line(x, y, color=BEST, line_width=3, legend_label="best")
    drawn.point(plot, "amongCurves", curves=source)
    return with_legend(plot, "bottom_right" if facts.greater_is_better else "top_right")
