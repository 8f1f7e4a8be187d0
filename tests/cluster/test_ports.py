"""A run opens no port, and its client connects to the scheduler alone: what docs/security.md says of firewalls."""

from typing import Any

import numpy as np
import psutil
from distributed import Client

from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.plugin import prepare


def listening(dask_worker: Any = None) -> set[int]:
    """Ports on which this process takes connections."""
    found = psutil.Process().net_connections("inet")
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


def connected_to() -> set[int]:
    """Ports that this process has connections to, apart from those to itself."""
    own = listening()
    found = psutil.Process().net_connections("inet")
    return {each.raddr.port for each in found if each.raddr and each.laddr.port not in own}


def test_ranks_listen_where_their_workers_listen(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> set[int]:
        context.collective.all_reduce(np.ones(100, np.int64))  # they are connected
        return listening()

    before = client.run(listening)
    during = run_on_gang(client, routine, members=[Member(address) for address in workers])
    assert during == [before[address] for address in workers]
    assert all(int(address.rpartition(":")[2]) in before[address] for address in workers)


def test_client_connects_to_the_scheduler_alone(outside: str) -> None:
    before = connected_to()  # of what other tests use
    heard: list[set[int]] = []

    def routine(context: RankContext) -> int:
        context.emit("here")
        return int(context.ask("and now"))

    def listener(message: object) -> bool:
        heard.append(connected_to() - before)
        return True

    with Client(outside, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        prepare(client)
        (worker,) = client.scheduler_info(n_workers=-1)["workers"]
        assert run_on_gang(client, routine, members=[Member(worker)], listener=listener) == [1]
        future = client.scatter(np.ones(10))  # what the client holds, and what it gets, goes by the scheduler too
        assert client.submit(np.sum, future).result() == 10
        heard.append(connected_to() - before)
        del future
    assert heard == [{int(outside.rpartition(":")[2])}] * 3
