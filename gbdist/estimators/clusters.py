"""Which cluster a fit uses, and its workers."""

import threading
from typing import Any

from distributed import Client

from gbdist.errors import ClusterError, ParameterError
from gbdist_cluster.clients import new_client
from gbdist_cluster.launch.local import default_client
from gbdist_cluster.plugin import prepare
from gbdist_cluster.versions import WorkerFacts, check_workers

#: How long a fit waits for the first worker of a cluster.
WORKERS_SECONDS = 30.0
_CONNECT_SECONDS = 30
_lock = threading.Lock()
_clients: dict[str, Client] = {}


def resolve_client(client: Any) -> Client:
    """The client itself, one for an address (made once per process), or the current one, else a local cluster's."""
    if client is None:
        return default_client()
    if isinstance(client, Client):
        return client
    if isinstance(client, str):
        return _client_at(client)
    raise ParameterError(
        "client", client, "a distributed.Client or the address of a scheduler", "Leave it out to use the current one."
    )


def has_client() -> bool:
    """Whether there is a current client, which is taken where none is given."""
    try:
        Client.current()
    except ValueError:
        return False
    return True


def _client_at(address: str) -> Client:
    with _lock:
        known = _clients.get(address)
        if known is not None and known.status == "running":
            return known
        try:
            _clients[address] = new_client(address, set_as_default=False, timeout=_CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError) as problem:
            raise ClusterError(
                f"No Dask scheduler answers at {address} ({problem})",
                "Start one with: dask scheduler, or check the address.",
            ) from problem
        return _clients[address]


def ready_workers(client: Client) -> tuple[WorkerFacts, ...]:
    """The workers that may be used, checked and with gbdist's plugins; ClusterError if there are none in time."""
    workers = check_workers(client, WORKERS_SECONDS)
    prepare(client)
    return workers
