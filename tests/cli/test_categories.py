"""Columns of categories on the command line: found or named, filled, planned, scored and shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.jobs import demo_categories
from gbdist.jobs.demo import DemoRow
from gbdist.jobs.demo_categories import CategoriesDemoResult, DemoExample, DemoFeature

FEATURES = ["city", "x", "code", "shop"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Rows whose label needs every column, and ``code`` as it is written."""
    draw = np.random.default_rng(2)
    n = 900
    found = pd.DataFrame(
        {
            "city": draw.choice(["Oslo", "Bergen, N", "NA"], n),
            "x": draw.normal(size=n).astype(np.float32),
            "code": draw.choice(["01", "1", "007", "7"], n),
            "shop": draw.integers(0, 60, n),
        }
    )
    score = found["x"] + 2 * (found["code"] == "01") + (found["shop"] % 7 == 0) + (found["city"] == "NA")
    return found.assign(bought=np.where(score > 1, "yes", "no"))


@pytest.fixture
def files(table: pd.DataFrame, tmp_path: Path) -> Path:
    """The rows as ``data.csv`` and ``data.parquet`` in the folder that commands run in."""
    table.to_csv(tmp_path / "data.csv", index=False)
    table.to_parquet(tmp_path / "data.parquet", row_group_size=200)
    return tmp_path


@pytest.fixture
def train(run: Callable[..., Any], files: Path, scheduler: str) -> Callable[..., Any]:
    """Train a small model on a file."""

    def with_options(data: str, *options: str) -> Any:
        return run("train", data, "--target", "bought", "--scheduler", scheduler, "-p", "iterations=20", *options)

    return with_options


def probabilities(run: Callable[..., Any], model: str, data: str) -> list[float]:
    ran = run("predict", model, data, "--proba", "-o", "out.parquet")
    assert ran.code == 0, ran.stderr
    return pd.read_parquet("out.parquet")["probability_yes"].tolist()


def test_columns_of_texts_are_found_and_named(
    run: Callable[..., Any], train: Callable[..., Any], table: pd.DataFrame
) -> None:
    ran = train("data.parquet", "--json")
    assert ran.code == 0, ran.stderr
    assert ran.stderr.startswith("categorical columns (by their types; --cat says otherwise): 'city', 'code'\n")
    assert ran.stderr.count("by their types") == 1
    assert ran.json["categorical"] == ["city", "code"]
    assert "Next: gbdist predict model.cbm NEW_DATA -o predictions.parquet" in ran.stderr
    model = catboost.CatBoostClassifier().load_model("model.cbm")
    assert model.get_cat_feature_indices() == [0, 2]
    expected = model.predict_proba(table[FEATURES])[:, 1]
    assert probabilities(run, "model.cbm", "data.parquet") == expected.tolist()
    assert ((expected > 0.5) == (table["bought"] == "yes")).mean() > 0.9
    assert "categorical  city, code" in train("data.parquet").stdout


def test_named_columns_are_read_from_csv_as_they_are_written(
    run: Callable[..., Any], train: Callable[..., Any], files: Path
) -> None:
    # pyarrow and pandas would take the codes for numbers, and 01 for 1.
    assert train("data.csv", "--cat", "city", "-o", "numbers.cbm").code == 0
    assert train("data.csv", "--cat", "city,code", "--cat", "shop", "-o", "csv.cbm").code == 0
    assert train("data.parquet", "-p", 'cat_features=["city", "code", "shop"]', "-o", "parquet.cbm").code == 0
    assert catboost.CatBoost().load_model("numbers.cbm").get_cat_feature_indices() == [0]
    of_csv = probabilities(run, "csv.cbm", "data.csv")
    for model, data in (("csv.cbm", "data.parquet"), ("parquet.cbm", "data.csv"), ("parquet.cbm", "data.parquet")):
        assert probabilities(run, model, data) == of_csv


def test_columns_in_a_job_file(train: Callable[..., Any], files: Path) -> None:
    (files / "job.toml").write_text('cat = ["city", "code"]\ncat-nan = "none"\n')
    assert train("data.csv", "--config", "job.toml", "--json").json["categorical"] == ["city", "code"]
    ran = train("data.csv", "--config", "job.toml", "--json", "--cat", "shop,city")
    assert ran.json["categorical"] == ["city", "shop"]
    assert ran.stderr.startswith("categorical columns: 'city', 'shop'\n")


