"""Choices of columns against NumPy's least squares on the same columns, and against every other choice where there are few."""

from itertools import combinations

import numpy as np
import pytest

from gbdist.compression.passes.gram import NormalEquations
from gbdist.compression.passes.subsets import (
    Factors,
    Rule,
    Subset,
    eliminate,
    order_of_removal,
    penalize,
    pursue,
)

FREE, POSITIVE = Rule(positive=False, ridge=1e-9), Rule(positive=True, ridge=1e-9)
METHODS = [pursue, eliminate, penalize]


def go_on() -> None:
    """Nobody ends the run."""


def outputs(n_trees: int = 8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What trees add to 60 rows, and a target that depends on two of them most."""
    generator = np.random.default_rng(seed)
    a = generator.normal(size=(60, n_trees)) + generator.normal(size=n_trees)
    weights = np.full(n_trees, 0.2)
    weights[[1, 5]] = 3.0, 2.0
    return a, a @ weights + 0.7 + generator.normal(size=60) / 10


def equations_of(a: np.ndarray, t: np.ndarray) -> NormalEquations:
    """Of one raw value a row, all rows of curvature 1."""
    full = np.column_stack((np.ones(len(a)), a))
    return NormalEquations(full.T @ full, full.T @ t, float(t @ t), 1)


def least_squares(a: np.ndarray, t: np.ndarray, trees: list[int]) -> tuple[np.ndarray, float]:
    """Constant and factors of some columns, and the squared error."""
    full = np.column_stack((np.ones(len(a)), a[:, trees]))
    factors = np.linalg.lstsq(full, t)[0]
    return factors, float(((t - full @ factors) ** 2).sum())


def assert_least_squares(found: Factors, a: np.ndarray, t: np.ndarray) -> None:
    expected, _ = least_squares(a, t, found.trees.tolist())
    assert np.append(found.shift, found.factors) == pytest.approx(expected, rel=1e-5)
    assert found.trees.tolist() == sorted(found.trees.tolist())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rule", [FREE, POSITIVE])
def test_what_is_chosen_has_the_factors_of_least_squares(method: object, rule: Rule) -> None:
    a, t = outputs()
    found = method(equations_of(a, t), 3, rule, go_on)  # type: ignore[operator]
    assert found.trees.shape[0] == 3
    assert_least_squares(found, a, t)


@pytest.mark.parametrize("method", METHODS)
def test_the_two_trees_that_matter_are_found(method: object) -> None:
    a, t = outputs()
    best = min(combinations(range(8), 2), key=lambda two: least_squares(a, t, list(two))[1])
    assert best == (1, 5)
    assert tuple(method(equations_of(a, t), 2, POSITIVE, go_on).trees) == best  # type: ignore[operator]


@pytest.mark.parametrize("method", METHODS)
def test_positive_factors_leave_out_a_tree_that_would_be_turned_round(method: object) -> None:
    a, t = outputs()
    t = t - 4.0 * a[:, 5]  # makes its factor −2
    free, positive = (method(equations_of(a, t), 6, rule, go_on) for rule in (FREE, POSITIVE))  # type: ignore[operator]
    assert free.factors.min() < 0.0
    assert 5 not in positive.trees
    assert positive.trees.shape[0] > 0
    assert positive.factors.min() > 0.0
    assert_least_squares(positive, a, t)


def test_pursuit_takes_the_tree_that_lowers_the_error_most() -> None:
    a, t = outputs(seed=1)
    chosen: list[int] = []
    for size in range(1, 5):
        others = [tree for tree in range(8) if tree not in chosen]
        chosen.append(min(others, key=lambda tree: least_squares(a, t, [*chosen, tree])[1]))
        assert pursue(equations_of(a, t), size, FREE, go_on).trees.tolist() == sorted(chosen)


def test_elimination_lets_go_of_the_tree_that_raises_the_error_least() -> None:
    a, t = outputs(seed=2)
    left = list(range(8))
    while len(left) > 2:
        left.remove(min(left, key=lambda tree: least_squares(a, t, [one for one in left if one != tree])[1]))
        assert eliminate(equations_of(a, t), len(left), FREE, go_on).trees.tolist() == left


def test_a_ridge_draws_factors_to_zero_as_ridge_regression_does() -> None:
    a, t = outputs()
    equations = equations_of(a, t)
    ridge = 0.5 * np.trace(equations.matrix[1:, 1:]) / 8
    held = equations.matrix + np.diag([0.0, *[ridge] * 8])
    found = eliminate(equations, 8, Rule(positive=False, ridge=0.5), go_on)
    assert np.append(found.shift, found.factors) == pytest.approx(np.linalg.solve(held, equations.products), rel=1e-9)


def test_a_tree_that_is_the_sum_of_others_is_not_taken_beside_them() -> None:
    a, t = outputs()
    a[:, 7] = a[:, 1] + a[:, 5]
    subset = Subset(equations_of(a, t), Rule(positive=False, ridge=1e-15), go_on)
    subset.take(np.array([1, 5, 7]))
    assert subset.factors().trees.tolist() == [1, 5]


def test_trees_that_explain_nothing_are_not_chosen() -> None:
    a, t = outputs()
    a[:, 2:5] = 0.0
    assert pursue(equations_of(a, t), 8, FREE, go_on).trees.tolist() == [0, 1, 5, 6, 7]
    assert penalize(equations_of(a, t), 8, FREE, go_on).trees.shape[0] <= 5


def test_trees_go_in_the_order_of_what_they_cost() -> None:
    a, t = outputs(seed=3)
    left = list(range(8))
    order, shifts = order_of_removal(equations_of(a, t), go_on)

    def error(trees: list[int]) -> tuple[float, float]:
        residual = t - a[:, trees].sum(axis=1)
        return float(((residual - residual.mean()) ** 2).sum()), float(residual.mean())

    for tree, shift in zip(order.tolist(), shifts[:, 0].tolist(), strict=True):
        assert tree == min(left, key=lambda one: error([each for each in left if each != one])[0])
        left.remove(tree)
        assert shift == pytest.approx(error(left)[1], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_whoever_asks_may_end_it(method: object) -> None:
    class Ended(Exception):
        """Raised by the check."""

    def end() -> None:
        raise Ended

    with pytest.raises(Ended):
        method(equations_of(*outputs()), 3, FREE, end)  # type: ignore[operator]
