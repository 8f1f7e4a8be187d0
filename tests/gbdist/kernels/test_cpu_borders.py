"""The border kernel against CatBoost's own function, on data with as many ties as can be."""

from collections.abc import Callable

import numpy as np
import pytest
from catboost.utils import calculate_quantization_grid

from gbdist.kernels.cpu_borders import greedy_log_sum

Generator = np.random.Generator
SHAPES: dict[str, Callable[[Generator, int], np.ndarray]] = {
    "normal": lambda g, n: g.normal(size=n),
    "heavy tails": lambda g, n: g.standard_cauchy(n),
    "equal steps": lambda g, n: np.arange(n),
    "equal steps, repeated": lambda g, n: np.arange(n) // int(g.integers(1, 20)),
    "runs of any length": lambda g, n: np.repeat(np.arange(n), g.integers(1, 50, n))[:n],
    "runs of few lengths": lambda g, n: np.repeat(np.arange(n), g.choice([1, 2, 3, 6, 12, 100, 300], n))[:n],
    "few values": lambda g, n: g.integers(0, g.integers(1, 600), n),
    "rounded": lambda g, n: np.round(g.normal(size=n), int(g.integers(0, 4))),
    "counts": lambda g, n: g.poisson(int(g.integers(1, 300)), n),
    "mostly zero": lambda g, n: np.where(g.random(n) < g.random(), 0.0, g.normal(size=n)),
    "neighbouring floats": lambda g, n: np.float32(1) + g.integers(0, 40, n) * np.float32(2**-23),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_borders_are_catboosts(shape: str) -> None:
    generator = np.random.default_rng(list(SHAPES).index(shape))
    for trial in range(80):
        n = int(
            generator.choice([generator.integers(1, 60), generator.integers(60, 5000), 2 ** generator.integers(14)])
        )
        border_count = int(generator.choice([254, 253, 255, 128, 32, 1, 1024, generator.integers(1, 400)]))
        values = np.sort(SHAPES[shape](generator, n).astype(np.float32))
        expected = np.array(calculate_quantization_grid(values, border_count, "GreedyLogSum"), dtype=np.float32)
        found = np.unique(greedy_log_sum(values, border_count))
        np.testing.assert_array_equal(found, expected, err_msg=f"trial {trial}: n={n}, border_count={border_count}")


def test_every_number_of_borders_breaks_ties_as_catboost_does() -> None:
    values = np.arange(1024, dtype=np.float32)
    for border_count in range(1, 260):
        expected = np.array(calculate_quantization_grid(values, border_count, "GreedyLogSum"), dtype=np.float32)
        np.testing.assert_array_equal(np.sort(greedy_log_sum(values, border_count)), expected)
