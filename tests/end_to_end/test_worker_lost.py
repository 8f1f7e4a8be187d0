"""A worker that dies before the trees begin costs its partitions' computation, not the model."""

import os
import signal
import threading
import time
from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from distributed.core import Status

from gbdist import DaskCatBoostClassifier, DaskPool
from gbdist.errors import ClusterError
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cluster.launch.local import LocalWorkers, start_local


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(4_000, 4)).astype(np.float32)
    return pd.DataFrame(values, columns=list("abcd")).assign(y=(values[:, 0] > values[:, 1]).astype(np.int64))


def fit(client: Client | None, X: object) -> bytes:
    return fixed_cbm_bytes(DaskCatBoostClassifier(iterations=5, depth=3, client=client).fit(X, "y").model_)


def test_worker_killed_while_it_computes_a_partition(table: pd.DataFrame, tmp_path: Path) -> None:
    flag = tmp_path / "died"

    def die_once(part: pd.DataFrame, partition_info: dict[str, int] | None = None) -> pd.DataFrame:
        if partition_info and partition_info["number"] == 2 and not flag.exists():
            flag.touch()
            os._exit(1)
        return part

    frame = dd.from_pandas(table, npartitions=4, sort=False).map_partitions(die_once, meta=table.iloc[:0])
    with start_local(workers=2, threads=1, dashboard=False) as local:
        assert fit(local.client, frame) == fit(None, table)
    assert flag.exists()


@pytest.mark.parametrize("replaced", [True, False], ids=["and replaced", "for good"])
def test_worker_lost_between_two_fits_of_a_pool(table: pd.DataFrame, replaced: bool) -> None:
    expected = fit(None, table)
    frame = dd.from_pandas(table, npartitions=4, sort=False)
    with start_local(workers=2, threads=1, dashboard=False) as local:
        client = local.client
        with DaskPool(frame, "y", client=client) as pool:
            model = DaskCatBoostClassifier(iterations=5, depth=3)
            assert fixed_cbm_bytes(model.fit(pool).model_) == expected
            members = pool.data.members
            if replaced:  # the nanny starts another
                os.kill(client.run(os.getpid)[members[0]], signal.SIGKILL)
                while members[0] in client.scheduler_info(n_workers=-1)["workers"]:
                    pass
                client.wait_for_workers(2, timeout=30)
            else:
                client.retire_workers([members[0]])
            assert fixed_cbm_bytes(model.fit(pool).model_) == expected
            assert members[0] not in pool.data.members
            assert len(pool.data.members) == (2 if replaced else 1)


def test_partition_that_kills_every_worker_is_named(table: pd.DataFrame) -> None:
    def die(part: pd.DataFrame, partition_info: dict[str, int] | None = None) -> pd.DataFrame:
        if partition_info and partition_info["number"] == 1:
            os._exit(1)
        return part

    frame = dd.from_pandas(table, npartitions=2, sort=False).map_partitions(die, meta=table.iloc[:0])
    with start_local(workers=2, threads=1, dashboard=False) as local:
        with pytest.raises(ClusterError) as refused:
            fit(local.client, frame)
        assert str(refused.value).startswith("Workers died again and again while they ran ")
        assert str(refused.value).endswith(
            "Give workers more memory, or the data smaller partitions, and look at the workers' logs."
        )
        wait_for_nannies(local)


def wait_for_nannies(local: LocalWorkers, n_workers: int = 2) -> None:
    """Wait a while for each nanny to know that its worker has started: before, Dask cannot close one whose worker before that
    died, and `close` takes half a minute.

    The scheduler may count a worker that is dead already; one that answers, and is its nanny's process, is not.
    """
    end = time.monotonic() + 20
    while time.monotonic() < end:
        answer = local.client.run(os.getpid, on_error="ignore")
        # Not by their addresses: a nanny may have kept that of the worker before.
        nannies = local.cluster.workers.values()
        started = {nanny.pid for nanny in nannies if nanny.status == nanny.process.status == Status.running}
        if len(answer) == n_workers and set(answer.values()) == started:
            return


@pytest.mark.soak
def test_worker_killed_while_it_trains_on_categories(table: pd.DataFrame) -> None:
    """The model is that of a run without a loss, and the pool is trained on again by those that are left."""
    shops = table.assign(shop=[f"shop {row % 70}" for row in range(4_000)], city=[f"{row % 9}" for row in range(4_000)])
    settings = {"iterations": 12, "depth": 4, "max_ctr_complexity": 4}
    expected = fixed_cbm_bytes(DaskCatBoostClassifier(**settings).fit(shops, "y").model_)
    frame = dd.from_pandas(shops, npartitions=4, sort=False)
    with start_local(workers=2, threads=1, dashboard=False) as local:
        client = local.client
        pids = client.run(os.getpid)
        with DaskPool(frame, "y", client=client) as pool:
            victim = pool.data.members[1]

            class Kills:
                def after_iteration(self, info: object) -> bool:
                    if victim in pids:
                        os.kill(pids.pop(victim), signal.SIGKILL)
                    return True

            model = DaskCatBoostClassifier(**settings)
            assert fixed_cbm_bytes(model.fit(pool, callbacks=[Kills()]).model_) == expected
            assert victim not in pids
            assert fixed_cbm_bytes(model.fit(pool).model_) == expected
            assert victim not in pool.data.members


@pytest.mark.parametrize("schedule", [pytest.param("async", marks=pytest.mark.soak), "groups"])
def test_worker_killed_while_the_others_train_rounds(table: pd.DataFrame, schedule: str) -> None:
    frame = dd.from_pandas(table, npartitions=2, sort=False)
    with start_local(workers=2, threads=1, dashboard=False) as local:
        client = local.client
        pids = client.run(os.getpid)

        class Kills:
            def after_iteration(self, info: object) -> bool:
                os.kill(max(pids.values()), signal.SIGKILL)
                return True

        # The first meeting comes soon; of the next rounds there would be hours.
        many = {"iterations": 2_000_000, "rounds": 1_000_000, "schedule": schedule}
        model = DaskCatBoostClassifier(aggregate="models", depth=3, client=client, **many)
        with pytest.raises(ClusterError) as ended:
            model.fit(frame, "y", callbacks=[Kills()])
        assert any(address in str(ended.value) for address in pids)
        names = client.run(lambda: [thread.name for thread in threading.enumerate()])
        assert not [name for of_worker in names.values() for name in of_worker if name == "gbdist-trainer"]
