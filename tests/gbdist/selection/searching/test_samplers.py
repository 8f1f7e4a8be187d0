"""What a search draws: of grids and at random by the number of a trial alone, else what Optuna's samplers draw."""

import pickle
from typing import Any

import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import CmaEsSampler, NSGAIISampler, TPESampler
from scipy import stats

from gbdist.errors import ParameterError
from gbdist.selection.searching.samplers import NUMBER, NumberedSampler, make_search
from gbdist.selection.searching.spaces import read_space

SPACE = {"depth": {"low": 2, "high": 9}, "rate": {"low": 0.01, "high": 1.0, "log": True}, "kind": ["a", "b"]}


def search(given: Any, space: Any = SPACE, pruner: Any = None, iterations: int | None = 100) -> Any:
    return make_search(given, pruner, read_space(space), seed=3, iterations=iterations)


def drawn(numbers: list[int], space: Any = SPACE, seed: int = 3) -> dict[int, dict[str, Any]]:
    read = read_space(space)
    study = optuna.create_study(sampler=NumberedSampler(read, seed))
    found = {}
    for number in numbers:
        study.enqueue_trial({}, user_attrs={NUMBER: number})
        trial = study.ask(read.distributions)
        found[number] = trial.params
    return found


def test_what_a_numbered_trial_gets_depends_on_its_number_and_the_seed_alone() -> None:
    forward, backward = drawn([0, 1, 2, 3, 4]), drawn([4, 2, 0])
    assert {number: forward[number] for number in backward} == backward
    assert len({str(params) for params in forward.values()}) == 5
    assert drawn([0], seed=4) != drawn([0])


def test_other_parameters_beside_one_do_not_change_it() -> None:
    alone = drawn([0, 1, 2], {"depth": SPACE["depth"]})
    assert [one["depth"] for one in alone.values()] == [one["depth"] for one in drawn([0, 1, 2]).values()]


def test_random_search_draws_from_laws_of_scipy() -> None:
    values = [one["x"] for one in drawn(list(range(200)), {"x": stats.norm(5, 0.1)}).values()]
    assert all(isinstance(value, float) for value in values)
    assert stats.kstest(values, stats.norm(5, 0.1).cdf).pvalue > 0.01
    assert all(isinstance(one["n"], int) for one in drawn([0, 1], {"n": stats.poisson(4)}).values())


@pytest.mark.parametrize(
    ("name", "sampler", "pruner"),
    [
        ("bayesian", TPESampler, NopPruner),
        ("genetic", NSGAIISampler, NopPruner),
        ("hyperband", NumberedSampler, HyperbandPruner),
        ("random", NumberedSampler, NopPruner),
    ],
)
def test_searches_have_optunas_samplers_and_pruners(name: str, sampler: type, pruner: type) -> None:
    made = search(name)
    assert type(made.sampler) is sampler
    assert type(made.pruner) is pruner
    assert made.prunes == (pruner is not NopPruner)


def test_cmaes_takes_numbers_alone() -> None:
    numeric = {name: SPACE[name] for name in ("depth", "rate")}
    assert isinstance(search("cmaes", numeric).sampler, CmaEsSampler)
    with pytest.raises(ParameterError, match=r"space: kind=\['a', 'b'\] cannot be used: expected a range of numbers"):
        search("cmaes")
    with pytest.raises(ParameterError, match="at least two parameters"):
        search("cmaes", {"depth": SPACE["depth"]})


def test_pruners_go_by_name_or_are_optunas() -> None:
    assert isinstance(search("random", pruner="median").pruner, MedianPruner)
    assert isinstance(search("random", pruner="halving").pruner, SuccessiveHalvingPruner)
    own = MedianPruner(n_startup_trials=1)
    assert search(TPESampler(seed=1), pruner=own).pruner is own


@pytest.mark.parametrize(
    ("pruner", "iterations", "asked"),
    [
        ("hyperband", 100, [1, 3, 9, 27, 81]),
        ("halving", 300, [3, 9, 27, 81, 243]),
        ("median", 120, [*range(1, 101), 110, 120]),
        (MedianPruner(), 120, [*range(1, 101), 110, 120]),
    ],
)
def test_pruners_are_asked_where_they_look(pruner: Any, iterations: int, asked: list[int]) -> None:
    made = search("random", pruner=pruner, iterations=iterations)
    found = pickle.loads(pickle.dumps(made.asked_after))
    assert [iteration for iteration in range(1, iterations + 1) if found(iteration)] == asked


def test_nobody_is_asked_where_there_is_no_pruner() -> None:
    assert search("random").asked_after is None


@pytest.mark.parametrize(
    ("given", "space", "pruner", "message"),
    [
        ("annealing", SPACE, None, "search='annealing' cannot be used: expected one of 'grid', 'random'"),
        ("grid", SPACE, None, "expected a list of values with search='grid'"),
        ("bayesian", {"x": stats.norm(0, 1)}, None, "space: x='norm' cannot be used: expected uniform, loguniform or"),
        ("random", [{"x": [1]}, {"y": [2]}], None, "space='2 dictionaries' cannot be used: expected one"),
        ("random", SPACE, "best", "pruner='best' cannot be used: expected one of 'median', 'halving', 'hyperband'"),
    ],
)
def test_what_a_search_cannot_use_is_told_by_name(given: Any, space: Any, pruner: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        search(given, space, pruner)
    assert message in str(caught.value)
