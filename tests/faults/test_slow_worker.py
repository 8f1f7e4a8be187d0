"""A worker that is slower than the others owns fewer rows after a while, and the model is that of a run nobody disturbed."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, WorkerPlugin

from gbdist import DaskCatBoostRegressor
from gbdist.estimators import elastic, run_gang, tempo
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cluster.launch.local import start_local

from .wrapping import Wrappings

pytestmark = pytest.mark.soak

ROWS, TREES = 60_000, 60
#: What a row costs more for each tree: several times what it costs.
SLOWNESS = 2e-6


class Slow(WorkerPlugin):  # type: ignore[misc]
    """Makes one worker slow, in proportion to its rows, and lets ranks say often how long they work."""

    name = "slow"

    def __init__(self, slow: str) -> None:
        self._slow = slow

    def setup(self, worker: Any) -> None:
        """Wrap the loop."""
        self._wrappings, self._period = Wrappings(), tempo.PERIOD
        tempo.PERIOD = 0.1
        if worker.address == self._slow:
            self._wrappings.wrap("gbdist.boosting.run:Run.add_tree", self._add_tree)

    def teardown(self, worker: Any) -> None:
        """Leave the process as it was."""
        self._wrappings.restore()
        tempo.PERIOD = self._period

    @staticmethod
    def _add_tree(original: Callable[..., Any], run: Any) -> Any:
        time.sleep(run.state.sets[0].rows.n_rows * SLOWNESS)
        return original(run)


@pytest.fixture
def gangs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """Rows of each worker in every gang after the first one."""
    seen: list[dict[str, int]] = []
    regroup = run_gang.regroup

    def noted(*args: Any) -> Any:
        sets = regroup(*args)
        seen.append(sets[0].rows_by_worker)
        return sets

    monkeypatch.setattr(run_gang, "regroup", noted)
    monkeypatch.setattr(run_gang, "_SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(elastic, "_REGROUP_SECONDS", 0.1)
    return seen


@pytest.fixture
def client() -> Iterator[Client]:
    with start_local(workers=2, threads=1, dashboard=False) as local:
        yield local.client


def table(*, shops: bool) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    made = pd.DataFrame(rng.normal(size=(ROWS, 5)).astype(np.float32), columns=list("abcde"))
    if shops:
        made["shop"] = [f"shop {number}" for number in rng.integers(0, 30, ROWS)]
    return made.assign(y=made["a"] + made["b"] * made["c"])


@pytest.mark.parametrize("shops", [False, True], ids=["numbers", "categories"])
def test_a_slow_worker_gets_fewer_rows(client: Client, gangs: list[dict[str, int]], shops: bool) -> None:
    frame = dd.from_pandas(table(shops=shops), npartitions=4, sort=False)

    def fit() -> bytes:
        return fixed_cbm_bytes(DaskCatBoostRegressor(iterations=TREES, depth=4, client=client).fit(frame, "y").model_)

    undisturbed = fit()
    assert gangs == []
    slow = min(client.scheduler_info(n_workers=-1)["workers"])
    client.register_plugin(Slow(slow))
    assert fit() == undisturbed
    assert gangs
    assert sum(gangs[-1].values()) == ROWS
    assert gangs[-1][slow] < 0.8 * ROWS / 2
