"""``gbdist model`` as it is typed: what it prints, writes and says to do next."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.compression.exports import FORMATS
from gbdist_cli import model

from .conftest import rows_of

Run = Callable[..., Any]
QUIET = {"verbose": 0, "allow_writing_files": False, "thread_count": 2}


@pytest.fixture
def rows(cancer: Path) -> pd.DataFrame:
    return rows_of(cancer).drop(columns="importance")


@pytest.fixture
def models(rows: pd.DataFrame, tmp_path: Path) -> list[Any]:
    """``a.cbm`` and ``b.cbm``, trained on halves of the rows."""
    found = []
    for number, name in enumerate("ab"):
        half = rows[number::2]
        found.append(catboost.CatBoostClassifier(iterations=6, depth=3, random_seed=number, **QUIET))
        found[-1].fit(half.drop(columns="malignant"), half["malignant"])
        found[-1].save_model(str(tmp_path / f"{name}.cbm"))
    return found


def test_show(run: Run, models: list[Any], tmp_path: Path) -> None:
    shown = run("model", "show", "a.cbm", "--json").json
    assert (shown["trees"], shown["depth"], shown["leaves"]) == (6, 3, 48)
    assert (shown["loss"], shown["classes"], shown["dimension"]) == ("Logloss", ["no", "yes"], 1)
    assert shown["kind_of_trees"] == "symmetric"
    assert (shown["columns"], shown["categorical"]) == (6, [])
    assert sum(shown["columns_in_use"].values()) == 18
    assert shown["borders"] == sum(map(len, models[0].get_borders().values()))
    assert shown["bytes"]["total"] == (tmp_path / "a.cbm").stat().st_size
    assert shown["bytes"]["leaf_values"] == shown["bytes"]["leaf_weights"] == 48 * 8
    assert shown["params"]["iterations"] == 6
    told = run("model", "show", "a.cbm").stdout.split()
    assert " ".join(told).count("kind of trees symmetric depth 3 columns 6 columns in use") == 1


def test_show_of_categories(run: Run, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    cities = [f"c{i}" for i in generator.integers(0, 9, 300)]
    table = pd.DataFrame({"city": cities, "x": generator.normal(size=300)})
    label = table["city"].str[1:].astype(int) % 3 + table["x"]
    found = catboost.CatBoostRegressor(iterations=9, grow_policy="Lossguide", **QUIET)
    found.fit(table, label, cat_features=["city"]).save_model(str(tmp_path / "c.cbm"))
    shown = run("model", "show", "c.cbm", "--json").json
    assert (shown["categorical"], shown["kind_of_trees"], shown["depth"]) == (["city"], "non-symmetric", None)
    assert shown["categories_in_tables"] % 9 == 0
    assert shown["categories_in_tables"] > 0
    assert shown["bytes"]["tables"] > 9 * 8


def test_diff(run: Run, models: list[Any], cancer: Path, rows: pd.DataFrame, tmp_path: Path) -> None:
    same = run("model", "diff", "a.cbm", "a.cbm", "--json").json
    assert same["same"]
    assert same["trees"] == {"both": 6, "first_only": 0, "second_only": 0}
    assert (same["params"], same["rows"]) == ({}, None)

    values = models[0].get_leaf_values()
    values[:8] += 0.5
    models[0].set_leaf_values(values)
    models[0].save_model(str(tmp_path / "changed.cbm"))
    changed = run("model", "diff", "a.cbm", "changed.cbm", "--data", cancer, "--json").json
    assert not changed["same"]
    assert changed["trees"] == {"both": 5, "first_only": 1, "second_only": 1}
    assert changed["structures"] == {"both": 6, "first_only": 0, "second_only": 0}
    assert changed["tests"]["first_only"] == changed["tests"]["second_only"] == 0
    assert changed["rows"] == len(rows)
    assert changed["largest_difference"] == pytest.approx(0.5)
    assert changed["mean_difference"] == pytest.approx(0.5)

    other = run("model", "diff", "a.cbm", "b.cbm")
    assert other.code == 0
    assert "random_seed 0 against 1" in other.stdout
    assert "in both" in other.stdout
    assert other.stderr == "with --data DATA their predictions would be compared too\n"


def test_diff_of_models_for_different_things(run: Run, models: list[Any], rows: pd.DataFrame, tmp_path: Path) -> None:
    found = catboost.CatBoostRegressor(iterations=2, **QUIET).fit(rows[["mean radius"]], rows["mean area"])
    found.save_model(str(tmp_path / "r.cbm"))
    differing = run("model", "diff", "a.cbm", "r.cbm", "--json").json
    assert differing["loss"] == ["Logloss", "RMSE"]
    assert differing["classes"] == [["no", "yes"], None]
    assert differing["columns"][1] == ["mean radius"]


def test_export(run: Run, models: list[Any], rows: pd.DataFrame, tmp_path: Path) -> None:
    ran = run("model", "export", "a.cbm", "-o", "a.py", "--json")
    assert ran.code == 0, ran.stderr
    assert (ran.json["format"], ran.json["rows_checked"], ran.json["path"]) == ("python", 256, "a.py")
    assert ran.json["difference"] < 1e-9
    names: dict[str, Any] = {}
    exec((tmp_path / "a.py").read_text(), names)
    first = rows.drop(columns="malignant").iloc[:1]
    expected = models[0].predict(first, prediction_type="RawFormulaVal")[0]
    assert names["apply_catboost_model"](first.to_numpy(np.float32)[0].tolist()) == pytest.approx(expected, abs=1e-9)
    assert run("model", "export", "a.cbm", "-o", "a.txt", "--format", "json").code == 0
    assert run("model", "export", "a.cbm", "-o", "a.onnx").code == 0


def test_export_of_categories_reads_rows(run: Run, tmp_path: Path) -> None:
    table = pd.DataFrame({"city": [f"c{i % 7}" for i in range(300)], "x": np.arange(300.0) % 11})
    table.to_parquet(tmp_path / "rows.parquet")
    found = catboost.CatBoostRegressor(iterations=9, **QUIET)
    found.fit(table, table["x"] + (table["city"] == "c3"), cat_features=["city"]).save_model(str(tmp_path / "c.cbm"))
    assert run("model", "export", "c.cbm", "-o", "c.py", "--data", "rows.parquet").code == 0
    refused = run("model", "export", "c.cbm", "-o", "c.py")
    assert refused.code == 2
    refused = run("model", "export", "c.cbm", "-o", "c.onnx")
    assert refused.code == 5
    assert "it has categorical columns (['city'])" in refused.stderr
    assert not (tmp_path / "c.onnx").exists()


def test_merge(run: Run, models: list[Any], rows: pd.DataFrame, tmp_path: Path) -> None:
    ran = run("model", "merge", "a.cbm", "b.cbm", "-o", "both.cbm", "--json")
    assert (ran.code, ran.json["models"], ran.json["trees"]) == (0, 2, 12)
    assert ran.stderr == "Next: gbdist model diff a.cbm both.cbm\n"
    assert ran.json["bytes"] == (tmp_path / "both.cbm").stat().st_size
    weighted = run("model", "merge", "a.cbm", "b.cbm", "-o", "weighted.cbm", "-w", "0.25", "-w", "1")
    assert weighted.code == 0, weighted.stderr
    features = rows.drop(columns="malignant")
    raw = [each.predict(features, prediction_type="RawFormulaVal") for each in models]
    for name, expected in (("both", (raw[0] + raw[1]) / 2), ("weighted", raw[0] / 4 + raw[1])):
        merged = catboost.CatBoostClassifier().load_model(str(tmp_path / f"{name}.cbm"))
        np.testing.assert_allclose(merged.predict(features, prediction_type="RawFormulaVal"), expected, atol=1e-12)
        assert merged.classes_.tolist() == ["no", "yes"]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (5, ["show", "no.cbm"]),
        (5, ["diff", "a.cbm", "no.cbm"]),
        (3, ["diff", "a.cbm", "b.cbm", "--data", "no.parquet"]),
        (2, ["export", "a.cbm", "-o", "a.txt"]),
        (2, ["export", "a.cbm", "-o", "a.py", "--format", "tflite"]),
        (6, ["export", "a.cbm", "-o", "no/a.py"]),
        (6, ["export", "a.cbm", "-o", "a.cbm"]),
        (6, ["merge", "a.cbm", "b.cbm", "-o", "b.cbm"]),
        (2, ["merge", "a.cbm", "b.cbm", "-w", "1"]),
    ],
)
def test_errors_have_their_codes(run: Run, models: list[Any], code: int, arguments: list[str]) -> None:
    ran = run("model", *arguments)
    assert ran.code == code, ran.stderr
    assert ran.stderr.startswith("Error: ")
    assert "\nNext: " in ran.stderr


def test_formats_offered_are_those_that_there_are() -> None:
    assert tuple(FORMATS) == model.FORMATS
