"""Files are scored with models of categories and texts as CatBoost scores frames of them."""

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gbdist.errors import DataError
from gbdist.jobs.predict import PredictJob, predict
from gbdist.models.missing import note_cat_nan

KINDS = {"city": "text", "code": "digits", "shop": "integer", "open": "boolean", "size": "category"}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(5)
    n = 600
    found = pd.DataFrame(
        {
            "city": draw.choice(["Oslo", "Bergen, N", "NA", "Ålesund"], n),
            "x": draw.normal(size=n).astype(np.float32),
            "code": draw.choice(["01", "1", "007", "7"], n),
            "shop": draw.integers(0, 90, n),
            "open": draw.random(n) > 0.5,
            "size": pd.Categorical(draw.choice(["S", "M", "L"], n)),
            "note": draw.choice(["cheap and good", "too dear", "good"], n),
        }
    )
    found.loc[::9, "x"] = np.nan
    return found


def fit(table: pd.DataFrame, cat_features: list[str], text_features: list[str] | None = None) -> Any:
    """A model of every column, which has to tell 01 from 1 and True from False."""
    label = (table["code"] == "01") * 2 + table["open"] + (table["shop"] % 7 == 0) + (table["city"] == "NA")
    label = label + (table["note"] == "good") if text_features else label
    model = catboost.CatBoostRegressor(iterations=20, verbose=False, allow_writing_files=False, thread_count=1)
    # CatBoost takes True for a text of its own in a frame; gbdist's fit reads booleans as 1 and 0.
    frame = table.assign(open=table["open"].astype(int))
    return model.fit(frame, label, cat_features=cat_features, text_features=text_features)


def scored(model: Any, table: pd.DataFrame, path: Path) -> tuple[list[float], list[float]]:
    """What a job writes for a file, and what CatBoost says of the frame with booleans as 1 and 0."""
    model.save_model(path.with_name("model.cbm"))
    predict(PredictJob(path.with_name("model.cbm"), (str(path),), path.with_name("out.parquet")))
    written = pd.read_parquet(path.with_name("out.parquet"))["prediction"].tolist()
    return written, model.predict(table.assign(open=table["open"].astype(int))[model.feature_names_]).tolist()


@pytest.mark.parametrize("dictionaries", [False, True])
def test_parquet_columns_of_every_type(tmp_path: Path, table: pd.DataFrame, dictionaries: bool) -> None:
    features = table.drop(columns="note")
    arrow = pa.Table.from_pandas(features)
    if dictionaries:
        for name in KINDS:
            column = arrow[name].combine_chunks()
            coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
            arrow = arrow.set_column(arrow.schema.get_field_index(name), name, coded)
    pq.write_table(arrow.select(["x", *KINDS]), tmp_path / "data.parquet", row_group_size=100)
    written, expected = scored(fit(features, list(KINDS)), features, tmp_path / "data.parquet")
    assert written == expected


def test_csv_columns_are_texts_as_they_are_written(tmp_path: Path, table: pd.DataFrame) -> None:
    features = table.drop(columns="note")
    features.assign(open=features["open"].astype(int)).to_csv(tmp_path / "data.csv", index=False)
    written, expected = scored(fit(features, list(KINDS)), features, tmp_path / "data.csv")
    assert written == expected


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_texts(tmp_path: Path, table: pd.DataFrame, ending: str) -> None:
    path = tmp_path / f"data.{ending}"
    whole = table.assign(open=table["open"].astype(int))
    whole.to_parquet(path) if ending == "parquet" else whole.to_csv(path, index=False)
    written, expected = scored(fit(table, list(KINDS), ["note"]), table, path)
    assert written == expected
    whole.assign(note=1).to_parquet(tmp_path / "numbers.parquet")
    job = PredictJob(tmp_path / "model.cbm", (str(tmp_path / "numbers.parquet"),), tmp_path / "out.parquet")
    with pytest.raises(DataError) as caught:
        predict(job)
    assert str(caught.value) == (
        f"column 'note' of {tmp_path}/numbers.parquet: found the type int64, expected texts. "
        "Give the column that the model was trained on."
    )
    whole.assign(note=whole["note"].where(whole["note"] != "good")).to_parquet(tmp_path / "numbers.parquet")
    with pytest.raises(
        DataError, match=r"missing value\(s\), expected a text in every row: CatBoost takes none without"
    ):
        predict(job)


