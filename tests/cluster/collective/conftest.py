"""Workers in this process over each of Dask's transports, and a way to run ranks on them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest
from distributed import LocalCluster, Security

from gbdist_cluster.collective.comm import CommCollective
from gbdist_cluster.collective.endpoint import install

Result = TypeVar("Result")
Ranks = Callable[..., list[Any]]


@contextmanager
def _start_workers(protocol: str) -> Iterator[list[Any]]:
    security: dict[str, Any] = {}
    if protocol == "tls://":
        pytest.importorskip("cryptography", reason="the cryptography package is missing, which makes the certificates")
        security = {"security": Security.temporary()}
    with LocalCluster(
        n_workers=3, threads_per_worker=1, processes=False, protocol=protocol, dashboard_address=":0", **security
    ) as cluster:
        workers = list(cluster.workers.values())
        for worker in workers:
            install(worker)
        yield workers


@pytest.fixture(scope="session")
def start_workers() -> Callable[[str], AbstractContextManager[list[Any]]]:
    """Three workers with the endpoint, over a transport like ``tcp://``, as a context."""
    return _start_workers


@pytest.fixture(scope="module", params=["inproc://", "tcp://", "tls://"])
def any_workers(request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    """Three workers over each transport in turn."""
    with _start_workers(request.param) as workers:
        yield workers


@pytest.fixture(scope="module")
def workers() -> Iterator[list[Any]]:
    """Three workers over tcp."""
    with _start_workers("tcp://") as workers:
        yield workers


@pytest.fixture
def run_ranks(request: pytest.FixtureRequest) -> Iterator[Ranks]:
    """``run_ranks(workers, function, **join)``: each worker's rank runs ``function(collective)`` in a thread of its own.

    Returns, in rank order, what each returned or the error that it raised. The run is named after the test.
    """
    run_id = request.node.name
    pool = ThreadPoolExecutor(8)

    def run(
        workers: Sequence[Any], function: Callable[[CommCollective], Any], epoch: int = 1, **join: Any
    ) -> list[Any]:
        addresses = [worker.address for worker in workers]

        def rank(number: int) -> Any:
            try:
                with CommCollective.join(
                    workers[number], run_id=run_id, epoch=epoch, rank=number, addresses=addresses, **join
                ) as collective:
                    return function(collective)
            except BaseException as error:  # the test looks at it
                return error

        return list(pool.map(rank, range(len(workers))))

    yield run
    pool.shutdown()
