"""``fit(plot=True)`` writes the page about the model, with rows of the set that decides, and says where it is."""

import io
import re
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor, DaskPool, ParameterError
from gbdist.estimators import plotting

DRAW = np.random.default_rng(8)
VALUES = DRAW.normal(size=(300, 3)).astype(np.float32)
NUMBER = VALUES[:, 0] + DRAW.normal(size=300) * 0.2
TABLE = pd.DataFrame(VALUES, columns=list("abc")).assign(shop=DRAW.choice(["n", "s"], 300), weight=1.0)
TABLE["bought"] = np.where(NUMBER + (TABLE["shop"] == "n") > 0.4, "yes", "no")
FEW: dict[str, Any] = {"iterations": 4, "depth": 2, "verbose": False}


def origin(html: str) -> str:
    (found,) = re.findall(r"Rows on this page</th><td>(.*?)</td>", html)
    return str(found)


def titles(html: str) -> list[str]:
    return re.findall(r'data-chart="(\w+)"', html)


def test_page_lies_in_the_current_folder_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model = DaskCatBoostClassifier(iterations=4, depth=2)
    assert model.fit(TABLE, "bought", sample_weight="weight", plot=True) is model
    assert capsys.readouterr().err == f"report: {tmp_path}/report.html\n"
    html = (tmp_path / "report.html").read_text()
    assert origin(html) == "all 300 rows of X, which the model was trained on"
    assert titles(html) == [
        "curve_0", "importance", "loss_change", "shap", "calibration", "probabilities", "tree_0", "tree_1", "tree_2",
    ]  # fmt: skip
    assert "<h1>DaskCatBoostClassifier</h1>" in html
    assert '<tr><th scope="row">Features</th><td>4 (numbers 3, categories 1)</td></tr>' in html
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_silence_is_kept_and_nothing_is_written_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    DaskCatBoostRegressor(**FEW).fit(VALUES, NUMBER)
    assert list(tmp_path.iterdir()) == []
    DaskCatBoostRegressor(**FEW).fit(VALUES, NUMBER, plot=True)
    DaskCatBoostRegressor(iterations=2, silent=True).fit(VALUES, NUMBER, plot_file="other.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.html", "report.html"]
    assert capsys.readouterr().err == ""


class Stop:
    def after_iteration(self, info: Any) -> bool:
        return info.iteration < 3


def test_last_eval_set_is_looked_at_and_the_best_iteration_marked(tmp_path: Path) -> None:
    file = io.StringIO()
    model = DaskCatBoostClassifier(iterations=60, early_stopping_rounds=3, learning_rate=1.0, verbose=False)
    evals = [(TABLE[:40].drop(columns=["bought", "weight"]), TABLE["bought"][:40]) for _ in range(2)]
    evals[1] = (evals[1][0][:25], evals[1][1][:25])
    model.fit(TABLE.drop(columns=["bought", "weight"]), TABLE["bought"], eval_set=evals, plot_file=file)
    html = file.getvalue()
    assert origin(html) == "all 25 rows of eval_set[1]"
    done = len(model.evals_result_["learn"]["Logloss"])
    assert f"The best iteration, {model.best_iteration_}, is marked; {done} were done" in html
    stopped = DaskCatBoostRegressor(iterations=50, verbose=False, use_best_model=False)
    file = io.StringIO()
    stopped.fit(VALUES, NUMBER, eval_set=(VALUES, NUMBER), callbacks=[Stop()], plot_file=file)
    assert "3 were done, and the model has 3 trees." in file.getvalue()


@pytest.mark.parametrize("kind", ["polars", "scipy", "numpy"])
def test_tables_of_every_kind(kind: str) -> None:
    X = {"polars": pl.DataFrame(VALUES, schema=list("abc")), "scipy": scipy.sparse.csc_matrix(VALUES)}.get(kind, VALUES)
    file = io.StringIO()
    DaskCatBoostRegressor(**FEW).fit(X, NUMBER, eval_fraction=0.2, plot_file=file)
    assert origin(file.getvalue()) == "all 300 rows of X, which the model was trained or scored on"
    assert "residuals" in titles(file.getvalue())


