"""Data of a compression in this process: parts, labels, losses, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist.compression.data import CompressionData, compression_data
from gbdist.compression.pipeline import losses
from gbdist.compression.shares import PARTS, Shares, halves
from gbdist.errors import DataError, ModelError
from gbdist.models.catboost_reading import from_catboost

from .tables import classes_of, fitted, make_frame


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return make_frame()


@pytest.fixture(scope="module")
def rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Features and label."""
    return frame.drop(columns="w")


@pytest.fixture(scope="module")
def regressor(frame: pd.DataFrame) -> Any:
    return fitted(frame)


@pytest.fixture(scope="module")
def classifier(frame: pd.DataFrame) -> Any:
    return fitted(frame, classifier=True)


def mask_of(part: Any, n_rows: int, shares: Shares, seed: int) -> np.ndarray:
    return shares.side(part, seed).mask(0, n_rows)


@pytest.mark.parametrize("part", PARTS)
def test_the_loss_of_a_part_is_that_of_catboosts_predictions_for_its_rows(
    frame: pd.DataFrame, regressor: Any, part: Any
) -> None:
    shares = Shares(0.3, 0.2)
    with compression_data(frame, "y", "w", model=regressor, shares=shares, seed=4) as data:
        (found,) = losses([data.ensemble], data, part)
        assert sum(data.rows.values()) == len(frame)
    rows = frame[mask_of(part, len(frame), shares, 4)]
    raw = regressor.predict(rows.drop(columns=["y", "w"]))
    weight = rows["w"].to_numpy(np.float32).astype(float)
    expected = np.sqrt(np.average((raw - rows["y"].to_numpy(np.float32)) ** 2, weights=weight))
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_labels_become_numbers_of_the_models_classes(frame: pd.DataFrame, classifier: Any) -> None:
    X, y = frame.drop(columns=["y", "w"]), classes_of(frame)
    with compression_data(X, y, model=classifier, shares=Shares(0.0, 0.0)) as data:
        (found,) = losses([data.ensemble], data, "passes")
        assert dict(data.rows) == {"passes": len(frame)}
    raw = classifier.predict(X, prediction_type="RawFormulaVal")
    expected = np.mean(np.logaddexp(0, raw) - (y == "low").to_numpy() * raw)
    assert found == pytest.approx(float(expected), rel=1e-9)


def test_one_half_of_a_given_holdout_is_chosen_by_and_passes_have_all_other_rows(
    rows: pd.DataFrame, regressor: Any
) -> None:
    frame = make_frame(200, seed=9)
    holdout = (frame, "y", "w")
    with compression_data(rows, "y", model=regressor, holdout=holdout, shares=Shares(0.25, 0.5), seed=3) as data:
        assert data.rows["passes"] == len(rows)
        assert data.rows["choice"] + data.rows["holdout"] == 200
        assert 70 < data.rows["choice"] < 130
        (found,) = losses([data.ensemble], data, "choice")
    mask = halves(3)["choice"].mask(0, 200)
    expected = np.average(
        (regressor.predict(frame.drop(columns=["y", "w"])) - frame["y"])[mask] ** 2, weights=frame["w"][mask]
    )
    assert found == pytest.approx(float(np.sqrt(expected)), rel=1e-6)


def test_all_of_a_given_holdout_is_reported_on_where_nothing_is_chosen(rows: pd.DataFrame, regressor: Any) -> None:
    holdout = (make_frame(200, seed=9), "y", "w")
    with compression_data(rows, "y", model=regressor, holdout=holdout, shares=Shares(0.0)) as data:
        assert dict(data.rows) == {"passes": len(rows), "holdout": 200}


def test_losses_of_a_part_that_there_is_not_are_refused(rows: pd.DataFrame, regressor: Any) -> None:
    with (
        compression_data(rows, "y", model=regressor, shares=Shares(0.0, 0.0)) as data,
        pytest.raises(DataError, match="rows of the part 'holdout': found none, expected some"),
    ):
        losses([data.ensemble], data, "holdout")


def opened(*args: Any, **more: Any) -> CompressionData:
    with compression_data(*args, **more) as data:
        return data


