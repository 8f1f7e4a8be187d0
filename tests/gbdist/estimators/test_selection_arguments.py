"""What ``select_features`` may be asked for: columns as CatBoost names them, and clear errors before anything is trained."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist import DaskCatBoostRegressor
from gbdist.errors import ParameterError
from gbdist.estimators import repeated_fits

from .selection_table import NAMES, made


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """700 rows; see ``made``."""
    return made(700)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6]),
        ("0,2-4", [0, 2, 3, 4]),
        ("best, kind-6", [3, 5, 6]),
        ([5, "0-1", "n3"], [0, 1, 5, 6]),
        (np.array([4, 1]), [1, 4]),
        (range(2), [0, 1]),
    ],
)
def test_columns_are_named_as_in_catboost(frame: pd.DataFrame, given: Any, expected: list[int]) -> None:
    model = DaskCatBoostRegressor(iterations=1)
    summary = model.select_features(
        frame[NAMES], frame["y"], features_for_select=given, num_features_to_select=len(expected)
    )
    assert summary["selected_features"] == expected


def test_names_may_have_hyphens() -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 4)), columns=["a", "a-b", "b", "b-c"])
    model = DaskCatBoostRegressor(iterations=1)
    asked = {"num_features_to_select": 1, "algorithm": "RecursiveByPredictionValuesChange"}
    for given, expected in ((["a-b"], [1]), (["a-b-b-c"], [1, 2, 3])):
        summary = model.select_features(X, X["b"], features_for_select=given, **asked)
        assert sorted([*summary["selected_features"], *summary["eliminated_features"]]) == expected


COLUMNS = "names, positions or ranges of columns of X"
HAS = "it has 7: n0, good, n1, best, n2, kind, n3."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"num_features_to_select": 8},
            "num_features_to_select=8 cannot be used: expected at most 7, the number of columns to select from. "
            "Lower it, or name more columns in features_for_select.",
        ),
        (
            {},
            "num_features_to_select=None cannot be used: expected a whole number of at least 1. Change it.",
        ),
        ({"steps": 0}, "steps=0 cannot be used: expected a whole number of at least 1. Change it."),
        (
            {"features_for_select": ["n0", "nope"]},
            f"features_for_select=['n0', 'nope'] cannot be used: expected {COLUMNS}. X has no column 'nope'; {HAS}",
        ),
        (
            {"features_for_select": [0, 7]},
            f"features_for_select=[0, 7] cannot be used: expected {COLUMNS}. X has no column 7; {HAS}",
        ),
        (
            {"features_for_select": "0,4-2"},
            f"features_for_select='0,4-2' cannot be used: expected {COLUMNS}. X has no column '4-2'; {HAS}",
        ),
        (
            {"features_for_select": ["n0", 0]},
            "features_for_select=['n0', 0] cannot be used: expected each column once. Leave 'n0' out.",
        ),
        (
            {"features_for_select": "0-2", "ignored_features": ["n1"]},
            "features_for_select='0-2' cannot be used: expected columns that are not in ignored_features. Leave 'n1' out.",
        ),
        (
            {"features_for_select": []},
            "features_for_select=[] cannot be used: expected names or positions of columns of X. "
            'Write features_for_select=["color", 3, "5-9"], for example, or leave it out for all columns.',
        ),
        (
            {"algorithm": "Forward"},
            "algorithm='Forward' cannot be used: expected 'RecursiveByPredictionValuesChange' or "
            "'RecursiveByLossFunctionChange' or 'RecursiveByShapValues'. Choose one of these.",
        ),
        (
            {"shap_calc_type": "Exact", "grow_policy": "Depthwise"},
            "shap_calc_type='Exact' cannot be used: expected 'Regular' or 'Approximate' with grow_policy='Depthwise'. "
            "Leave it out.",
        ),
        (
            {"train_final_model": 1},
            "train_final_model=1 cannot be used: expected True or False. Change it.",
        ),
        (
            {"aggregate": "models"},
            "aggregate='models' cannot be used: expected 'histograms' with select_features. Leave it out.",
        ),
        (
            {"save_snapshot": True},
            "save_snapshot=True cannot be used: expected it to be left out with select_features. "
            "Leave it out: what was selected is told once all steps are done.",
        ),
        (
            {"grouping": "ByTags"},
            "grouping='ByTags' cannot be used: expected it to be left out. Tags of columns are not read: select columns.",
        ),
        (
            {"metric_period": 5},
            "metric_period=5 cannot be used: expected an argument that select_features has. "
            "Parameters of CatBoost belong to the estimator: DaskCatBoostRegressor(metric_period=...).",
        ),
    ],
)
def test_what_cannot_be_selected(
    frame: pd.DataFrame, given: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is even quantized then."""
    for name in ("FitsHere", "FitsOnGang"):
        monkeypatch.setattr(repeated_fits, name, None)
    own = ("ignored_features", "grow_policy", "aggregate", "save_snapshot")
    model = DaskCatBoostRegressor(**{name: value for name, value in given.items() if name in own})
    asked = {} if not given else {"num_features_to_select": 1}
    asked |= {name: value for name, value in given.items() if name not in own}
    with pytest.raises(ParameterError) as raised:
        model.select_features(frame[NAMES], frame["y"], **asked)
    assert str(raised.value) == message
