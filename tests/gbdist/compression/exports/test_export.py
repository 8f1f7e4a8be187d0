"""Exported files predict what the model does, on borders, beside them and for missing values; others are refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist import DaskCatBoostRegressor
from gbdist.compression.exports import FORMATS, export_model
from gbdist.compression.exports import export as exporting
from gbdist.compression.exports.readers import raw_values
from gbdist.compression.predictor import load_predictor, save_predictor
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes

from .conftest import QUIET, rows_of, trained


def whole_rows() -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers: borders between them have few digits."""
    features, label = rows_of()
    return np.round(features * 3), label


@pytest.mark.parametrize("format_", FORMATS)
def test_whole_numbers_in_every_format(tmp_path: Path, format_: str) -> None:
    features, label = whole_rows()
    model = catboost.CatBoostRegressor(**QUIET).fit(features, label)
    before = cbm_bytes(model)
    done = export_model(model, tmp_path / f"m{FORMATS[format_]}")
    assert done.format == format_
    assert done.size == done.path.stat().st_size > 0
    assert done.rows_checked == 256
    assert done.difference is not None
    assert done.difference <= (0 if format_ == "cbm" else 1e-6)
    assert cbm_bytes(model) == before
    assert [each.name for each in tmp_path.iterdir()] == [done.path.name]


@pytest.mark.parametrize("format_", ["json", "onnx", "python", "cpp", "coreml", "predictor"])
def test_values_at_borders_of_many_digits(tmp_path: Path, format_: str) -> None:
    # CatBoost's Python file has these borders rounded to nine digits, which as float64 are others.
    assert export_model(trained("regression", missing=True), tmp_path / "m", format_).rows_checked == 256


@pytest.mark.parametrize("leaves", ["float64", "fp16", "int8", 16])
def test_a_predictor_may_be_away_by_its_bound(tmp_path: Path, leaves: Any) -> None:
    model = trained("regression", missing=True, nan_mode="Max", grow_policy="Lossguide")
    done = export_model(model, tmp_path / "m.pyz", leaves=leaves)
    bound = load_predictor(done.path).error_bound
    assert done.error_bound == bound
    assert done.difference is not None
    assert (done.difference > 1e-3) == (leaves != "float64") == (bound > 1e-3)
    assert done.difference <= bound + 1e-9
    with pytest.raises(ParameterError) as caught:
        export_model(model, tmp_path / "m.onnx", leaves="int8")
    assert str(caught.value) == (
        "leaves='int8' cannot be used: expected \"float64\" in the format 'onnx'. Use the format \"predictor\"."
    )


def test_a_scale_and_a_ranker_are_kept(tmp_path: Path) -> None:
    model = trained("regression")
    model.set_scale_and_bias(2.5, -7.0)
    for format_ in ("onnx", "python", "cpp", "json", "coreml"):
        assert export_model(model, tmp_path / "m", format_).rows_checked
    assert export_model(trained("ranking"), tmp_path / "r.onnx").rows_checked


def with_categories() -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(2)
    numbers, label = rows_of()
    cities = [f"Sankt {i}" for i in generator.integers(0, 30, 600)]
    few = [f"f{i}" for i in generator.integers(0, 3, 600)]
    rows = pd.DataFrame({"city": cities, "a": numbers[:, 0], "few": few, "b": numbers[:, 1]})
    return rows, numbers[:, 1] * (rows["few"] == "f1") + rows["city"].str.len() + label


@pytest.mark.parametrize("format_", ["python", "cpp"])
def test_categories_in_c_and_python(tmp_path: Path, format_: str) -> None:
    rows, label = with_categories()
    model = catboost.CatBoostRegressor(**QUIET, one_hot_max_size=3, max_ctr_complexity=2)
    model.fit(rows, label, cat_features=["city", "few"])
    assert export_model(model, tmp_path / "m", format_, rows=rows).rows_checked == 256
    with pytest.raises(ParameterError) as caught:
        export_model(model, tmp_path / "n", format_)
    assert str(caught.value) == (
        "rows=None cannot be used: expected rows with all categories of the model, for the file takes others for unknown "
        "ones. Give the rows that it was trained on."
    )
    assert export_model(model, tmp_path / "m.json").rows_checked == 256


