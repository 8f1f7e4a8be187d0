"""Leaves, raw predictions and losses from bins, against CatBoost's own from raw rows, on one rank and on several."""

from collections.abc import Callable
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.compression.passes.outputs import add_tree, leaves_of, loss_of, losses_of, raw_predictions
from gbdist.models.apply import leaf_of_rows
from gbdist.models.catboost_format import to_catboost
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble

from ..conftest import data_of, on_ranks, placements, rows_of

NAMES = {1: None, 2: ("no", "yes"), 3: ("ant", "bee", "cow")}


def labels(n_rows: int, n_classes: int) -> np.ndarray:
    generator = np.random.default_rng(2)
    values = generator.normal(size=n_rows) if n_classes == 1 else generator.integers(0, n_classes, n_rows)
    return values.astype(np.float32)


@pytest.mark.parametrize("n_classes", [1, 2, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_predictions_from_bins_are_catboosts_bit_for_bit(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray, n_classes: int, threads: int
) -> None:
    ensemble = make_ensemble([6, 0, 3] * 7, 3 if n_classes == 3 else 1, NAMES[n_classes])
    rows = rows_of(ensemble, raw_features, labels(900, n_classes))
    found = raw_predictions(ensemble, data_of(ensemble, rows, threads=threads))
    expected = to_catboost(ensemble).predict(raw_features, prediction_type="RawFormulaVal").T.reshape(-1, 900)
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_predictions_from_bins_of_categories_are_catboosts_bit_for_bit(
    make_categorical: Callable[..., Any], seed: int
) -> None:
    case = make_categorical(seed, 3, 3, NAMES[3])
    rows = rows_of(case.ensemble, case.features, labels(1000, 3), case.hashes)
    found = raw_predictions(case.ensemble, data_of(case.ensemble, rows))
    expected = to_catboost(case.ensemble).predict(case.rows, prediction_type="RawFormulaVal").T
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("policy", ["Lossguide", "Depthwise"])
def test_predictions_of_non_symmetric_trees_are_catboosts_bit_for_bit(policy: str) -> None:
    generator = np.random.default_rng(4)
    X = generator.normal(size=(500, 4)).astype(np.float32)
    X[generator.random(X.shape) < 0.1] = np.nan
    y = np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) * (np.nan_to_num(X[:, 2]) > 0)
    options = {"iterations": 20, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "grow_policy": policy}
    model = catboost.CatBoostRegressor(**options).fit(X, y)
    ensemble = from_catboost(model)
    found = raw_predictions(ensemble, data_of(ensemble, rows_of(ensemble, X, y)))
    assert found.tobytes() == model.predict(X).tobytes()


def test_leaves_from_bins_are_those_of_raw_rows(make_categorical: Callable[..., Any]) -> None:
    case = make_categorical(5)
    data = data_of(case.ensemble, rows_of(case.ensemble, case.features, labels(1000, 2), case.hashes))
    for tree in case.ensemble.trees:
        found = leaves_of(tree, data)
        assert found.dtype == np.uint16
        assert found.tolist() == leaf_of_rows(tree, case.ensemble, case.features, case.hashes).tolist()


def test_a_tree_is_added_and_taken_away(make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray) -> None:
    ensemble = make_ensemble([3])
    data = data_of(ensemble, rows_of(ensemble, raw_features, labels(900, 1)))
    predictions = np.zeros((1, 900))
    add_tree(ensemble.trees[0], predictions, data)
    assert (predictions + ensemble.bias == raw_predictions(ensemble, data)).all()
    add_tree(ensemble.trees[0], predictions, data, -1.0)
    assert not predictions.any()


@pytest.mark.parametrize("n_classes", [1, 2, 3])
def test_the_loss_is_catboosts_and_the_same_on_any_ranks(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray, n_classes: int
) -> None:
    ensemble = make_ensemble([4] * 5, 3 if n_classes == 3 else 1, NAMES[n_classes])
    label = labels(900, n_classes)
    weight = np.random.default_rng(3).random(900).astype(np.float32)
    rows = rows_of(ensemble, raw_features, label, weight=weight)
    found = {
        loss
        for placement in placements(900)
        for loss in on_ranks(ensemble, rows, placement, lambda data: loss_of(raw_predictions(ensemble, data), data))
    }
    assert len(found) == 1
    raw = to_catboost(ensemble).predict(raw_features, prediction_type="RawFormulaVal")
    assert found.pop() == pytest.approx(expected_loss(raw, label, weight, n_classes), rel=1e-9)


def expected_loss(raw: np.ndarray, label: np.ndarray, weight: np.ndarray, n_classes: int) -> float:
    """RMSE, log-loss or multi-class loss, as their definitions say."""
    if n_classes == 1:
        return float(np.sqrt(np.average((raw - label) ** 2, weights=weight)))
    if n_classes == 2:
        return float(np.average(np.logaddexp(0, raw) - label * raw, weights=weight))
    of_class = raw[np.arange(label.shape[0]), label.astype(int)]
    return float(np.average(np.log(np.exp(raw).sum(axis=1)) - of_class, weights=weight))


def test_losses_of_several_predictions_are_those_of_each(
    make_ensemble: Callable[..., Ensemble], raw_features: np.ndarray
) -> None:
    ensemble = make_ensemble([2])
    data = data_of(ensemble, rows_of(ensemble, raw_features, labels(900, 1)))
    raws = [np.zeros((1, 900)), raw_predictions(ensemble, data)]
    assert losses_of(raws, data) == [loss_of(raw, data) for raw in raws]
