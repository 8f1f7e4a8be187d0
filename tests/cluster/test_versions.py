"""Workers are there, answer, and have the same gbdist."""

import importlib.metadata
import time
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from gbdist_cluster import versions
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.versions import WorkerFacts, check_workers


@pytest.fixture
def another_client(client: Client) -> Iterator[Client]:
    """A client for which nothing has been checked yet."""
    with Client(client.scheduler.address, set_as_default=False) as fresh:
        yield fresh


def test_facts_of_the_workers(client: Client, workers: list[str]) -> None:
    facts = check_workers(client)
    assert [fact.address for fact in facts] == workers
    for fact in facts:
        assert isinstance(fact, WorkerFacts)
        assert fact.threads == 1
        assert fact.memory_limit > 2**28
        assert fact.name in ("0", "1")


def test_workers_that_were_checked_are_not_asked_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    check_workers(client)
    monkeypatch.setattr(versions, "_check_versions", lambda *args: pytest.fail("asked again"))
    check_workers(client)


def test_a_cluster_without_workers_is_waited_for_and_then_named() -> None:
    with (
        LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", processes=False) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        address = client.scheduler.address
        begin = time.monotonic()
        with pytest.raises(ClusterError) as caught:
            check_workers(client, timeout=0.3)
        assert 0.3 <= time.monotonic() - begin < 5
        assert str(caught.value) == (
            f"The cluster at {address} has no workers after 0.3 s. Start workers with: dask worker {address}"
        )


def client_name(client: Client, address: str) -> str:
    """Name of the worker at an address."""
    return str(client.scheduler_info(n_workers=-1)["workers"][address]["id"])


def probe(answer: str | None) -> object:
    """A version question that a worker answers with ``answer``, or with not having the package.

    Injected in place of ``importlib.metadata.version``, because all workers of a test share one installation.
    """

    def ask(name: str) -> str:
        if answer is None:
            import importlib.metadata

            raise importlib.metadata.PackageNotFoundError(name)
        return answer

    return ask


def test_a_worker_without_gbdist_is_named(
    another_client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = importlib.metadata.version("gbdist")
    monkeypatch.setattr(versions, "PROBE", probe(None))
    with pytest.raises(ClusterError) as caught:
        check_workers(another_client)
    name = client_name(another_client, workers[0])
    assert str(caught.value) == (
        f"Worker {name} at {workers[0]} does not have gbdist installed. "
        f"Install gbdist=={wanted} in the environment of {workers[0]} and restart it."
    )


def test_a_worker_with_another_version_is_named(
    another_client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = importlib.metadata.version("gbdist")
    monkeypatch.setattr(versions, "PROBE", probe("0.0.1"))
    with pytest.raises(ClusterError, match=f"at {workers[0]} has gbdist 0.0.1, but this process has {wanted}"):
        check_workers(another_client)


def test_a_scheduler_without_gbdist_is_named(another_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # The scheduler of a local cluster runs in this process, so the question can tell where it is asked.
    import os

    here, wanted = os.getpid(), importlib.metadata.version("gbdist")

    def ask(name: str) -> str:
        import importlib.metadata
        import os

        if os.getpid() == here:
            raise importlib.metadata.PackageNotFoundError(name)
        return wanted

    monkeypatch.setattr(versions, "PROBE", ask)
    with pytest.raises(ClusterError) as caught:
        check_workers(another_client)
    assert str(caught.value) == (
        f"The scheduler at {another_client.scheduler.address} does not have gbdist installed. "
        f"Install gbdist=={wanted} in the environment of the scheduler and restart it."
    )


def test_a_worker_that_never_answers_is_not_waited_for_for_ever(
    another_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(name: str) -> str:
        import asyncio

        await asyncio.Event().wait()
        return name

    monkeypatch.setattr(versions, "PROBE", ask)
    with pytest.raises(ClusterError, match=r"did not say within 0\.5 s which gbdist they have"):
        check_workers(another_client, timeout=0.5)


def test_a_closed_client_is_refused(client: Client) -> None:
    closed = Client(client.scheduler.address, set_as_default=False)
    closed.close()
    with pytest.raises(ClusterError, match=r"The Dask client is closed\. Make a new Client"):
        check_workers(closed)
