"""Networks that can be cut: a TCP proxy before each worker and before the scheduler, in a thread of the test's process.

Workers tell the others the address of their proxy (``contact_address``) and listen elsewhere, and they reach the scheduler
through one. So every connection of Dask goes through some proxy, those of ranks too, and a worker is cut off by what is done to
the connections that come in at its own and to those that it has made itself: whose they are is read in /proc.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from distributed import Client, Nanny, Scheduler, SpecCluster

T = TypeVar("T")

_CHUNK = 1 << 16
_CALL_SECONDS = 30.0
_ABORT = b"\1\0\0\0\0\0\0\0"  # linger for no time: the other side hears of it at once


def free_port() -> int:
    """A port of the loopback that nobody listens at."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def ports_of(pid: int) -> set[int]:
    """Local ports of the TCP connections of a process; none if there is no such process."""
    sockets = set()
    with suppress(FileNotFoundError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                sockets.add(entry.readlink().name)
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in sockets}


class _Connection:
    """A connection through a proxy: where it leads, the port that it came from, and whether bytes pass."""

    def __init__(self, port: int, source: int, writer: asyncio.StreamWriter) -> None:
        self.port, self.source = port, source
        self.writers = [writer]
        self.passes = asyncio.Event()
        self.passes.set()

    def abort(self) -> None:
        """End both halves without a goodbye."""
        self.passes.set()
        for writer in self.writers:
            sock = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            writer.transport.abort()


class _Cut:
    """What is done to a process: its own proxy's port, its number, and whether connections end or merely stand still."""

    def __init__(self, port: int, pid: Callable[[], int | None], swallows: bool) -> None:
        self.port, self._pid, self.swallows = port, pid, swallows

    def concerns(self, connection: _Connection) -> bool:
        """Whether the connection is to the process or from it."""
        pid = self._pid()
        return connection.port == self.port or (pid is not None and connection.source in ports_of(pid))


class Proxies:
    """Proxies in a thread with an event loop of its own; a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies")
        self._servers: list[asyncio.Server] = []
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cuts: dict[int, _Cut] = {}  # by port

    def __enter__(self) -> "Proxies":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, target: int, port: int | None = None) -> int:
        """Listen at a port of the loopback (a free one) for ``target``; return it."""
        port = free_port() if port is None else port
        self._call(self._listen(port, target))
        return port

    def cut(
        self, port: int, pid: Callable[[], int | None], *, swallow: bool = False, seconds: float | None = None
    ) -> None:
        """Cut off the process whose proxy listens at ``port``, for ``seconds`` or until ``heal``.

        Its connections end and new ones are refused. With ``swallow`` they stand still, new ones too, and what was sent comes
        through afterwards, as after packets were lost. ``pid`` says the process' number, which may change.
        """
        self._call(self._cut(_Cut(port, pid, swallow), seconds))

    def heal(self, port: int) -> None:
        """Let the process back onto the network."""
        self._call(self._heal(port))

    # ---- the event loop

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=_CALL_SECONDS)

    async def _listen(self, port: int, target: int) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._relay(port, target, reader, writer)
            except OSError:  # either side went away
                pass
            finally:
                self._tasks.discard(task)

        self._servers.append(await asyncio.start_server(serve, "127.0.0.1", port))

    async def _relay(self, port: int, target: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(port, writer.get_extra_info("peername")[1], writer)
        self._connections.add(connection)
        try:
            for cut in self._cuts.values():
                if cut.concerns(connection):
                    if not cut.swallows:
                        return
                    connection.passes.clear()
            await connection.passes.wait()
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", target)
            connection.writers.append(onward)
            await asyncio.gather(self._pump(connection, reader, onward), self._pump(connection, onward_reader, writer))
        finally:
            self._connections.discard(connection)
            connection.abort()

    @staticmethod
    async def _pump(connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await connection.passes.wait()
            writer.write(data)
            await writer.drain()
        await connection.passes.wait()
        writer.write_eof()

    async def _cut(self, cut: _Cut, seconds: float | None) -> None:
        self._cuts[cut.port] = cut
        for connection in [one for one in self._connections if cut.concerns(one)]:
            if cut.swallows:
                connection.passes.clear()
            else:
                connection.abort()
        if seconds is not None:
            self._loop.call_later(seconds, lambda: self._loop.create_task(self._heal(cut.port)))

    async def _heal(self, port: int) -> None:
        self._cuts.pop(port, None)
        for connection in self._connections:
            if not any(cut.concerns(connection) for cut in self._cuts.values()):
                connection.passes.set()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class CuttableCluster:
    """Workers, each a process with a nanny, behind proxies; ``cut`` and ``heal`` go by a worker's address."""

    def __init__(self, client: Client, cluster: SpecCluster, proxies: Proxies) -> None:
        self.client, self.cluster, self._proxies = client, cluster, proxies

    @property
    def addresses(self) -> list[str]:
        """Where workers say they are: their proxies."""
        return sorted(worker.contact_address for worker in self.cluster.workers.values())

    def cut(self, address: str, *, swallow: bool = False, seconds: float | None = None) -> None:
        """Cut a worker off; see ``Proxies.cut``."""
        (nanny,) = [one for one in self.cluster.workers.values() if one.contact_address == address]
        self._proxies.cut(_port(address), lambda: nanny.pid, swallow=swallow, seconds=seconds)

    def heal(self, address: str) -> None:
        """Let a worker back onto the network."""
        self._proxies.heal(_port(address))


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@contextmanager
def cuttable(workers: int) -> Iterator[CuttableCluster]:
    """Start workers of one thread behind proxies."""
    with Proxies() as proxies:
        behind = free_port()
        at_scheduler = proxies.add(behind)
        scheduler = {
            "cls": Scheduler,
            "options": {
                "host": "127.0.0.1",
                "port": behind,
                "contact_address": f"tcp://127.0.0.1:{at_scheduler}",
                "dashboard": False,
                "dashboard_address": "127.0.0.1:0",
            },
        }
        specification = {}
        for number in range(workers):
            listens = free_port()
            options = {
                "nthreads": 1,
                "host": "127.0.0.1",
                "worker_port": listens,
                "contact_address": f"tcp://127.0.0.1:{proxies.add(listens)}",
                "silence_logs": 50,
                "dashboard": False,
            }
            specification[number] = {"cls": Nanny, "options": options}
        with (
            SpecCluster(workers=specification, scheduler=scheduler, silence_logs=50) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            client.wait_for_workers(workers, timeout=60)
            yield CuttableCluster(client, cluster, proxies)
