"""How every CUDA kernel is compiled and launched, and the device functions that all of them share.

With ``NUMBA_ENABLE_CUDASIM=1`` kernels run on numba's simulator: the same source, thread by thread, in Python. Nothing imports
this file unless a GPU is asked for.

CUDA's compiler fuses ``a × b + c`` into one rounding, which numba has no switch against, and the bits would not be the CPU's.
So a product that is added to something goes through ``times``.
"""

import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba import config, cuda
from numpy.typing import DTypeLike, NDArray

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

if config.ENABLE_CUDASIM:
    from numba.cuda.simulator import kernel as simulator

#: Whether kernels run on the simulator, where a thread costs a Python thread.
SIMULATED = bool(config.ENABLE_CUDASIM)
#: Threads of a block.
THREADS = 16 if SIMULATED else 256
#: A block's shared memory that every card has without being asked.
SHARED_BYTES = 48 * 1024
#: Blocks that keep a card busy; more rows than their threads are taken in turns.
_MOST_BLOCKS = 3 if SIMULATED else 2048
#: Shapes of a named array whose views are kept.
_MOST_VIEWS = 16
#: Bytes that are compared with those given before: to compare more takes as long as to copy them.
_MOST_COMPARED = 1 << 16


class _SimulatedShared:
    """The simulator's shared memory. Its own hands out two arrays where one is meant, if two threads ask at once."""

    def __init__(self, shared: Any) -> None:
        self._shared = shared

    def array(self, shape: int, dtype: Any) -> Any:
        """The array of the line that asks, one for all threads."""
        if shape == 0:
            return self._shared.array(shape, dtype)
        asking = sys._getframe(1)
        with _handing_out:
            arrays = self._shared.__dict__.setdefault("of_line", {})
            place = (asking.f_code.co_filename, asking.f_lineno)
            return arrays.setdefault(place, np.empty(shape, np.dtype(str(dtype))))


class _SimulatedCard:
    """What kernels call on the simulator: that of the kernel which runs, as its threads see it."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(simulator._get_kernel_context(), name)
        return _SimulatedShared(found) if name == "shared" else found


#: ``numba.cuda`` for kernels and the functions that they call.
card: Any = _SimulatedCard() if SIMULATED else cuda
#: One thread of a process starts a kernel at a time: the simulator runs no two at once, and numba would load a kernel twice that
#: two threads start first, which ends in an AssertionError.
_turn = threading.Lock()
_handing_out = threading.Lock()


class CardScratch:
    """As ``boosting.scratch.Scratch``, in a card's memory.

    Views are kept: to cut an array on a card takes Python longer than many a kernel takes the card.
    """

    def __init__(self) -> None:
        self._memory: dict[tuple[str, np.dtype[Any]], Any] = {}
        self._views: dict[tuple[str, np.dtype[Any]], dict[tuple[int, ...], Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """Return an array of that shape with whatever values it has."""
        key = (name, np.dtype(dtype))
        views = self._views.get(key)
        if views is not None and (view := views.get(shape)) is not None:
            return view
        size = math.prod(shape)
        memory = self._memory.get(key)
        if memory is None or memory.shape[0] < size:
            self._memory.pop(key, None)  # given back before more is taken, and so are views of it
            self._views.pop(key, None)
            del memory, views
            memory = self._memory[key] = cuda.device_array(max(size, 1), dtype)
        views = self._views.setdefault(key, {})
        if len(views) == _MOST_VIEWS:
            views.clear()
        views[shape] = memory[:size].reshape(shape)
        return views[shape]


class _OfThread(threading.local):
    """The stream that a thread's kernels and copies run in, one after the other, and memory for what it gives them."""

    def __init__(self) -> None:
        self.stream: Any = 0
        self.memory = CardScratch()
        #: What ``given`` has sent last under a name: its bytes, and the array on the card.
        self.sent: dict[tuple[str, np.dtype[Any]], tuple[bytes, Any]] = {}


_of_thread = _OfThread()


def kernel(function: Kernel) -> Kernel:
    """Compile a kernel, which ``launch`` starts."""
    try:
        return cast(Kernel, cuda.jit(cache=True)(function))
    except RuntimeError:  # numba finds no place for its cache; said where CPU kernels are compiled
        return cast(Kernel, cuda.jit(function))


def device_function(function: Kernel) -> Kernel:
    """Compile a function that kernels call."""
    return function if SIMULATED else cast(Kernel, cuda.jit(device=True)(function))


def work_on(stream: Any) -> None:
    """Let this thread's kernels and copies run in a stream; 0 is CUDA's default one. What ``room`` held is given back."""
    _of_thread.stream, _of_thread.memory, _of_thread.sent = stream, CardScratch(), {}


def launch(kernel: Any, blocks: int | tuple[int, int], *arguments: Any, shared: int = 0) -> None:
    """Start a kernel on so many blocks, with ``shared`` bytes of dynamic shared memory; does not wait for it."""
    stream = _of_thread.stream
    with _turn:
        kernel[blocks, THREADS, stream, shared](*arguments)