def test_missing_values_are_what_the_option_says_and_the_model_remembers_it(
    run: Callable[..., Any], train: Callable[..., Any], table: pd.DataFrame, files: Path
) -> None:
    gaps = table.assign(city=table["city"].where(table["city"] != "NA"))
    gaps.to_csv(files / "data.csv", index=False)
    gaps.to_parquet(files / "data.parquet")
    for name in ("data.csv", "data.parquet"):
        ran = train(name)
        assert ran.code == 3
        missing = int((table["city"] == "NA").sum())
        assert (
            f"Error: column 'city' of {files}/{name}: found {missing} missing value(s), expected a category in every row: "
            "CatBoost takes none without. Fill them first, or say what stands for them, for example: --cat-nan missing\n"
        ) in ran.stderr
        assert not (files / "model.cbm").exists()
        ran = train(name, "--cat-nan", "none", "--cat", "city,code", "--eval", name, "-o", f"{name}.cbm")
        assert ran.code == 0, ran.stderr
        model = catboost.CatBoostClassifier().load_model(f"{name}.cbm")
        expected = model.predict_proba(gaps.assign(city=gaps["city"].fillna("none"))[FEATURES])[:, 1].tolist()
        assert probabilities(run, f"{name}.cbm", "data.csv") == expected
        assert probabilities(run, f"{name}.cbm", "data.parquet") == expected
    run("predict", "data.csv.cbm", "data.csv", "--cat-nan", "Oslo", "--proba", "-o", "other.parquet")
    expected = model.predict_proba(gaps.assign(city=gaps["city"].fillna("Oslo"))[FEATURES])[:, 1].tolist()
    assert pd.read_parquet("other.parquet")["probability_yes"].tolist() == expected


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            ("--cat", "city", "-p", 'cat_features=["code"]'),
            2,
            "cat=['city'] cannot be used: expected it in one place, and the parameter cat_features=['code'] is given too. "
            "Leave out one of the two.",
        ),
        (
            ("--cat", "city,bought"),
            2,
            "cat=['city', 'bought'] cannot be used: expected features, and 'bought' is the target. Leave it out of cat.",
        ),
        (
            ("--cat", "town,code"),
            3,
            "{path}: found no column 'town', expected every column that is asked for. "
            "Its columns: 'city', 'x', 'code', 'shop', 'bought'.",
        ),
        (
            ("--cat", "city,code,x"),
            3,
            "column 'x' of {path}: found the type float, expected categories: texts or whole numbers. "
            "Convert it to whole numbers or to text, or leave it out of the categorical columns.",
        ),
        (
            ("--cat", "city"),
            3,
            "column 'code': found text, expected numbers. "
            "Name categories with --cat, encode others as numbers, or leave out with: --ignore code",
        ),
    ],
)
def test_mistakes_are_named_before_a_worker_starts(
    run: Callable[..., Any], files: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    ran = run("train", "data.parquet", "--target", "bought", "--workers", 1, *options)
    assert ran.code == code
    assert ran.stderr.splitlines()[0] == "Error: " + message.format(path=files / "data.parquet")
    assert not (files / "model.cbm").exists()


def test_category_in_a_csv_column_that_began_as_numbers_says_how_to_name_it(
    train: Callable[..., Any], files: Path
) -> None:
    rows = [f"{row % 5},{row},{row % 2}" for row in range(200_000)]
    (files / "long.csv").write_text("\n".join(["kind,row,bought", *rows, "other,0,1", ""]))
    ran = train("long.csv")
    assert ran.code == 3
    assert "found invalid value 'other' in the column 'kind', which began as double" in ran.stderr
    assert "if it is one of categories, train with it named in --cat." in ran.stderr
    assert train("long.csv", "--cat", "kind", "-p", "iterations=2").code == 0


def test_dry_run_counts_four_bytes_a_categorical_cell(run: Callable[..., Any], tmp_path: Path, scheduler: str) -> None:
    table = pd.DataFrame({"a": np.arange(120_000) % 7, "b": np.arange(120_000) % 9})
    table.assign(text=(table["a"] % 3).astype(str), y=table["a"] % 2).to_parquet(tmp_path / "data.parquet")
    plans = []
    for options in (("--cat", "text"), ("--cat", "text,a,b")):
        ran = run("train", "data.parquet", "--target", "y", "--scheduler", scheduler, "--dry-run", "--json", *options)
        assert ran.code == 0, ran.stderr
        plans.append(ran.json)
    assert [plan["categorical"] for plan in plans] == [["text"], ["a", "b", "text"]]
    less, more = (sum(worker["data_mb"] for worker in plan["placement"]) for plan in plans)
    assert more - less == pytest.approx(2 * 3 * 120_000 / 2**20, abs=0.11)
    ran = run("train", "data.parquet", "--target", "y", "--scheduler", scheduler, "--dry-run")
    assert "categorical columns (by their types; --cat says otherwise): 'text'\n" in ran.stderr
    assert "binary: 120,000 rows x 3 features (1 categorical) in 1 partition(s)" in ran.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["data.parquet"]


@pytest.mark.soak
def test_demo_shows_how_categories_are_used(
    gbdist: Callable[..., Any], run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = gbdist("demo", "--categories", "--json")
    assert ran.code == 0, ran.stderr
    assert "GENERATED visits to a shop that does not exist" in ran.stderr
    assert "The data are generated" in ran.json["remark"]
    ours, theirs = ran.json["rows"]
    assert ours["trees"] == theirs["trees"] == 100
    assert ours["logloss"] < 1.01 * theirs["logloss"]
    used = {feature["feature"]: feature for feature in ran.json["features"]}
    assert used["product"]["values"] > 5_000
    assert used["product"]["statistics"] > 0
    assert used["device"]["one_hot"] > 0
    assert used["country"]["combinations"] > 0
    assert sum(feature["numbers"] for feature in used.values()) > 0
    importances = [feature["importance"] for feature in ran.json["features"]]
    assert importances == sorted(importances, reverse=True)
    assert sum(importances) == pytest.approx(100, abs=1)
    model = catboost.CatBoostClassifier().load_model(tmp_path / "model.cbm")
    rows = [example["row"] for example in ran.json["examples"]]
    assert model.predict_proba(rows)[:, 1].tolist() == [example["probability"] for example in ran.json["examples"]]
    assert rows[-1][-1] not in set(pd.read_parquet(tmp_path / "gbdist-demo-categories/train")["product"])

    # The same result, shown to a person.
    answer = CategoriesDemoResult(
        **ran.json
        | {
            "rows": [DemoRow(**row) for row in ran.json["rows"]],
            "features": [DemoFeature(**feature) for feature in ran.json["features"]],
            "examples": [DemoExample(**example) for example in ran.json["examples"]],
        }
    )
    monkeypatch.setattr(demo_categories, "demo_categories", lambda *_, **__: answer)
    shown = run("demo", "--categories", "-o", "other.cbm").stdout
    assert "generated visits: 100 trees of depth 6" in shown
    assert 'catboost.CatBoostClassifier().load_model("other.cbm").predict_proba(rows)[:, 1]' in shown
