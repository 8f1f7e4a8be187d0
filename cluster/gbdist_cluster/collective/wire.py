"""How int64 arrays travel: the narrowest bits that hold each block of 64 cells, zeros left out where they are many.

A message is an array of 64-bit words: one head word, the width bytes of all blocks, then the blocks' bits. A block of
64 values of ``width`` bits fills exactly ``width`` words; a block that is mostly zeros carries a mask word and its other
values alone. Signed values are folded first (0, −1, 1, −2 … → 0, 1, 2, 3 …), so that small ones of either sign are
narrow. With ``halves`` the signed high and the unsigned low 32 bits of the cells travel as two streams.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from gbdist_cluster.collective.buffers import Buffers
from gbdist_cluster.errors import ClusterError

__all__ = ["add_decoded", "decode", "encode", "warm_up"]

Buffer = bytes | bytearray | memoryview
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_BLOCK = 64
_SPARSE = 128  # flag of a width byte: mask word and non-zero values
_WORD = np.dtype("<u8")

# A stream takes (cell >> shift) & mask of each cell and folds the sign away where there is one.
_Stream = tuple[np.int64, np.int64, np.int64]
_WHOLE: _Stream = (np.int64(0), np.int64(-1), np.int64(1))
_HIGH: _Stream = (np.int64(32), np.int64(-1), np.int64(1))
_LOW: _Stream = (np.int64(0), np.int64(0xFFFFFFFF), np.int64(0))


def encode(array: NDArray[np.int64], *, halves: bool = False, buffers: Buffers | None = None) -> memoryview:
    """Pack an int64 array of any shape (IN) into bytes that share no memory with it.

    ``halves`` says that high and low 32 bits are two numbers of their own; it changes the size, never the values.
    The bytes lie in ``buffers``, if given, for as long as they are referred to.
    """
    cells = np.ascontiguousarray(array, dtype=np.int64).reshape(-1).view()
    cells.flags.writeable = False  # one compiled kernel for writable and read-only arrays
    streams = _streams(halves)
    width_words = _width_words(cells.size)
    most = 1 + len(streams) * (width_words + cells.size + _BLOCK)
    words = np.empty(most, dtype=_WORD) if buffers is None else buffers.words(most)
    words[0] = cells.size << 1 | halves
    end = 1 + len(streams) * width_words
    for number, (shift, mask, signed) in enumerate(streams):
        widths = words[1 + number * width_words : 1 + (number + 1) * width_words].view(np.uint8)
        end = _pack(cells, shift, mask, signed, widths, words, end)
    return words[:end].view(np.uint8).data


def add_decoded(message: Buffer, total: NDArray[np.int64]) -> None:
    """Add the cells of ``message`` to ``total`` (int64, C-contiguous, as many cells, IN and OUT)."""
    words = _words_of(message)
    cells, halves = _head_of(words)
    if cells != total.size:
        raise ClusterError(
            f"a rank sent {cells} cells where {total.size} were expected",
            "All ranks must call the collective with arrays of one shape",
        )
    streams = _streams(halves)
    width_words = _width_words(cells)
    flat = total.reshape(-1)
    end = 1 + len(streams) * width_words
    for number, (shift, _, signed) in enumerate(streams):
        widths = words[1 + number * width_words : 1 + (number + 1) * width_words].view(np.uint8)
        if _end_of(widths, words, end, flat.size) > words.size:
            raise _damaged(words)
        end = _unpack(widths, words, end, shift, signed, flat)
    if end != words.size:
        raise _damaged(words)


def decode(message: Buffer) -> NDArray[np.int64]:
    """Return the cells of a message as a new int64 array of one dimension."""
    words = _words_of(message)
    cells, _ = _head_of(words)
    if cells > words.size * _BLOCK * 8:  # more than the widths of so many blocks would take alone
        raise _damaged(words)
    total = np.zeros(cells, dtype=np.int64)
    add_decoded(message, total)
    return total


def warm_up() -> None:
    """Compile (or load) the kernels, so that no peer waits for it inside the first call."""
    for halves in (False, True):
        decode(encode(np.arange(3, dtype=np.int64), halves=halves))


def _streams(halves: bool) -> tuple[_Stream, ...]:
    return (_HIGH, _LOW) if halves else (_WHOLE,)


def _width_words(cells: int) -> int:
    blocks = -(-cells // _BLOCK)
    return -(-blocks // 8)


def _head_of(words: NDArray[np.uint64]) -> tuple[int, bool]:
    """How many cells a message has, and whether they travel as halves."""
    return int(words[0]) >> 1, bool(words[0] & np.uint64(1))


def _damaged(words: NDArray[np.uint64]) -> ClusterError:
    return ClusterError(
        f"a rank sent {8 * words.size:,} bytes that are no message of cells",
        "Something between the workers changes what they send, or they have different versions of gbdist",
    )


def _words_of(message: Buffer) -> NDArray[np.uint64]:
    """View a message as read-only words; copies only where the transport left it unaligned."""
    if len(message) < 8 or len(message) % 8:
        raise _damaged(np.frombuffer(bytes(message)[: len(message) // 8 * 8], dtype=_WORD))
    words = np.frombuffer(message, dtype=_WORD)
    if not words.flags.aligned:
        words = words.copy()
    words.flags.writeable = False
    return words


def _compiled(function: Kernel) -> Kernel:
    """Compile without the GIL, so that heartbeats go on; kept on disk where a directory can be written."""
    try:
        return cast(Kernel, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:  # a read-only install without a home: compiled anew in each process
        return cast(Kernel, numba.njit(nogil=True)(function))


@_compiled
def _pack(
    cells: NDArray[np.int64],
    shift: np.int64,
    mask: np.int64,
    signed: np.int64,
    widths: NDArray[np.uint8],
    words: NDArray[np.uint64],
    end: int,
) -> int:
    """Append one stream of ``cells`` (IN) to ``words`` (OUT) at ``end``, its ``widths`` (OUT); return the new end."""
    one, word_bits = np.uint64(1), np.uint64(64)
    folded = np.empty(64, np.uint64)
    at = np.uint64(end)
    for block in range(widths.shape[0]):
        first = block * 64
        count = min(64, max(0, cells.shape[0] - first))
        seen, filled = np.uint64(0), 0
        for i in range(count):
            part = (cells[first + i] >> shift) & mask
            value = np.uint64((part << signed) ^ (part >> np.int64(63)))
            folded[i] = value
            seen |= value
            filled += value != np.uint64(0)
        width = np.uint64(0)
        while seen != np.uint64(0):
            seen >>= one
            width += one
        bits = np.int64(width)
        sparse = 1 + (filled * bits + 63) // 64 < (count * bits + 63) // 64
        widths[block] = np.uint8(width) | np.uint8(128 if sparse else 0)
        if width == np.uint64(0):
            continue
        if sparse:
            present = np.uint64(0)
            filled = 0
            for i in range(count):
                value = folded[i]
                if value != np.uint64(0):
                    present |= one << np.uint64(i)
                    folded[filled] = value
                    filled += 1
            words[at] = present
            at += one
            count = filled
        current, fill = np.uint64(0), np.uint64(0)
        for i in range(count):
            value = folded[i]
            current |= value << fill
            fill += width
            if fill >= word_bits:
                words[at] = current
                at += one
                fill -= word_bits
                # What did not fit; nothing where the value ended with the word (a shift by 64 is undefined).
                current = np.uint64(0) if fill == np.uint64(0) else value >> (width - fill)
        if fill != np.uint64(0):
            words[at] = current
            at += one
    return int(at)


@_compiled
def _end_of(widths: NDArray[np.uint8], words: NDArray[np.uint64], start: int, cells: int) -> int:
    """Where a stream ends by its widths and masks; beyond ``words`` (IN) where they end before it does.

    So nothing behind them is ever read, whatever a damaged message says.
    """
    size: int = words.shape[0]
    at = start
    if start > size:
        return start
    for block in range(widths.shape[0]):
        width = int(widths[block] & np.uint8(127))
        if width > 64:
            return size + 1
        count = max(0, min(64, cells - block * 64))
        if widths[block] & np.uint8(128):
            if at >= size:
                return size + 1
            left, count = words[at], 0
            at += 1
            while left != np.uint64(0):
                left &= left - np.uint64(1)
                count += 1
        at += (count * width + 63) >> 6
    return at


@_compiled
def _unpack(
    widths: NDArray[np.uint8],
    words: NDArray[np.uint64],
    end: int,
    shift: np.int64,
    signed: np.int64,
    total: NDArray[np.int64],
) -> int:
    """Add one stream, its bits at ``end`` of ``words`` (IN), to ``total`` (IN and OUT); return the stream's end.

    ``_end_of`` says that the words are that many.
    """
    one, word_bits = np.uint64(1), np.uint64(64)
    at = np.uint64(end)
    for block in range(widths.shape[0]):
        width = np.uint64(widths[block] & np.uint8(127))
        if width == np.uint64(0):
            continue
        first = block * 64
        present = ~np.uint64(0)
        if widths[block] & np.uint8(128):
            present = words[at]
            at += one
        ones = ~np.uint64(0) >> (word_bits - width)
        fill = np.uint64(0)
        for i in range(min(64, total.shape[0] - first)):
            if not (present >> np.uint64(i)) & one:
                continue
            value = words[at] >> fill
            fill += width
            if fill >= word_bits:
                at += one
                fill -= word_bits
                if fill != np.uint64(0):
                    value |= words[at] << (width - fill)
            value &= ones
            part = np.int64(value)
            if signed:
                part = np.int64(value >> one) ^ -np.int64(value & one)
            total[first + i] += part << shift
        if fill != np.uint64(0):
            at += one
    return int(at)