def blocks_for(n_items: int, most: int = _MOST_BLOCKS) -> int:
    """Blocks of a kernel whose threads take items in turns."""
    return max(1, min(most, -(-n_items // THREADS)))


def weights_or(weight: Any, label: Any) -> tuple[Any, bool]:
    """Weights as kernels take them, and whether there are any: a kernel cannot be given an array without elements."""
    return (weight, True) if weight.shape[0] else (label, False)


def room(name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
    """A device array with whatever values it has, which is this thread's until it asks for that name again.

    Kernels that still use what it held come earlier in the stream. An array of its own would be allocated, which takes longer
    than the kernel, and freed, which waits for the whole card.
    """
    return _of_thread.memory.array(name, shape, dtype)


def sent(name: str, values: Any, dtype: DTypeLike) -> Any:
    """A host array or tuple on the device, in the ``room`` of that name, for a kernel to change."""
    array = np.ascontiguousarray(values, dtype=dtype)
    there = room(name, array.shape, array.dtype)
    there.copy_to_device(array, stream=_of_thread.stream)
    return there


def given(name: str, values: Any, dtype: DTypeLike) -> Any:
    """A small host array or tuple on the device that kernels only read; what was given before under that name is still there."""
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.nbytes > _MOST_COMPARED:
        return sent(name, array, dtype)
    key, data = (name, array.dtype), array.tobytes()
    before = _of_thread.sent.get(key)
    if before is None or before[0] != data or before[1].shape != array.shape:
        before = _of_thread.sent[key] = (data, sent(f"given {name}", array, dtype))
    return before[1]


def is_on_card(array: Any) -> bool:
    """Whether it is a device array."""
    return hasattr(array, "copy_to_host")


def brought(there: Any) -> NDArray[Any]:
    """A copy in the host's memory of what this thread's kernels leave in a device array."""
    values: NDArray[Any] = there.copy_to_host(stream=_of_thread.stream)
    if _of_thread.stream:
        _of_thread.stream.synchronize()
    return values


@contextmanager
def on_device(sums: NDArray[Any]) -> Iterator[Any]:
    """A copy on the device of a small host array, which is brought back at the end; one at a time."""
    there = sent("sums", sums, sums.dtype)
    yield there
    sums[...] = brought(there)


@device_function
def choose(condition: Any, a: Any, b: Any) -> Any:
    """Whether a or b, for the functions of ``elementary``."""
    return a if condition else b


if SIMULATED:

    @device_function
    def times(a: Any, b: Any) -> Any:
        """a × b, rounded before anything is added to it."""
        return a * b

    @device_function
    def rint(value: Any) -> Any:
        """The nearest integer as int64, ties to the even one."""
        return np.int64(np.rint(value))

else:
    from numba.cuda import dispatcher, libdevice

    # A warning at every launch of fewer than 128 blocks: sums of a few rows, scores of a few features are that small.
    dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

    @device_function
    def times(a: Any, b: Any) -> Any:
        """a × b, rounded before anything is added to it."""
        return libdevice.dmul_rn(a, b)

    @device_function
    def rint(value: Any) -> Any:
        """The nearest integer as int64, ties to the even one."""
        return np.int64(libdevice.rint(value))


_LOW = np.int64(0xFFFFFFFF)


@device_function
def add_over_block(value: Any, sums: Any, place: Any) -> None:
    """Add every thread's int64 to ``sums[place]``: once a block; all threads of the block call it."""
    parts = card.shared.array(THREADS, numba.int64)
    me = card.threadIdx.x
    parts[me] = value
    card.syncthreads()
    half = THREADS // 2
    while half > 0:
        if me < half:
            parts[me] += parts[me + half]
        card.syncthreads()
        half //= 2
    if me == 0 and parts[0] != 0:
        card.atomic.add(sums, place, parts[0])
    card.syncthreads()


@device_function
def add_up_block(parts: Any) -> None:
    """Make int64 [THREADS] in shared memory, one a thread, inclusive sums in place; all threads of the block call it."""
    me = card.threadIdx.x
    card.syncthreads()
    step = 1
    while step < THREADS:
        before = parts[me - step] if me >= step else np.int64(0)
        card.syncthreads()
        parts[me] += before
        card.syncthreads()
        step *= 2


@device_function
def clear_halves(halves: Any, count: Any) -> None:
    """Set the first ``count`` uint32 of a block's shared memory to 0; all threads of the block call it."""
    for place in range(card.threadIdx.x, count, THREADS):
        halves[place] = 0
    card.syncthreads()


@device_function
def add_in_halves(halves: Any, place: Any, value: Any) -> None:
    """Add an int64 to the number that ``halves[place]`` (low) and ``halves[place + 1]`` (high) make, both uint32 and shared.

    Cards add 32 bits in shared memory natively, 64 by trying again and again.
    """
    low = np.uint32(value & _LOW)
    before = card.atomic.add(halves, place, low)
    high = np.uint32((value >> 32) & _LOW)
    if np.uint32(before + low) < low:  # the low half went over
        high = np.uint32(high + np.uint32(1))
    if high != 0:
        card.atomic.add(halves, place + 1, high)


@device_function
def of_halves(halves: Any, place: Any) -> Any:
    """The int64 that two halves make."""
    return np.int64((np.int64(halves[place + 1]) << 32) | np.int64(halves[place]))
