"""Direct, ring and tree algorithms over a channel: who sends what to whom, and in which order.

Sums are integer sums, so every algorithm gives the same bits. All take a ``Steps`` (one collective call on one
channel) and int64 arrays of one dimension; inputs are never changed, results are new arrays.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gbdist_cluster.collective.buffers import Buffers
from gbdist_cluster.collective.channel import WHOLE, Channel, Payload, make_tag
from gbdist_cluster.collective.wire import add_decoded, decode, encode

__all__ = [
    "Steps",
    "direct_all_gather",
    "direct_all_reduce",
    "direct_all_to_all",
    "direct_reduce_scatter",
    "even_offsets",
    "ring_all_gather",
    "ring_all_reduce",
    "ring_reduce_scatter",
    "split_all_reduce",
    "tree_all_gather",
    "tree_all_reduce",
    "tree_reduce_scatter",
]

Array = NDArray[np.int64]


class Steps:
    """One collective call: numbers the messages, so that a rank that is elsewhere is found out."""

    def __init__(
        self,
        channel: Channel,
        call: int,
        operation: str,
        *,
        scope: int = WHOLE,
        halves: bool = False,
        buffers: Buffers | None = None,
    ) -> None:
        self.channel, self.halves, self.buffers = channel, halves, buffers or Buffers()
        self.rank, self.size = channel.rank, channel.size
        self._first_tag = make_tag(call, operation, 0, scope)

    def send(self, to: int, step: int, payload: Payload) -> None:
        """Send bytes."""
        self.channel.send(to, self._first_tag + step, payload)

    def receive(self, source: int, step: int) -> Payload:
        """Receive bytes."""
        return self.channel.receive(source, self._first_tag + step)

    def encoded(self, cells: Array) -> memoryview:
        """An array in the narrowest form."""
        return encode(cells, halves=self.halves, buffers=self.buffers)

    def send_cells(self, to: int, step: int, cells: Array) -> None:
        """Send an array in the narrowest form."""
        self.send(to, step, self.encoded(cells))

    def add_received(self, source: int, step: int, total: Array) -> None:
        """Add the array that arrives to ``total`` (IN and OUT)."""
        add_decoded(self.receive(source, step), total)

    def others(self) -> list[int]:
        """The other ranks, the next one first, so that not all send to rank 0 at once."""
        return [(self.rank + distance) % self.size for distance in range(1, self.size)]


def even_offsets(cells: int, ranks: int) -> list[int]:
    """Cut ``cells`` into one share a rank, sizes differing by one at most."""
    return [cells * rank // ranks for rank in range(ranks + 1)]


# ---- all_reduce


def direct_all_reduce(steps: Steps, cells: Array) -> Array:
    """Everyone sends everything to everyone: one round, ``size − 1`` copies sent by each."""
    message = steps.encoded(cells)
    for peer in steps.others():
        steps.send(peer, 0, message)
    total = steps.buffers.copy_of(cells)
    for peer in steps.others():
        steps.add_received(peer, 0, total)
    return total


def tree_all_reduce(steps: Steps, cells: Array) -> Array:
    """Recursive doubling: log₂ rounds, the whole array each time.

    Ranks above the largest power of two hand their cells to a partner first and get the total from it last.
    """
    power = 1 << (steps.size.bit_length() - 1)
    rank, last_step = steps.rank, steps.size.bit_length() + 1
    if rank >= power:
        steps.send_cells(rank - power, 0, cells)
        return decode(steps.receive(rank - power, last_step))
    total = steps.buffers.copy_of(cells)
    has_partner = rank + power < steps.size
    if has_partner:
        steps.add_received(rank + power, 0, total)
    distance, step = 1, 1
    while distance < power:
        steps.send_cells(rank ^ distance, step, total)
        steps.add_received(rank ^ distance, step, total)
        distance, step = distance * 2, step + 1
    if has_partner:
        steps.send_cells(rank + power, last_step, total)
    return total


def split_all_reduce(steps: Steps, cells: Array) -> Array:
    """Direct reduce_scatter of even shares, then direct all_gather of their sums: two rounds, two copies sent by each."""
    offsets = even_offsets(cells.size, steps.size)
    share = direct_reduce_scatter(steps, cells, offsets)
    return _joined(steps, offsets, direct_all_gather(steps, steps.encoded(share), first_step=1))


def ring_all_reduce(steps: Steps, cells: Array) -> Array:
    """Ring reduce_scatter of even shares, then ring all_gather: each rank talks to its two neighbours alone."""
    offsets = even_offsets(cells.size, steps.size)
    share = ring_reduce_scatter(steps, cells, offsets)
    return _joined(steps, offsets, ring_all_gather(steps, steps.encoded(share), first_step=steps.size))


def _joined(steps: Steps, offsets: Sequence[int], shares: Sequence[Payload]) -> Array:
    total = steps.buffers.words(offsets[-1]).view(np.int64)
    total[:] = 0
    for rank, share in enumerate(shares):
        add_decoded(share, total[offsets[rank] : offsets[rank + 1]])
    return total


# ---- reduce_scatter


def direct_reduce_scatter(steps: Steps, cells: Array, offsets: Sequence[int]) -> Array:
    """Each rank sends every other rank that one's share: one round, one copy sent by each."""
    for peer in steps.others():
        steps.send_cells(peer, 0, cells[offsets[peer] : offsets[peer + 1]])
    share = steps.buffers.copy_of(cells[offsets[steps.rank] : offsets[steps.rank + 1]])
    for peer in steps.others():
        steps.add_received(peer, 0, share)
    return share


