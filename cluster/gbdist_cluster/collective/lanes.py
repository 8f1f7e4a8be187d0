"""The quick way between two ranks: the socket of a Dask connection, used by the routine's own thread.

A message through the event loops of two workers costs a millisecond, most of it in waiting for threads to be woken; through a
socket that the waiting thread reads itself it costs a fraction. Connections are made, and encrypted, by Dask
(docs/decisions/0013). Heartbeats, failures and goodbyes stay on the event loop's links: a lane that ends says only that its peer
will send nothing more.
"""

import select
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from gbdist_cluster.collective.buffers import Buffers
from gbdist_cluster.collective.channel import Payload

__all__ = ["Lanes", "answer_lane", "dial_lane", "socket_of"]

_HEAD = struct.Struct("<QQ")  # tag, bytes that follow
_READY = b"\x01"
_CHUNK = 1 << 16
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError, InterruptedError)


def socket_of(comm: Any) -> socket.socket | None:
    """The socket under a Dask connection, None where there is none (``inproc://``, web sockets)."""
    found = getattr(getattr(comm, "stream", None), "socket", None)
    return found if isinstance(found, socket.socket) else None


def _detach(comm: Any) -> socket.socket:
    """Keep the event loop from reading what arrives, and the system from giving up a peer that computes and does not read."""
    sock: socket.socket | None = comm.stream.socket
    if sock is None:
        raise OSError("the connection is closed")
    comm.stream.io_loop.remove_handler(comm.stream.fileno())
    if hasattr(socket, "TCP_USER_TIMEOUT") and sock.family in (socket.AF_INET, socket.AF_INET6):
        # Dask lets the system end a connection on which nothing is taken for half a minute; the link knows who is alive.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
    return sock


async def dial_lane(comm: Any) -> socket.socket | None:
    """Take the socket of a connection that this side has made; None if the other side hung up.

    Neither side may send before the other's event loop has let go of its socket, or the loop would swallow it. The side that was
    called lets go first and says so; then this one does, and answers.
    """
    try:
        await comm.stream.read_bytes(len(_READY))
    except OSError:
        return None
    sock = _detach(comm)
    sock.send(_READY)
    return sock


def answer_lane(comm: Any) -> socket.socket:
    """Take the socket of a connection that the other side has made; the first byte that arrives says that it is ready."""
    sock = _detach(comm)
    sock.send(_READY)
    return sock


class _Lane:
    """One socket: what is still to be read of a message, and what has arrived whole."""

    def __init__(self, sock: socket.socket, ready: bool, buffers: Buffers) -> None:
        self.sock, self.ready, self.ended = sock, ready, False
        self._buffers = buffers
        self.arrived: deque[tuple[int, Payload]] = deque()
        self._loose = bytearray()
        self._body: memoryview | None = None
        self._filled = self._tag = 0

    def read(self) -> None:
        """Take what there is, without waiting."""
        try:
            while not self.ended:
                if self._body is not None:
                    self._fill(self._body)
                else:
                    chunk = self.sock.recv(_CHUNK)
                    self.ended = not chunk
                    self._loose += chunk
                    self._split()
        except _AGAIN:
            pass
        except OSError:
            self.ended = True

    def _fill(self, body: memoryview) -> None:
        got = self.sock.recv_into(body[self._filled :])
        self.ended = got == 0
        self._filled += got
        if self._filled == len(body):
            self.arrived.append((self._tag, body))
            self._body = None

    def _split(self) -> None:
        """Cut loose bytes into messages; the beginning of a long one gets memory of its own."""
        start = 0
        if not self.ready and self._loose:
            self.ready, start = True, len(_READY)
        while len(self._loose) - start >= _HEAD.size:
            tag, length = _HEAD.unpack_from(self._loose, start)
            end = start + _HEAD.size + length
            if end <= len(self._loose):
                self.arrived.append((tag, bytes(self._loose[start + _HEAD.size : end])))
                start = end
                continue
            have = self._loose[start + _HEAD.size :]
            self._body = self._buffers.numbers(length, np.uint8).data
            self._body[: len(have)], self._filled, self._tag = have, len(have), tag
            start = len(self._loose)
        del self._loose[:start]