def test_columns_that_the_model_has_not_are_named(frame: pd.DataFrame, regressor: Any) -> None:
    X = frame.drop(columns=["y", "w"]).rename(columns={"b": "c"})
    with pytest.raises(DataError) as refused:
        opened(X, frame["y"], model=regressor)
    assert str(refused.value).startswith(
        "X: found 4 columns, without 'b', with 'c', expected the 4 features of the model."
    )
    with pytest.raises(DataError, match="holdout, X: found 4 columns, without 'b', with 'c'"):
        opened(frame.drop(columns="w"), "y", model=regressor, holdout=(X, frame["y"]))
    with pytest.raises(DataError, match="X: found 4 columns, in another order, expected"):
        opened(frame[["b", "city", "a", "colour"]], frame["y"], model=regressor)


def test_rows_without_names_must_have_as_many_columns_as_the_model(regressor: Any) -> None:
    with pytest.raises(DataError) as refused:
        opened(np.zeros((30, 3)), np.zeros(30), model=regressor)
    fix = "Pass the columns that the model was trained on, model.feature_names_, in their order."
    assert str(refused.value) == f"X: found 3 columns, expected the 4 features of the model. {fix}"


def test_a_label_that_the_model_does_not_know_is_named(frame: pd.DataFrame, classifier: Any) -> None:
    y = classes_of(frame)
    y[7] = "middle"
    with pytest.raises(DataError) as refused:
        opened(frame.drop(columns=["y", "w"]), y, model=classifier, shares=Shares(0.0, 0.0))
    assert str(refused.value) == (
        "y: found label 'middle', expected one of the model's classes, 'high', 'low'."
        " Leave those rows out, or pass labels as the model was trained on."
    )


def test_labels_of_a_single_class_are_refused(frame: pd.DataFrame, classifier: Any) -> None:
    y = pd.Series(["low"] * len(frame), dtype=object)
    with pytest.raises(DataError, match="y: found the single class 'low', expected rows of two classes at least"):
        opened(frame.drop(columns=["y", "w"]), y, model=classifier)


def test_a_holdout_of_a_single_class_is_refused(frame: pd.DataFrame, classifier: Any) -> None:
    features, y = frame.drop(columns=["y", "w"]), classes_of(frame)
    with pytest.raises(DataError) as refused:
        opened(features, y, model=classifier, holdout=(features, pd.Series(["low"] * len(frame), dtype=object)))
    assert str(refused.value) == (
        "holdout, y: found the single class 'low', expected rows of two classes at least."
        " Give rows of all classes: with one alone any model is as good as a constant."
    )


def test_measured_numbers_are_no_classes(rows: pd.DataFrame, classifier: Any) -> None:
    with pytest.raises(DataError, match="expected one of the model's classes, 'high', 'low'"):
        opened(rows, "y", model=classifier)


def test_data_without_rows_or_labels_are_refused(frame: pd.DataFrame, regressor: Any) -> None:
    with pytest.raises(DataError, match="X: found 0 rows in 1 partition"):
        opened(frame.drop(columns="w")[:0], "y", model=regressor)
    with pytest.raises(DataError, match="y: found no labels, expected 1, as the model's loss RMSE has"):
        opened(frame.drop(columns=["y", "w"]), None, model=regressor)


def test_rows_that_are_too_few_for_all_parts_ask_for_more_or_a_holdout(rows: pd.DataFrame, regressor: Any) -> None:
    with pytest.raises(DataError, match=r"(choice|holdout), X: found 0 rows .* Pass more rows, .* or a holdout"):
        opened(rows[:2], "y", model=regressor)


def test_a_holdout_of_another_shape_is_refused(frame: pd.DataFrame, regressor: Any) -> None:
    with pytest.raises(DataError, match="holdout: found a DataFrame, expected"):
        opened(frame, "y", model=regressor, holdout=frame)


def test_a_model_that_does_not_tell_its_loss_is_refused(rows: pd.DataFrame, regressor: Any) -> None:
    ensemble = from_catboost(regressor)
    ensemble.options.clear()
    with pytest.raises(ModelError, match="the model does not tell which loss it was trained with"):
        opened(rows, "y", model=ensemble)
