"""What a study is of: the same in every process and beside every cluster, another one where a score may be another."""

from typing import Any

import pytest
from optuna.samplers import TPESampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gbdist import DaskCatBoostRegressor
from gbdist.selection.searching.identity import identity_of
from gbdist.selection.searching.samplers import make_search
from gbdist.selection.searching.spaces import read_space


class Loss:
    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> list[Any]:
        return []


def digest(estimator: Any, depths: Any = (1, 2), search: str = "random, seed 0") -> Any:
    return identity_of(estimator, read_space({"depth": list(depths)}), 3, [], "data", search)["digest"]


def in_a_pipeline(**params: Any) -> Any:
    return make_pipeline(StandardScaler(), DaskCatBoostRegressor(**params))


@pytest.mark.parametrize("made", [DaskCatBoostRegressor, in_a_pipeline])
def test_a_study_is_known_again_by_another_process(made: Any) -> None:
    """Whose objects lie elsewhere, whose cluster is another one, and which may be told to be silent."""
    one = made(depth=3, loss_function=Loss(), eval_metric="RMSE", client="tcp://one:8786", verbose=True)
    other = made(depth=3, loss_function=Loss(), eval_metric="RMSE", client="tcp://two:8786", thread_count=2)
    assert digest(one) == digest(other)
    assert digest(one) != digest(made(depth=4, loss_function=Loss(), eval_metric="RMSE"))


@pytest.mark.parametrize(
    ("search", "pruner", "seed", "words"),
    [
        ("random", None, 0, "random, seed 0"),
        ("random", None, 1, "random, seed 1"),
        ("random", "median", 0, "random, seed 0, MedianPruner"),
        ("hyperband", None, 0, "hyperband, seed 0, HyperbandPruner"),
        ("bayesian", None, 0, "bayesian, seed 0"),
        ("grid", None, 7, "grid"),  # which is the same with any seed
        (TPESampler(), None, 7, "TPESampler"),
    ],
)
def test_another_search_is_another_study(search: Any, pruner: Any, seed: int, words: str) -> None:
    made = make_search(search, pruner, read_space({"depth": [1, 2]}), seed=seed, iterations=10)
    assert made.in_words == words
    model = DaskCatBoostRegressor()
    assert (digest(model, search=made.in_words) == digest(model)) == (words == "random, seed 0")


def test_objects_in_a_space_are_known_again() -> None:
    model = DaskCatBoostRegressor()
    assert digest(model, (Loss(), "RMSE")) == digest(model, (Loss(), "RMSE"))
    assert digest(model, (Loss(), "RMSE")) != digest(model, (Loss(), "MAE"))