def ring_reduce_scatter(steps: Steps, cells: Array, offsets: Sequence[int]) -> Array:
    """Shares travel round the ring, each rank adding its own cells: ``size − 1`` rounds, one copy sent by each."""
    rank, size = steps.rank, steps.size
    following, previous = (rank + 1) % size, (rank - 1) % size

    def own_part(owner: int) -> Array:
        return steps.buffers.copy_of(cells[offsets[owner] : offsets[owner + 1]])

    # The share of rank r sets out at rank r + 1 and arrives complete at r.
    travelling = own_part(previous)
    for step in range(size - 1):
        steps.send_cells(following, step, travelling)
        travelling = own_part((rank - step - 2) % size)
        steps.add_received(previous, step, travelling)
    return travelling


def tree_reduce_scatter(steps: Steps, cells: Array, offsets: Sequence[int]) -> Array:
    """Recursive halving: the ranks part into two groups that exchange each other's shares, log₂ rounds.

    With an odd number the larger group's last rank hands its cells to the smaller one's last rank and gets none.
    """
    rank = steps.rank
    first, last, step = 0, steps.size, 0
    total, start = steps.buffers.copy_of(cells), 0  # total[i] belongs to cell start + i
    while last - first > 1:
        middle = first + (last - first + 1) // 2
        lower, upper = middle - first, last - middle
        cut = offsets[middle] - start
        if rank < middle:
            partner = middle + min(rank - first, upper - 1)
            steps.send_cells(partner, step, total[cut:])
            total = total[:cut]
            if rank - first < upper:
                steps.add_received(partner, step, total)
            last = middle
        else:
            place = rank - middle
            steps.send_cells(first + place, step, total[:cut])
            total, start = total[cut:], offsets[middle]
            steps.add_received(first + place, step, total)
            if place == upper - 1 and lower > upper:
                steps.add_received(middle - 1, step, total)
            first = middle
        step += 1
    return total.copy()


# ---- all_gather and all_to_all, of bytes


def direct_all_gather(steps: Steps, item: Payload, *, first_step: int = 0) -> list[Payload]:
    """Everyone sends to everyone: one round."""
    for peer in steps.others():
        steps.send(peer, first_step, item)
    items: list[Payload] = [item] * steps.size
    for peer in steps.others():
        items[peer] = steps.receive(peer, first_step)
    return items


def ring_all_gather(steps: Steps, item: Payload, *, first_step: int = 0) -> list[Payload]:
    """Items travel round the ring: ``size − 1`` rounds."""
    rank, size = steps.rank, steps.size
    items: list[Payload] = [item] * size
    for step in range(size - 1):
        steps.send((rank + 1) % size, first_step + step, items[(rank - step) % size])
        items[(rank - step - 1) % size] = steps.receive((rank - 1) % size, first_step + step)
    return items


def tree_all_gather(steps: Steps, item: Payload) -> list[Payload]:
    """Bruck's algorithm: ⌈log₂ size⌉ rounds for any size, each rank sending all it has to the rank ``distance`` below."""
    rank, size = steps.rank, steps.size
    held = [item]  # held[i] is the item of rank + i
    distance, step = 1, 0
    while distance < size:
        count = min(distance, size - distance)
        steps.send((rank - distance) % size, step, _bundle(held[:count]))
        held += _unbundle(steps.receive((rank + distance) % size, step))
        distance, step = distance * 2, step + 1
    return [held[(source - rank) % size] for source in range(size)]


def direct_all_to_all(steps: Steps, items: Sequence[Payload]) -> list[Payload]:
    """Each item goes straight to its rank: one round."""
    for peer in steps.others():
        steps.send(peer, 0, items[peer])
    received = list(items)
    for peer in steps.others():
        received[peer] = steps.receive(peer, 0)
    return received


def _bundle(items: Sequence[Payload]) -> bytes:
    """Items behind one another, after their number and lengths."""
    lengths = np.array([len(items), *(len(item) for item in items)], dtype="<i8")
    return b"".join([lengths.tobytes(), *items])


def _unbundle(bundle: Payload) -> list[Payload]:
    view = memoryview(bundle)
    count = int(np.frombuffer(view[:8], dtype="<i8")[0])
    lengths = np.frombuffer(view[8 : 8 + 8 * count], dtype="<i8").tolist()
    ends = np.cumsum([8 + 8 * count, *lengths]).tolist()
    return [view[start:end] for start, end in pairwise(ends)]
