"""Derivatives by a user's methods: both forms say the same, and what is wrong names object, method and row."""

import numpy as np
import pytest

from gbdist.boosting.rows import Segment
from gbdist.custom.blocks import BLOCK
from gbdist.custom.objective import CustomObjective, custom_objective
from gbdist.errors import ParameterError

from .objects import Logistic, LogisticByRange, Softmax, SoftmaxByRow, Squared

SEGMENTS = (Segment(0, 200, 100), Segment(200, 300, BLOCK - 50))


def derivatives(objective: CustomObjective, weighted: bool = False) -> np.ndarray:
    rng = np.random.default_rng(0)
    predictions = rng.normal(size=(objective.dimension, 300))
    label = rng.integers(0, max(objective.dimension, 2), 300).astype(np.float32)
    weight = rng.random(300).astype(np.float32) if weighted else None
    return objective.derivatives(predictions, label, weight, SEGMENTS)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("ours", "theirs", "dimension"), [(Logistic, LogisticByRange, 1), (Softmax, SoftmaxByRow, 3)])
def test_both_forms_say_the_same(ours: type, theirs: type, dimension: int, weighted: bool) -> None:
    vectorised = derivatives(custom_objective(ours(), dimension), weighted)
    assert vectorised.shape == (2 if dimension == 1 else 9, 300)
    assert vectorised == pytest.approx(derivatives(custom_objective(theirs(), dimension), weighted), abs=1e-15)


class Broken(Logistic):
    """Fails in the way that it is told."""

    def __init__(self, how: str) -> None:
        self.how = how

    def derivatives(self, predictions, label):
        first, second = super().derivatives(predictions, label)
        if self.how == "raises" and (label == 7.0).any():
            raise KeyError("seven")
        if self.how == "stateful" and len(set(label.tolist())) > 1:
            raise KeyError("many")
        return {
            "short": (first[:-1], second),
            "one": first,
            "no numbers": ([{}], second),
            "nan": (np.where(label == 7.0, np.nan, first), second),
            "inf": (first, np.where(label == 7.0, -np.inf, second)),
        }.get(self.how, (first, second))


SHAPES = f"(1, {BLOCK}) or ({BLOCK},)"


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raises", "no exception for row 340, which raised KeyError: 'seven'. Correct the method."),
        ("stateful", "no exception for rows 100 to 299, which raised KeyError: 'many'. Correct the method."),
        ("short", f"first derivatives of the shape {SHAPES}, not ({BLOCK - 1},). Correct the method."),
        ("one", "first and second derivatives as its answer. Return a pair."),
        (
            "no numbers",
            f"first derivatives as numbers of the shape (1, {BLOCK}) "
            "(float() argument must be a string or a real number, not 'dict'). Correct the method.",
        ),
        ("nan", "a derivative that is a finite number for row 340, not nan. Correct it."),
        ("inf", "a derivative that is a finite number for row 340, not -inf. Correct it."),
    ],
)
def test_what_goes_wrong_is_named(how: str, words: str) -> None:
    label = np.where(np.arange(300) % 2 == 0, 1.0, 0.0).astype(np.float32)
    label[240 if how != "stateful" else 0] = 7.0
    segments = (Segment(0, 300, 100),) if how != "stateful" else SEGMENTS
    with pytest.raises(ParameterError) as refusal:
        custom_objective(Broken(how), 1).derivatives(np.zeros((1, 300)), label, None, segments)
    assert str(refusal.value) == f"loss_function='Broken.derivatives' cannot be used: expected {words}"


def test_a_row_of_several_values_is_named() -> None:
    class Late(SoftmaxByRow):
        def calc_ders_multi(self, approxes, target, weight):
            return super().calc_ders_multi(approxes, target, weight) if target != 2.0 else ([0.0], [[0.0]])

    label = np.zeros(300, np.float32)
    label[250] = 2.0
    with pytest.raises(ParameterError) as refusal:
        custom_objective(Late(), 3).derivatives(np.zeros((3, 300)), label, None, SEGMENTS)
    assert str(refusal.value) == (
        "loss_function='Late.calc_ders_multi' cannot be used: expected first derivatives of the shape (3,), not (1,). "
        "Correct the method."
    )


@pytest.mark.parametrize(
    ("given", "dimension", "words"),
    [
        (
            LogisticByRange(),
            3,
            "loss_function='LogisticByRange' cannot be used: expected an object with a method derivatives, or CatBoost's "
            "calc_ders_multi for 3 raw value(s) a row. Give it a method derivatives.",
        ),
        (
            type("Odd", (Squared,), {"hessian": "half"})(),
            1,
            "loss_function=\"Odd.hessian='half'\" cannot be used: expected 'diagonal' or 'full'. Leave it out for a diagonal.",
        ),
    ],
)
def test_an_object_that_does_not_do(given: object, dimension: int, words: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        custom_objective(given, dimension)
    assert str(refusal.value) == words
