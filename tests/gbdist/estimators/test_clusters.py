"""A cluster may be named by its client, by its address, or not at all."""

import pytest
from distributed import Client

from gbdist.errors import ParameterError
from gbdist.estimators import clusters
from gbdist.estimators.clusters import ready_workers, resolve_client


def test_client_is_taken_as_it_is(client: Client) -> None:
    assert resolve_client(client) is client


def test_address_gives_one_client_for_all_fits(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_clients", {})
    address = client.scheduler.address
    made = resolve_client(address)
    try:
        assert made is not client
        assert resolve_client(address) is made
        assert {worker.address for worker in ready_workers(made)} == set(client.nthreads())
    finally:
        made.close()
    again = resolve_client(address)
    assert again is not made  # a closed client is not used again
    again.close()


def test_anything_else_is_refused() -> None:
    with pytest.raises(ParameterError) as refused:
        resolve_client(3)
    assert str(refused.value) == (
        "client=3 cannot be used: expected a distributed.Client or the address of a scheduler. "
        "Leave it out to use the current one."
    )
