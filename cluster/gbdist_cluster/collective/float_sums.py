"""Sums of floating-point numbers over the ranks: who sends what to whom.

Every algorithm adds in the order of the ranks, ((x₀ + x₁) + x₂) + …: so all of them give the same bits, on every rank and for
every cut of a vector into calls. Numbers travel as they are, 4 or 8 bytes each. Inputs are never changed, and may be changed as
soon as a call is over; results are new arrays.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist_cluster.collective.algorithms import (
    Steps,
    direct_all_gather,
    direct_all_to_all,
    even_offsets,
    tree_all_gather,
)
from gbdist_cluster.collective.channel import Payload
from gbdist_cluster.errors import ClusterError

__all__ = ["FloatSum", "Floats", "central_sum", "direct_sum", "ring_sum", "split_sum", "tree_sum"]

Floats = NDArray[Any]
"""float32 or float64 of one dimension."""
FloatSum = Callable[[Steps, Floats], Floats]

RING_PIECE_BYTES = 1 << 18
"""What travels round the ring at once: every rank adds to one piece while the next one is under way."""


def direct_sum(steps: Steps, numbers: Floats) -> Floats:
    """Everyone sends everything to everyone: one round, ``size − 1`` copies sent by each."""
    return _added(steps, numbers, direct_all_gather(steps, _message(steps, numbers)))


def tree_sum(steps: Steps, numbers: Floats) -> Floats:
    """Everyone gets everything by ``tree_all_gather`` and adds by itself: log₂ rounds, as many messages sent by each."""
    return _added(steps, numbers, tree_all_gather(steps, _message(steps, numbers)))


def split_sum(steps: Steps, numbers: Floats) -> Floats:
    """Each rank adds up its even share for all: two rounds, two copies sent by each."""
    offsets = even_offsets(numbers.size, steps.size)
    message = _message(steps, numbers)
    places = [offset * numbers.itemsize for offset in offsets]
    shares = [message[places[rank] : places[rank + 1]] for rank in range(steps.size)]
    own = numbers[offsets[steps.rank] : offsets[steps.rank + 1]]
    share = _added(steps, own, direct_all_to_all(steps, shares))
    total = _empty(steps, numbers)
    for rank, part in enumerate(direct_all_gather(steps, _bytes_of(share), first_step=1)):
        mine = total[offsets[rank] : offsets[rank + 1]]
        np.copyto(mine, _numbers_of(part, mine))
    return total


def central_sum(steps: Steps, numbers: Floats) -> Floats:
    """All send to rank 0, which adds and sends the total back: two rounds, ``2 (size − 1)`` messages in all."""
    if steps.rank:
        steps.send(0, 0, _message(steps, numbers))
        return steps.buffers.copy_of(_numbers_of(steps.receive(0, 1), numbers))
    parts = (steps.receive(source, 0) for source in range(1, steps.size))
    total = _added(steps, numbers, [_bytes_of(numbers), *parts])
    message = _message(steps, total)
    for peer in steps.others():
        steps.send(peer, 1, message)
    return total


def ring_sum(steps: Steps, numbers: Floats) -> Floats:
    """Pieces go from rank 0 to the last, each adding its own numbers, and on to rank 0 and round as totals.

    Each rank talks to its two neighbours alone and sends two copies at most. Pieces follow one another, so that all have work;
    the last one takes ``2 (size − 1)`` rounds to be everywhere.
    """
    rank, last = steps.rank, steps.size - 1
    following, previous = (rank + 1) % steps.size, (rank - 1) % steps.size
    if last == 0:
        return steps.buffers.copy_of(numbers)
    total = _empty(steps, numbers)
    length = max(1, RING_PIECE_BYTES // numbers.itemsize)
    pieces = [slice(start, start + length) for start in range(0, numbers.size, length)]
    for piece in pieces:
        mine = total[piece]
        if rank == 0:
            steps.send(following, 0, _message(steps, numbers[piece]))
            continue
        np.add(_numbers_of(steps.receive(previous, 0), mine), numbers[piece], out=mine)
        steps.send(following, 0 if rank != last else 1, _message(steps, mine))
    for piece in pieces if rank != last else []:
        mine = total[piece]
        message = steps.receive(previous, 1)
        np.copyto(mine, _numbers_of(message, mine))
        if following != last:
            steps.send(following, 1, message)
    return total


def _added(steps: Steps, own: Floats, parts: Iterable[Payload]) -> Floats:
    """Sum of what each rank has sent, in the order of the ranks; a new array."""
    every = (_numbers_of(part, own) for part in parts)
    first, second = next(every), next(every, None)
    if second is None:
        return steps.buffers.copy_of(first)
    total = _empty(steps, own)
    np.add(first, second, out=total)
    for part in every:
        np.add(total, part, out=total)
    return total


def _empty(steps: Steps, like: Floats) -> Floats:
    return steps.buffers.numbers(like.size, like.dtype)


def _message(steps: Steps, numbers: Floats) -> memoryview:
    """Bytes that share no memory with the numbers: channels may still be sending when the call is over."""
    return _bytes_of(steps.buffers.copy_of(numbers))


def _bytes_of(numbers: Floats) -> memoryview:
    return numbers.view(np.uint8).data


def _numbers_of(message: Payload, like: Floats) -> Floats:
    """The numbers of a message, its own memory: not to be changed."""
    if len(message) != like.nbytes:
        raise ClusterError(
            f"a rank sent {len(message):,} bytes where {like.size:,} numbers of {like.itemsize} bytes were expected",
            "All ranks must call the collective with arrays of one shape and type",
        )
    return np.frombuffer(message, like.dtype)
