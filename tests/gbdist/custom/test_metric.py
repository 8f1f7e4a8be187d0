"""Metrics by a user's methods: the same on any ranks, in both forms, and refused where they are no sum over rows."""

from itertools import pairwise

import numpy as np
import pytest

from gbdist.boosting.rows import Segment
from gbdist.custom.metric import CustomMetric, custom_metric
from gbdist.errors import ModelError, ParameterError
from gbdist.metrics import Scored, evaluate, make_metrics
from gbdist_cluster.collective.threads import run_threads

from .objects import MeanLoss, MeanLossByRow

N_ROWS = 300


def scored(start: int = 0, stop: int = N_ROWS, weighted: bool = True) -> Scored:
    rng = np.random.default_rng(5)
    predictions = rng.normal(size=(1, N_ROWS))
    label = (rng.random(N_ROWS) < 0.4).astype(np.float32)
    weight = rng.random(N_ROWS).astype(np.float32) if weighted else np.ones(N_ROWS, np.float32)
    rows = slice(start, stop)
    total = float(weight.astype(np.float64).sum())
    own = weight[rows] if weighted else None
    segments = (Segment(0, stop - start, start),)
    return Scored(predictions[:, rows], label[rows], own, total, 1.0, 5.0, total_rows=N_ROWS, segments=segments)


def alone(array: np.ndarray) -> np.ndarray:
    return array


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("given", [MeanLoss(), MeanLossByRow()])
def test_a_mean_is_that_of_the_metric_it_imitates(given: object, weighted: bool) -> None:
    metrics = [custom_metric(given), *make_metrics("Logloss", 2, "Logloss")]
    found = evaluate(metrics, scored(weighted=weighted), alone)
    assert found[type(given).__name__] == pytest.approx(found["Logloss"], rel=1e-13)


@pytest.mark.parametrize("given", [MeanLoss(), MeanLossByRow()])
def test_ranks_do_not_change_a_bit(given: object) -> None:
    metric = custom_metric(given)
    whole = evaluate([metric], scored(), alone)

    def on_rank(collective) -> dict[str, float]:
        edges = list(pairwise([0, 0, 77, N_ROWS]))[collective.rank]
        return evaluate([metric], scored(*edges), collective.all_reduce)

    assert run_threads(3, on_rank) == [whole] * 3


class Root(MeanLoss):
    def is_max_optimal(self) -> bool:
        return True

    def get_final_error(self, error: float, weight: float) -> float:
        return float(np.sqrt(error / weight))


def test_the_last_word_is_the_objects() -> None:
    metric = custom_metric(Root())
    assert metric.is_max_optimal
    plain = evaluate([custom_metric(MeanLoss())], scored(), alone)["MeanLoss"]
    assert evaluate([metric], scored(), alone)["Root"] == np.sqrt(plain)


def test_ranks_that_do_not_agree_are_stopped() -> None:
    class Different(Root):
        def __init__(self, rank: int) -> None:
            self.rank = rank

        def get_final_error(self, error: float, weight: float) -> float:
            return error / weight + self.rank

    with pytest.raises(ModelError) as refusal:
        run_threads(2, lambda c: evaluate([custom_metric(Different(c.rank))], scored(), c.all_reduce))
    assert str(refusal.value) == (
        "Different.get_final_error has another answer on other workers, for the same sums. "
        "Use the same versions everywhere, or leave it out."
    )


class Wrong(MeanLossByRow):
    """Wrong in the way that it is told."""

    def __init__(self, how: str) -> None:
        self.how = how

    def evaluate(self, approxes, target, weight):
        error, total = super().evaluate(approxes, target, weight)
        if self.how == "raises":
            raise KeyError("loss")
        return {"mean": (error / total, 1.0), "nan": (np.nan, total)}.get(self.how, (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("nan", "an error and a weight that is a finite number for row 40, not nan. Correct it."),
        ("three", "an error and a weight of the shape (2,), not (3,). Correct the method."),
        ("raises", "no exception for row 40, which raised KeyError: 'loss'. Correct the method."),
    ],
)
def test_what_goes_wrong_is_named(how: str, words: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        evaluate([custom_metric(Wrong(how))], scored(40, 60), alone)
    assert str(refusal.value) == f"eval_metric='Wrong.evaluate' cannot be used: expected {words}"


def test_a_metric_that_is_no_sum_over_rows_is_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"expected a sum over rows: .* for 20 rows is not .*, the sum of what it says"
    ):
        evaluate([custom_metric(Wrong("mean"))], scored(40, 60), alone)


def test_values_of_a_vectorised_metric_are_looked_at() -> None:
    class Holes(MeanLoss):
        def row_values(self, predictions, label):
            return np.where(label == 1.0, np.inf, super().row_values(predictions, label))

    first = int(np.flatnonzero(scored().label)[0])
    with pytest.raises(
        ParameterError, match=rf"Holes.row_values' .*a value that is a finite number for row {first}, not inf"
    ):
        evaluate([CustomMetric(Holes(), False)], scored(), alone)


def test_an_object_that_is_no_metric() -> None:
    with pytest.raises(ParameterError) as refusal:
        custom_metric(object())
    assert str(refusal.value) == (
        "eval_metric='object' cannot be used: expected the name of a metric, or an object with methods row_values and "
        "is_max_optimal, or CatBoost's evaluate, get_final_error and is_max_optimal. "
        "It lacks evaluate and get_final_error and is_max_optimal."
    )