def test_rounds_of_models_and_a_ranker() -> None:
    file = io.StringIO()
    rounds = DaskCatBoostRegressor(aggregate="models", rounds=2, **FEW)
    rounds.fit(VALUES, NUMBER, eval_set=(VALUES[:50], NUMBER[:50]), plot_file=file)
    assert "The best iteration, 3, is marked; 4 were done, and the model has 4 trees." in file.getvalue()
    assert origin(file.getvalue()) == "all 50 rows of eval_set"
    ranker = DaskCatBoostRanker(aggregate="models", loss_function="QueryRMSE", **FEW)
    file = io.StringIO()
    ranker.fit(
        TABLE.drop(columns=["shop", "bought"]),
        NUMBER,
        sample_weight="weight",
        group_id=np.arange(300) // 10,
        plot_file=file,
    )
    html = file.getvalue()
    assert titles(html) == ["curve_0", "importance", "shap", "tree_0", "tree_1", "tree_2"]
    assert "The change of the loss of a ranker needs the groups of its rows, which this page is not given." in html


@pytest.mark.parametrize(
    ("loss", "separate"),
    [
        ("MultiRMSE", True),
        pytest.param("MultiRMSE", False, marks=pytest.mark.soak),
        pytest.param("RMSEWithUncertainty", True, marks=pytest.mark.soak),
        pytest.param("RMSEWithUncertainty", False, marks=pytest.mark.soak),
        pytest.param("Cox", True, marks=pytest.mark.soak),
        ("Cox", False),
    ],
)
def test_labels_are_left_alone_where_a_row_has_not_one_of_each(loss: str, separate: bool, client: Client) -> None:
    targets = ["d", "e"] if loss == "MultiRMSE" else ["d"]
    whole = pd.DataFrame(VALUES, columns=list("abc")).assign(d=np.abs(NUMBER) + 0.1, e=NUMBER)[
        ["a", "b", "c", *targets]
    ]
    collection = dd.from_pandas(whole, npartitions=3, sort=False)
    for table in (whole, collection):
        names = targets if len(targets) > 1 else targets[0]
        X, y = (table[["a", "b", "c"]], table[names]) if separate else (table, names)
        file = io.StringIO()
        DaskCatBoostRegressor(loss_function=loss, client=client, **FEW).fit(X, y, plot_file=file)
        html = file.getvalue()
        assert origin(html) == "all 300 rows of X, which the model was trained on"
        assert "shap" in titles(html)
        assert "residuals" not in titles(html)
        assert "losses that this page does not know have no residuals here" in html
        assert "losses that the page does not know" in html


def test_few_partitions_of_a_collection_are_looked_at(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plotting, "_MOST_PARTS", 3)
    frame = dd.from_pandas(TABLE.drop(columns="weight"), npartitions=10, sort=False)
    file = io.StringIO()
    DaskCatBoostClassifier(client=client, **FEW).fit(frame, "bought", plot_file=file)
    assert (
        origin(file.getvalue())
        == "90 of the 300 rows of X, which the model was trained on, from 3 of its 10 partitions"
    )
    assert "calibration" in titles(file.getvalue())
    array = da.from_array(VALUES, chunks=(100, -1))
    file = io.StringIO()
    DaskCatBoostRegressor(client=client, **FEW).fit(array, NUMBER, plot_file=file)
    assert origin(file.getvalue()) == "all 300 rows of X, which the model was trained on"
    with DaskPool(array, NUMBER, client=client) as pool:
        file = io.StringIO()
        DaskCatBoostRegressor(**FEW).fit(pool, plot_file=file)
    assert titles(file.getvalue()) == ["curve_0", "importance", "tree_0", "tree_1", "tree_2"]
    assert "Save the model, then run: gbdist report MODEL --data DATA --target COLUMN" in file.getvalue()


def test_places_are_checked_before_anything_is_trained(tmp_path: Path) -> None:
    fix = "Name a file in a folder that is there, or leave plot_file out: the page is then report.html in the current folder."
    for given, message in (
        (
            {"plot": "yes"},
            "plot='yes' cannot be used: expected True or False. Say where the page goes with plot_file='report.html'.",
        ),
        (
            {"plot_file": f"{tmp_path}/no/page.html"},
            f"plot_file='{tmp_path}/no/page.html' cannot be used: expected a file in a folder that is there; "
            f"{tmp_path}/no is not. {fix}",
        ),
        (
            {"plot_file": tmp_path},
            f"plot_file='{tmp_path}' cannot be used: expected a file, and this is a folder. {fix}",
        ),
        (
            {"plot_file": 7},
            f"plot_file=7 cannot be used: expected a path, or a text file that is open for writing. {fix}",
        ),
    ):
        model = DaskCatBoostRegressor(**FEW)
        with pytest.raises(ParameterError) as caught:
            model.fit(VALUES, NUMBER, **given)
        assert str(caught.value) == message
        assert not hasattr(model, "model_")
