"""A model is opened from a CatBoost model, an estimator or a file, and written anew with fewer trees, and stays as it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist import DaskCatBoostClassifier, DaskMLPClassifier
from gbdist.compression.given import open_model
from gbdist.errors import ModelError, ParameterError
from gbdist.models.catboost_format import cbm_bytes, read_cbm
from gbdist.models.history import record_of

RNG = np.random.default_rng(5)
X = RNG.normal(size=(200, 4)).astype(np.float32)
Y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
PARAMS: dict[str, Any] = {"iterations": 8, "depth": 3, "verbose": False}


@pytest.fixture(scope="module")
def model() -> catboost.CatBoostClassifier:
    return catboost.CatBoostClassifier(**PARAMS, allow_writing_files=False).fit(X, Y, eval_set=(X[:50], Y[:50]))


def raw(model: Any) -> Any:
    return model.predict(X, prediction_type="RawFormulaVal")


def test_a_model_of_no_trees_is_told() -> None:
    none = catboost.CatBoostRegressor(**PARAMS, allow_writing_files=False).fit(X, X[:, 0])
    none.shrink(0)
    with pytest.raises(ModelError) as caught:
        open_model(none)
    assert str(caught.value) == "the model has no trees. There is nothing to make smaller"


def test_fewer_trees_with_all_else_but_the_curves(model: catboost.CatBoostClassifier) -> None:
    before = cbm_bytes(model)
    given = open_model(model)
    assert given.name == "CatBoostClassifier"
    few = given.written(replace(given.ensemble, trees=given.ensemble.trees[:3]))
    assert type(few) is catboost.CatBoostClassifier
    assert np.array_equal(raw(few), model.predict(X, prediction_type="RawFormulaVal", ntree_end=3))
    assert few.classes_.tolist() == ["no", "yes"]
    assert few.get_all_params() == read_cbm(before).get_all_params()
    record = record_of(few)
    assert record is not None
    assert (record.scores, set(record.best_scores)) == ((), {"learn", "validation"})
    assert cbm_bytes(model) == before
    assert record_of(model).scores != ()  # type: ignore[union-attr]


def test_a_file_is_a_classifier_or_a_regressor_as_its_model_is(
    model: catboost.CatBoostClassifier, tmp_path: Path
) -> None:
    model.save_model(str(tmp_path / "bought.cbm"))
    given = open_model(str(tmp_path / "bought.cbm"))
    assert given.name == "bought.cbm"
    written = given.written(given.ensemble)
    assert type(written) is catboost.CatBoostClassifier
    assert np.array_equal(written.predict(X), model.predict(X))
    number = catboost.CatBoostRegressor(**PARAMS, allow_writing_files=False).fit(X, X[:, 0])
    number.save_model(str(tmp_path / "number.cbm"))
    given = open_model(tmp_path / "number.cbm")
    assert type(given.written(given.ensemble)) is catboost.CatBoostRegressor


def test_an_estimator_is_its_model() -> None:
    estimator = DaskCatBoostClassifier(**PARAMS).fit(X, Y)
    given = open_model(estimator)
    assert given.name == "DaskCatBoostClassifier"
    assert np.array_equal(raw(given.written(given.ensemble)), raw(estimator.model_))


@pytest.mark.parametrize("value", [None, 7, DaskCatBoostClassifier, object()])
def test_something_else_is_refused(value: object) -> None:
    expected = "a CatBoost model, a fitted DaskCatBoostClassifier or DaskCatBoostRegressor, or the path of a .cbm"
    with pytest.raises(ParameterError, match=expected):
        open_model(value)


def test_models_that_cannot_be_compressed(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="DaskCatBoostClassifier is not fitted: it has no trees"):
        open_model(DaskCatBoostClassifier())
    with pytest.raises(ModelError, match="CatBoostRegressor is not fitted"):
        open_model(catboost.CatBoostRegressor())
    with pytest.raises(ModelError, match="compress: there is no file"):
        open_model(tmp_path / "no.cbm")
    (tmp_path / "text.cbm").write_text("no model")
    with pytest.raises(ModelError, match="compress: CatBoost cannot read"):
        open_model(tmp_path / "text.cbm")
    network = DaskMLPClassifier(hidden_layer_sizes=(4,), max_iter=1).fit(X, Y)
    with pytest.raises(ModelError, match="DaskMLPClassifier is no model of trees"):
        open_model(network)
