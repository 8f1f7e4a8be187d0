"""The collective between worker processes: what no thread can stand for, above all a peer that is killed."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client, Future, LocalCluster, WorkerPlugin, get_worker, wait

from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.collective.endpoint import install, uninstall

N_RANKS = 3
BIG = 400_000  # cells: enough for two rounds, reduce_scatter and all_gather


class Endpoint(WorkerPlugin):  # type: ignore[misc]
    name = "collective-endpoint"

    def setup(self, worker: Any) -> None:
        self.worker = worker
        install(worker)

    def teardown(self, worker: Any) -> None:
        uninstall(worker)


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=N_RANKS, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(Endpoint())
        yield client


def routine(rank: int, addresses: list[str], mishap: int | None) -> str:
    """Add up for ever; rank 2 sends itself the signal ``mishap`` in the middle of its second all_reduce."""
    with CommCollective.join(
        get_worker(), run_id="run", epoch=1, rank=rank, addresses=addresses, deadline=2.0
    ) as collective:
        array = np.arange(BIG, dtype=np.int64)
        total = collective.all_reduce(array)
        np.testing.assert_array_equal(total, N_RANKS * array)
        if mishap is None:
            return f"{collective.traffic.messages} messages"
        channel = collective._comm_channel
        receive = channel.receive

        def receive_and_fall(source: int, tag: int) -> Any:
            receive(source, tag)
            os.kill(os.getpid(), mishap)

        if rank == 2:
            channel.receive = receive_and_fall  # type: ignore[method-assign]
        try:
            while True:
                collective.all_reduce(array)
        except Exception as error:
            return f"{type(error).__name__}: {error.args[0]}"


def start(client: Client, mishap: int | None) -> tuple[list[str], list[Future]]:
    addresses = sorted(client.scheduler_info(n_workers=-1)["workers"])
    return addresses, [
        client.submit(routine, rank, addresses, mishap, workers=[address], pure=False, retries=0)
        for rank, address in enumerate(addresses)
    ]


def test_all_ranks_finish(client: Client) -> None:
    _, futures = start(client, None)
    assert client.gather(futures) == ["4 messages"] * N_RANKS


def test_worker_killed_during_all_reduce(client: Client) -> None:
    addresses, futures = start(client, signal.SIGKILL)
    assert client.gather(futures[:2]) == [f"PeerLost: rank 2 at {addresses[2]} closed its connection"] * 2


def test_worker_stopped_during_all_reduce(client: Client) -> None:
    pids = client.run(os.getpid)
    addresses, futures = start(client, signal.SIGSTOP)
    try:
        with client.as_current():
            wait(futures[:2], timeout=30)
        assert client.gather(futures[:2]) == [f"PeerLost: rank 2 at {addresses[2]} was silent for 2 s"] * 2
    finally:
        os.kill(pids[addresses[2]], signal.SIGKILL)  # a stopped worker could not be closed
