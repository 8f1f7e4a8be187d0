"""Predictions of files are those of CatBoost, in the order of the rows, whole or not at all."""

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.errors import ClusterError, DataError, ModelError
from gbdist.jobs import predict as jobs
from gbdist.jobs.outputs import OutputError
from gbdist.jobs.pieces import cut_into_pieces
from gbdist.jobs.predict import PredictJob, predict

FEATURES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(3)
    found = pd.DataFrame(draw.normal(size=(900, 3)).astype(np.float32), columns=FEATURES)
    found.loc[::7, "b"] = np.nan
    return found


def fit(table: pd.DataFrame, kind: str) -> Any:
    signal = table["a"] + 0.5 * table["c"]
    options: dict[str, Any] = {"iterations": 5, "verbose": False, "allow_writing_files": False, "thread_count": 1}
    if kind == "regression":
        return catboost.CatBoostRegressor(**options).fit(table, signal)
    if kind == "uncertain":
        return catboost.CatBoostRegressor(**options, loss_function="RMSEWithUncertainty").fit(table, signal)
    if kind == "several":
        return catboost.CatBoostRegressor(**options, loss_function="MultiQuantile:alpha=0.1,0.9").fit(table, signal)
    if kind == "counts":
        return catboost.CatBoostRegressor(**options, loss_function="Poisson").fit(table, np.floor(np.exp(signal)))
    target = {
        "numbers": (signal > 0).astype(int) * 3,
        "texts": np.where(signal > 0, "yes", "no"),
        "three": np.digitize(signal, [-0.5, 0.5]),
    }[kind]
    return catboost.CatBoostClassifier(**options).fit(table, target)


@pytest.fixture
def files(tmp_path: Path, table: pd.DataFrame) -> Path:
    """The table in three files of several row groups, with the columns in another order and one more."""
    folder = tmp_path / "data"
    folder.mkdir()
    for number in range(3):
        rows = table.iloc[number * 300 : (number + 1) * 300]
        rows.assign(extra="x")[["extra", "c", "a", "b"]].to_parquet(folder / f"{number}.parquet", row_group_size=50)
    return folder


@pytest.mark.parametrize("model_kind", ["numbers", "texts", "three", "regression", "counts", "uncertain", "several"])
@pytest.mark.parametrize("kind", ["prediction", "probability", "raw"])
def test_predictions_are_those_of_catboost(
    tmp_path: Path, table: pd.DataFrame, files: Path, model_kind: str, kind: jobs.Kind
) -> None:
    model = fit(table, model_kind)
    model.save_model(tmp_path / "model.cbm")
    job = PredictJob(tmp_path / "model.cbm", (str(files),), tmp_path / "out.parquet", kind, threads=2)
    regressor = model_kind in ("regression", "counts", "uncertain", "several")
    if regressor and kind == "probability":
        with pytest.raises(ModelError, match="a regression model has no probabilities"):
            predict(job)
        return
    done: list[int] = []
    result = predict(job, on_rows=lambda rows, left: done.append(left))
    of_kind = {"counts": "Exponent", "uncertain": "RMSEWithUncertainty"}
    asked = {
        "prediction": of_kind.get(model_kind, "RawFormulaVal" if regressor else "Class"),
        "probability": "Probability",
    }
    expected = np.asarray(model.predict(table, prediction_type=asked.get(kind, "RawFormulaVal"))).reshape(900, -1)
    written = pd.read_parquet(tmp_path / "out.parquet")
    assert tuple(written.columns) == result.columns
    assert (result.rows, result.parts, done) == (900, 3, [2, 1, 0])
    assert written.to_numpy().tolist() == expected.tolist()
    if kind == "probability":
        assert list(written.columns) == [f"probability_{label}" for label in model.classes_]


