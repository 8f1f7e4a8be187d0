"""Clients that are made while others cancel their tasks."""

from typing import Any

import pytest
from distributed import Client, LocalCluster

from gbdist_cluster import clients
from gbdist_cluster.clients import new_client


class Interrupting(dict[str, Any]):
    """A scheduler's connections to clients, of which some new ones first hear what is told to all."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def __setitem__(self, client: str, connection: Any) -> None:
        super().__setitem__(client, connection)
        if self.times:
            self.times -= 1
            connection.send({"op": "cancelled-keys", "keys": [], "reason": "", "msg": ""})


@pytest.fixture
def cluster() -> Any:
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        yield cluster


def test_a_client_is_made_again_where_what_all_are_told_comes_before_its_answer(cluster: Any) -> None:
    cluster.scheduler.client_comms = connections = Interrupting(2)
    with new_client(cluster.scheduler_address, set_as_default=False) as client:
        assert client.status == "running"
        assert client.id in cluster.scheduler.client_comms
    assert connections.times == 0


def test_dask_itself_fails_there(cluster: Any) -> None:
    cluster.scheduler.client_comms = Interrupting(1)
    with pytest.raises(AssertionError):
        Client(cluster.scheduler_address, set_as_default=False)


def test_what_does_not_end_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def failing(address: str, **options: Any) -> None:
        asked.append((address, options))
        raise AssertionError

    monkeypatch.setattr(clients, "Client", failing)
    with pytest.raises(AssertionError):
        new_client("tcp://somewhere:8786", set_as_default=False)
    assert asked == [("tcp://somewhere:8786", {"set_as_default": False})] * 5
