"""The optimizers' kernels equal their array twins, bit for bit, whatever the type of the parameters."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gbdist.kernels import cpu_optimizers, reference_optimizers

N = 1_003


def after_steps(module: ModuleType, solver: str, dtype: type[Any], *, nesterov: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    flat, penalized = rng.normal(size=N).astype(dtype), rng.random(N) < 0.7
    moments = [np.zeros(N, dtype), np.zeros(N, dtype)]
    mean, rates = (dtype(0.3), dtype(17.0)), (dtype(0.01), dtype(0.003))
    for _ in range(3):
        gradient = rng.normal(size=N).astype(dtype)
        if solver == "sgd":
            module.sgd_step(flat, gradient, moments[0], penalized, mean, rates, dtype(0.9), nesterov)
        else:
            kept = dtype(0.9), dtype(0.1), dtype(0.99), dtype(0.01)
            module.adam_step(flat, gradient, *moments, penalized, mean, rates, kept, dtype(1e-8))
    return [flat, *moments]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("solver", "nesterov"), [("sgd", True), ("sgd", False), ("adam", False)])
def test_sgd_step_and_adam_step_equal_their_twins(solver: str, nesterov: bool, dtype: type[Any]) -> None:
    got = after_steps(cpu_optimizers, solver, dtype, nesterov=nesterov)
    for mine, twin in zip(got, after_steps(reference_optimizers, solver, dtype, nesterov=nesterov), strict=True):
        assert mine.dtype == dtype
        np.testing.assert_array_equal(mine, twin)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_adam_ahead_equals_its_twin(dtype: type[Any]) -> None:
    flat, first, second = np.random.default_rng(3).normal(size=(3, N)).astype(dtype)
    found, twin = np.empty_like(flat), np.empty_like(flat)
    for module, ahead in ((cpu_optimizers, found), (reference_optimizers, twin)):
        module.adam_ahead(flat, first, second**2, dtype(0.02), dtype(1e-8), ahead)
    np.testing.assert_array_equal(found, twin)
    assert (found != flat).all()


@pytest.mark.parametrize("runs", [[], [(0, 1)], [(3, 10), (11, 1_003)], [(0, 8), (8, 16)]])
def test_sum_of_squares_is_that_of_its_runs(runs: list[tuple[int, int]]) -> None:
    flat = np.random.default_rng(2).normal(size=N).astype(np.float32)
    where = np.array(runs, np.int64).reshape(-1, 2)
    total = sum(float((flat[a:b].astype(np.float64) ** 2).sum()) for a, b in runs)
    assert cpu_optimizers.sum_of_squares(flat, where) == pytest.approx(total, rel=1e-14)
    assert reference_optimizers.sum_of_squares(flat, where) == pytest.approx(total, rel=1e-14)