def test_python_files_lose_categories_that_are_not_ascii(tmp_path: Path) -> None:
    rows, label = with_categories()
    rows["city"] = rows["city"].where(rows["city"] != "Sankt 3", "Köln")
    model = catboost.CatBoostRegressor(**QUIET, one_hot_max_size=3, max_ctr_complexity=2)
    model.fit(rows, label, cat_features=["city", "few"])
    with pytest.raises(ModelError) as caught:
        export_model(model, tmp_path / "m.py", rows=rows)
    assert str(caught.value) == (
        "a file of the format 'python' would not predict as the model does: categories that are not ASCII, as 'Köln' of column "
        '\'city\', are lost in it. Export it as "cpp", "json" or "cbm", which hold them.'
    )
    assert not list(tmp_path.iterdir())
    for format_ in ("cpp", "json"):
        assert export_model(model, tmp_path / "m", format_, rows=rows).rows_checked == 256


def test_rows_that_lack_categories_are_refused(tmp_path: Path) -> None:
    rows, label = with_categories()
    model = catboost.CatBoostRegressor(**QUIET, one_hot_max_size=3, max_ctr_complexity=1)
    model.fit(rows, label, cat_features=["city", "few"])
    for column, value, n_left, n_lacking in (("few", "f2", 2, 1), ("city", "Sankt 3", 29, 1)):
        with pytest.raises(DataError) as caught:
            export_model(model, tmp_path / "m.py", rows=rows[rows[column] != value])
        assert str(caught.value) == (
            f"column '{column}' of rows: found {n_left} categories, without {n_lacking} of those that the model knows, "
            "expected all of them, for the file takes others for unknown ones. "
            "Give all rows that the model was trained on."
        )
    with pytest.raises(DataError) as caught:
        export_model(model, tmp_path / "m.py", rows=rows[["city"]])
    assert str(caught.value) == (
        "rows: found 600 rows of 1 columns, expected rows of the 4 columns of the model. "
        "Give the rows that the model was trained on."
    )


def refusal(model: Any, path: Path, format_: str) -> str:
    path.write_text("what was there")
    with pytest.raises(ModelError) as caught:
        export_model(model, path, format_)
    assert path.read_text() == "what was there"
    assert len(list(path.parent.iterdir())) == 1
    return str(caught.value)


@pytest.mark.parametrize("format_", ["onnx", "pmml", "coreml"])
def test_categories_are_refused_elsewhere(tmp_path: Path, format_: str) -> None:
    rows, label = with_categories()
    model = catboost.CatBoostRegressor(**QUIET).fit(rows, label, cat_features=["city", "few"])
    assert refusal(model, tmp_path / "m", format_) == (
        f"a file of the format '{format_}' would not predict as the model does: it has categorical columns "
        "(['city', 'few']). Export it as \"cbm\" or \"json\", which hold it."
    )


@pytest.mark.parametrize(
    ("format_", "kind", "params", "reason"),
    [
        ("python", "regression", {"grow_policy": "Depthwise"}, "its trees are not symmetric"),
        ("cpp", "regression", {"grow_policy": "Lossguide"}, "its trees are not symmetric"),
        ("coreml", "regression", {"grow_policy": "Lossguide"}, "its trees are not symmetric"),
        ("python", "regression", {"missing": True, "nan_mode": "Max"}, "are above all others (nan_mode='Max')"),
        ("cpp", "regression", {"missing": True, "nan_mode": "Max"}, "are above all others (nan_mode='Max')"),
        ("coreml", "regression", {"missing": True, "nan_mode": "Max"}, "are above all others (nan_mode='Max')"),
        ("pmml", "regression", {"missing": True}, "have a place among the others, and would have none"),
        ("pmml", "regression", {}, "would be rounded to six digits"),
        ("pmml", "classes", {}, "it has 3 values a row"),
        ("coreml", "several targets", {}, "the start values of its 2 values a row would be lost"),
    ],
)
def test_what_would_lie_is_refused(tmp_path: Path, format_: str, kind: str, params: Any, reason: str) -> None:
    message = refusal(trained(kind, **params), tmp_path / "m", format_)
    assert message.startswith(f"a file of the format '{format_}' would not predict as the model does: ")
    assert reason in message


