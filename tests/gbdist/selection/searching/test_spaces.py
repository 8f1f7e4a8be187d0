"""Search spaces: three notations, one meaning; what is wrong is told by name."""

from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from scipy import stats
from sklearn.model_selection import ParameterGrid

from gbdist.errors import ParameterError
from gbdist.selection.searching.spaces import read_space


@pytest.mark.parametrize(
    ("given", "distribution"),
    [
        ([4, 6], CategoricalDistribution((4, 6))),
        (np.array([0.1, 0.5]), CategoricalDistribution((0.1, 0.5))),
        (range(2), CategoricalDistribution((0, 1))),
        ({"values": ["Plain", None]}, CategoricalDistribution(("Plain", None))),
        ({"low": 4, "high": 8}, IntDistribution(4, 8)),
        ({"low": 1, "high": 10, "step": 4}, IntDistribution(1, 9, step=4)),
        ({"low": 0, "high": 0.3, "step": 0.1}, FloatDistribution(0.0, 0.3, step=0.1)),
        ({"low": 1, "high": 3, "step": 0.75}, FloatDistribution(1.0, 2.5, step=0.75)),
        ({"low": 1e-3, "high": 1, "log": True}, FloatDistribution(1e-3, 1.0, log=True)),
        (FloatDistribution(0.0, 1.0), FloatDistribution(0.0, 1.0)),
        (stats.uniform(1, 2), FloatDistribution(1.0, 3.0)),
        (stats.loguniform(0.01, 1), FloatDistribution(0.01, 1.0, log=True)),
        (stats.randint(3, 7), IntDistribution(3, 6)),
        (stats.expon(scale=2), FloatDistribution(0.0, np.finfo(float).max)),
        (stats.loguniform(0.01, 1, loc=1), FloatDistribution(1.01, 2.0)),
    ],
)
def test_what_is_written_becomes_a_distribution_of_optuna(given: Any, distribution: Any) -> None:
    assert read_space({"p": given}).distributions == {"p": distribution}


def test_scipy_draws_where_optuna_has_no_such_law() -> None:
    space = read_space({"same": stats.uniform(0, 1), "other": stats.norm(0, 1)})
    assert [dimension.drawn is not None for dimension in space.dimensions.values()] == [False, True]


def test_values_that_optuna_cannot_store_come_back_as_they_were() -> None:
    values = [1, True, (16, 8), None]
    space = read_space({"p": values})
    stored = [space.stored({"p": value}) for value in values]
    assert all(isinstance(one["p"], str) for one in stored)
    back = [space.meant(one)["p"] for one in stored]
    assert back == values
    assert [type(one) for one in back] == [type(value) for value in values]
    with pytest.raises(ValueError, match="2 is none of"):
        space.stored({"p": 2})


@pytest.mark.parametrize(
    "given", [{"b": [1, 2], "a": ["x", "y", "z"]}, [{"b": [1, 2], "a": ["x", "y"]}, {"a": ["z"]}, {"b": [3], "c": [0]}]]
)
def test_grids_are_in_the_order_of_scikit_learn(given: Any) -> None:
    assert read_space(given).grid() == list(ParameterGrid(given))


def test_grids_take_ranges_with_steps() -> None:
    space = read_space({"a": {"low": 0.0, "high": 1.0, "step": 0.5}, "b": {"low": 1, "high": 2}})
    assert [tuple(one.values()) for one in space.grid()] == [(a, b) for a in (0.0, 0.5, 1.0) for b in (1, 2)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "space={} cannot be used: expected a dictionary from names of parameters"),
        ({"p": []}, "space: p=[] cannot be used: expected at least one value. List the values to try."),
        ({"p": 5}, "Write [5] for one value."),
        ({"p": [1, 2, 1]}, "space: p=[1, 2, 1] cannot be used: expected each value once, not 1 again. Drop it."),
        ({"p": {"low": 8, "high": 4}}, "expected a range that is not empty, low=8 up to high. Swap them."),
        ({"p": {"low": 0, "high": 4, "log": True}}, "expected low above 0 with log"),
        ({"p": {"low": 1, "high": 4, "steps": 2}}, "not 'steps'"),
        ({"p": {"low": 1, "high": "4"}}, "expected finite numbers"),
        ({"p": stats.uniform(0, -1)}, "space: p='uniform(0, -1)' cannot be used: expected a range that is not empty"),
        ([{"p": [1]}, {"q": stats.norm(0, 1)}], "expected a list of values with search='grid'"),
    ],
)
def test_bad_spaces_are_told_by_name(given: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        read_space(given)
    assert message in str(caught.value)


def test_grids_refuse_ranges_without_end() -> None:
    with pytest.raises(ParameterError, match="List the values, or search at random"):
        read_space({"p": {"low": 0.0, "high": 1.0}}).grid()
