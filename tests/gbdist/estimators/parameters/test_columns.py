"""Parameters that are about single columns: by position or name, and what they refuse."""

from typing import Any

import pytest

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.columns import ignored_columns, monotone_constraints, penalties

NAMES = ("size", "colour", "3")


def test_columns_that_cost_nothing_are_no_penalties() -> None:
    assert penalties({}, NAMES) is None
    assert penalties({"feature_weights": [1, 1, 1], "first_feature_use_penalties": {"size": 0}}, NAMES) is None
    assert ignored_columns({}, NAMES) == frozenset()


def test_columns_are_told_by_position_or_name() -> None:
    found = penalties({"feature_weights": {"colour": 2, 0: 0.5}, "first_feature_use_penalties": [0, 3, 1]}, NAMES)
    assert found is not None
    assert found.weights == (0.5, 2.0, 1.0)
    assert found.first_uses == (0.0, 3.0, 1.0)
    twice = penalties({"first_feature_use_penalties": {"3": 2}, "penalties_coefficient": 2.5}, NAMES)
    assert twice is not None
    assert twice.first_uses == (0.0, 0.0, 5.0)
    assert ignored_columns({"ignored_features": (2, "size")}, NAMES) == {0, 2}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"feature_weights": (1, 2)},
            "feature_weights=[1, 2] cannot be used: expected 3 numbers, one a column of X. "
            "Give one for each, or a dictionary {column: number}.",
        ),
        (
            {"feature_weights": {"price": 2}},
            "feature_weights={'price': 2} cannot be used: expected names of columns of X. "
            "X has no column 'price'; it has: size, colour, 3.",
        ),
        (
            {"first_feature_use_penalties": {3: 2}},
            "first_feature_use_penalties={3: 2} cannot be used: expected positions from 0 to 2. "
            "X has no column 3; it has: size, colour, 3.",
        ),
        (
            {"ignored_features": ("size", -1)},
            "ignored_features=['size', -1] cannot be used: expected positions from 0 to 2. "
            "X has no column -1; it has: size, colour, 3.",
        ),
        (
            {"ignored_features": (0, 1, 2)},
            "ignored_features=[0, 1, 2] cannot be used: expected at least one column that is not. Leave some out.",
        ),
    ],
)
def test_what_columns_do_not_fit(given: dict[str, Any], says: str) -> None:
    read = ignored_columns if "ignored_features" in given else penalties
    with pytest.raises(ParameterError) as refusal:
        read(given, NAMES)
    assert str(refusal.value) == says


def test_constraints_are_told_by_position_or_name() -> None:
    assert monotone_constraints({}, NAMES, {1}) == ()
    assert monotone_constraints({"monotone_constraints": (0, 0, 0)}, NAMES, {1}) == ()
    assert monotone_constraints({"monotone_constraints": {"size": -1, 2: 1}}, NAMES, {1}) == (-1, 0, 1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((1, 0), "[1, 0] cannot be used: expected 3 numbers, one a column of X. Give one for each, or a dict"),
        ({"price": 1}, "{'price': 1} cannot be used: expected names of columns of X. X has no column 'price'"),
        (
            {"colour": 1},
            "{'colour': 1} cannot be used: expected constraints of numeric columns. "
            "'colour' is categorical: leave it out, or give it as numbers.",
        ),
    ],
)
def test_what_constraints_do_not_fit(given: Any, says: str) -> None:
    with pytest.raises(ParameterError) as refused:
        monotone_constraints({"monotone_constraints": given}, NAMES, {1})
    assert str(refused.value).startswith(f"monotone_constraints={says}")
