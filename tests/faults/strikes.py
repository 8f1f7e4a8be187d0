"""How a fault strikes: what a worker does to itself."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from .plan import Fault, InjectedError
from .state import FullDisk

_STEP = 1  # of a tag: the ranks' calls are the same, their messages are not
_CELLS_MORE = 64 << 1  # of the head of encoded cells, above the bit that says whether they are halves


def stop(pid: int, seconds: float | None) -> None:
    """Stop a process, perhaps this one; somebody else lets it go on after ``seconds``, if they are given."""
    if seconds is not None:
        # Not a child that this process would have to wait for: it might be this process that stands still.
        subprocess.Popen(["/bin/sh", "-c", f"(sleep {seconds}; kill -CONT {pid} 2>/dev/null) &"]).wait()
    os.kill(pid, signal.SIGSTOP)


def strike(number: int, fault: Fault, channels: list[Any], damage_next: Callable[[str], None], disk: FullDisk) -> None:
    """Let a fault happen in this worker. ``channels`` are those of the rank; what the client does is told by the caller."""
    match fault.what:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(1)
        case "raise":
            raise InjectedError(number)
        case "stop":
            stop(os.getpid(), fault.seconds)
        case "drop":
            for channel in channels:
                channel.call_and_wait(_drop, channel)
        case "corrupt":
            damage_next(fault.damage)
        case "disk full":
            disk.start()
            if fault.seconds is not None:
                timer = threading.Timer(fault.seconds, disk.end)
                timer.daemon = True
                timer.start()


def damaged(damage: str, tag: int, payload: Any) -> tuple[int, Any]:
    """A message that has been changed on its way."""
    if damage == "tag":
        return tag + _STEP, payload
    if damage == "end":
        return tag, bytes(payload)[: len(payload) // 16 * 8]
    words = np.frombuffer(bytes(payload).ljust(8, b"\0")[:8], "<u8") + np.uint64(_CELLS_MORE)
    return tag, words.tobytes() + bytes(payload)[8:]


def _drop(channel: Any) -> None:
    """Cut the connections of a rank off, as a network does. Run by the worker's event loop."""
    for lane in channel._lanes._lanes.values():
        with suppress(OSError):
            lane.sock.shutdown(socket.SHUT_RDWR)
    for link in channel._links.values():
        link._comm.abort()
