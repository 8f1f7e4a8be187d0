"""docs/parity.md says what the table says, and the table has every parameter of CatBoost."""

import inspect
from pathlib import Path

import pytest
from catboost import CatBoostClassifier, CatBoostRegressor

from gbdist.estimators.parameters.parity import text
from gbdist.estimators.parameters.table import ALIASES, CLASSIFIER_ONLY, TABLE

PARITY = Path(__file__).parents[4] / "docs/parity.md"


def constructor(estimator: type) -> set[str]:
    return set(inspect.signature(estimator.__init__).parameters) - {"self"}


def test_parity_md_is_up_to_date() -> None:
    assert PARITY.read_text(encoding="utf-8") == text(), "write it again: its third paragraph says how"


@pytest.mark.parametrize("estimator", [CatBoostClassifier, CatBoostRegressor])
def test_every_parameter_of_catboost_is_in_parity_md(estimator: type) -> None:
    written = PARITY.read_text(encoding="utf-8")
    missing = [name for name in constructor(estimator) if f"| `{name}` |" not in written]
    assert missing == []


def test_the_table_invents_nothing() -> None:
    # permutation_count is a parameter of CatBoost's without being one of its estimators' constructors.
    both = constructor(CatBoostClassifier) | constructor(CatBoostRegressor)
    assert (set(TABLE) | set(ALIASES)) - both == {"n_jobs", "permutation_count"}
    assert set(ALIASES.values()) <= set(TABLE)
    assert not set(ALIASES) & set(TABLE)


def test_only_the_classifier_has_parameters_about_classes() -> None:
    # custom_loss is an alias and is taken for both; callback is refused for both.
    only = constructor(CatBoostClassifier) - constructor(CatBoostRegressor) - {"custom_loss", "callback"}
    assert only == CLASSIFIER_ONLY
