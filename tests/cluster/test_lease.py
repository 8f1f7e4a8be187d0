"""Leases as clients see them: waiting, giving up, dying."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from distributed import Client

from gbdist_cluster import lease as lease_module
from gbdist_cluster.errors import ClusterError, WorkersGone
from gbdist_cluster.lease import lease
from gbdist_cluster.plugin import prepare


@pytest.fixture
def other(client: Client) -> Iterator[Client]:
    """A second client of the same cluster."""
    with Client(client.scheduler.address, set_as_default=False) as second:
        prepare(second)
        yield second


def test_disjoint_leases_do_not_wait(client: Client, other: Client, workers: list[str]) -> None:
    with lease(client, workers[:1], timeout=0.0), lease(other, workers[1:], timeout=0.0):
        pass


def test_a_wait_that_ends_says_who_holds_what(client: Client, other: Client, workers: list[str]) -> None:
    said: list[str] = []
    with (
        lease(client, workers[:1], timeout=0.0, label="the first run"),
        pytest.raises(ClusterError) as caught,
        lease(other, workers, timeout=0.2, on_wait=said.append),
    ):
        pytest.fail("granted although a worker is held")
    assert said == [f"waiting for workers: the first run has {workers[0]}"]
    assert str(caught.value) == (
        f"The workers were busy with other gbdist runs for 0.2 s: the first run has {workers[0]}. "
        "Wait for these runs to end, or use other workers."
    )
    with lease(other, workers, timeout=0.0):  # neither the holder nor the request that gave up is left
        pass


def test_the_next_is_granted_when_the_holder_ends(client: Client, other: Client, workers: list[str]) -> None:
    granted = threading.Event()
    waits = threading.Event()

    def second() -> None:
        with lease(other, workers, timeout=30, on_wait=lambda text: waits.set()):
            granted.set()

    thread = threading.Thread(target=second)
    with lease(client, workers, timeout=0.0):
        thread.start()
        assert waits.wait(timeout=30)
        assert not granted.is_set()
    assert granted.wait(timeout=30)
    thread.join(timeout=30)


def test_a_client_that_dies_holding_lets_go(client: Client, workers: list[str]) -> None:
    dying = Client(client.scheduler.address, set_as_default=False)
    prepare(dying)
    with lease(dying, workers, timeout=0.0):
        dying.close()
        with lease(client, workers, timeout=10):
            pass


def test_a_holder_beats(client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "BEAT_SECONDS", 0.01)

    def last_beat(lease_id: str) -> float:
        return float(
            client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.plugins["gbdist"]._table._beats[lease_id])
        )

    with lease(client, workers, timeout=0.0) as holder:
        first = last_beat(holder.lease_id)
        while last_beat(holder.lease_id) == first:
            pass


def test_a_silent_holder_loses_its_lease(client: Client, other: Client, workers: list[str]) -> None:
    def turn_back_the_clock(dask_scheduler: object) -> None:
        from gbdist_cluster.plugin import LEASE_DEADLINE

        beats = dask_scheduler.plugins["gbdist"]._table._beats  # type: ignore[attr-defined]
        for lease_id in beats:
            beats[lease_id] -= LEASE_DEADLINE + 1

    with lease(client, workers, timeout=0.0):
        client.run_on_scheduler(turn_back_the_clock)
        with lease(other, workers, timeout=0.0):
            pass


def test_a_lease_is_extended_only_by_what_is_free(client: Client, other: Client, workers: list[str]) -> None:
    with lease(client, workers[:1], timeout=0.0) as holder:
        with lease(other, workers[1:], timeout=0.0):
            assert not holder.extend(workers[1:])
        assert holder.extend(workers[1:])
        with pytest.raises(ClusterError, match="were busy"), lease(other, workers[1:], timeout=0.0):
            pass


def test_an_unknown_worker_is_refused(client: Client) -> None:
    with (
        pytest.raises(ClusterError, match="cannot be reserved: worker tcp://gone:1 left the cluster"),
        lease(client, ["tcp://gone:1"], timeout=5),
    ):
        pass


def test_an_exchange_gives_up_what_was_held(client: Client, other: Client, workers: list[str]) -> None:
    with lease(client, workers[:1], timeout=0.0) as holder:
        holder.exchange(workers[1:])
        with lease(other, workers[:1], timeout=0.0):
            pass
        with pytest.raises(ClusterError, match="were busy"), lease(other, workers[1:], timeout=0.0):
            pass
    with lease(other, workers, timeout=0.0):
        pass


def test_an_exchange_waits_behind_whoever_holds_and_says_so(client: Client, other: Client, workers: list[str]) -> None:
    with ExitStack() as held:
        held.enter_context(lease(other, workers[1:], timeout=0.0, label="the other run"))
        said: list[str] = []

        def let_go(text: str) -> None:
            said.append(text)
            held.close()

        with lease(client, workers[:1], timeout=30.0, on_wait=let_go) as holder:
            holder.exchange(workers)
            assert said == [f"waiting for workers: the other run has {workers[1]}"]
            with pytest.raises(ClusterError, match="were busy"), lease(other, workers[:1], timeout=0.0):
                pass


def test_an_exchange_that_waits_too_long_leaves_nothing_held(client: Client, other: Client, workers: list[str]) -> None:
    with lease(other, workers[1:], timeout=0.0, label="the other run"):
        with (
            pytest.raises(ClusterError) as caught,
            lease(client, workers[:1], timeout=0.1) as holder,
        ):
            holder.exchange(workers)
        with lease(other, workers[:1], timeout=0.0):
            pass
    assert str(caught.value) == (
        f"The workers were busy with other gbdist runs for 0.1 s: the other run has {workers[1]}. "
        "Wait for these runs to end, or use other workers."
    )


def test_a_lease_of_nothing_can_be_exchanged(client: Client, other: Client, workers: list[str]) -> None:
    # A gang that has lost its last worker holds nothing, and waits for another one.
    with lease(client, [], timeout=0.0) as holder:
        holder.exchange(workers[:1])
        with pytest.raises(ClusterError, match="were busy"), lease(other, workers[:1], timeout=0.0):
            pass


def test_a_lease_is_shrunk_to_what_is_needed_and_no_further(client: Client, other: Client, workers: list[str]) -> None:
    with lease(client, workers, timeout=0.0) as holder:
        holder.shrink([*workers[:1], "tcp://127.0.0.1:9"])  # one that was never held stays so
        with lease(other, workers[1:], timeout=0.0):
            with pytest.raises(ClusterError, match="were busy"), lease(other, workers[:1], timeout=0.0):
                pass
            assert not holder.extend(workers[1:])
        assert holder.extend(workers[1:])


def test_an_exchange_for_a_worker_that_has_left(client: Client, workers: list[str]) -> None:
    with lease(client, workers[:1], timeout=0.0) as holder:
        with pytest.raises(WorkersGone) as caught:
            holder.exchange([*workers, "tcp://127.0.0.1:9"])
        holder.exchange(workers)  # and again, of those that are left
    assert str(caught.value) == (
        "The workers cannot be reserved: worker tcp://127.0.0.1:9 left the cluster. Start the run again; it will use those left."
    )