@pytest.mark.parametrize("format_", ["python", "cpp", "coreml"])
def test_these_refusals_are_needed(tmp_path: Path, format_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them the check finds the file wrong: the day that CatBoost mends it, this test says so."""
    monkeypatch.setattr(exporting, "require_expressible", lambda *_: None)
    message = refusal(trained("regression", missing=True, nan_mode="Max"), tmp_path / "m", format_)
    assert message.startswith(
        f"a file of the format '{format_}' does not predict as the model does: its values are up to "
    )


@pytest.mark.parametrize(("format_", "kind"), [("pmml", "regression"), ("coreml", "several targets")])
def test_these_too(tmp_path: Path, format_: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "require_expressible", lambda *_: None)
    assert "does not predict as the model does" in refusal(trained(kind), tmp_path / "m", format_)


def test_labels_that_onnx_has_not_are_named(tmp_path: Path) -> None:
    features, label = rows_of()
    model = catboost.CatBoostClassifier(**QUIET).fit(features, np.where(label > 0, 0.5, 1.5))
    assert refusal(model, tmp_path / "m", "onnx") == (
        "a file of the format 'onnx' has labels that are texts or whole numbers, not [0.5, 1.5]. "
        "Train on labels of one of these kinds, or export it in another format."
    )


def test_what_no_ensemble_holds_goes_into_a_cbm_only(tmp_path: Path) -> None:
    features, label = rows_of()
    rows = pd.DataFrame({"a": features[:, 1], "words": [f"w{i % 5} w{i % 3}" for i in range(600)]})
    model = catboost.CatBoostRegressor(**QUIET, text_features=["words"]).fit(rows, label)
    assert export_model(model, tmp_path / "m.cbm").rows_checked == 0
    loaded = catboost.CatBoostRegressor().load_model(str(tmp_path / "m.cbm"))
    np.testing.assert_array_equal(loaded.predict(rows), model.predict(rows))
    with pytest.raises(ModelError, match="text columns"):
        export_model(model, tmp_path / "m.json")
    with pytest.raises(ModelError, match="CatBoostRegressor is not fitted"):
        export_model(catboost.CatBoostRegressor(), tmp_path / "n.cbm")
    with pytest.raises(ModelError, match="DaskCatBoostRegressor is not fitted: it has no trees"):
        export_model(DaskCatBoostRegressor(), tmp_path / "n.cbm")
    with pytest.raises(ModelError, match="ndarray is no model of trees"):
        export_model(features, tmp_path / "n.cbm")


def test_the_name_of_the_file_or_the_format_says_how(tmp_path: Path) -> None:
    features, label = whole_rows()
    fitted = DaskCatBoostRegressor(iterations=5, depth=2).fit(features, label)
    assert export_model(fitted, tmp_path / "m.json").format == "json"
    assert json.loads((tmp_path / "m.json").read_text())["oblivious_trees"]
    done = export_model(fitted, str(tmp_path / "m.txt"), "python")
    assert pickle.loads(pickle.dumps(done)) == done
    with pytest.raises(ParameterError) as caught:
        export_model(fitted, tmp_path / "m.txt")
    assert str(caught.value) == (
        "format=None cannot be used: expected one of cbm, json, onnx, python, cpp, pmml, coreml, predictor. "
        "The file is 'm.txt'; say which."
    )
    with pytest.raises(ParameterError, match="format='tflite' cannot be used"):
        export_model(fitted, tmp_path / "m.json", "tflite")


def test_without_a_reader_nothing_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "reader_of", lambda _: None)
    done = export_model(trained("regression"), tmp_path / "m.onnx")
    assert (done.rows_checked, done.difference) == (0, None)


def test_raw_values_have_a_column_each() -> None:
    features, _ = rows_of()
    assert raw_values(trained("regression"), features).shape == (600, 1)
    assert raw_values(trained("classes"), features).shape == (600, 3)


def test_a_folder_that_is_missing_is_told_before_anything_is_done(tmp_path: Path) -> None:
    model = trained("regression", missing=True)
    for write in (export_model, save_predictor):
        with pytest.raises(ParameterError, match="Make the folder"):
            write(model, tmp_path / "missing" / "m.pyz")
    assert not list(tmp_path.iterdir())
