"""The overfitting detector, against CatBoost's own stopping on the curves that CatBoost recorded."""

from functools import cache

import numpy as np
import pytest
from catboost import CatBoostClassifier

from gbdist.boosting.params import Stopping
from gbdist.boosting.stopping import Detector

ITERATIONS = 150


@cache
def catboost_run(metric: str, stop: tuple[tuple[str, object], ...]) -> tuple[list[float], int, int]:
    """Train on labels that are half noise, so that it overfits: (metric curve, best iteration, trees kept)."""
    random = np.random.default_rng(5)
    x = random.normal(size=(400, 6)).astype(np.float32)
    y = (x[:, 0] + 1.5 * random.normal(size=400) > 0).astype(int)
    model = CatBoostClassifier(
        iterations=ITERATIONS,
        learning_rate=0.2,
        eval_metric=metric,
        verbose=0,
        allow_writing_files=False,
        thread_count=1,
        random_seed=1,
        **dict(stop),
    )
    model.fit(x[:200], y[:200], eval_set=(x[200:], y[200:]))
    curve = [float(value) for value in model.evals_result_["validation"][metric]]
    return curve, int(model.best_iteration_), int(model.tree_count_)


def feed(detector: Detector, curve: list[float]) -> int:
    """Number of iterations that the detector lets pass."""
    for iteration, value in enumerate(curve):
        if detector.update(iteration, value):
            return iteration + 1
    return len(curve)


CASES = [
    (Stopping("Iter", wait=1), {"od_type": "Iter", "od_wait": 1}),
    (Stopping("Iter", wait=7), {"od_type": "Iter", "od_wait": 7}),
    (Stopping("Iter", wait=30), {"early_stopping_rounds": 30}),
    (Stopping("IncToDec", wait=1, p_value=0.5), {"od_type": "IncToDec", "od_wait": 1, "od_pval": 0.5}),
    (Stopping("IncToDec", wait=20, p_value=0.1), {"od_type": "IncToDec", "od_pval": 0.1}),
    (Stopping("IncToDec", wait=5, p_value=0.01), {"od_type": "IncToDec", "od_wait": 5, "od_pval": 0.01}),
    (Stopping("IncToDec", wait=3, p_value=1e-6), {"od_type": "IncToDec", "od_wait": 3, "od_pval": 1e-6}),
    (Stopping("IncToDec", wait=5, p_value=0.0), {"od_type": "IncToDec", "od_wait": 5}),
    (Stopping("None"), {"od_type": "None"}),
]


@pytest.mark.parametrize("metric", ["Logloss", "Accuracy"])
@pytest.mark.parametrize(("stopping", "options"), CASES)
def test_stops_where_catboost_stops(metric: str, stopping: Stopping, options: dict[str, object]) -> None:
    # The same trees grow whatever the detector is told, so the curve of the full run continues the stopped one.
    full, _, _ = catboost_run(metric, (("od_type", "None"),))
    stopped, best, kept = catboost_run(metric, tuple(options.items()))
    assert stopped == full[: len(stopped)]

    detector = Detector(stopping, is_max_optimal=metric == "Accuracy")
    assert feed(detector, full) == len(stopped)
    assert (detector.best_iteration, detector.best_tree_count) == (best, kept)
    assert detector.best_value == full[best]


def test_the_curves_do_stop_early() -> None:
    # Otherwise the comparison above would hold for a detector that never fires.
    lengths = {len(catboost_run("Logloss", tuple(options.items()))[0]) for _, options in CASES}
    assert len(lengths) >= 5
    assert min(lengths) < max(lengths) == ITERATIONS


@pytest.mark.parametrize("min_trees", [1, 60, 100])
def test_best_model_min_trees_keeps_what_catboost_keeps(min_trees: int) -> None:
    curve, best, kept = catboost_run("Logloss", (("best_model_min_trees", min_trees),))
    detector = Detector(Stopping(min_trees=min_trees), is_max_optimal=False)
    feed(detector, curve)
    assert (detector.best_iteration, detector.best_tree_count) == (best, kept)
    assert kept >= min_trees


@pytest.mark.parametrize("is_max_optimal", [False, True])
def test_the_first_of_equal_values_is_the_best(is_max_optimal: bool) -> None:
    detector = Detector(Stopping(), is_max_optimal)
    assert feed(detector, [0.5, 0.25 + 0.5 * is_max_optimal, 0.25 + 0.5 * is_max_optimal]) == 3
    assert (detector.best_iteration, detector.best_tree_count) == (1, 2)


def test_a_value_that_is_not_a_number_is_never_the_best_and_counts_as_waiting() -> None:
    detector = Detector(Stopping("Iter", wait=2), is_max_optimal=False)
    assert feed(detector, [0.5, float("nan"), 0.4, float("nan"), float("nan"), 0.6]) == 6
    assert (detector.best_iteration, detector.best_value) == (2, 0.4)
    assert detector.update(6, 0.7)


def test_nothing_seen_keeps_nothing() -> None:
    detector = Detector(Stopping("Iter"), is_max_optimal=True)
    assert (detector.best_iteration, detector.best_tree_count, detector.active) == (-1, 0, True)


@pytest.mark.parametrize("stopping", [Stopping(), Stopping("IncToDec", p_value=0.0)])
def test_an_inactive_detector_never_stops(stopping: Stopping) -> None:
    detector = Detector(stopping, is_max_optimal=False)
    assert not detector.active
    assert feed(detector, [float(i) for i in range(100)]) == 100
