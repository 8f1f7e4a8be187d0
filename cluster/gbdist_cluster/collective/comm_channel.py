"""The channel between Dask workers: connections, heartbeats and failures of one rank, on its worker's event loop.

The routine's thread sends and receives, over lanes where connections have sockets, else through the links of the event
loop. All else lives on the event loop, so that a rank that computes for minutes (without the GIL) still beats. A rank that hears
of a failure tells all others whom it lost and why, so that every rank raises the same ``PeerLost``.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from distributed.comm import connect, get_address_host
from distributed.core import Status

from gbdist_cluster.collective.channel import Payload, Traffic, check_tag, peer_lost
from gbdist_cluster.collective.endpoint import HANDLER, Endpoint, Seat, endpoint_of
from gbdist_cluster.collective.lanes import Lanes, answer_lane, dial_lane, socket_of
from gbdist_cluster.collective.link import Link
from gbdist_cluster.errors import ClusterError, GangCancelled

__all__ = ["CommChannel"]

HEARTBEAT_SECONDS = 1.0
_NEWS_SECONDS = 2.0
_WAKE = None  # in place of a message: look at the failure, or see that the peer has left
_GONE = (Status.closing, Status.closed, Status.failed)


class CommChannel:
    """The channel of one rank. ``send`` and ``receive`` belong to the routine's thread, the rest to the event loop."""

    def __init__(self, worker: Any, seat: Seat, addresses: Sequence[str], deadline: float) -> None:
        self.rank, self.size, self.traffic = seat.rank, len(addresses), Traffic()
        self.hosts = len({get_address_host(address) for address in addresses})
        self.loop: asyncio.AbstractEventLoop = worker.loop.asyncio_loop
        self.failure: ClusterError | None = None
        self._worker, self._seat, self._addresses, self.deadline = worker, seat, addresses, deadline
        self._interval = min(HEARTBEAT_SECONDS, deadline / 5)
        self._links: dict[int, Link] = {}
        self._lanes = Lanes()
        self._lane_comms: list[Any] = []
        self._laneless: set[int] = set()  # peers whose connections have no sockets
        self._lanes_over = asyncio.Event()
        self._inboxes: list[queue.SimpleQueue[tuple[int, Payload] | None]] = [
            queue.SimpleQueue() for _ in range(self.size)
        ]
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()  # a link more, or a failure
        self._last_pulse = time.monotonic()
        self._endpoint: Endpoint | None = None
        self._shut = False

    # ---- the routine's thread

    def send(self, to: int, tag: int, payload: Payload) -> None:
        """Hand bytes to the event loop."""
        self._check()
        link = self._links[to]
        if link.left:
            raise self._left_early(to)
        self.traffic.messages += 1
        self.traffic.bytes_sent += len(payload)
        if to in self._lanes:
            self._lanes.send(to, tag, payload, self._check_awake)
        else:
            self.call(link.post_data, tag, payload)

    def receive(self, source: int, tag: int) -> Payload:
        """Take the next message of ``source``, however long its rank computes, as long as it beats."""
        began = time.perf_counter()
        try:
            if source in self._lanes:
                arrived = self._lanes.receive(source, self._check_awake)
                if arrived is None:
                    self._wait_for_word_on(source)
            else:
                arrived = self._next_of(source)
        finally:
            self.traffic.waited(began, time.perf_counter())
        if arrived is None:
            raise self._left_early(source)
        check_tag(self.rank, source, tag, arrived[0])
        return arrived[1]

    def receive_now(self, source: int, tag: int) -> Payload | None:
        """Take the next message of ``source`` if it has come."""
        self._check_awake()
        here = self._lanes.has_message(source) if source in self._lanes else not self._inboxes[source].empty()
        return self.receive(source, tag) if here else None

    def call(self, function: Callable[..., object], *args: object) -> None:
        """Run a function on the event loop."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # the loop is closed
            raise self._own_loop_ended() from None

    def call_and_wait(self, function: Callable[..., object], *args: object) -> None:
        """Run a function on the event loop, from any thread, and wait until it has run."""
        if self._in_loop():
            function(*args)
            return
        done = threading.Event()

        def run() -> None:
            function(*args)
            done.set()

        self.call(run)
        done.wait(self.deadline)

    def _in_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self.loop
        except RuntimeError:  # no loop runs in this thread
            return False

    def _wait_for_word_on(self, source: int) -> None:
        """Wait until the link says why a lane has ended: goodbye, or a loss. A peer that lives on is given up after a while."""
        end = time.monotonic() + self.deadline
        while not self._links[source].left:
            self._check()
            left = end - time.monotonic()
            if left <= 0:
                self.call_and_wait(self._lost, source, "broke its second connection")
                continue
            with suppress(queue.Empty):
                self._inboxes[source].get(timeout=left)

    def _next_of(self, source: int) -> tuple[int, Payload] | None:
        while True:
            self._check()
            try:
                arrived = self._inboxes[source].get(timeout=self.deadline)
            except queue.Empty:
                if time.monotonic() - self._last_pulse > self.deadline:
                    raise self._own_loop_ended() from None
                continue
            self._check()
            return arrived

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        if self._shut:
            raise ClusterError(f"rank {self.rank} has left its gang", "Use the collective before it is closed")

    def _check_awake(self) -> None:
        """Look after every wait on the lanes: for failures, and whether the event loop that would tell of them still turns."""
        self._check()
        if time.monotonic() - self._last_pulse > self.deadline:
            raise self._own_loop_ended()

    def _left_early(self, peer: int) -> ClusterError:
        return peer_lost(peer, self._addresses[peer], f"has ended its routine while rank {self.rank} still needs it")

    def _own_loop_ended(self) -> ClusterError:
        here = self._addresses[self.rank]
        return peer_lost(self.rank, here, "is cut off: its worker's event loop has ended or stands still")

    # ---- the event loop: joining

    async def open(self, join_deadline: float) -> None:
        """Connect to the ranks below, be found by those above; raises what went wrong, with nothing left open."""
        try:
            self._endpoint = endpoint_of(self._worker)
            self._endpoint.open(self._seat, self)
            self._start(self._pulse())
            for peer in range(self.rank):
                self._start(self._dial(peer))
            async with asyncio.timeout(join_deadline):
                while len(self._lanes) + len(self._laneless) < self.size - 1 and self.failure is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            missing = next(peer for peer in range(self.size) if peer != self.rank and not self._joined(peer))
            self._lost(missing, f"did not join within {join_deadline:g} s")
        except BaseException:
            await self.shut()
            raise
        if self.failure is not None:
            await self.shut()
            raise self.failure

    def _joined(self, peer: int) -> bool:
        return peer in self._lanes or peer in self._laneless

    async def adopt(self, source: int, comm: Any, *, lane: bool) -> None:
        """Serve the connection that rank ``source`` has made (``Door``), its lane or its link."""
        if lane:
            await self._adopt_lane(source, comm)
            return
        if self._shut or source in self._links or not self.rank < source < self.size:
            await comm.write({"refused": f"rank {self.rank} does not expect rank {source}"})
            return
        await comm.write({"accepted": self.rank})
        if self._shut:  # while that was written: nobody here would tell the peer that this rank has left
            comm.abort()
            return
        await self._add(source, comm).listen()

    async def _adopt_lane(self, source: int, comm: Any) -> None:
        """Keep the connection until this rank leaves; the routine's thread uses its socket."""
        if self._shut or self._joined(source) or source not in self._links:
            comm.abort()
            return
        try:
            self._lanes.add(source, answer_lane(comm), dialled=False)
        except OSError:  # the peer learns of it by the end of the connection
            comm.abort()
            return
        self._changed.set()
        await self._lanes_over.wait()

    async def _dial_lane(self, peer: int) -> None:
        try:
            comm = await self._connect(peer)
            self._lane_comms.append(comm)
            await comm.write(self._introduction(peer, lane=True))
            async with asyncio.timeout(self.deadline):
                sock = await dial_lane(comm)
        except Exception as error:  # of many kinds, as in ``_dial``
            self._lost(peer, f"did not take a second connection ({type(error).__name__}: {error})")
            return
        if sock is None:
            self._lost(peer, "hung up on a second connection")
            return
        if not self._shut:
            self._lanes.add(peer, sock, dialled=True)
            self._changed.set()

    async def _connect(self, peer: int) -> Any:
        # Distributed bounds the connection, but not the greeting after it: a stopped process never greets.
        async with asyncio.timeout(self.deadline):
            arguments = self._worker.security.get_connection_args("worker")
            return await connect(self._addresses[peer], timeout=self.deadline, **arguments)

    async def _dial(self, peer: int) -> None:
        comm = None
        try:
            comm = await self._connect(peer)
            await comm.write(self._introduction(peer, lane=False))
            answer = await comm.read()
        except TimeoutError:
            self._lost(peer, f"cannot be reached: no answer within {self.deadline:g} s")
        except Exception as error:  # of many kinds: network, names, certificates
            happened = f"cannot be reached ({type(error).__name__}: {error})"
            self._lost(peer, happened if comm is None else "hung up: perhaps gbdist's plugin is not registered there")
        else:
            if "accepted" in answer:
                link = self._add(peer, comm)
                if peer not in self._laneless:
                    self._start(self._dial_lane(peer))
                await link.listen()
            else:
                self._lost(peer, f"refuses the connection: {answer.get('refused', answer)}")
        finally:
            if comm is not None:
                comm.abort()

    def _introduction(self, peer: int, *, lane: bool) -> dict[str, Any]:
        """The message that makes the peer's worker hand the connection to its endpoint."""
        seat = self._seat
        seats = {"run_id": seat.run_id, "epoch": seat.epoch, "source": seat.rank, "target": peer, "lane": lane}
        return {"op": HANDLER, "reply": False, "close": True, **seats}

    def _add(self, peer: int, comm: Any) -> Link:
        link = Link(peer, comm, self)
        self._links[peer] = link
        if socket_of(comm) is None:
            self._laneless.add(peer)
        self._changed.set()
        return link

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    # ---- the event loop: what links tell

    def arrived(self, peer: int, tag: int, payload: Payload) -> None:
        """Bytes for the routine."""
        self._inboxes[peer].put((tag, payload))

    def said_goodbye(self, peer: int) -> None:
        """The peer has sent all it ever will."""
        self._inboxes[peer].put(_WAKE)

    def told_of_failure(self, peer: int, culprit: int, happened: str) -> None:
        """Another rank knows of a lost one."""
        if culprit == self.rank:
            culprit, happened = peer, f"has given up this rank, which {happened}"
        self._lost(culprit, happened)

    def ended(self, peer: int, happened: str) -> None:
        """A connection is closed: a loss, unless one side is done."""
        if self._worker.status in _GONE:
            self.cancel_here("its worker is closing")
        elif not self._shut and not self._links[peer].left:
            self._lost(peer, happened)

    def cancel_here(self, reason: str) -> None:
        """End this rank, and tell the others why (``Door``)."""
        happened = f"was cancelled: {reason}"
        fix = "Start the run again if it is still wanted"
        self.fail(GangCancelled(f"rank {self.rank} {happened}", fix), self.rank, happened)

    def fail(self, error: ClusterError, culprit: int, happened: str) -> None:
        """The first failure counts: the routine's thread wakes with it, the other ranks hear of ``culprit``."""
        if self.failure is not None or self._shut:
            return
        self.failure = error
        for inbox in self._inboxes:
            inbox.put(_WAKE)
        self._lanes.wake()
        self._changed.set()
        for link in self._links.values():
            if not link.left:
                link.post_failure(culprit, happened)

    def _lost(self, peer: int, happened: str) -> None:
        self.fail(peer_lost(peer, self._addresses[peer], happened), peer, happened)

    async def _pulse(self) -> None:
        """Beat, and notice who does not. Silence is counted in this loop's own steps, so that a loop that stood still
        itself (a stopped process) does not blame its peers for it."""
        while True:
            self._last_pulse = time.monotonic()
            await asyncio.sleep(self._interval)
            elapsed = min(time.monotonic() - self._last_pulse, 2 * self._interval)
            if self._worker.status in _GONE:
                self.cancel_here("its worker is closing")
            for link in list(self._links.values()):
                if link.left:
                    continue
                link.post_beat()
                link.silent_seconds += elapsed
                if link.silent_seconds > self.deadline:
                    self._lost(link.peer, f"was silent for {self.deadline:g} s")

    async def shut(self) -> None:
        """Leave: say goodbye if all is well, flush, and end everything that runs for this rank."""
        if self._shut:
            return
        self._shut = True
        if self._endpoint is not None:
            self._endpoint.shut(self._seat, self)
        links = list(self._links.values())
        if self.failure is None:
            self._lanes.finish()  # before the goodbyes, which say that nothing more will come
            for link in links:
                link.post_goodbye()
        # After a success a slow peer may still be taking the last messages; after a failure only its news matter.
        flush_seconds = self.deadline if self.failure is None else min(_NEWS_SECONDS, self.deadline)
        await asyncio.gather(*(link.close(flush_seconds) for link in links))
        self._lanes_over.set()
        for comm in self._lane_comms:
            comm.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lanes.close()
