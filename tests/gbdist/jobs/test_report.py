"""The page about a model file: of which rows, what is refused and how, and nothing half written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.jobs import report as jobs
from gbdist.jobs.outputs import OutputError
from gbdist.jobs.report import ReportJob, report

FEATURES = ["area", "shop", "age"]
DRAW = np.random.default_rng(4)
TABLE = pd.DataFrame(
    {
        "area": DRAW.normal(size=400).astype(np.float32),
        "shop": DRAW.choice(["north", "south", "007"], 400),
        "age": DRAW.integers(0, 90, 400),
    }
)
PRICE = TABLE["area"] + (TABLE["shop"] == "north") + TABLE["age"] / 50


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regressor of plain CatBoost with a column of categories."""
    path = tmp_path_factory.mktemp("model") / "price.cbm"
    few: dict[str, Any] = {"iterations": 6, "depth": 3, "verbose": False, "allow_writing_files": False}
    trained = catboost.CatBoostRegressor(**few).fit(TABLE[FEATURES], PRICE, cat_features=["shop"])
    trained.save_model(str(path))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Callable[[str], str]:
    """The table as files, in another order of columns and with one more."""

    def write(ending: str) -> str:
        table = TABLE.assign(price=PRICE, note="x")[["price", "note", "age", "shop", "area"]]
        path = tmp_path / f"rows.{ending}"
        if ending == "csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path, index=False, row_group_size=90)
        return str(path)

    return write


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_page_of_files(model: Path, data: Callable[[str], str], tmp_path: Path, ending: str) -> None:
    said: list[str] = []
    name = data(ending)
    result = report(ReportJob(model, tmp_path / "out.html", (name,), "price"), said.append)
    assert (result.rows, result.rows_of_data) == (400, 400)
    assert result.sections == (
        "Learning curves", "Feature importances", "What moved the predictions (SHAP)", "Residuals", "First trees",
    )  # fmt: skip
    assert said == [f"rows: all 400 rows of {name}"]
    html = (tmp_path / "out.html").read_text()
    assert result.megabytes == pytest.approx(len(html) / 1e6, rel=0.01)
    predicted = catboost.CatBoost().load_model(str(model)).predict(TABLE[FEATURES])
    rmse = float(np.sqrt(np.mean((predicted - PRICE) ** 2)))
    (shown,) = re.findall(r"<td>RMSE ([0-9.]+), MAE", html)
    assert float(shown) == pytest.approx(rmse, rel=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", Path(name).name]


def test_some_rows_of_many(
    model: Path, data: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_ROWS", 60)
    monkeypatch.setattr(jobs, "_LEAST_ROWS", 10)
    name = data("parquet")
    result = report(ReportJob(model, tmp_path / "out.html", (name,)))
    assert (result.rows, result.rows_of_data) == (60, 400)
    assert f"60 of the 400 rows of {name}, chosen by a hash of their places" in (tmp_path / "out.html").read_text()


def test_model_alone(model: Path, tmp_path: Path) -> None:
    result = report(ReportJob(model, tmp_path / "out.html"))
    assert (result.rows, result.rows_of_data) == (None, None)
    assert result.sections == ("Learning curves", "Feature importances", "First trees")
    assert f"Run: gbdist report {model} --data DATA --target COLUMN" in (tmp_path / "out.html").read_text()


def test_data_without_labels_say_how_to_name_them(model: Path, data: Callable[[str], str], tmp_path: Path) -> None:
    result = report(ReportJob(model, tmp_path / "out.html", (data("parquet"),)))
    assert "What moved the predictions (SHAP)" in result.sections
    assert "Residuals" not in result.sections
    assert "Name the column of the labels: --target COLUMN." in (tmp_path / "out.html").read_text()


def refused(kind: type[Exception], job: ReportJob) -> str:
    with pytest.raises(kind) as caught:
        report(job)
    assert not job.output.exists()
    return str(caught.value)


def test_what_cannot_be_is_refused_by_name(model: Path, data: Callable[[str], str], tmp_path: Path) -> None:
    name, out = data("parquet"), tmp_path / "out.html"
    no_model = f"{name} is not a CatBoost model in .cbm format. Name a file that gbdist train wrote."
    assert refused(ModelError, ReportJob(Path(name), out)) == no_model
    assert refused(ModelError, ReportJob(tmp_path / "no.cbm", out)) == (
        f"the model {tmp_path}/no.cbm cannot be read: there is no such file. "
        "Train one with: gbdist train DATA --target COLUMN -o model.cbm"
    )
    assert refused(ParameterError, ReportJob(model, out, (), "price")) == (
        "target='price' cannot be used: expected data that have this column. Name files with --data, or leave it out."
    )
    assert refused(ParameterError, ReportJob(model, out, (name,), "age")) == (
        "target='age' cannot be used: expected no feature of the model, and this is one. Name the labels' column."
    )
    assert refused(DataError, ReportJob(model, out, (name,), "prize")) == (
        f"{name}: found no column 'prize', expected every column that is asked for. "
        "Did you mean 'price'? Its columns: 'price', 'note', 'age', 'shop', 'area'."
    )
    assert refused(DataError, ReportJob(model, out, (name,), "note")) == (
        f"column 'note' of {name}: found the value 'x', expected finite numbers. "
        "Name the column of numbers that the model was trained to predict."
    )
    pd.read_parquet(name).drop(columns="area").to_parquet(tmp_path / "less.parquet")
    assert refused(DataError, ReportJob(model, out, (str(tmp_path / "less.parquet"),))).startswith(
        f"{tmp_path}/less.parquet: found no column 'area', expected every column that is asked for."
    )
    pd.read_parquet(name).head(0).to_parquet(tmp_path / "empty.parquet")
    assert refused(DataError, ReportJob(model, out, (str(tmp_path / "empty.parquet"),))) == (
        f"{tmp_path}/empty.parquet: found no rows, expected at least one. Name files with rows."
    )
    folder = tmp_path / "none"
    assert refused(OutputError, ReportJob(model, folder / "out.html")) == (
        f"{folder}/out.html cannot be written: the folder {folder} does not exist. Make it with: mkdir -p {folder}"
    )
    for read in (model, Path(name)):
        with pytest.raises(OutputError, match="is read and would be lost"):
            report(ReportJob(model, read, (name,)))
    assert catboost.CatBoost().load_model(str(model)).tree_count_ == 6


def test_missing_categories_are_what_the_model_was_told(model: Path, tmp_path: Path) -> None:
    table = TABLE.assign(price=PRICE)
    table.loc[::4, "shop"] = None
    table.to_parquet(tmp_path / "gaps.parquet")
    job = ReportJob(model, tmp_path / "out.html", (str(tmp_path / "gaps.parquet"),), "price")
    assert "100 missing value(s)" in refused(DataError, job)
    report(ReportJob(job.model, job.output, job.data, job.target, cat_nan="none"))
    assert job.output.exists()