class Lanes:
    """The lanes of one rank. One thread sends and receives; any other may ``wake`` it."""

    def __init__(self) -> None:
        self._lanes: dict[int, _Lane] = {}
        self._buffers = Buffers()
        self._poll = select.poll()
        self._peer_of: dict[int, int] = {}
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)
        self._poll.register(self._bell, select.POLLIN)

    def __contains__(self, peer: int) -> bool:
        return peer in self._lanes

    def __len__(self) -> int:
        return len(self._lanes)

    def add(self, peer: int, sock: socket.socket, *, dialled: bool) -> None:
        """Use a socket for the messages of a peer."""
        sock.setblocking(False)
        self._lanes[peer] = _Lane(sock, dialled, self._buffers)
        self._peer_of[sock.fileno()] = peer
        self._poll.register(sock, select.POLLIN)

    def wake(self) -> None:
        """Let the thread that waits look at what has changed."""
        try:
            self._rope.send(b"!")
        except OSError:  # full, so it is awake; or closed
            return

    def send(self, to: int, tag: int, payload: Payload, check: Callable[[], None]) -> None:
        """Write a message, reading meanwhile whatever arrives, so that two ranks that send to each other both go on.

        ``check`` is called after every wait, and ends it by raising.
        """
        lane = self._lanes[to]
        while not lane.ready and not lane.ended:
            self._wait(check)
        for part in self._parts(tag, payload):
            while len(part) and not lane.ended:
                try:
                    part = part[lane.sock.send(part) :]
                except _AGAIN:
                    self._wait(check, writing=lane.sock)
                except OSError:  # the link will tell why
                    lane.ended = True

    @staticmethod
    def _parts(tag: int, payload: Payload) -> list[memoryview]:
        head = _HEAD.pack(tag, len(payload))
        if len(payload) <= _CHUNK:
            return [memoryview(head + bytes(payload))]
        return [memoryview(head), memoryview(payload).cast("B")]

    def receive(self, source: int, check: Callable[[], None]) -> tuple[int, Payload] | None:
        """Take the next message of a peer; None once it has ended and nothing is left of it."""
        lane = self._lanes[source]
        if not lane.arrived:
            lane.read()
        while not lane.arrived:
            if lane.ended:
                return None
            self._wait(check)
        return lane.arrived.popleft()

    def has_message(self, source: int) -> bool:
        """Whether ``receive`` would give a message of a peer at once."""
        lane = self._lanes[source]
        if not lane.arrived:
            lane.read()
        return bool(lane.arrived)

    def _wait(self, check: Callable[[], None], writing: socket.socket | None = None) -> None:
        """Wait until anything arrives, or ``writing`` takes more; read what has arrived; then look."""
        if writing is not None:
            self._poll.modify(writing, select.POLLIN | select.POLLOUT)
        try:
            events = self._poll.poll(1_000)
        finally:
            if writing is not None:
                self._poll.modify(writing, select.POLLIN)
        for descriptor, _ in events:
            peer = self._peer_of.get(descriptor)
            if peer is None:
                self._quiet()
                continue
            lane = self._lanes[peer]
            lane.read()
            if lane.ended:  # it would be reported for ever
                self._poll.unregister(descriptor)
                del self._peer_of[descriptor]
        check()

    def _quiet(self) -> None:
        try:
            self._bell.recv(_CHUNK)
        except OSError:
            return

    def finish(self) -> None:
        """Say on all lanes that nothing more will come; what was sent still arrives."""
        for lane in self._lanes.values():
            try:
                lane.sock.shutdown(socket.SHUT_WR)
            except OSError:
                continue

    def close(self) -> None:
        """Free what belongs to the lanes; the sockets are closed with their connections."""
        self._lanes.clear()
        self._bell.close()
        self._rope.close()
