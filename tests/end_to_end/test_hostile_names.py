"""Names that mean something to a shell, to HTML or to Python are names and nothing else: of columns, classes and files."""

import os
import subprocess
import sys
from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier
from gbdist.models.catboost_format import fixed_cbm_bytes

NAMES = [
    "'; touch pwned; '",
    '"$(touch pwned)" `touch pwned`',
    "two\nlines\tand a tab",
    "__import__('os').system('touch pwned')",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %} ${HOME} %s {0}",
    "../../pwned\\..\\pwned",
]
CLASSES = ["<b>no</b>", "</script><script>alert(2)</script>"]
FOLDER = "a 'folder' $(touch pwned); <i>&"


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    values = rng.normal(size=(1_200, len(NAMES))).astype(np.float32)
    made = pd.DataFrame(values, columns=NAMES)
    made["shop `id`"] = [f"<u>{number}</u>; $(touch pwned)" for number in rng.integers(0, 5, 1_200)]
    return made.assign(y=np.where(values[:, 0] + values[:, 2] > 0, *CLASSES))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a name of that kind, and the place where commands would leave their trace."""
    made = tmp_path / FOLDER
    made.mkdir()
    monkeypatch.chdir(made)
    return made


def no_trace(folder: Path) -> bool:
    return not list(folder.parent.rglob("*pwned")) and not Path("pwned").exists()


def test_fit_save_load_and_predict(client: Client, table: pd.DataFrame, folder: Path) -> None:
    frame = dd.from_pandas(table, npartitions=3, sort=False)
    model = DaskCatBoostClassifier(iterations=6, depth=4, client=client).fit(frame, "y")
    here = DaskCatBoostClassifier(iterations=6, depth=4).fit(table, "y")
    assert fixed_cbm_bytes(model.model_) == fixed_cbm_bytes(here.model_)
    assert model.feature_names_in_.tolist() == [*NAMES, "shop `id`"]
    assert set(model.classes_) == set(CLASSES)
    path = folder / "model $(touch pwned) '\"`.cbm"
    model.save_model(path)
    loaded = DaskCatBoostClassifier().load_model(path)
    assert loaded.model_.feature_names_ == [*NAMES, "shop `id`"]
    features = table.drop(columns="y")
    assert np.array_equal(loaded.predict_proba(features), model.predict_proba(features))
    assert (model.predict(features) == table["y"]).mean() > 0.8
    assert no_trace(folder)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("gbdist")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ, check=False)


@pytest.mark.soak
def test_commands(table: pd.DataFrame, folder: Path) -> None:
    data, model, page, scores = (f"{name} $(touch pwned) '`" for name in ("data", "model", "page", "scores"))
    table.to_parquet(f"{data}.parquet")
    trained = run(
        "train", f"{data}.parquet", "--target", "y", "-o", f"{model}.cbm", "-p", "iterations=6", "--workers", "1"
    )
    assert trained.returncode == 0, trained.stderr
    predicted = run("predict", f"{model}.cbm", f"{data}.parquet", "-o", f"{scores}.parquet")
    assert predicted.returncode == 0, predicted.stderr
    assert len(pd.read_parquet(f"{scores}.parquet")) == len(table)
    reported = run("report", f"{model}.cbm", "--data", f"{data}.parquet", "--target", "y", "-o", f"{page}.html")
    assert reported.returncode == 0, reported.stderr
    assert no_trace(folder)
    html = Path(f"{page}.html").read_text(encoding="utf-8")
    for name in (*NAMES, *CLASSES):
        if "<" in name:
            assert name not in html, "what a name says became a part of the page"
    assert "&lt;script&gt;alert(1)" in html
    assert "<img src=x" not in html
    assert "{{ 7 * 7 }}" in html
