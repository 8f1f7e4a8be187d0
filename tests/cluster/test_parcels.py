"""What a rank has left is fetched while it goes on, and a worker that has left is no trouble."""

from typing import Any

import dask.config
import pytest
from distributed import Client

from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.parcels import Courier, LeftPlace

from .test_gang import assert_nothing_left

LARGE = 3_000_000


def leave(context: RankContext) -> int:
    """Leave something large, say where, and go on when the client has it."""
    context.leave(bytes([context.rank]) * LARGE)
    context.ask(context.place)
    return context.rank


def reversed_bytes(left: Any) -> bytes:
    """How the parcel is packed."""
    return bytes(reversed(left)) + b"!"


def failing(left: Any) -> bytes:
    """A parcel that cannot be packed."""
    raise ValueError("no")


def test_what_a_rank_has_left_is_fetched_while_it_waits(client: Client, workers: list[str]) -> None:
    courier = Courier(client)
    found: dict[str, bytes | None] = {}

    def hear(place: LeftPlace) -> bool:
        courier.send_for(place, reversed_bytes)
        assert courier.busy
        with pytest.raises(RuntimeError, match="one parcel at a time"):
            courier.send_for(place, reversed_bytes)
        found[place.address] = courier.take(wait=30.0)
        assert not courier.busy
        return False

    results = run_on_gang(client, leave, members=[Member(address) for address in workers], listener=hear)
    assert results == [0, 1]
    assert found == {address: bytes([rank]) * LARGE + b"!" for rank, address in enumerate(workers)}
    courier.send_for(LeftPlace(workers[0], next(iter(found))), reversed_bytes)
    assert courier.take(wait=30.0) is None  # of another run
    courier.close()
    assert_nothing_left(client)


@pytest.mark.parametrize(
    "where", [pytest.param("a worker that left", marks=pytest.mark.soak), "a parcel that cannot be packed"]
)
def test_what_does_not_arrive_is_forgotten(client: Client, workers: list[str], where: str) -> None:
    courier = Courier(client)

    def hear(place: LeftPlace) -> bool:
        gone = where == "a worker that left"
        courier.send_for(LeftPlace("tcp://127.0.0.1:9", place.run_id) if gone else place, failing)
        assert courier.take(wait=30.0) is None
        assert not courier.busy
        return False

    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):  # the scheduler lives in this process
        assert run_on_gang(client, leave, members=[Member(workers[0])], listener=hear) == [0]
    courier.send_for(LeftPlace(workers[0], "none"), failing)
    courier.close()  # for example as the worker was lost
    assert not courier.busy
    assert courier.take() is None
