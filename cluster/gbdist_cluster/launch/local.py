"""Workers on this machine: a cluster for a command or a block, and the one that is used when there is no other."""

import atexit
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from types import TracebackType

import dask.config
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, Status

from gbdist_cluster.errors import ClusterError

__all__ = ["LocalWorkers", "default_client", "start_local"]

_START_SECONDS = 60.0
#: Dask waits without end for a nanny whose worker died while it was being started.
_CLOSE_SECONDS = 30.0

_default_lock = threading.Lock()
_default: "LocalWorkers | None" = None


class LocalWorkers:
    """A cluster on this machine with its client; closes both when its block ends."""

    def __init__(self, cluster: LocalCluster, client: Client, dashboard: bool) -> None:
        self.cluster = cluster
        self.client = client
        self._dashboard = dashboard

    @property
    def dashboard_link(self) -> str | None:
        """Address of the dashboard, if there is one."""
        return str(self.cluster.dashboard_link) if self._dashboard else None

    def close(self) -> None:
        """Stop everything; again is harmless. Workers that Dask does not stop in a bounded time are killed."""
        self.client.close()
        try:
            self.cluster.close(timeout=_CLOSE_SECONDS)
        except TimeoutError:
            self._kill()

    def _kill(self) -> None:
        """End the workers' processes, and the scheduler, without asking them."""
        for worker in self.cluster.workers.values():
            pid = getattr(worker, "pid", None)  # of a nanny; threads of this process have none to be killed
            if pid is not None:
                worker.status = Status.closing  # or the nanny would start another
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        with suppress(Exception):
            self.cluster.sync(self.cluster.scheduler.close, callback_timeout=_CLOSE_SECONDS)
        self.cluster.status = Status.closed  # so that nobody waits for it again

    def __enter__(self) -> "LocalWorkers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_local(
    workers: int | None = None,
    threads: int = 1,
    memory_limit: str | int = "auto",
    dashboard: bool = True,
    *,
    processes: bool = True,
    set_as_default: bool = False,
) -> LocalWorkers:
    """Start workers on this machine, each a process of its own; the dashboard takes a free port of the loopback.

    Parameters
    ----------
    workers
        How many; None for as many as leave no core idle.
    threads
        Threads of each worker.
    memory_limit
        Of each worker, in Dask's words: bytes, ``"2 GiB"``, ``"auto"`` for an even share of the machine, 0 for none.
    dashboard
        Whether to serve Dask's dashboard.
    processes
        False runs the workers as threads of this process.
    set_as_default
        Whether Dask itself should send its computations there from now on.

    Raises
    ------
    ClusterError
        If the workers do not start.
    """
    count = workers if workers is not None else max(1, CPU_COUNT // threads)
    cluster: LocalCluster | None = None
    try:
        with _interrupts_held():
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=threads,
                memory_limit=memory_limit,
                processes=processes,
                host="127.0.0.1" if processes else None,  # threads need no port: they use Dask's inproc transport
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": dashboard},
                silence_logs=logging.CRITICAL,  # what fails in a task reaches the caller as an exception anyway
            )
    except (RuntimeError, OSError, TimeoutError, ValueError) as problem:
        raise ClusterError(
            f"{count} local workers could not be started: {problem}",
            "Ask for fewer workers, or connect to a running cluster with client=.",
        ) from problem
    except KeyboardInterrupt:
        if cluster is not None:
            cluster.close()
        raise
    try:
        client = Client(cluster, set_as_default=set_as_default, timeout=_START_SECONDS)
        client.wait_for_workers(count, timeout=_START_SECONDS)
    except BaseException:
        cluster.close()
        raise
    return LocalWorkers(cluster, client, dashboard)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends; threads and processes that start in the block never hear of it.

    A terminal sends Ctrl-C to the workers too. They are to be told what to do by their cluster alone: one that
    dies of Ctrl-C prints a traceback, and takes the rows that it holds with it.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows, where new threads and processes inherit no mask
        yield
        return
    resource_tracker.ensure_running()  # or the first new process would start it, which lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def default_client() -> Client:
    """Return the current client, else that of a local cluster of one worker per core, started once per process.

    The local cluster lives until the process ends. Its workers are processes; they are threads where new processes
    would run the user's script again, that is in a script that does not test ``__name__``.
    """
    global _default
    try:
        return Client.current()
    except ValueError:
        pass
    with _default_lock:
        if _default is None or _default.client.status != "running":
            if _default is None:
                atexit.register(_close_default)
            else:
                _default.close()  # somebody closed the client, and its workers would stay
            _default = start_local(dashboard=False, processes=_can_spawn())
        return _default.client


def _close_default() -> None:
    global _default
    if _default is not None:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        _default.close()
        _default = None


def _can_spawn() -> bool:
    """Whether a new process may import this process' main module without running a script to its end."""
    if dask.config.get("distributed.worker.multiprocessing-method", "spawn") == "fork":
        return True
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or main.__spec__ is not None or os.path.basename(script).startswith("ipykernel"):
        return True
    try:
        return re.search(r"__name__\s*==", Path(script).read_text(errors="replace")) is not None
    except OSError:
        return False
