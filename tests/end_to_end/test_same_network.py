"""A network is the same on any cluster: up to the last bits of its sums, and bit for bit on the same one."""

from collections.abc import Iterator
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster, futures_of
from distributed.client import _wait

from gbdist import DaskMLPClassifier, DaskMLPRegressor

FEATURES = [*"abcde", "shop"]
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (16, 16), "max_iter": 4, "batch_size": 128, "random_state": 5}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4_200, 5)).astype(np.float32)
    values[rng.random(values.shape) < 0.02] = np.nan
    table = pd.DataFrame(values, columns=list("abcde")).assign(shop=[f"{n}" for n in rng.integers(0, 20, 4_200)])
    signal = np.nan_to_num(values[:, 0] + values[:, 1] * values[:, 2])
    return table.assign(y=np.digitize(signal, [-0.5, 0.5]), price=1_000.0 + 30.0 * signal, weight=rng.random(4_200))


# One rank and two are what tests of this process and of two processes have; `pytest -m soak` looks at them here too.
@pytest.fixture(
    scope="module", params=[pytest.param(1, marks=pytest.mark.soak), pytest.param(2, marks=pytest.mark.soak), 4]
)
def cluster(request: pytest.FixtureRequest) -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=request.param, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit=0
        ) as workers,
        Client(workers, set_as_default=False) as client,
    ):
        yield client


def fit(client: Client | None, data: Any, kind: str, **more: Any) -> DaskMLPClassifier | DaskMLPRegressor:
    make, label = (DaskMLPClassifier, "y") if kind == "classes" else (DaskMLPRegressor, "price")
    return make(client=client, **SETTINGS, **more).fit(data[FEATURES], data[label], data["weight"])


@pytest.mark.parametrize("kind", ["classes", pytest.param("numbers", marks=pytest.mark.soak)])
def test_number_of_workers_does_not_change_the_network(table: pd.DataFrame, cluster: Client, kind: str) -> None:
    here = fit(None, table, kind)
    frame = cluster.persist(dd.from_pandas(table, npartitions=7, sort=False))  # so that rows are where they were
    cluster.sync(_wait, [*futures_of(frame)])
    there, again = fit(cluster, frame, kind), fit(cluster, frame, kind)
    assert there.model_.spec == here.model_.spec
    np.testing.assert_allclose(there.model_.flat, here.model_.flat, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(again.model_.flat, there.model_.flat)
    assert there.evals_result_.keys() == {"learn", "validation"}  # rows that were held out, the same ones
    for name, values in here.evals_result_["validation"].items():
        np.testing.assert_allclose(there.evals_result_["validation"][name], values, rtol=1e-4)
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-5)
    assert (there.n_iter_, there.best_iteration_) == (here.n_iter_, here.best_iteration_)


@pytest.mark.parametrize("more", [{}, {"compression": "fp16"}], ids=str)
def test_ranks_that_run_ahead_repeat_bit_for_bit_and_learn_as_much(
    table: pd.DataFrame, cluster: Client, more: dict[str, Any]
) -> None:
    frame = cluster.persist(dd.from_pandas(table, npartitions=7, sort=False))
    cluster.sync(_wait, [*futures_of(frame)])
    ahead, again = (fit(cluster, frame, "classes", strategy="async", **more) for _ in range(2))
    np.testing.assert_array_equal(again.model_.flat, ahead.model_.flat)
    here = fit(None, table, "classes")
    alike = len(cluster.scheduler_info(n_workers=-1)["workers"]) == 1
    assert np.array_equal(ahead.model_.flat, here.model_.flat) == alike
    np.testing.assert_allclose(ahead.loss_curve_[-1], here.loss_curve_[-1], rtol=0.1)
    in_step = fit(cluster, frame, "classes", strategy="async", staleness=0)
    np.testing.assert_allclose(in_step.model_.flat, here.model_.flat, rtol=0, atol=1e-5)


@pytest.mark.soak
def test_partitions_do_not_change_the_network(table: pd.DataFrame, cluster: Client) -> None:
    found = [
        fit(cluster, dd.from_pandas(table, npartitions=parts, sort=False), "classes").model_.flat for parts in (4, 9)
    ]
    np.testing.assert_allclose(*found, rtol=0, atol=1e-5)
