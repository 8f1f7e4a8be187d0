"""What a run cannot go on from, what it waits for, and two runs that lose workers at once."""

import asyncio
import re
import threading
from typing import Any

import dask.array as da
import dask.config
import numpy as np
import pytest
from distributed import Client, Nanny

from gbdist import DaskCatBoostRegressor
from gbdist.errors import ClusterError
from gbdist.estimators import needs
from gbdist_cluster import gang
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

from .conftest import Small, fit
from .injection import inject
from .plan import Fault

pytestmark = pytest.mark.soak


class Greedy:
    """A loss, RMSE, that takes ever more memory of the worker, all of it in the second tree."""

    def __init__(self) -> None:
        self.calls = 0
        self.taken: list[np.ndarray[Any, Any]] = []

    def calc_ders_range(self, approxes: Any, targets: Any, weights: Any) -> list[tuple[float, float]]:
        self.calls += 1
        while self.calls > 4:
            self.taken.append(np.ones(1 << 20))
        return [(target - approx, -1.0) for approx, target in zip(approxes, targets, strict=True)]


def test_memory_that_is_twice_too_little_for_the_same_rows() -> None:
    rng = np.random.default_rng(3)
    X = da.from_array(rng.normal(size=(4_000, 3)), chunks=(1_000, 3))
    with start_local(workers=1, dashboard=False, memory_limit="1 GiB") as local:
        model = DaskCatBoostRegressor(
            iterations=20,
            loss_function=Greedy(),
            eval_metric="RMSE",
            leaf_estimation_method="Gradient",
            client=local.client,
        )
        with pytest.raises(ClusterError) as raised:
            model.fit(X, X[:, 0])
        told = str(raised.value)
    assert told.startswith("Workers ran out of memory twice with the same rows, the last time worker tcp://127.0.0.1:")
    assert " with rows of partitions 0, 1, 2, 3. The run had lost worker tcp://127.0.0.1:" in told
    assert told.endswith(
        "Give workers more memory, or use more of them. With snapshot_file set, fit could go on from there."
    )


def test_no_worker_comes_in_place_of_the_last_one(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_local(workers=1, dashboard=False) as local:
        monkeypatch.setattr(Nanny, "instantiate", lambda _: asyncio.sleep(0))  # no nanny starts another one
        prepare(local.client)
        scheduler = local.client.scheduler.address
        address = next(iter(local.client.scheduler_info(n_workers=-1)["workers"]))
        with (
            dask.config.set({"gbdist.wait-for-replacement": "0.2s"}),
            inject(local.client, Fault("kill", "all_reduce", tree=3)),
            pytest.raises(ClusterError) as raised,
        ):
            small.fit(local.client)
    # How many trees are known here depends on when the last message came.
    told = re.sub(r"had [0123] trees", "had … trees", str(raised.value))
    assert told == (
        f"The cluster at {scheduler} has no workers after 0.2 s. The run had lost worker {address} with rows of partitions "
        f"0, 1, 2, 3 and had … trees. Start workers with: dask worker {scheduler} With snapshot_file set, fit could go on "
        "from there."
    )


def test_rows_that_do_not_fit_into_the_workers_that_are_left_wait_for_others(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gang.logger, "warning", lambda text, *words: said.append(text % words))
    monkeypatch.setattr(needs, "BYTES_A_ROW", 250_000)  # 2,000 rows fit beside the process, 4,000 do not
    with start_local(workers=2, dashboard=False, memory_limit="1.2 GiB") as local:
        prepare(local.client)
        with inject(local.client, Fault("kill", "all_reduce", rank=1, tree=2)) as injected:
            assert small.fit(local.client) == small.model
            injected.wait()
    assert said
    assert all(line.startswith("waiting for workers: X: worker tcp://127.0.0.1:") for line in said)


def test_two_runs_on_one_cluster_that_loses_workers(fragile: Client, small: Small) -> None:
    frame = small.frame()
    with Client(fragile.scheduler.address, set_as_default=False) as other:
        models: dict[str, bytes] = {}

        def train(name: str, client: Client) -> None:
            models[name] = fit(client, frame)

        plan = [Fault("kill", "all_reduce", rank=1, tree=2), Fault("kill", "tree grown", rank=0, tree=4, after=0)]
        with inject(fragile, *plan) as injected:
            threads = [threading.Thread(target=train, args=each) for each in (("one", fragile), ("other", other))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=120)
            assert injected.fired(1)
    assert models == {"one": small.model, "other": small.model}


def test_a_gang_takes_workers_that_come_when_it_pays(small: Small) -> None:
    rng = np.random.default_rng(5)
    X = da.from_array(rng.normal(size=(100_000, 30)).astype(np.float32), chunks=(10_000, 30))
    seen: list[int] = []

    class Counting:
        """A callback that looks how many ranks run."""

        def __init__(self, client: Client) -> None:
            self._client = client

        def after_iteration(self, info: Any) -> bool:
            if info.iteration == 3:
                local.cluster.scale(2)
            if info.iteration % 20 == 0:
                seen.append(sum(self._client.run(_running).values()))
            return max(seen, default=0) < 2 or info.iteration < 40

    with start_local(workers=1, dashboard=False) as local:
        model = DaskCatBoostRegressor(iterations=20_000, depth=5, learning_rate=0.1, client=local.client)
        model.fit(X, X[:, 0] * X[:, 1], callbacks=[Counting(local.client)])
        trees = model.tree_count_
        assert max(seen) == 2
    with start_local(workers=1, dashboard=False) as local:
        alone = DaskCatBoostRegressor(iterations=trees, learning_rate=0.1, depth=5, client=local.client)
        alone.fit(X, X[:, 0] * X[:, 1])
    assert np.array_equal(model.model_.get_leaf_values(), alone.model_.get_leaf_values())
    assert np.array_equal(model.model_.get_leaf_weights(), alone.model_.get_leaf_weights())


def _running() -> int:
    from gbdist_cluster import ranks

    return len(ranks._runs)
