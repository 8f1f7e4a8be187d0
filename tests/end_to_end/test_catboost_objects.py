"""Losses and metrics that are objects: CatBoost's trees and curves, a plain model, and the same one on workers."""

import pathlib
from typing import Any

import catboost
import dask.array as da
import numpy as np
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.errors import ParameterError
from gbdist.models.catboost_format import fixed_cbm_bytes

from ..gbdist.custom.objects import (
    Logistic,
    LogisticByRange,
    MeanLoss,
    MeanLossByRow,
    Softmax,
    SoftmaxByRow,
    Squared,
    SquaredByRange,
)
from .test_catboost_trees import CERTAIN, make_rows, splits_of

SHORT = {**CERTAIN, "iterations": 8, "depth": 4}


@pytest.mark.parametrize(
    ("ours", "theirs", "metric", "classes", "more"),
    [
        (Logistic(), LogisticByRange(), "Logloss", 2, {}),
        (LogisticByRange(), LogisticByRange(), "AUC", 2, {"leaf_estimation_iterations": 3}),
        (Logistic(), LogisticByRange(), "Logloss", 2, {"class_weights": [1.0, 3.0], "model_shrink_rate": 0.05}),
        (Squared(), SquaredByRange(), "RMSE", 0, {"monotone_constraints": [1, 0, 0, 0, 0, 0]}),
        (Squared(), SquaredByRange(), "MAE", 0, {"leaf_estimation_method": "Gradient"}),
        (Softmax(), SoftmaxByRow(), "MultiClass", 3, {}),
    ],
)
def test_trees_are_those_of_catboost(
    ours: Any, theirs: Any, metric: str, classes: int, more: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    x, y = make_rows(classes)
    x, y = x[:800], y[:800]
    weight = np.random.default_rng(3).uniform(0.3, 2.0, 800).astype(np.float32)
    kinds = (
        (DaskCatBoostClassifier, catboost.CatBoostClassifier)
        if classes
        else (DaskCatBoostRegressor, catboost.CatBoostRegressor)
    )
    params = {**SHORT, "eval_metric": metric, **more}
    mine = kinds[0](**params, loss_function=ours).fit(x, y, sample_weight=weight).model_
    quiet = {"verbose": False, "allow_writing_files": False}
    native = kinds[1](**params, loss_function=theirs, **quiet).fit(x, y, sample_weight=weight)
    assert splits_of(mine, tmp_path / "ours.json") == splits_of(native, tmp_path / "theirs.json")
    raw = native.predict(x, prediction_type="RawFormulaVal")
    assert mine.predict(x, prediction_type="RawFormulaVal") == pytest.approx(raw, abs=1e-6)


@pytest.mark.parametrize("metric", [MeanLoss(), MeanLossByRow()])
def test_curves_and_early_stopping_are_those_of_catboost(metric: Any) -> None:
    x, y = make_rows(2)
    params = {**SHORT, "iterations": 60, "learning_rate": 0.9, "early_stopping_rounds": 4, "l2_leaf_reg": 0.1}
    x, y, evals = x[:400], y[:400], (x[400:800], y[400:800])
    mine = DaskCatBoostClassifier(**params, loss_function=Logistic(), eval_metric=metric).fit(x, y, eval_set=evals)
    native = catboost.CatBoostClassifier(
        **params, loss_function=LogisticByRange(), eval_metric=MeanLossByRow(), verbose=False, allow_writing_files=False
    ).fit(x, y, eval_set=evals)
    name = type(metric).__name__
    assert mine.best_iteration_ == native.best_iteration_
    assert mine.tree_count_ == native.tree_count_ < 60
    for data, values in native.get_evals_result().items():
        assert mine.evals_result_[data][name] == pytest.approx(values["MeanLossByRow"], rel=1e-9)


def test_a_metric_beside_a_loss_of_catboosts() -> None:
    x, y = make_rows(2)
    model = DaskCatBoostClassifier(**SHORT, eval_metric=MeanLoss()).fit(x[:500], y[:500])
    of_rounds = DaskCatBoostClassifier(aggregate="models", iterations=2, rounds=2, eval_metric=MeanLossByRow())
    for found in (model.evals_result_["learn"], of_rounds.fit(x[:500], y[:500]).evals_result_["learn"]):
        name, loss = found
        assert (name[:8], loss) == ("MeanLoss", "Logloss")
        assert found[name] == pytest.approx(found[loss], rel=1e-12)


def test_the_model_is_a_plain_one(tmp_path: pathlib.Path) -> None:
    x, y = make_rows(2)
    labels = np.where(y, "yes", "no")
    model = DaskCatBoostClassifier(**SHORT, loss_function=Logistic(), eval_metric=MeanLoss()).fit(x[:500], labels[:500])
    model.save_model(tmp_path / "model.cbm")
    plain = catboost.CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    assert plain.get_all_params()["loss_function"] == "PythonUserDefinedPerObject"
    assert plain.predict(x).tolist() == model.predict(x).tolist()
    assert set(model.predict(x)) == {"no", "yes"}
    raw = plain.predict(x, prediction_type="RawFormulaVal")
    assert model.predict(x, prediction_type="RawFormulaVal").tobytes() == raw.tobytes()
    assert model.predict_proba(x)[:, 1] == pytest.approx(1.0 / (1.0 + np.exp(-raw)))
    more = DaskCatBoostClassifier(**SHORT, loss_function=Logistic(), eval_metric=MeanLoss())
    assert more.fit(x[:500], labels[:500], init_model=model).tree_count_ == 16


def test_worker_processes(client: Client) -> None:
    class Loss:  # of this function, so that it travels whole: workers do not import tests
        def __init__(self, fails: bool) -> None:
            self.fails = fails

        def derivatives(self, predictions, label):
            if self.fails and (predictions[0] > 0.3).any():
                raise KeyError("steep")
            p = 1.0 / (1.0 + np.exp(-predictions[0]))
            return label - p, -p * (1.0 - p)

    class Metric:
        def is_max_optimal(self) -> bool:
            return False

        def row_values(self, predictions, label):
            return np.log1p(np.exp(predictions[0])) - label * predictions[0]

    x, y = make_rows(2)
    params = {**SHORT, "bootstrap_type": "MVS", "eval_metric": Metric(), "use_best_model": True}
    evals = (x[:300], y[:300])
    here = DaskCatBoostClassifier(**params, loss_function=Loss(fails=False)).fit(x, y, eval_set=evals)
    lazy = da.from_array(x, chunks=(700, 6)), da.from_array(y, chunks=700)
    there = DaskCatBoostClassifier(**params, loss_function=Loss(fails=False), client=client).fit(*lazy, eval_set=evals)
    assert fixed_cbm_bytes(there.model_) == fixed_cbm_bytes(here.model_)
    assert there.evals_result_ == here.evals_result_
    with pytest.raises(
        ParameterError, match=r"Loss.derivatives' .* no exception for row \d+, which raised KeyError: 'steep'"
    ):
        DaskCatBoostClassifier(**params, loss_function=Loss(fails=True), client=client).fit(*lazy, eval_set=evals)
