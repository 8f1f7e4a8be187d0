"""Means over folds against CatBoost's cv: the same bits, and another rule of when to stop."""

from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.boosting.lockstep import over_folds
from gbdist.boosting.params import Stopping
from gbdist.boosting.stopping import Detector
from gbdist.models.history import MetricTable


class ByFold:
    """A metric for CatBoost's cv whose value is given for every iteration, fold and set: [iterations, folds, 2].

    CatBoost trains one fold after the other, so they are told by their labels.
    """

    def __init__(self, curves: np.ndarray) -> None:
        self.curves = curves
        self.iterations: tuple[dict[bytes, int], dict[bytes, int]] = {}, {}

    def is_max_optimal(self) -> bool:
        return False

    def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
        held_out = int(len(target) < 100)  # folds are trained on more rows
        iterations, fold = self.iterations[held_out], np.array(target).tobytes()
        iteration = iterations[fold] = iterations.get(fold, -1) + 1
        return float(self.curves[iteration, list(iterations).index(fold), held_out]), 1.0

    def get_final_error(self, error: float, weight: float) -> float:
        return error


def told_by_catboost(curves: np.ndarray, **options: Any) -> dict[str, list[float]]:
    """What CatBoost's cv makes of metrics that are given."""
    rng = np.random.default_rng(0)
    pool = catboost.Pool(rng.normal(size=(200, 2)), rng.normal(size=200))
    params = {"loss_function": "RMSE", "eval_metric": ByFold(curves), "iterations": len(curves), "depth": 1, **options}
    params |= {"allow_writing_files": False, "thread_count": 1}
    told: dict[str, list[float]] = catboost.cv(
        pool, params, fold_count=curves.shape[1], logging_level="Silent", as_pandas=False
    )
    return told


def tables_of(curves: np.ndarray) -> list[list[MetricTable]]:
    """The metrics of every fold after each iteration."""
    return [
        [{"train": {"ByFold": float(one[0])}, "test": {"ByFold": float(one[1])}} for one in folds] for folds in curves
    ]


# CatBoost would rather compile the method.
by_fold = pytest.mark.filterwarnings("ignore:Can't optimze method:UserWarning")


@by_fold
@pytest.mark.parametrize(
    ("stopping", "options"),
    [
        (Stopping("Iter", 4), {"od_type": "Iter", "od_wait": 4}),
        (Stopping("IncToDec", 3, 0.2), {"od_type": "IncToDec", "od_wait": 3, "od_pval": 0.2}),
    ],
)
def test_catboosts_cv_stops_each_fold_by_itself(stopping: Stopping, options: dict[str, Any]) -> None:
    """Which decision 0046 does otherwise. CatBoost counts a fold that has ended with its last value."""
    rng = np.random.default_rng(2)
    fall = 1.0 + ((np.arange(60) - 20) / 20.0) ** 2
    curves = fall[:, None, None] + rng.normal(size=(60, 3, 2)) * 0.3
    detectors = [Detector(stopping, is_max_optimal=False) for _ in range(3)]
    values = curves[:, :, 1].T.tolist()
    ends = [
        next(i for i, value in enumerate(of) if one.update(i, value)) for one, of in zip(detectors, values, strict=True)
    ]
    assert len(set(ends)) > 1
    held = np.stack([curves[np.minimum(np.arange(max(ends) + 1), end), fold] for fold, end in enumerate(ends)], axis=1)
    means = [over_folds(folds)[0]["test"]["ByFold"] for folds in tables_of(held)]
    assert told_by_catboost(curves, **options)["test-ByFold-mean"] == means


@by_fold
def test_means_and_deviations_are_those_of_catboosts_cv() -> None:
    """Bit for bit; values differ by many powers of ten, so that another way of adding up would show."""
    rng = np.random.default_rng(0)
    curves = rng.normal(size=(40, 5, 2)) * 10.0 ** rng.integers(-5, 5, size=(40, 5, 2))
    told = told_by_catboost(curves)
    for iteration, folds in enumerate(tables_of(curves)):
        for words, table in zip(("mean", "std"), over_folds(folds), strict=True):
            for name in ("train", "test"):
                assert table[name]["ByFold"] == told[f"{name}-ByFold-{words}"][iteration]
