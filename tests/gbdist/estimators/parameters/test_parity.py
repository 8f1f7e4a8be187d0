"""The table has CatBoost's parameters and no others; that docs/parity.md has all of them is looked at in tests/bench."""

import inspect

from catboost import CatBoostClassifier, CatBoostRegressor

from gbdist.estimators.parameters.table import ALIASES, CLASSIFIER_ONLY, TABLE


def constructor(estimator: type) -> set[str]:
    return set(inspect.signature(estimator.__init__).parameters) - {"self"}


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
