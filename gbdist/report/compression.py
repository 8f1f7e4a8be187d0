"""The page about a compression: what was gained and lost, and the curve of size against quality of all models tried."""

from dataclasses import dataclass
from typing import Any

from bokeh.models import ColumnDataSource, HoverTool, Span

from gbdist.report.page import Head, rendered
from gbdist.report.style import INK, PALETTE, SOFT, Cell, Chart, Section, Table, chart_figure, with_legend

_TABLE = (
    "The model that was given and the one that came out. The loss is that of rows that no pass and no choice saw; a share says "
    "what is left of a size, a sign how much worse the loss became."
)
_CURVE = (
    "Each dot is a model that was tried, at its size on disk and its loss on the rows that models are chosen by; lower and to "
    "the left is better. The line joins the models that no other one beats in both. The ring is the model that came out, the "
    "cross the one that was given; empty dots do not keep the bound that was asked for."
)
_TRIED = "All models that were tried. Losses are of the rows that models are chosen by."


@dataclass(frozen=True, slots=True)
class Point:
    """A model that was tried: bytes on disk, units of cost, and its loss on the rows that models are chosen by."""

    family: str
    pipeline: str
    size: int
    cost: float
    loss: float
    keeps: bool


@dataclass(frozen=True, eq=False)
class CompressionFacts:
    """A compression: its table of before and after (what, before, after, change), what was tried and what came out.

    The first of the ``points`` is the model as it was given; ``details`` are more lines for the table on top.
    """

    name: str
    metric: str
    lines: tuple[tuple[str, str, str, str], ...]
    points: tuple[Point, ...]
    chosen: int
    details: tuple[tuple[str, str], ...] = ()


def compression_page(facts: CompressionFacts) -> str:
    """The page as HTML, one file that loads nothing from anywhere."""
    head = Head(facts.name, "Compression report", "The compression", facts.details)
    return rendered(head, [_before_and_after(facts), _curve(facts), _all_tried(facts)])


def _before_and_after(facts: CompressionFacts) -> Section:
    rows = tuple(tuple(Cell(text) for text in line) for line in facts.lines)
    return Section("Before and after", _TABLE, table=Table(("", "before", "after", ""), rows))


def front(points: tuple[Point, ...]) -> list[Point]:
    """The points that no other one is at least as good as in size and loss, by size; of equal ones the first."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda one: (one.size, one.loss)):
        if not kept or point.loss < kept[-1].loss:
            kept.append(point)
    return kept


def _curve(facts: CompressionFacts) -> Section:
    plot = chart_figure(
        "size on disk (kilobytes)", f"{facts.metric} (smaller is better)", 380, zoomed=True, x_axis_type="log"
    )
    given, *others = facts.points
    best = front(facts.points)
    plot.line(
        [one.size / 1e3 for one in best], [one.loss for one in best], color=SOFT, line_width=1.5, line_dash="dashed"
    )
    dots = [
        _dots(plot, family, PALETTE[k % len(PALETTE)], [one for one in others if one.family == family])
        for k, family in enumerate(dict.fromkeys(one.family for one in others))
    ]
    dots.append(_cross(plot, given))
    chosen = facts.points[facts.chosen]
    plot.scatter(
        [chosen.size / 1e3], [chosen.loss], size=17, fill_alpha=0.0, line_color=INK, line_width=2, legend_label="chosen"
    )
    plot.add_layout(Span(location=given.loss, dimension="width", line_color=SOFT, line_dash="dotted"))
    tips = [
        ("model", "@pipeline"),
        ("kilobytes", "@x{0,0.0}"),
        (facts.metric, "@loss{0.[000000]}"),
        ("cost", "@cost{0,0}"),
    ]
    plot.add_tools(HoverTool(tooltips=tips, renderers=dots))
    return Section("Size against quality", _CURVE, (Chart("curve", facts.metric, with_legend(plot)),))


def _source(points: list[Point]) -> ColumnDataSource:
    return ColumnDataSource(
        {
            "x": [one.size / 1e3 for one in points],
            "loss": [one.loss for one in points],
            "cost": [one.cost for one in points],
            "pipeline": [one.pipeline for one in points],
            "alpha": [0.9 if one.keeps else 0.0 for one in points],
        }
    )


def _dots(plot: Any, family: str, color: str, points: list[Point]) -> Any:
    return plot.scatter(
        "x", "loss", source=_source(points), size=9, fill_color=color, fill_alpha="alpha", line_color=color, legend_label=family
    )  # fmt: skip


def _cross(plot: Any, given: Point) -> Any:
    return plot.scatter(
        "x", "loss", source=_source([given]), size=12, marker="x", line_color=INK, line_width=2.5, legend_label="given"
    )


def _all_tried(facts: CompressionFacts) -> Section:
    columns = ("kind", "passes", "kilobytes", "cost", facts.metric, "keeps the bound")
    rows = tuple(
        (
            Cell(one.family, one.family),
            Cell(one.pipeline, one.pipeline),
            Cell(f"{one.size / 1e3:,.1f}", one.size),
            Cell(f"{one.cost:,.0f}", one.cost),
            Cell(f"{one.loss:.6g}", one.loss),
            Cell("yes" if one.keeps else "no", float(one.keeps)),
        )
        for one in facts.points
    )
    return Section("All that was tried", _TRIED, table=Table(columns, rows, marked=facts.chosen))
