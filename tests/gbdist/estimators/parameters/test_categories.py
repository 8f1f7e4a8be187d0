"""What a run is told of categorical columns: from CatBoost's options, and from the values of the training set."""

from typing import Any

import pytest

from gbdist.categories.rules import CategoricalColumn, CategoryRules, StatisticRule
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.facts import DataFacts
from gbdist.estimators.parameters.resolve import resolve
from gbdist.quantize.unbinned import UnbinnedFacts

COLORS, SHOP, ALWAYS = (3, 5, 9), None, (7,)
COLUMNS = (
    UnbinnedFacts(1, "color", "hash", 0, 400, COLORS),
    UnbinnedFacts(2, "shop", "hash", 0, 400, SHOP),
    UnbinnedFacts(5, "always", "hash", 0, 400, ALWAYS),
)
DEFAULTS = (
    StatisticRule("Borders", (0.0, 0.5, 1.0), 15),
    StatisticRule("Counter", (0.0,), 15),
)


def rules(given: dict[str, Any], columns: Any = COLUMNS, classes: tuple[int, ...] | None = (0, 1)) -> Any:
    top = 1.0 if classes is None else float(len(classes) - 1)
    facts = DataFacts(100, 6, classes, label_min=0.0, label_max=top, categorical=columns)
    return resolve(canonical(given, classifier=classes is not None), facts).params.categories


def test_catboosts_defaults() -> None:
    assert rules({}) == CategoryRules(
        columns=(
            CategoricalColumn(1, "color", None),
            CategoricalColumn(2, "shop", None),
            CategoricalColumn(5, "always", ()),
        ),
        simple=DEFAULTS,
        combined=DEFAULTS,
        of_column=(),
        target_border_count=1,
        target_border_type="MinEntropy",
        max_complexity=4,
        model_size_reg=0.5,
        permutations=4,
        has_time=False,
        counts_evals=False,
        leaf_count_limit=None,
        limit_combinations_only=False,
    )
    assert rules({"iterations": 199}).max_complexity == 1
    assert rules({"grow_policy": "Lossguide", "max_ctr_complexity": 3}).max_complexity == 1


def test_none_without_categorical_columns() -> None:
    assert rules({"one_hot_max_size": 10, "per_feature_ctr": ["1:Counter:Prior=0"]}, columns=()) is None


@pytest.mark.parametrize(("limit", "values"), [(0, None), (1, None), (2, None), (3, COLORS), (255, COLORS)])
def test_columns_of_few_values_are_one_hot(limit: int, values: Any) -> None:
    assert [column.values for column in rules({"one_hot_max_size": limit}).columns] == [values, None, ()]


def test_everything_else_that_is_given() -> None:
    given = {
        "max_ctr_complexity": 0,
        "model_size_reg": 2,
        "permutation_count": 3,
        "counter_calc_method": "Full",
        "ctr_leaf_count_limit": 50,
        "store_all_simple_ctr": True,
        "simple_ctr": ["Counter:CtrBorderCount=3:Prior=0.25"],
        "combinations_ctr": ["Buckets:Prior=-0.5/1:Prior=2"],
        "per_feature_ctr": ["5:Borders:Prior=1", "2:Buckets:Prior=0,Counter:Prior=0.5:CtrBorderCount=255"],
    }
    found = rules(given)
    assert (found.max_complexity, found.model_size_reg, found.permutations) == (1, 2.0, 3)
    assert (found.counts_evals, found.leaf_count_limit, found.limit_combinations_only) == (True, 50, True)
    assert found.simple == (StatisticRule("Counter", (0.25,), 3),)
    assert found.combined == (StatisticRule("Buckets", (-0.5, 2.0), 15),)
    shop = (StatisticRule("Buckets", (0.0,), 15), StatisticRule("Counter", (0.5,), 255))
    assert found.of_column == ((1, shop), (2, (StatisticRule("Borders", (1.0,), 15),)))
    assert [found.rules_for(column) for column in range(3)] == [found.simple, shop, found.of_column[1][1]]


def test_rows_in_order_of_time_are_permuted_once() -> None:
    found = rules({"has_time": True, "permutation_count": 7})
    assert (found.has_time, found.permutations) == (True, 1)


@pytest.mark.parametrize(
    ("classes", "given", "borders"),
    [
        (None, {}, (1, "MinEntropy")),
        (None, {"ctr_target_border_count": 5}, (5, "MinEntropy")),
        (None, {"ctr_description": ["Borders:TargetBorderCount=3:TargetBorderType=Median"]}, (3, "Median")),
        ((0, 1), {"ctr_target_border_count": 1}, (1, "MinEntropy")),
        ((0, 1, 2, 3), {}, (3, "MinEntropy")),
        ((0, 1, 2, 3), {"ctr_target_border_count": 3}, (3, "MinEntropy")),
        ((0, 1, 2, 3), {"simple_ctr": ["Counter"]}, (3, "MinEntropy")),
    ],
)
def test_borders_of_the_target(classes: Any, given: dict[str, Any], borders: tuple[int, str]) -> None:
    found = rules(given, classes=classes)
    assert (found.target_border_count, found.target_border_type) == borders


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"per_feature_ctr": ["0:Borders:Prior=1", "2:Counter:Prior=0"]},
            "per_feature_ctr=['0:Borders:Prior=1', '2:Counter:Prior=0'] cannot be used: "
            "expected positions of categorical columns. They are [1, 2, 5].",
        ),
        (
            {"ctr_target_border_count": 1},
            "ctr_target_border_count=1 cannot be used: "
            "expected 2 borders of the target, between all of the 3 classes. Leave it out.",
        ),
        (
            {"ctr_description": ["Borders:TargetBorderCount=3"]},
            "ctr_description=['Borders:TargetBorderCount=3'] cannot be used: "
            "expected 2 borders of the target, between all of the 3 classes. Leave TargetBorderCount out.",
        ),
    ],
)
def test_what_does_not_go_with_the_data(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        rules(given, classes=(0, 1, 2))
    assert str(caught.value) == words
    assert rules(given, columns=(), classes=(0, 1, 2)) is None
