"""CUDA kernels of losses that a rule describes, and of exact quantiles, equal their NumPy twins, bit for bit."""

import numpy as np
import pytest

from gbdist.kernels import pointwise as kinds
from gbdist.kernels import survival
from gbdist.kernels.pointwise import Rule

from .conftest import Card, equal

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]

N, N_LEAVES = 53, 3
RULES: list[Rule] = [
    (kinds.QUANTILE, 0.3, 1e-6),
    (kinds.MAPE, 0.0, 0.0),
    (kinds.LOG_LIN_QUANTILE, 0.7, 0.0),
    (kinds.POISSON, 0.0, 0.0),
    (kinds.LQ, 1.5, 0.0),
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


def random() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_losses_of_rules(rule: Rule) -> None:
    focal, weighted = rule[0] == kinds.FOCAL, rule[0] % 2 == 0
    y = Card((random().integers(0, 2, N) if focal else random().gamma(2.0, 2.0, N)).astype(np.float32))
    w, a = Card((random().random(N if weighted else 0) * 3).astype(np.float32)), random().normal(size=N) * 3
    a[:9] = y.values[:9]
    if rule[0] == kinds.SQUARED:
        y.values[7:11] = np.nan
    leaves, shift = Card(random().integers(0, N_LEAVES, N).astype(np.uint16)), random().normal(size=(N_LEAVES, 1))
    equal("pointwise_derivatives", y, w, Card(a), rule, Card(np.empty(N)))
    for scales in ([2.0**20, 2.0**40, 2.0**30, 2.0**29], [0.0, 2.0**40, 2.0**30, 2.0**29], [2.0**20, 0.0, 0.0, 0.0]):
        sums = np.ones((N_LEAVES, 4), np.int64)
        equal("add_pointwise_leaf_sums", y, w, Card(a), leaves, shift, rule, 0, np.array(scales), sums)
    wide, of_three = random().normal(size=(N_LEAVES, 3)), np.ones((N_LEAVES, 8), np.int64)
    equal("add_pointwise_leaf_sums", y, w, Card(a), leaves, wide, rule, 2, 2.0 ** np.array([20, 40, 30, 29]), of_three)
    equal("add_pointwise_sums", y, w, Card(a), rule, np.array([2.0**20, 2.0**40]), np.ones(2, np.int64))


@pytest.mark.parametrize("weighted", [False, True])
def test_uncertainty(weighted: bool) -> None:
    y, a = Card(random().normal(size=N).astype(np.float32)), Card(random().normal(size=(2, N)))
    w = Card((random().random(N if weighted else 0) * 3).astype(np.float32))
    leaves, shift = Card(random().integers(0, N_LEAVES, N).astype(np.uint16)), random().normal(size=(N_LEAVES, 2))
    equal("uncertainty_derivatives", y, w, a, Card(np.empty((2, N))))
    for scales in ([2.0**20, 2.0**40, 2.0**30, 2.0**29], [2.0**20, 0.0, 0.0, 0.0]):
        sums = np.ones((N_LEAVES, 6), np.int64)
        equal("add_uncertainty_leaf_sums", y, w, a, leaves, shift, np.array(scales), sums)
    equal("add_uncertainty_sums", y, w, a, np.array([2.0**20, 2.0**40]), np.ones(2, np.int64))


@pytest.mark.parametrize("kind", [survival.NORMAL, survival.LOGISTIC, survival.EXTREME])
def test_survival(kind: int) -> None:
    low = np.exp(random().normal(size=N)).astype(np.float32)
    high = (low * random().choice([1.0, 1.5, 4.0], N)).astype(np.float32)
    high[::5], low[1::5] = -1.0, -1.0
    w = Card((random().random(N if kind else 0) * 3).astype(np.float32))
    a, noise = Card(np.concatenate([random().normal(size=N - 8), np.linspace(-60.0, 60.0, 8)])), (kind, 0.7)
    leaves, shift = Card(random().integers(0, N_LEAVES, N).astype(np.uint16)), random().normal(size=(N_LEAVES, 1))
    equal("survival_derivatives", Card(low), Card(high), w, a, noise, Card(np.empty(N)))
    for scales in ([2.0**20, 2.0**40, 2.0**30, 2.0**29], [0.0, 2.0**40, 2.0**30, 2.0**29]):
        sums = np.ones((N_LEAVES, 4), np.int64)
        equal("add_survival_leaf_sums", Card(low), Card(high), w, a, leaves, shift, noise, np.array(scales), sums)
    near = Card(np.clip(a.values, -9, 9))
    equal("add_interval_sums", Card(low), Card(high), w, near, np.array([2.0**20, 2.0**40]), np.ones(2, np.int64))


@pytest.mark.parametrize("weighted", [False, True])
def test_quantiles(weighted: bool) -> None:
    y, w = random().normal(size=N).astype(np.float32), random().random(N if weighted else 0).astype(np.float32)
    a = random().normal(size=N)
    a[:5], y[:5] = [0.0, -0.0, 1.0, 1e-300, -1e300], 0.0
    keys = equal("residual_keys", Card(y), Card(a), Card(np.empty(N, np.uint64)))[-1]
    leaves = Card(random().integers(0, N_LEAVES, N).astype(np.uint16))
    for shift in (56, 48, 0):
        prefixes = (keys[:N_LEAVES] >> np.uint64(shift)) >> np.uint64(8)
        weights = Card(w), Card(y * 3), weighted
        equal(
            "add_key_digits", Card(keys), leaves, weights, prefixes, shift, 2.0**30, np.ones((N_LEAVES, 256), np.int64)
        )


def test_the_range_of_values() -> None:
    values = random().normal(size=N)
    assert equal("extend_range", Card(values), np.array([np.inf, -np.inf]))[-1].tolist() == [values.min(), values.max()]
    equal("extend_range", Card(values), np.array([-1e300, 1e300]))
    equal("extend_range", Card(values - 9.0), np.array([-0.5, -0.25]))
    equal("extend_range", Card(np.empty(0)), np.array([1.0, 2.0]))


def test_values_are_scaled() -> None:
    equal("scale_values", 0.1, Card(random().normal(size=N)))