def test_categories_that_training_has_not_seen_fall_to_the_prior(tmp_path: Path, table: pd.DataFrame) -> None:
    features = table.drop(columns="note")
    model = fit(features, list(KINDS))
    unseen = features.head(40).assign(city="Narvik", code="001", shop=np.arange(1_000, 1_040), size="XL")
    unseen.to_parquet(tmp_path / "data.parquet")
    written, expected = scored(model, unseen, tmp_path / "data.parquet")
    assert written == expected
    # Nothing but x and whether it is open is known of them.
    known = pd.DataFrame({"open": unseen["open"].tolist(), "x": unseen["x"].tolist(), "found": written})
    assert known.groupby(["open", "x"], dropna=False)["found"].nunique().max() == 1


def test_missing_values_need_what_stands_for_them(tmp_path: Path, table: pd.DataFrame) -> None:
    features = table.drop(columns="note").assign(city=table["city"].where(table["city"] != "NA"))
    features["shop"] = features["shop"].astype("Int64").where(features["shop"] != 7)
    features.to_parquet(tmp_path / "data.parquet")
    filled = features.assign(
        city=features["city"].fillna("none"), shop=features["shop"].astype("string").fillna("none")
    )
    model = fit(filled.assign(shop=table["shop"]), list(KINDS))
    model.save_model(tmp_path / "model.cbm")
    files = (str(tmp_path / "data.parquet"),)
    with pytest.raises(
        DataError, match=r"^column 'city' of .*/data.parquet: found \d+ missing value\(s\), expected a cat"
    ):
        predict(PredictJob(tmp_path / "model.cbm", files, tmp_path / "out.parquet"))
    assert not (tmp_path / "out.parquet").exists()
    predict(PredictJob(tmp_path / "model.cbm", files, tmp_path / "out.parquet", cat_nan="none"))
    expected = model.predict(filled.assign(open=filled["open"].astype(int))).tolist()
    assert pd.read_parquet(tmp_path / "out.parquet")["prediction"].tolist() == expected
    note_cat_nan(model, "none")
    assert scored(model, filled, tmp_path / "data.parquet")[0] == expected


def test_column_whose_type_has_no_categories_is_refused_before_a_row_is_read(
    tmp_path: Path, table: pd.DataFrame
) -> None:
    features = table.drop(columns="note")
    fit(features, list(KINDS)).save_model(tmp_path / "model.cbm")
    features.assign(shop=features["shop"] + 0.5).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(
        DataError, match=r"^column 'shop' of .*/data.parquet: found the type double, expected categories"
    ):
        predict(PredictJob(tmp_path / "model.cbm", (str(tmp_path / "data.parquet"),), tmp_path / "out.parquet"))


def test_workers_of_a_cluster_give_the_same(tmp_path: Path, table: pd.DataFrame) -> None:
    from distributed import LocalCluster

    features = table.drop(columns="note").assign(city=table["city"].where(table["city"] != "NA"))
    features.to_parquet(tmp_path / "data.parquet", row_group_size=100)
    model = fit(features.assign(city=features["city"].fillna("none")), list(KINDS))
    model.save_model(tmp_path / "model.cbm")

    def written(name: str, scheduler: str | None) -> list[float]:
        files, out = (str(tmp_path / "data.parquet"),), tmp_path / name
        predict(PredictJob(tmp_path / "model.cbm", files, out, scheduler=scheduler, cat_nan="none"))
        return pd.read_parquet(out)["prediction"].tolist()

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        on_cluster = written("cluster.parquet", cluster.scheduler_address)
    assert on_cluster == written("here.parquet", None)


def test_empty_input_gives_an_empty_table(tmp_path: Path, table: pd.DataFrame) -> None:
    features = table.drop(columns="note")
    fit(features, list(KINDS)).save_model(tmp_path / "model.cbm")
    features.iloc[:0].to_parquet(tmp_path / "data.parquet")
    job = PredictJob(tmp_path / "model.cbm", (str(tmp_path / "data.parquet"),), tmp_path / "out.parquet")
    assert predict(job).rows == 0
    assert list(pd.read_parquet(tmp_path / "out.parquet").columns) == ["prediction"]
