"""The fast row kernels equal their obvious twins, bit for bit, and do not care how rows are sliced."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.kernels import cpu_rows, reference_rows
from gbdist.kernels.hashing import stream_key

N = 1_237
KEY = stream_key(5, 6)
FIRST_ROW = 2**33


def rows(seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "derivatives": rng.normal(size=(3, N)) * rng.lognormal(size=N),
        "label": rng.normal(size=N).astype(np.float32),
        "weight": rng.random(N).astype(np.float32),
        "norms": rng.lognormal(size=N),
        "bins": rng.integers(0, 255, N).astype(np.uint8),
        "leaf_of_row": rng.integers(0, 8, N).astype(np.uint16),
    }


def summed(module: Any, data: dict[str, Any], part: slice) -> list[Any]:
    sums, buckets = np.zeros(2, np.int64), np.zeros((100, 2), np.int64)
    module.absolute_sums(data["derivatives"][0, part], (2.0**40, 2.0**30), sums)
    first_bucket = int(np.float64(1.0).view(np.int64)) >> 47
    module.bucket_norms(data["norms"][part], first_bucket, 2.0**30, buckets)
    return [
        sums,
        buckets,
        module.weight_sum(data["weight"][part], 2.0**40),
        module.weighted_label_sum(data["label"][part], data["weight"][part], 2.0**40),
        module.weighted_label_sum(data["label"][part], np.empty(0, np.float32), 2.0**40),
    ]


def test_sums_equal_the_twin_and_add_up_over_slices() -> None:
    data = rows()
    whole = summed(cpu_rows, data, slice(None))
    parts = [summed(cpu_rows, data, part) for part in (slice(0, 100), slice(100, 101), slice(101, N))]
    for got, twin, *pieces in zip(whole, summed(reference_rows, data, slice(None)), *parts, strict=True):
        assert np.array_equal(got, twin)
        assert np.array_equal(got, sum(pieces))


DRAWS: dict[str, Callable[[Any, dict[str, Any], int, int, Any], None]] = {
    "bernoulli": lambda m, d, a, b, out: m.draw_bernoulli(KEY, FIRST_ROW + a, 0.7, out),
    "bayesian": lambda m, d, a, b, out: m.draw_bayesian(KEY, FIRST_ROW + a, 1.0, out),
    "bayesian, hot": lambda m, d, a, b, out: m.draw_bayesian(KEY, FIRST_ROW + a, 1.7, out),
    "bayesian, too hot for a float32": lambda m, d, a, b, out: m.draw_bayesian(KEY, FIRST_ROW + a, 400.0, out),
    "mvs": lambda m, d, a, b, out: m.draw_mvs(KEY, FIRST_ROW + a, d["norms"][a:b], 2.0, out),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_draws_equal_the_twin_and_depend_on_the_global_row_alone(kind: str) -> None:
    data = rows(1)
    whole, twin, sliced = (np.full(N, np.nan, np.float32) for _ in range(3))
    DRAWS[kind](cpu_rows, data, 0, N, whole)
    DRAWS[kind](reference_rows, data, 0, N, twin)
    for a, b in ((0, 13), (13, 1_000), (1_000, N)):
        DRAWS[kind](cpu_rows, data, a, b, sliced[a:b])
    assert whole.tobytes() == twin.tobytes() == sliced.tobytes()
    assert np.isfinite(whole).all()


def test_mvs_keeps_sums_of_gradients_on_average() -> None:
    norms = np.random.default_rng(2).lognormal(size=100_000)
    draws = np.empty(100_000, np.float32)
    cpu_rows.draw_mvs(KEY, 0, norms, 3.0, draws)
    assert (norms * draws).sum() == pytest.approx(norms.sum(), rel=0.01)
    assert np.count_nonzero(draws) == pytest.approx(np.minimum(norms / 3.0, 1.0).sum(), rel=0.02)


@pytest.mark.parametrize("module", [cpu_rows, reference_rows])
def test_norms_leaves_and_predictions(module: Any) -> None:
    data = rows(3)
    norms, scaled = np.empty(N), np.empty(N)
    module.gradient_norms(data["derivatives"], 0.5, norms)
    assert norms == pytest.approx(np.sqrt((data["derivatives"] ** 2).sum(axis=0) + 0.5), rel=1e-14)
    module.apply_draws(data["weight"], norms, scaled)
    assert np.array_equal(scaled, norms * data["weight"])
    leaves = data["leaf_of_row"].copy()
    module.split_leaves(data["bins"], 100, 3, leaves)
    assert np.array_equal(leaves, data["leaf_of_row"] + 8 * (data["bins"] > 100))
    of_value = data["leaf_of_row"].copy()
    module.split_equal_leaves(data["bins"], 100, 3, of_value)
    assert np.array_equal(of_value, data["leaf_of_row"] + 8 * (data["bins"] == 100))
    assert 0 < np.count_nonzero(data["bins"] == 100) < np.count_nonzero(data["bins"] > 100)
    predictions = np.ones(N)
    values = np.arange(16.0)
    module.add_leaf_values(leaves, values, predictions)
    assert np.array_equal(predictions, 1.0 + leaves)
