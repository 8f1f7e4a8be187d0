"""A report says what was gained and lost: as a table, as HTML, as JSON, and as a page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gbdist.compression.cost import Latency
from gbdist.compression.figures import Measured, ModelFigures
from gbdist.compression.report import CompressionReport, Tried
from gbdist.errors import ParameterError

LARGE = ModelFigures(size=120_000, trees=100, leaves=6_400, features=9, borders=300, tables=2, cost=9_000.0)
SMALL = ModelFigures(size=24_000, trees=25, leaves=1_600, features=8, borders=200, tables=0, cost=2_250.0)
REPORT = CompressionReport(
    name="price.cbm",
    target="size:0.25",
    metric="RMSE",
    before=Measured(LARGE, 2.0, Latency(batch=4e-7, single=8e-6, n_rows=500)),
    after=Measured(SMALL, 2.01, Latency(batch=1e-7, single=4e-6, n_rows=500)),
    tried=(
        Tried("given", "as it is", LARGE, 1.9, 0.0, False, 0.5),
        Tried("prefix", "Drop(trees=25)", SMALL, 2.5, 0.25, True, 0.5),
        Tried("<distil>", "Distil(trees=25)", SMALL, 1.95, 0.125, True, 3.0),
    ),
    chosen=2,
    reason="the smallest loss of 2 models within 30,000 bytes",
    skipped={"depth": "the model has one tree"},
    rows={"passes": 6_000, "choice": 2_000, "holdout": 2_000},
    seconds=12.34,
)


def test_table() -> None:
    assert str(REPORT).splitlines() == [
        "price.cbm, for size:0.25",
        "                       before   after",
        "size, bytes           120,000  24,000  20.0%",
        "trees                     100      25  25.0%",
        "leaves                  6,400   1,600  25.0%",
        "columns in use              9       8  88.9%",
        "distinct tests            300     200  66.7%",
        "categories in tables        2       0  0.0%",
        "cost, units             9,000   2,250  25.0%",
        "a row alone, µs             8       4  50.0%",
        "a row of many, µs         0.4     0.1  25.0%",
        "RMSE (holdout)              2    2.01  +0.50%",
        "chosen: Distil(trees=25)",
        "why: the smallest loss of 2 models within 30,000 bytes",
        "rows: passes 6,000, choice 2,000, holdout 2,000",
    ]


def test_latency_that_was_not_measured_and_a_loss_of_zero_are_left_out() -> None:
    report = replace(REPORT, before=Measured(SMALL, 0.0), after=Measured(SMALL, 0.0))
    assert "µs" not in str(report)
    assert report.lines[-1] == ("RMSE (holdout)", "0", "0", "")
    assert ("categories in tables", "0", "0", "") in report.lines


def test_html_has_the_same_and_no_tags_of_names() -> None:
    html = replace(REPORT, name="<b>")._repr_html_()
    assert "&lt;b&gt;, for size:0.25" in html
    assert html.count("<tr>") == 1 + len(REPORT.lines)
    assert '<td style="text-align: right">24,000</td><td style="text-align: left">20.0%</td>' in html


def test_json_has_everything() -> None:
    told = json.loads(REPORT.to_json())
    assert told == json.loads(json.dumps(REPORT.to_dict()))
    assert told["format"] == 1
    assert told["after"] == {
        "figures": {
            "size": 24_000,
            "trees": 25,
            "leaves": 1_600,
            "features": 8,
            "borders": 200,
            "tables": 0,
            "cost": 2_250.0,
        },
        "loss": 2.01,
        "latency": {"batch": 1e-7, "single": 4e-6, "n_rows": 500},
    }
    assert told["tried"][told["chosen"]]["pipeline"] == "Distil(trees=25)"
    assert told["rows"] == {"passes": 6_000, "choice": 2_000, "holdout": 2_000}
    assert told["seconds"] == 12.34
    assert told["skipped"] == {"depth": "the model has one tree"}


def test_page_goes_where_it_is_asked_for(tmp_path: Path) -> None:
    path = REPORT.plot(tmp_path / "page.html")
    assert path == tmp_path / "page.html"
    assert "Compression report" in path.read_text()
    assert "Not tried: depth" in path.read_text()
    with (tmp_path / "open.html").open("w") as file:
        assert REPORT.plot(file) is None
    assert (tmp_path / "open.html").stat().st_size > 10_000
    with pytest.raises(ParameterError, match="a file in a folder that is there"):
        REPORT.plot(tmp_path / "nowhere" / "page.html")
