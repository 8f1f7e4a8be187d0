"""Three workers in this process, tables with a signal, and a look at what a pool holds."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from numpy.typing import NDArray

from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.stored import futures_of


@pytest.fixture(scope="session")
def three_workers() -> Iterator[Client]:
    # Without Dask's profiler: it looks at all frames while CUDA's simulator starts thousands of threads, which deadlocks Python
    # itself now and then before 3.11.9 (CPython's issue 106883).
    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(
            n_workers=3, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit=0
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def client(three_workers: Client) -> Iterator[Client]:
    """The client of three workers; the test fails if it leaves tasks or data on them."""
    yield three_workers
    assert three_workers.run_on_scheduler(_tasks_left) == []


@pytest.fixture
def tasks_left(client: Client) -> Callable[[], list[str]]:
    """Ask the scheduler which tasks it still knows, to be called while an error is still at hand."""
    return lambda: list(client.run_on_scheduler(_tasks_left))


async def _tasks_left(dask_scheduler: Any) -> list[str]:
    # Releases travel as messages of their own, so they may arrive after the test has ended.
    for _ in range(500):
        if not dask_scheduler.tasks:
            return []
        await asyncio.sleep(0.01)
    return [str(key) for key in dask_scheduler.tasks]


@dataclass(frozen=True)
class Held:
    """What a pool holds on all workers, in the order of the rows."""

    bins: NDArray[Any]
    label: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    baseline: NDArray[np.float64] | None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Held):
            return NotImplemented
        mine = (self.bins, self.label, self.weight, self.baseline)
        theirs = (other.bins, other.label, other.weight, other.baseline)
        return all((a is None) == (b is None) and np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))


@pytest.fixture
def held_by() -> Callable[[DaskPool], Held]:
    def look(pool: DaskPool) -> Held:
        handles = pool.client.gather(futures_of(pool.data.shards))
        shards = sorted((shard for handle in handles for shard in handle.shard), key=lambda shard: shard.first_row)
        rows = [shard.first_row for shard in shards]
        assert rows == np.cumsum([0, *(shard.n_rows for shard in shards)])[:-1].tolist()
        return Held(
            np.concatenate([shard.cells for shard in shards], axis=1),
            np.concatenate([shard.label for shard in shards]),
            None if shards[0].weight is None else np.concatenate([shard.weight for shard in shards]),
            None if shards[0].baseline is None else np.concatenate([shard.baseline for shard in shards], axis=1),
        )

    return look


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """5,000 rows: six features (one with NaNs), "y" in {0, 1} that depends on them, "w" a weight."""
    rng = np.random.default_rng(11)
    features = rng.normal(size=(5_000, 6)).astype(np.float32)
    label = (features[:, 0] + np.sin(2 * features[:, 1]) + rng.normal(size=5_000) * 0.5 > 0).astype(np.int64)
    features[rng.random(5_000) < 0.1, 2] = np.nan
    made = pd.DataFrame(features, columns=list("abcdef"))
    return made.assign(y=label, w=(0.5 + rng.random(5_000)).astype(np.float32))
