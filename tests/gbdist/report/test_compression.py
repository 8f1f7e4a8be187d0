"""The page about a compression shows the curve of size against quality, what came out, and all that was tried."""

from dataclasses import replace
from typing import Any

from gbdist.report.compression import CompressionFacts, Point, compression_page, front
from gbdist.report.compression import _curve as curve_of

from .test_page import Reader

GIVEN = Point("given", "as it is", 100_000, 900.0, 0.50, keeps=False)
PREFIX = Point("prefix", "Drop(trees=10)", 10_000, 90.0, 0.60, keeps=True)
DISTIL = Point("distil", "Distil(trees=10)", 11_000, 95.0, 0.52, keeps=True)
LARGE = Point("distil", "Distil(trees=50)", 50_000, 450.0, 0.53, keeps=False)
FACTS = CompressionFacts(
    "<i>small</i>", "Logloss", (("size, bytes", "100,000", "11,000", "11.0%"),), (GIVEN, PREFIX, DISTIL, LARGE), 2,
    (("Target", "size:0.2"),),
)  # fmt: skip


def drawn(facts: CompressionFacts) -> list[Any]:
    (chart,) = curve_of(facts).charts
    return list(chart.model.renderers)


def test_front_is_what_no_other_beats() -> None:
    assert front((GIVEN, PREFIX, DISTIL, LARGE)) == [PREFIX, DISTIL, GIVEN]
    assert front((PREFIX, replace(PREFIX, pipeline="same"))) == [PREFIX]
    assert front((PREFIX, replace(PREFIX, size=9_000))) == [replace(PREFIX, size=9_000)]


def test_curve_has_the_front_all_points_and_the_chosen_one() -> None:
    line, *dots, given, chosen = drawn(FACTS)
    assert line.data_source.data["x"] == [10.0, 11.0, 100.0]
    assert [dot.data_source.data["x"] for dot in dots] == [[10.0], [11.0, 50.0]]
    assert dots[1].data_source.data["alpha"] == [0.9, 0.0]
    assert given.data_source.data["loss"] == [0.50]
    assert chosen.data_source.data == {"x": [11.0], "y": [0.52]}


def test_page_is_one_file_and_says_what_came_out() -> None:
    html = compression_page(FACTS)
    read = Reader(html)
    assert (read.charts, read.loads) == (["curve"], [])
    for told in ("Compression report by gbdist", "size:0.2", "11.0%", "Distil(trees=50)", "<i>small</i>"):
        assert told in read.text
    assert html.count('class="marked"') == 1
    assert len(html.encode()) < 2_000_000
