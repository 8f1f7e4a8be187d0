"""One connection between two ranks, driven by the worker's event loop."""

import asyncio
from collections import deque
from enum import IntEnum
from typing import Any, Protocol

from distributed.protocol.serialize import Serialized

from gbdist_cluster.collective.channel import Payload

__all__ = ["Link", "LinkOwner"]

# Larger payloads travel as frames of their own, which nobody copies; below, one packed message is quicker.
_OWN_FRAME_BYTES = 16_384

# A payload longer than a piece travels in several, so that on a slow network each piece is a sign of life.
PIECE_BYTES = 4 << 20


class _Kind(IntEnum):
    DATA = 0
    PIECE = 1
    BEAT = 2
    ABORT = 3
    BYE = 4


class LinkOwner(Protocol):
    """Whom a link tells what happens on it; called on the event loop."""

    def arrived(self, peer: int, tag: int, payload: Payload) -> None:
        """Bytes of the peer's routine."""
        ...

    def told_of_failure(self, peer: int, culprit: int, happened: str) -> None:
        """The peer says that rank ``culprit`` (perhaps itself) is gone."""
        ...

    def said_goodbye(self, peer: int) -> None:
        """The peer's routine has ended well; nothing more will come."""
        ...

    def ended(self, peer: int, happened: str) -> None:
        """The connection is closed, by whichever side."""
        ...


class Link:
    """A dedicated comm to one peer. Not thread-safe: only the event loop may touch it."""

    def __init__(self, peer: int, comm: Any, owner: LinkOwner) -> None:
        # What arrives are our own frames: distributed need not look into them, nor take them to another thread.
        comm.deserialize = False
        comm.allow_offload = False
        self.peer = peer
        self.silent_seconds = 0.0
        self.left = False
        self._comm, self._owner = comm, owner
        self._outbox: deque[list[Any]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._listened = asyncio.Event()  # a future would be cancelled together with whoever waits for it

    async def listen(self) -> None:
        """Hand over what arrives until the connection ends."""
        happened = "closed its connection"
        pieces: list[Payload] = []
        try:
            while True:
                kind, number, body = await self._comm.read()
                self.silent_seconds = 0.0
                if kind == _Kind.PIECE:
                    pieces.append(_payload_of(body))
                elif kind == _Kind.DATA:
                    payload = _payload_of(body)
                    if pieces:
                        payload = b"".join([*pieces, payload])
                        pieces.clear()
                    self._owner.arrived(self.peer, number, payload)
                elif kind == _Kind.ABORT:
                    self._owner.told_of_failure(self.peer, number, body)
                elif kind == _Kind.BYE:
                    self.left = True
                    self._owner.said_goodbye(self.peer)
        except OSError:  # CommClosedError is one
            pass
        except Exception as error:
            happened = f"sent what cannot be read ({type(error).__name__}: {error})"
        finally:
            self._comm.abort()
            self._listened.set()
            self._owner.ended(self.peer, happened)

    def post_data(self, tag: int, payload: Payload) -> None:
        """Queue bytes of the routine; they must not be changed any more."""
        if len(payload) <= _OWN_FRAME_BYTES:
            self._post(_Kind.DATA, tag, bytes(payload))
            return
        view = memoryview(payload)
        while len(view) > PIECE_BYTES:
            self._post(_Kind.PIECE, tag, Serialized({}, [view[:PIECE_BYTES]]))
            view = view[PIECE_BYTES:]
        self._post(_Kind.DATA, tag, Serialized({}, [view]))

    def post_beat(self) -> None:
        """Queue a sign of life."""
        self._post(_Kind.BEAT, 0, None)

    def post_failure(self, culprit: int, happened: str) -> None:
        """Queue the news that rank ``culprit`` is gone."""
        self._post(_Kind.ABORT, culprit, happened)

    def post_goodbye(self) -> None:
        """Queue the news that this rank's routine has ended well."""
        self._post(_Kind.BYE, 0, None)

    async def close(self, flush_seconds: float) -> None:
        """Flush what is queued, for a bounded time, and end the connection and all that runs for it."""
        try:
            async with asyncio.timeout(flush_seconds):
                if self._writer is not None:
                    await self._writer
                await self._comm.close()
        except TimeoutError:
            if self._writer is not None:
                self._writer.cancel()
            self._comm.abort()
        await self._listened.wait()

    def _post(self, kind: _Kind, number: int, body: Any) -> None:
        self._outbox.append([int(kind), number, body])
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._outbox:
                await self._comm.write(self._outbox.popleft())
        except Exception:
            # A message is lost, so the connection is worth nothing: its end tells both sides.
            self._outbox.clear()
            self._comm.abort()


def _payload_of(body: Any) -> Payload:
    """The bytes of a DATA message, however they travelled."""
    if isinstance(body, Serialized):
        frames = body.frames
        payload: Payload = frames[0] if len(frames) == 1 else b"".join(frames)
        return payload
    return bytes(body)
