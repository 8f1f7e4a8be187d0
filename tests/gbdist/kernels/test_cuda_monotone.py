"""The CUDA kernels of monotone constraints equal their NumPy twins, bit for bit."""

import numpy as np
import pytest

from gbdist.boosting.monotone import LevelOrders
from gbdist.kernels import cuda_monotone

from .conftest import Card, equal
from .test_monotone import EQUALS, FEATURES, KEYS, N_BINS, UNITS, table_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]


@pytest.mark.parametrize(
    ("wide", "cosine", "sigma", "work"), [(False, True, 0.0, 1 << 28), (True, False, 0.7, 1)], ids=["packed", "wide"]
)
def test_best_monotone_borders(
    wide: bool, cosine: bool, sigma: float, work: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_monotone, "_WORK_BYTES", work)
    level = LevelOrders.after((1, -1, 0), [1, 0])
    constraints = (np.array([0, 1, 2, 2, 1, 0, 1]), level.orders, level.sizes)
    best = (np.full(7, 7, np.int64), np.full(7, -np.inf), np.full(7, -np.inf))
    table = Card(table_of(np.random.default_rng(3), wide))
    equal(
        "best_monotone_borders",
        table,
        N_BINS,
        EQUALS,
        FEATURES,
        constraints,
        UNITS,
        (3.0, cosine, wide),
        sigma,
        KEYS,
        best,
    )
