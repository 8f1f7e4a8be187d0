"""``gbdist report`` as it is typed: what it prints, writes and says to do next."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbdist import DaskCatBoostClassifier


@pytest.fixture
def trained(cancer: Path, tmp_path: Path) -> Path:
    import pandas as pd

    rows = pd.concat([pd.read_parquet(part) for part in sorted(cancer.iterdir())]).drop(columns="importance")
    features, label = rows.drop(columns="malignant"), rows["malignant"]
    model = DaskCatBoostClassifier(iterations=5, depth=3, verbose=False)
    model.fit(features[:455], label[:455], eval_set=(features[455:], label[455:]))
    model.save_model(tmp_path / "model.cbm")
    return tmp_path / "model.cbm"


def test_model_and_data(run: Callable[..., Any], trained: Path, cancer: Path, tmp_path: Path) -> None:
    ran = run("report", "model.cbm", "--data", f"{cancer}/part-0.parquet", "--data", f"{cancer}/part-[12].parquet",
              "--target", "malignant", "-o", "page.html", "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    assert (ran.json["rows"], ran.json["rows_of_data"], ran.json["report"]) == (569, 569, "page.html")
    assert "Calibration" in ran.json["sections"]
    html = (tmp_path / "page.html").read_text()
    assert '<tr><th scope="row">Rows trained on</th><td>455</td></tr>' in html
    assert '<tr><th scope="row">Classes</th><td>no, yes</td></tr>' in html
    assert "Best scores, validation" in html
    assert ran.stderr == (
        f"rows: all 569 rows of {cancer}/part-0.parquet, {cancer}/part-[12].parquet\nNext: open page.html in a browser\n"
    )


def test_model_alone_in_a_process_of_its_own(gbdist: Callable[..., Any], trained: Path, tmp_path: Path) -> None:
    ran = gbdist("report", "model.cbm")
    assert ran.code == 0, ran.stderr
    assert "report written" in ran.stdout
    assert "rows" not in ran.stdout
    assert ran.stderr == (
        "the page would show more with --data DATA --target COLUMN\nNext: open report.html in a browser\n"
    )
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_errors_have_their_codes(run: Callable[..., Any], trained: Path, cancer: Path) -> None:
    for code, arguments in (
        (5, ["no.cbm"]),
        (3, ["model.cbm", "--data", "no.parquet"]),
        (3, ["model.cbm", "--data", cancer, "--target", "malign"]),
        (2, ["model.cbm", "--target", "malignant"]),
        (6, ["model.cbm", "-o", "no/page.html"]),
    ):
        ran = run("report", *arguments)
        assert ran.code == code, ran.stderr
        assert ran.stderr.startswith("Error: ")
        assert "\nNext: " in ran.stderr
