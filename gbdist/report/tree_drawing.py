"""The first trees, drawn: tests from top to bottom, leaves coloured by their values."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bokeh.models import HoverTool
from numpy.typing import NDArray

from gbdist.report.style import HIGH, INK, LOW, PALETTE, SOFT, Chart, Section, chart_figure, shortened
from gbdist.report.subject import Subject
from gbdist.report.trees import UNNAMED, Node, cut, first_trees, tests_of

_MOST_TREES, _MOST_DEPTH = 3, 7
#: Tests are written beside their nodes in trees whose levels test different things, up to so many leaves.
_MOST_WRITTEN = 16
_MOST_TOLD = 8
_READING = (
    "A row starts on top and goes left where the test says no, right where it says yes; the leaf it ends in adds its value to "
    "the row's raw value. Blue leaves lower it, red ones raise it, and the paler the closer to 0; the larger a leaf, the more "
    "rows it has. Hovering shows values and tests."
)
_OF_CLASSES = "The colour of a leaf is that of the class that it raises most; hovering says which."
_OF_VALUES = "The colour of a leaf is that of the mean of its values."
_OF_STATISTICS = (
    "“target of city” stands for CatBoost's statistic of the target in the rows of a category of city (CTR), “frequency of city” "
    "for how often it occurs."
)


def trees_section(subject: Subject) -> Section:
    """The first trees, as many as there are."""
    pool = None if subject.rows is None else subject.pool(subject.rows)
    found = first_trees(subject.model, _MOST_TREES, pool)
    if isinstance(found, str):
        return Section("First trees", _READING, notes=(found,))
    by_class = subject.n_raw > 1 and subject.task == "classes"
    notes = [_OF_CLASSES if by_class else _OF_VALUES] if subject.n_raw > 1 else []
    tests = set().union(*map(tests_of, found))
    if any(test.startswith(("target of ", "frequency of ")) for test in tests):
        notes.append(_OF_STATISTICS)
    if max(tree.depth for tree in found) > _MOST_DEPTH:
        notes.append(f"Only the first {_MOST_DEPTH} tests are drawn; leaves stand for the mean of what is below them.")
    if pool is None and any(f" is {UNNAMED}" in test for test in tests):
        notes.append(f"The file keeps numbers in place of the names of single categories. {subject.remedy}")
    charts = tuple(
        Chart(f"tree_{number}", f"Tree {number}", draw(cut(tree, _MOST_DEPTH), subject.values, by_class))
        for number, tree in enumerate(found)
    )
    return Section("First trees", _READING, charts, tuple(notes))


@dataclass
class _Placed:
    """Where things are: tests and leaves with their columns, and lines between them. Leaves lie at 0, 1, … from left to right."""

    leaves: list[tuple[float, float, Node, str]] = field(default_factory=list)
    tests: list[tuple[float, float, str]] = field(default_factory=list)
    lines: list[tuple[float, float, float, float]] = field(default_factory=list)

    def place(self, node: Node, level: int, path: str) -> float:
        """Place a node and what is below it; its column."""
        if not node.children:
            self.leaves.append((float(len(self.leaves)), -level, node, path or "always"))
            return self.leaves[-1][0]
        ways = (f"not {node.test}", node.test)
        columns = [
            self.place(child, level + 1, f"{path}; {way}" if path else way)
            for child, way in zip(node.children, ways, strict=True)
        ]
        x = sum(columns) / len(columns)
        self.tests.append((x, -level, node.test))
        self.lines += [(x, -level, column, -level - 1) for column in columns]
        return x


def draw(tree: Node, values: tuple[str, ...], by_class: bool = False) -> Any:
    """A figure of one tree; ``values`` are the names of the raw values, of classes if ``by_class``."""
    placed = _Placed()
    placed.place(tree, 0, "")
    levels = _level_tests(placed)
    n_leaves, depth = len(placed.leaves), tree.depth
    plot = chart_figure("", "", 90 + 52 * (depth + 1), None, y_range=(-depth - 0.55, 0.55))
    margin = 0.34 * n_leaves if levels else 0.02 * n_leaves
    plot.x_range.update(start=-0.6 - margin, end=n_leaves - 0.4)
    plot.axis.visible = False
    plot.grid.visible = False
    x0, y0, x1, y1 = (list(each) for each in zip(*placed.lines, strict=True)) if placed.lines else ([], [], [], [])
    plot.segment(x0, y0, x1, y1, color="#ccd4db", line_width=1.2)
    _draw_tests(plot, placed, levels, n_leaves, -0.6 - margin)
    _draw_leaves(plot, placed, values, by_class)
    return plot


def _level_tests(placed: _Placed) -> list[str]:
    """The test of each level of a tree whose levels have one each; nothing for another."""
    of_level: dict[float, set[str]] = {}
    for _, y, test in placed.tests:
        of_level.setdefault(y, set()).add(test)
    same = all(len(tests) == 1 for tests in of_level.values()) and len({y for _, y, _, _ in placed.leaves}) == 1
    return [next(iter(of_level[y])) for y in sorted(of_level, reverse=True)] if same else []


def _draw_tests(plot: Any, placed: _Placed, levels: list[str], n_leaves: int, left: float) -> None:
    x, y, tests = (list(each) for each in zip(*placed.tests, strict=True)) if placed.tests else ([], [], [])
    source = {"x": x, "y": y, "test": tests}
    nodes = plot.scatter("x", "y", size=8, color="#ffffff", line_color=SOFT, line_width=1.5, source=source)
    _hover(plot, [nodes], [("test", "@test")])
    style = {"text_font_size": "11.5px", "text_color": INK, "text_baseline": "middle"}
    if levels:
        for level, test in enumerate(levels):
            plot.text([left], [-level], [f"{shortened(test, 38)} ?"], **style)
    elif n_leaves <= _MOST_WRITTEN:
        texts = [shortened(test, 26) for test in tests]
        plot.text(x, y, texts, y_offset=-13, text_align="center", background_fill_color="#ffffff", **style)


def _draw_leaves(plot: Any, placed: _Placed, values: tuple[str, ...], by_class: bool) -> None:
    every = np.array([leaf.values for _, _, leaf, _ in placed.leaves])
    weights = np.array([leaf.weight for _, _, leaf, _ in placed.leaves])
    total = float(weights.sum()) or 1.0
    room = 620.0 / len(placed.leaves)
    source = {
        "x": [x for x, _, _, _ in placed.leaves],
        "y": [y for _, y, _, _ in placed.leaves],
        "size": np.clip(room * (0.45 + 0.8 * np.sqrt(weights / total)), 3.0, 26.0),
        "color": _colors_of_classes(every) if by_class else _colors(every.mean(axis=1)),
        "value": [_told(leaf, values) for leaf in every],
        "rows": [f"{weight:,.6g} ({weight / total:.1%})" for weight in weights],
        "path": [path for _, _, _, path in placed.leaves],
    }
    marks = plot.scatter(
        "x", "y", size="size", color="color", line_color=SOFT, line_width=0.6, marker="square", source=source
    )
    _hover(plot, [marks], [("value", "@value"), ("rows (weight)", "@rows"), ("where", "@path")])
    if len(placed.leaves) <= _MOST_WRITTEN and every.shape[1] == 1:
        texts = [f"{value:+.3g}" for value in every[:, 0]]
        plot.text(
            source["x"], source["y"], texts, y_offset=24, text_align="center", text_font_size="11px", text_color=INK
        )


def _hover(plot: Any, renderers: list[Any], tips: list[tuple[str, str]]) -> None:
    plot.add_tools(HoverTool(renderers=renderers, tooltips=tips))


def _told(leaf: NDArray[np.float64], values: tuple[str, ...]) -> str:
    if len(leaf) == 1:
        return f"{leaf[0]:+.6g}"
    largest = np.sort(np.argsort(-np.abs(leaf), kind="stable")[:_MOST_TOLD])
    more = ", …" if len(leaf) > _MOST_TOLD else ""
    return ", ".join(f"{values[i]} {leaf[i]:+.4g}" for i in largest) + more


def _colors(values: NDArray[np.float64]) -> list[str]:
    """Blue below 0 and red above, by the largest size there is."""
    largest = float(np.abs(values).max()) or 1.0
    return [_mixed(HIGH if value > 0 else LOW, abs(value) / largest) for value in values]


def _colors_of_classes(every: NDArray[np.float64]) -> list[str]:
    """The colour of the class with the largest value."""
    return [PALETTE[int(i) % len(PALETTE)] for i in every.argmax(axis=1)]


def _mixed(color: str, share: float) -> str:
    """So much of a colour, and white for the rest."""
    parts = [round(255 + (int(color[i : i + 2], 16) - 255) * share) for i in (1, 3, 5)]
    return "#" + "".join(f"{part:02x}" for part in parts)
