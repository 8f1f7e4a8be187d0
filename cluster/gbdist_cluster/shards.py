"""Shards: large results that stay in a worker's process, out of Dask's memory accounts.

A task that makes a shard returns ``keep(shard)``. Dask then holds a handle of a few bytes, which it neither counts nor
has a reason to spill. The shard itself is freed when the last handle in the process and the task's key are gone.
Pickling a handle carries the shard, so Dask may move it to another worker; where Dask writes a handle to disk in a
shortage of memory, only a reference is written, because the shard would stay in memory anyway while a rank uses it.
"""

import threading
import uuid
import weakref
from collections.abc import Sequence
from concurrent.futures import CancelledError
from typing import Any, Protocol

from dask.sizeof import sizeof
from distributed import Client, Future, get_worker
from distributed.client import _wait
from distributed.protocol.serialize import dask_deserialize, dask_serialize, pickle_dumps, pickle_loads
from distributed.worker import WORKER_ANY_RUNNING

from gbdist_cluster.errors import ClusterError, ShardsGone
from gbdist_cluster.versions import check_workers
from gbdist_cluster.waiting import NO_WORKERS_SECONDS, POLL_SECONDS

__all__ = [
    "Shard",
    "ShardHandle",
    "ShardStore",
    "close_store",
    "keep",
    "local_folder",
    "open_store",
    "stored_bytes",
    "wait_for_shards",
]

_HANDLE_BYTES = 256
"""What Dask is told that a handle weighs."""


class Shard(Protocol):
    """Anything that can be pickled and knows its size; NumPy arrays inside travel without a copy."""

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        ...


class ShardHandle:
    """Stands for a shard in Dask's eyes. Unpickling one in another process puts the shard there."""

    __slots__ = ("__weakref__", "_shard", "_token")

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._token = uuid.uuid4().hex
        _live[self._token] = self

    @property
    def shard(self) -> Any:
        """The stored object itself, not a copy."""
        return self._shard

    @property
    def nbytes(self) -> int:
        """Size of the shard in bytes."""
        return int(self._shard.nbytes)

    def __reduce__(self) -> tuple[type["ShardHandle"], tuple[Shard]]:
        return (ShardHandle, (self._shard,))

    def __repr__(self) -> str:
        return f"<ShardHandle of {self.nbytes:,} bytes>"


class ShardStore:
    """What one worker keeps for the tasks whose keys it holds; the worker's plugin says when a key goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[object, dict[str, ShardHandle]] = {}

    def hold(self, key: object, handle: ShardHandle) -> None:
        """Hold a handle until its key is released."""
        with self._lock:
            self._by_key.setdefault(key, {})[handle._token] = handle

    def release(self, key: object) -> None:
        """Let go what was held for a key. Handles elsewhere still keep their shards."""
        if key in self._by_key:  # asked at every transition of every task, so look before locking
            with self._lock:
                self._by_key.pop(key, None)

    def holds(self, token: str) -> bool:
        """Whether the handle with this token survives without Dask."""
        with self._lock:
            return any(token in held for held in self._by_key.values())


_live: weakref.WeakValueDictionary[str, ShardHandle] = weakref.WeakValueDictionary()
_stores: weakref.WeakKeyDictionary[Any, ShardStore] = weakref.WeakKeyDictionary()


def open_store(worker: Any) -> ShardStore:
    """Return the store of a worker; the plugin calls this first, and again does no harm."""
    return _stores.setdefault(worker, ShardStore())


def close_store(worker: Any) -> None:
    """Let go of all that a worker keeps, if it is closing; the plugin calls this when it ends.

    Nobody tells of keys from then on, and what Dask still lets go while the worker closes would stay here for ever: Dask never
    frees a worker object whose process goes on (``distributed.core._expects_comm`` caches its methods).
    """
    if worker.status not in WORKER_ANY_RUNNING:  # else the plugin is put in anew, and the keys are there
        _stores.pop(worker, None)


def keep(shard: Shard) -> ShardHandle:
    """Put a shard into the store of this worker and return the handle that the task must return.

    Outside of a task, or on a worker without our plugin, the handle alone keeps the shard.
    """
    handle = ShardHandle(shard)
    try:
        worker = get_worker()
        key = worker.get_current_task()
    except ValueError:
        return handle
    store = _stores.get(worker)
    if store is not None:
        store.hold(key, handle)
    return handle


def local_folder() -> tuple[str, str] | None:
    """Address of this worker, and the folder that is its own until it ends; None in a process without workers.

    Outside of a task, where several workers share a process, it is that of one of them.
    """
    try:
        workers = [get_worker()]
    except ValueError:
        workers = [worker for worker in list(_stores) if worker.status in WORKER_ANY_RUNNING]
    return (str(workers[0].address), str(workers[0].local_directory)) if workers else None


def wait_for_shards(client: Client, shards: Sequence[Future]) -> None:
    """Wait until shards are made, or failed, for as long as there are workers to make them.

    Raises
    ------
    ClusterError
        If there are no workers any more.
    ShardsGone
        If shards cannot be made again by Dask.
    """
    while True:
        try:
            # Not ``wait``, which asks for a current client: making one so sets Dask's scheduler for the whole process, and
            # two threads that do it at once leave it set.
            client.sync(_wait, shards, timeout=POLL_SECONDS)
            return
        except TimeoutError:
            check_workers(client, NO_WORKERS_SECONDS)
        except CancelledError:
            raise ShardsGone(
                "Shards are gone: they were released, or the workers that held them or their rows left the cluster",
                "Make the data set anew; what came from a client's memory cannot be computed again on other workers.",
            ) from None


def stored_bytes() -> int:
    """Return the size of all shards in this process, each counted once."""
    return sum({id(handle.shard): handle.nbytes for handle in list(_live.values())}.values())


@sizeof.register(ShardHandle)  # type: ignore[untyped-decorator]
def _sizeof_handle(handle: ShardHandle) -> int:
    return _HANDLE_BYTES


@dask_serialize.register(ShardHandle)  # type: ignore[untyped-decorator]
def _serialize(handle: ShardHandle, context: dict[str, Any] | None = None) -> tuple[dict[str, Any], list[Any]]:
    # Comms pass a context that names sender and recipient; without one Dask is writing to its spill directory.
    if context is None and any(store.holds(handle._token) for store in list(_stores.values())):
        return {"token": handle._token}, []
    return pickle_dumps(handle, context=context)  # type: ignore[no-any-return]


@dask_deserialize.register(ShardHandle)  # type: ignore[untyped-decorator]
def _deserialize(header: dict[str, Any], frames: list[Any]) -> ShardHandle:
    token = header.get("token")
    if token is None:
        return pickle_loads(header, frames)  # type: ignore[no-any-return]
    handle = _live.get(token)
    if handle is None:
        raise ClusterError(
            "A shard was read in a process that does not hold it",
            "Keep references to the data set's futures while it is in use, or make it anew.",
        )
    return handle
