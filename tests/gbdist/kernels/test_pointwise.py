"""Losses that a rule describes: fast kernels equal their NumPy twins, bit for bit, and the twins are the formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.kernels import cpu_pointwise, cpu_rows, reference_pointwise, reference_rows
from gbdist.kernels import pointwise as kinds
from gbdist.kernels.pointwise import Rule

RULES: list[Rule] = [
    (kinds.QUANTILE, 0.3, 1e-6),
    (kinds.QUANTILE, 1.0, 0.0),
    (kinds.MAPE, 0.0, 0.0),
    (kinds.LOG_LIN_QUANTILE, 0.7, 0.0),
    (kinds.POISSON, 0.0, 0.0),
    (kinds.LQ, 1.0, 0.0),
    (kinds.LQ, 1.5, 0.0),
    (kinds.LQ, 2.0, 0.0),
    (kinds.LQ, 3.0, 0.0),
    (kinds.EXPECTILE, 0.3, 0.0),
    (kinds.HUBER, 1.25, 0.0),
    (kinds.LOG_COSH, 0.0, 0.0),
    (kinds.TWEEDIE, 1.5, 0.0),
    (kinds.FOCAL, 0.3, 2.0),
    (kinds.FOCAL, 0.3, 0.5),
    (kinds.SQUARED, 0.0, 0.0),
    (kinds.LOGISTIC, 0.0, 0.0),
]
N_LEAVES = 5


def labels(rule: Rule, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    if rule[0] == kinds.LOGISTIC:
        return rng.random(n_rows).astype(np.float32)
    values = rng.integers(0, 2, n_rows) if rule[0] == kinds.FOCAL else rng.gamma(2.0, 2.0, n_rows)
    if rule[0] == kinds.SQUARED:
        values[rng.random(n_rows) < 0.2] = np.nan
    return values.astype(np.float32)


@pytest.mark.parametrize("rule", RULES, ids=str)
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.sampled_from([0, 1, 300]),
    weighted=st.booleans(),
    asked=st.sampled_from([(1, 1, 1, 1), (0, 1, 1, 1), (1, 0, 0, 0)]),
)
def test_kernels_equal_their_twins(
    rule: Rule, seed: int, n_rows: int, weighted: bool, asked: tuple[int, int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    y, a = labels(rule, n_rows, rng), np.clip(rng.normal(size=n_rows) * 3, -9, 9)
    a[: n_rows // 4] = np.clip(y[: n_rows // 4], -9, 9)  # the exponential of more has no room in sums
    w = (rng.random(n_rows if weighted else 0) * 3).astype(np.float32)
    leaf_of_row, shift = rng.integers(0, N_LEAVES, n_rows).astype(np.uint16), rng.normal(size=(N_LEAVES, 1))
    scales = np.array(asked) * 2.0 ** np.array([20, 40, 25, 24])
    wide = rng.normal(size=(N_LEAVES, 3))
    found = []
    for module in (cpu_pointwise, reference_pointwise):
        out, sums, mean = np.empty(n_rows), np.ones((N_LEAVES, 4), np.int64), np.ones(2, np.int64)
        module.pointwise_derivatives(y, w, a, rule, out)
        module.add_pointwise_leaf_sums(y, w, a, leaf_of_row, shift, rule, 0, scales, sums)
        of_three = np.ones((N_LEAVES, 8), np.int64)
        module.add_pointwise_leaf_sums(y, w, a, leaf_of_row, wide, rule, 1, scales, of_three)
        module.add_pointwise_sums(y, w, a, rule, np.array([2.0**20, 2.0**40]), mean)
        found.append((out.tobytes(), sums.tolist(), of_three.tolist(), mean.tolist()))
        assert (of_three[:, [1, 2, 4, 5, 7]] == 1).all()  # those of other dimensions, and the weight
    assert found[0] == found[1]


def parts(rule: Rule, y: float, a: float) -> tuple[float, float, float]:
    found = reference_pointwise.parts(rule, np.array([y], np.float32), np.array([a]))
    return tuple(float(one[0]) for one in found)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("rule", "y", "a", "expected"),
    [
        ((kinds.QUANTILE, 0.75, 0.25), 3.0, 1.0, (0.75 * 1.75, 0.75, 0.0)),
        ((kinds.QUANTILE, 0.75, 0.25), 1.0, 3.0, (0.25 * 1.75, -0.25, 0.0)),
        ((kinds.QUANTILE, 0.75, 0.25), 1.0, 1.125, (0.0, 0.0, 0.0)),
        ((kinds.MAPE, 0.0, 0.0), 4.0, 1.0, (0.75, 0.25, 0.0)),
        ((kinds.MAPE, 0.0, 0.0), 0.5, 1.0, (0.5, -1.0, 0.0)),
        ((kinds.LOG_LIN_QUANTILE, 0.75, 0.0), 3.0, 0.0, (1.5, 0.75, 0.0)),
        ((kinds.POISSON, 0.0, 0.0), 3.0, 0.0, (1.0, 2.0, -1.0)),
        ((kinds.LQ, 1.0, 0.0), 3.0, 1.0, (2.0, 1.0, 0.0)),
        ((kinds.EXPECTILE, 0.75, 0.0), 3.0, 1.0, (3.0, 3.0, -1.5)),
        ((kinds.EXPECTILE, 0.75, 0.0), 1.0, 3.0, (1.0, -1.0, -0.5)),
        ((kinds.HUBER, 1.5, 0.0), 2.0, 1.0, (0.5, 1.0, -1.0)),
        ((kinds.HUBER, 1.5, 0.0), 1.0, 5.0, (1.5 * 3.25, -1.5, 0.0)),
        ((kinds.LOG_COSH, 0.0, 0.0), 1.0, 1.0, (0.0, 0.0, -1.0)),
        ((kinds.TWEEDIE, 1.5, 0.0), 3.0, 0.0, (8.0, 2.0, -2.0)),
        ((kinds.FOCAL, 0.25, 2.0), 1.0, 0.0, (0.25 * 0.25 * np.log(2.0), 0.25 * 0.25 * (0.5 + np.log(2.0)), None)),
        ((kinds.SQUARED, 0.0, 0.0), 3.0, 1.0, (2.0, 2.0, -1.0)),
        ((kinds.SQUARED, 0.0, 0.0), np.nan, 1.0, (0.0, 0.0, 0.0)),
        ((kinds.LOGISTIC, 0.0, 0.0), 0.75, 0.0, (np.log(2.0), 0.25, -0.25)),
    ],
)
def test_formulas(rule: Rule, y: float, a: float, expected: tuple[float, float, float | None]) -> None:
    for found, wanted in zip(parts(rule, y, a), expected, strict=True):
        assert wanted is None or found == pytest.approx(wanted, abs=1e-15)


@pytest.mark.parametrize("values", [[], [0.5], [1.0, -3.5, 2.0], [5.0, 6.0], [-7.0, -8.0]])
def test_the_range_of_values(values: list[float]) -> None:
    array = np.array(values, np.float64)
    for module in (cpu_rows, reference_rows):
        ends = np.array([0.0, 1.0])
        module.extend_range(array, ends)
        assert ends.tolist() == [min([0.0, *values]), max([1.0, *values])]