def test_memory_holds_a_batch_and_pieces_are_row_groups(
    tmp_path: Path, table: pd.DataFrame, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fit(table, "regression")
    model.save_model(tmp_path / "model.cbm")
    sizes = []
    score = jobs.Scorer.score
    monkeypatch.setattr(jobs.Scorer, "score", lambda *args: sizes.append(args[1].num_rows) or score(*args))
    monkeypatch.setattr(jobs, "cut_into_pieces", lambda *args, kinds: cut_into_pieces(*args, 100 * 4 * 3, kinds=kinds))
    result = predict(PredictJob(tmp_path / "model.cbm", (str(files),), tmp_path / "out.parquet", threads=1))
    assert result.parts == 9
    assert max(sizes) <= 100
    assert pd.read_parquet(tmp_path / "out.parquet")["prediction"].tolist() == model.predict(table).tolist()


def test_csv_gives_the_same_as_parquet(tmp_path: Path, table: pd.DataFrame) -> None:
    model = fit(table, "numbers")
    model.save_model(tmp_path / "model.cbm")
    table.to_csv(tmp_path / "data.csv", index=False)
    predict(PredictJob(tmp_path / "model.cbm", (str(tmp_path / "data.csv"),), tmp_path / "out.parquet", "raw"))
    expected = model.predict(table, prediction_type="RawFormulaVal").tolist()
    assert pd.read_parquet(tmp_path / "out.parquet")["raw"].tolist() == expected


def test_empty_input_gives_an_empty_table_of_the_same_columns(tmp_path: Path, table: pd.DataFrame) -> None:
    fit(table, "three").save_model(tmp_path / "model.cbm")
    table.iloc[:0].to_parquet(tmp_path / "data.parquet")
    result = predict(
        PredictJob(tmp_path / "model.cbm", (str(tmp_path / "data.parquet"),), tmp_path / "o.parquet", "raw")
    )
    assert result.rows == 0
    assert list(pd.read_parquet(tmp_path / "o.parquet").columns) == ["raw_0", "raw_1", "raw_2"]


def test_failure_in_a_later_file_leaves_no_output(tmp_path: Path, table: pd.DataFrame, files: Path) -> None:
    fit(table, "numbers").save_model(tmp_path / "model.cbm")
    table.astype({"b": str}).to_parquet(files / "9.parquet")
    with pytest.raises(DataError, match=r"^column 'b' of .*/9.parquet: found the type (large_)?string, expected"):
        predict(PredictJob(tmp_path / "model.cbm", (str(files),), tmp_path / "out.parquet"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "model.cbm"]


def test_model_that_is_not_there_or_is_no_model_is_named(tmp_path: Path, files: Path) -> None:
    with pytest.raises(ModelError) as caught:
        predict(PredictJob(tmp_path / "no.cbm", (str(files),), tmp_path / "out.parquet"))
    assert str(caught.value) == (
        f"the model {tmp_path}/no.cbm cannot be read: No such file or directory. "
        "Train one with: gbdist train DATA --target COLUMN -o model.cbm"
    )
    with pytest.raises(ModelError) as caught:
        predict(PredictJob(files, (str(files),), tmp_path / "out.parquet"))
    assert str(caught.value) == f"the model {files} cannot be read: Is a directory. Name a .cbm file."
    (tmp_path / "no.cbm").write_text("not a model")
    with pytest.raises(ModelError) as caught:
        predict(PredictJob(tmp_path / "no.cbm", (str(files),), tmp_path / "out.parquet"))
    assert str(caught.value) == (
        f"{tmp_path}/no.cbm is not a CatBoost model in .cbm format. Name a file that gbdist train wrote."
    )


def test_what_is_read_is_not_written_over(tmp_path: Path, table: pd.DataFrame, files: Path) -> None:
    model, data = tmp_path / "model.cbm", files / "0.parquet"
    fit(table, "regression").save_model(model)
    for output, kept in ((data, data), (model, model)):
        before = kept.read_bytes()
        with pytest.raises(OutputError, match="is read and would be lost"):
            predict(PredictJob(model, (str(data),), output))
        assert kept.read_bytes() == before


def test_model_with_embeddings_is_refused(tmp_path: Path, files: Path) -> None:
    vectors = pd.DataFrame({"a": list(np.random.default_rng(0).normal(size=(50, 2)))})
    model = catboost.CatBoostRegressor(iterations=2, verbose=False, allow_writing_files=False, embedding_features=["a"])
    model.fit(vectors, np.arange(50.0)).save_model(tmp_path / "model.cbm")
    with pytest.raises(ModelError) as caught:
        predict(PredictJob(tmp_path / "model.cbm", (str(files),), tmp_path / "out.parquet"))
    assert str(caught.value) == (
        "the model has embedding features, and files of vectors are not scored. "
        "Score it in Python: DaskCatBoostClassifier().load_model(path).predict(X), or the regressor's."
    )


def test_workers_of_a_cluster_give_the_same(tmp_path: Path, table: pd.DataFrame, files: Path) -> None:
    from distributed import LocalCluster

    model = fit(table, "three")
    model.save_model(tmp_path / "model.cbm")
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        address = cluster.scheduler_address
        job = PredictJob(tmp_path / "model.cbm", (str(files),), tmp_path / "out.parquet", "raw", scheduler=address)
        assert predict(job).rows == 900
    expected = model.predict(table, prediction_type="RawFormulaVal").tolist()
    assert pd.read_parquet(tmp_path / "out.parquet").to_numpy().tolist() == expected


def test_scheduler_that_does_not_answer_is_named(
    tmp_path: Path, table: pd.DataFrame, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gbdist.jobs.cluster.CONNECT_SECONDS", 0.3)
    fit(table, "three").save_model(tmp_path / "model.cbm")
    address = "tcp://127.0.0.1:9"
    with pytest.raises(ClusterError, match=f"^no Dask scheduler answers at {address}"):
        predict(PredictJob(tmp_path / "model.cbm", (str(files),), tmp_path / "out.parquet", scheduler=address))
    assert not (tmp_path / "out.parquet").exists()
