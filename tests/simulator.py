"""Numba's CUDA simulator without its polling: the same threads at the same time, which wait for each other in locks.

Its own starts a thread for each of a block's, and looks at all of them again and again until each waits at a barrier or has
ended, for which it takes Python's lock from those that it waits for: most of the time went there. Here threads are kept from
block to block, and the last to come to a barrier lets the others go on. A kernel's arrays know their shape without listing
all attributes of NumPy's, which costs more than what a kernel does between two barriers.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba.cuda.simulator import kernel
from numba.cuda.simulator.cudadrv.devicearray import FakeWithinKernelCUDAArray
from numba.cuda.simulator.kernelapi import Dim3


class _Stopped(BaseException):
    """Another thread of the block has failed."""


class BlockThread(threading.Thread):
    """A thread that runs kernels of one block after the other; kernels find their place in it, and their barriers."""

    syncthreads_count = kernel.BlockThread.syncthreads_count
    syncthreads_and = kernel.BlockThread.syncthreads_and
    syncthreads_or = kernel.BlockThread.syncthreads_or

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._may_run = threading.Lock()
        self._may_run.acquire()

    def take(self, manager: "BlockManager", block: Dim3, number: int, point: tuple[int, ...]) -> None:
        """Be the thread of a block, from the next ``go_on``."""
        self._manager, self.blockIdx, self.threadIdx, self.thread_id = manager, block, Dim3(*point), number

    def go_on(self) -> None:
        self._may_run.release()

    def run(self) -> None:
        while True:
            self._may_run.acquire()
            self._manager.run_thread()

    def syncthreads(self) -> None:
        self._manager.wait_at_barrier(self)
        self._may_run.acquire()
        if self._manager.error is not None:
            raise _Stopped


_threads: list[BlockThread] = []  # of the blocks that were; a process runs one block at a time


class BlockManager:
    """Runs the threads of a block, as numba's class of that name, whose place it takes."""

    def __init__(
        self, function: Callable[..., None], grid: tuple[int, ...], size: tuple[int, ...], debug: bool
    ) -> None:
        self.block_state = np.zeros(size, dtype=np.bool_)
        self.error: BaseException | None = None
        self._function, self._size = function, size
        self._lock, self._over = threading.Lock(), threading.Event()
        self._running = 0
        self._waiting: list[BlockThread] = []
        self._arguments: tuple[Any, ...] = ()

    def run(self, block: tuple[int, ...], *arguments: Any) -> None:
        """Run one block, and raise what any of its threads did."""
        points = list(np.ndindex(*self._size))
        while len(_threads) < len(points):
            _threads.append(BlockThread())
            _threads[-1].start()
        threads, place = _threads[: len(points)], Dim3(*block)
        self._arguments, self._running = arguments, len(threads)
        for number, (thread, point) in enumerate(zip(threads, points, strict=True)):
            thread.take(self, place, number, point)
        for thread in threads:
            thread.go_on()
        self._over.wait()
        if self.error is not None:
            raise self.error

    def run_thread(self) -> None:
        """Run the kernel in the thread that calls."""
        try:
            self._function(*self._arguments)
        except _Stopped:
            pass
        except BaseException as error:  # the thread that launched the kernel raises it
            self.error = self.error or error
        with self._lock:
            self._one_less()

    def wait_at_barrier(self, thread: BlockThread) -> None:
        """Let all go on when the thread is the last to come."""
        with self._lock:
            self._waiting.append(thread)
            self._one_less()

    def _one_less(self) -> None:
        self._running -= 1
        if self._running:
            return
        waited, self._waiting = self._waiting, []
        self._running = len(waited)
        for thread in waited:
            thread.go_on()
        if not waited:
            self._over.set()


class KernelArray(FakeWithinKernelCUDAArray):
    """An array as a kernel sees it, with what kernels ask most often at hand."""

    def __init__(self, item: Any) -> None:
        super().__init__(item)
        self.__dict__.update(shape=item._ary.shape, size=item._ary.size, dtype=item._ary.dtype)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run CUDA kernels so until the test ends."""
    monkeypatch.setattr(kernel, "BlockManager", BlockManager)
    monkeypatch.setattr(kernel, "FakeWithinKernelCUDAArray", KernelArray)
