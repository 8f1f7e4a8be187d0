"""``gbdist compress`` as it is typed: what it prints and writes is what ``gbdist.compress`` returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import pytest

import gbdist
from gbdist.models.catboost_format import fixed_cbm_bytes

from .conftest import rows_of


@pytest.fixture
def trained(cancer: Path, tmp_path: Path) -> Path:
    rows = rows_of(cancer).drop(columns="importance")
    model = catboost.CatBoostClassifier(iterations=20, depth=3, verbose=0, allow_writing_files=False, thread_count=1)
    model.fit(rows.drop(columns="malignant")[:400], rows["malignant"][:400])
    model.save_model(str(tmp_path / "model.cbm"))
    return tmp_path / "model.cbm"


def test_model_report_and_page_are_those_of_the_function(
    run: Callable[..., Any], trained: Path, cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    ran = run("compress", "model.cbm", "--data", f"{cancer}/part-[01].parquet", "--holdout", f"{cancer}/part-2.parquet",
              "--label", "malignant", "--weight", "importance", "--target", "trees:6", "--seed", 3, "--scheduler", scheduler,
              "--report", "page.html", "-o", "small.cbm", "--json")  # fmt: skip
    assert ran.code == 0, ran.stderr
    rows = rows_of(cancer)
    expected, report = gbdist.compress(
        trained, rows[:380], "malignant", target="trees:6", sample_weight="importance",
        holdout=(rows[380:], "malignant", "importance"), seed=3,
    )  # fmt: skip
    small = catboost.CatBoostClassifier().load_model(str(tmp_path / "small.cbm"))
    expected.save_model(str(tmp_path / "expected.cbm"))
    assert fixed_cbm_bytes(small) == fixed_cbm_bytes(
        catboost.CatBoostClassifier().load_model(str(tmp_path / "expected.cbm"))
    )
    found = ran.json
    assert (found["model"], found["page"], found["reached"], found["name"]) == (
        "small.cbm",
        "page.html",
        True,
        "model.cbm",
    )
    assert found["rows"] == report.rows
    assert [one["loss"] for one in found["tried"]] == [one.loss for one in report.tried]
    assert "Compression report" in (tmp_path / "page.html").read_text()
    assert "0:  given Logloss " in ran.stderr
    assert f"chosen: {report.tried[report.chosen].pipeline}\n" in ran.stderr


def test_nothing_is_written_where_the_target_is_not_reached_unless_the_best_is_asked_for(
    run: Callable[..., Any], trained: Path, cancer: Path, tmp_path: Path, scheduler: str
) -> None:
    typed = (
        "compress",
        "model.cbm",
        "--data",
        cancer,
        "--label",
        "malignant",
        "--target",
        "size:10B",
        "--scheduler",
        scheduler,
    )
    cluster = f"{cancer} --label malignant --target size:10B --scheduler {scheduler}"
    ran = run(*typed, "--report", "page.html")
    assert ran.code == 8
    assert "Error: target 'size:10B' cannot be reached: the bound is 10 bytes, and the nearest of " in ran.stderr
    assert ran.stderr.endswith(f"Next: gbdist compress model.cbm --data {cluster} --report page.html --best\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.cbm"]
    ran = run(*typed, "--best")
    assert ran.code == 0, ran.stderr
    assert (tmp_path / "small.cbm").stat().st_size < trained.stat().st_size
    assert "size, bytes" in ran.stdout
    assert "why: no model keeps 10 bytes; this one is the nearest\n" in ran.stderr


def test_what_is_needed_is_asked_for(run: Callable[..., Any]) -> None:
    typed = ["model.cbm", "--data", "d.parquet", "--label", "y", "--target", "size:0.5"]
    for missing, without in (
        ("MODEL", typed[1:]),
        ("--data", [typed[0], *typed[3:]]),
        ("--label", [*typed[:3], *typed[5:]]),
        ("--target", typed[:5]),
    ):
        ran = run("compress", *without)
        assert ran.code == 2
        assert ran.stderr.startswith(f"Error: {missing} is missing: expected ")


def test_errors_have_their_codes(run: Callable[..., Any], trained: Path, cancer: Path) -> None:
    given = ("--label", "malignant", "--target", "size:0.5")
    for code, arguments in (
        (5, ["no.cbm", "--data", cancer, *given]),
        (3, ["model.cbm", "--data", "no.parquet", *given]),
        (3, ["model.cbm", "--data", cancer, "--label", "malign", "--target", "size:0.5"]),
        (2, ["model.cbm", "--data", cancer, "--label", "malignant", "--target", "small"]),
        (2, ["model.cbm", "--data", cancer, *given, "--workers", 2, "--scheduler", "tcp://host:8786"]),
        (6, ["model.cbm", "--data", cancer, *given, "-o", "no/small.cbm"]),
        (6, ["model.cbm", "--data", cancer, *given, "-o", "model.cbm"]),
    ):
        ran = run("compress", *arguments)
        assert ran.code == code, ran.stderr
        assert ran.stderr.startswith("Error: ")
