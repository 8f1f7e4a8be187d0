"""Class weights are CatBoost's to the last bit, and a mismatch with the data says what the classes are."""

import json
from typing import Any

import numpy as np
import pytest
from catboost import CatBoostClassifier

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.class_weights import class_weights


def catboosts_own(labels: np.ndarray, weight: np.ndarray | None, **given: Any) -> list[float]:
    x = np.random.default_rng(1).normal(size=(len(labels), 2)).astype(np.float32)
    model = CatBoostClassifier(iterations=1, verbose=0, allow_writing_files=False, thread_count=1, **given)
    model.fit(x, labels, sample_weight=weight)
    own: list[float] = json.loads(model.get_metadata()["params"])["data_processing_options"]["class_weights"]
    return own


@pytest.mark.parametrize("balance", ["Balanced", "SqrtBalanced"])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("scale", [None, 0.01, 0.7, 30.0])
def test_balanced_weights_are_catboosts(balance: str, n_classes: int, scale: float | None) -> None:
    # At 0.01 the sums of some classes are below 1: CatBoost cuts them to 0 and leaves these classes alone.
    random = np.random.default_rng(n_classes)
    labels = random.choice(n_classes, size=500, p=np.arange(1, n_classes + 1) / sum(range(n_classes + 1)))
    weight = None if scale is None else (scale * random.random(500)).astype(np.float32)
    sums = np.bincount(labels, weight)
    given = {"auto_class_weights": balance}
    ours = class_weights(canonical(given, classifier=True), tuple(range(n_classes)), tuple(sums.tolist()))
    assert ours is not None
    assert list(ours) == catboosts_own(labels, weight, **given)


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        ({"class_weights": [1, 0.1]}, (0, 1)),
        ({"class_weights": {"no": 0.3, "yes": 2}}, ("no", "yes")),
        ({"class_weights": [0, 1, 5]}, (0, 1, 2)),
        ({"scale_pos_weight": 3.3}, (0, 1)),
    ],
)
def test_given_weights_are_catboosts(given: dict[str, Any], classes: tuple[Any, ...]) -> None:
    labels = np.array([classes[i % len(classes)] for i in range(60)])
    ours = class_weights(canonical(given, classifier=True), classes, None)
    assert ours is not None
    # CatBoost's JSON prints nine digits, enough to tell one float32 from the next.
    np.testing.assert_array_equal(np.float32(ours), np.float32(catboosts_own(labels, None, **given)))


@pytest.mark.parametrize("given", [{}, {"auto_class_weights": "None"}])
def test_no_weights_asked_for(given: dict[str, Any]) -> None:
    assert class_weights(given, (0, 1), (5.0, 5.0)) is None


@pytest.mark.parametrize(
    ("given", "classes", "text"),
    [
        (
            {"scale_pos_weight": 2},
            (0, 1, 2),
            "scale_pos_weight=2.0 cannot be used: expected two classes. "
            "There are 3 classes; use class_weights={label: weight}.",
        ),
        (
            {"class_weights": [1, 2, 3]},
            ("a", "b"),
            "class_weights=(1.0, 2.0, 3.0) cannot be used: expected 2 weights, one for each class. "
            "The classes are ['a', 'b'], in this order.",
        ),
        (
            {"class_weights": {"yes": 3, "no": 1}},
            ("no", "yes"),
            "class_weights={'yes': 3.0, 'no': 1.0} cannot be used: expected labels in the order of the classes, "
            "['no', 'yes']. Write class_weights={'no': 1.0, 'yes': 3.0}.",
        ),
        (
            {"class_weights": {"0": 3, "1": 1}},
            (0, 1),
            "class_weights={'0': 3.0, '1': 1.0} cannot be used: expected a weight for each of the classes [0, 1], "
            "and for nothing else. Labels must have the type that they have in y.",
        ),
        (
            {"class_weights": [1, 2]},
            ("10", "9"),
            "class_weights=(1.0, 2.0) cannot be used: expected labels with the weights, because CatBoost orders the classes "
            "['9', '10']. Write class_weights={label: weight}.",
        ),
        (
            {"scale_pos_weight": 2},
            ("+1", "-1"),
            "scale_pos_weight=2.0 cannot be used: expected labels with the weights, because CatBoost orders the classes "
            "['-1', '+1']. Write class_weights={label: weight}.",
        ),
    ],
)
def test_weights_that_do_not_go_with_the_classes(given: dict[str, Any], classes: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        class_weights(canonical(given, classifier=True), classes, None)
    assert str(refusal.value) == text


@pytest.mark.parametrize("classes", [("1", "9"), ("-1", "1"), ("10", "9", "x"), ("a", "b")])
def test_weights_without_labels_where_catboost_has_the_same_order(classes: tuple[str, ...]) -> None:
    labels = np.array(classes)[np.arange(50) % len(classes)]
    weights = [1.0, 2.0, 3.0][: len(classes)]
    model = CatBoostClassifier(iterations=1, verbose=0, allow_writing_files=False, class_weights=weights)
    assert tuple(model.fit(np.arange(50.0)[:, None], labels).classes_) == classes
    assert class_weights(canonical({"class_weights": weights}, classifier=True), classes, None) == tuple(weights)


def test_balance_without_sums_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="auto_class_weights needs the sum of the weights of each class"):
        class_weights({"auto_class_weights": "Balanced"}, (0, 1), None)
