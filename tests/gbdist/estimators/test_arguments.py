"""Arguments that users of CatBoost give ``fit``, and that belong elsewhere."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor
from gbdist.errors import ParameterError

X, Y, GROUPS = np.arange(40.0).reshape(20, 2), np.arange(20) % 2, np.repeat(np.arange(4), 5)
ESTIMATORS = {"classifier": DaskCatBoostClassifier, "regressor": DaskCatBoostRegressor, "ranker": DaskCatBoostRanker}


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (
            "classifier",
            {"early_stopping_rounds": 3},
            "early_stopping_rounds=3 cannot be used: expected an argument that fit has. "
            "Give it to the estimator: DaskCatBoostClassifier(early_stopping_rounds=3).",
        ),
        ("regressor", {"cat_features": [0]}, "Give it to the estimator: DaskCatBoostRegressor(cat_features=[0])."),
        ("ranker", {"verbose": False}, "Give it to the estimator: DaskCatBoostRanker(verbose=False)."),
        (
            "regressor",
            {"use_best_model": True},
            "Give it to the estimator: DaskCatBoostRegressor(use_best_model=True).",
        ),
        (
            "classifier",
            {"group_id": pd.Series(GROUPS)},
            "group_id='Series' cannot be used: expected an argument that fit has. "
            "Use DaskCatBoostRanker, whose rows have groups.",
        ),
        ("regressor", {"output_borders": "f"}, "Borders are kept in the model; read them with model_.get_borders()."),
        (
            "ranker",
            {"eval_fraction": 0.2},
            'Set groups apart yourself: eval_set={"X": X_val, "y": y_val, "group_id": group_val}.',
        ),
        ("ranker", {"baseline": [1.0]}, "Start from a model: init_model=..."),
        ("ranker", {"pairs_weight": [1.0]}, "Give the weights as a third column of pairs."),
        ("classifier", {"evalset": (X, Y)}, "Did you mean eval_set?"),
        ("classifier", {"zzz": 1}, "Leave it out: docs/parity.md lists what there is."),
    ],
)
def test_arguments_that_fit_does_not_have(kind: str, given: dict[str, Any], words: str) -> None:
    groups = {"group_id": GROUPS} if kind == "ranker" else {}
    with pytest.raises(ParameterError) as caught:
        ESTIMATORS[kind]().fit(X, Y, **groups, **given)
    assert str(caught.value).endswith(words)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_metadata_requests_are_about_what_fit_has(kind: str) -> None:
    with config_context(enable_metadata_routing=True):
        request = ESTIMATORS[kind]().set_fit_request(sample_weight=True).get_metadata_routing().fit.requests
    assert request["sample_weight"] is True
    assert "others" not in request
