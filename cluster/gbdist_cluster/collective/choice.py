"""The collective that routines get: picks the algorithm of each call by size in bytes and number of ranks."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist_cluster.collective import algorithms, float_sums
from gbdist_cluster.collective.buffers import Buffers
from gbdist_cluster.collective.channel import WHOLE, Channel, Payload, SubsetChannel, Traffic, make_tag, scope_of
from gbdist_cluster.collective.float_sums import Floats

__all__ = ["ChannelCollective", "choose_all_reduce", "choose_reduce_scatter", "choose_sum_floats"]

Array = NDArray[np.int64]

# Measured between two workers on one machine: a round costs half a millisecond whatever its size below 100 kB, a
# message a tenth of that in processor time, and encoded cells travel at about 1 GB/s. Networks between machines
# shift the numbers, not the order of the algorithms.
ROUND_SECONDS = 0.5e-3
MESSAGE_SECONDS = 0.05e-3
BYTE_SECONDS = 1e-9
CELL_BYTES = 4  # what an int64 cell takes on the wire, about half of its 8 bytes

# Above both, flows between all pairs at once crowd the network's switches, and a round's cost no longer counts.
RING_RANKS = 8
RING_SHARE_BYTES = 1 << 20

# On one machine all ranks share processors and memory, so the fewest messages and additions win; measured for float sums
# (docs/decisions/0038). Beyond that size one rank's memory traffic holds the others up.
CENTRAL_BYTES = 1 << 20


def choose_all_reduce(cells: int, ranks: int) -> Callable[[algorithms.Steps, Array], Array]:
    """The algorithm with the lowest predicted time; the same on every rank, as it sees nothing of the values."""
    if ranks == 2:
        return algorithms.direct_all_reduce  # one exchange, and no other sends fewer bytes
    size = cells * CELL_BYTES
    if ranks > RING_RANKS and size >= RING_SHARE_BYTES * ranks:
        return algorithms.ring_all_reduce
    peers, rounds = ranks - 1, (ranks - 1).bit_length() + (ranks & (ranks - 1) != 0)
    costs: list[tuple[float, Callable[[algorithms.Steps, Array], Array]]] = [
        (_seconds(1, peers, peers * size), algorithms.direct_all_reduce),
        (_seconds(rounds, rounds, rounds * size), algorithms.tree_all_reduce),
        (_seconds(2, 2 * peers, 2 * peers * size / ranks), algorithms.split_all_reduce),
    ]
    return min(costs, key=lambda pair: pair[0])[1]


def choose_reduce_scatter(cells: int, ranks: int) -> Callable[[algorithms.Steps, Array, Sequence[int]], Array]:
    """As ``choose_all_reduce``. Shares may be uneven: only their total counts."""
    size = cells * CELL_BYTES
    if ranks > RING_RANKS and size >= RING_SHARE_BYTES * ranks:
        return algorithms.ring_reduce_scatter
    peers, rounds = ranks - 1, (ranks - 1).bit_length()
    sent = peers * size / ranks
    if _seconds(rounds, rounds, sent) < _seconds(1, peers, sent):
        return algorithms.tree_reduce_scatter
    return algorithms.direct_reduce_scatter


def choose_sum_floats(size: int, ranks: int, hosts: int) -> float_sums.FloatSum:
    """As ``choose_all_reduce``, for ``size`` bytes; all add in one order, so the choice does not show in the sum."""
    if ranks == 2:
        return float_sums.direct_sum
    if ranks > RING_RANKS and size >= RING_SHARE_BYTES * ranks:
        return float_sums.ring_sum
    if hosts == 1 and size <= CENTRAL_BYTES:
        return float_sums.central_sum
    peers, rounds = ranks - 1, (ranks - 1).bit_length()
    costs: list[tuple[float, float_sums.FloatSum]] = [
        (_seconds(1, peers, peers * size), float_sums.direct_sum),
        (_seconds(rounds, rounds, peers * size), float_sums.tree_sum),
        (_seconds(2, 2 * peers, 2 * peers * size / ranks), float_sums.split_sum),
    ]
    return min(costs, key=lambda pair: pair[0])[1]


def _seconds(rounds: int, messages: int, sent_bytes: float) -> float:
    return rounds * ROUND_SECONDS + messages * MESSAGE_SECONDS + sent_bytes * BYTE_SECONDS


class ChannelCollective:
    """``gbdist.boosting.collective.Collective`` over any channel; one thread of one rank calls it."""

    def __init__(self, channel: Channel, scope: int = WHOLE) -> None:
        self._channel, self._scope = channel, scope
        self._calls = 0
        self._sent, self._received = [0] * channel.size, [0] * channel.size
        self._buffers = Buffers()
        self.rank = channel.rank
        self.size = channel.size

    @property
    def traffic(self) -> Traffic:
        """Messages and bytes sent and seconds waited by this rank so far, live."""
        return self._channel.traffic

    def all_reduce(self, array: Array, *, halves: bool = False) -> Array:
        """Element-wise sum over the ranks, the same on every rank; int64 of any shape, IN only."""
        if self.size == 1:
            return array
        algorithm = choose_all_reduce(array.size, self.size)
        total = algorithm(self._next_call("all_reduce", halves=halves), np.ascontiguousarray(array).reshape(-1))
        return total.reshape(array.shape)

    def reduce_scatter(self, array: Array, offsets: Sequence[int], *, halves: bool = False) -> Array:
        """Sum over the ranks of ``array[offsets[rank]:offsets[rank + 1]]``; array 1-D, size+1 offsets, IN only.

        ``offsets`` start at 0, end at ``len(array)`` and are the same on every rank.
        """
        if self.size == 1:
            return array[offsets[0] : offsets[1]]
        algorithm = choose_reduce_scatter(array.size, self.size)
        return algorithm(self._next_call("reduce_scatter", halves=halves), np.ascontiguousarray(array), offsets)

    def sum_floats(self, array: Floats) -> Floats:
        """Element-wise sum over the ranks in their order, the same bits on all; float32 or float64 of any shape, IN only."""
        if self.size == 1:
            return array
        algorithm = choose_sum_floats(array.nbytes, self.size, self._channel.hosts)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite says so itself
            total = algorithm(self._next_call("sum_floats"), np.ascontiguousarray(array).reshape(-1))
        return total.reshape(array.shape)

    def all_gather(self, item: bytes) -> list[bytes]:
        """Every rank's item, in rank order, on every rank; items may differ in length, so the ranks decide alone."""
        steps = self._next_call("all_gather")
        rounds = (self.size - 1).bit_length()
        few = _seconds(1, self.size - 1, 0) <= _seconds(rounds, rounds, 0)
        items = algorithms.direct_all_gather(steps, item) if few else algorithms.tree_all_gather(steps, item)
        return [bytes(one) for one in items]

    def all_to_all(self, items: Sequence[bytes]) -> list[bytes]:
        """Send ``items[r]`` to rank r; receive one item from each rank, in rank order."""
        return [bytes(one) for one in algorithms.direct_all_to_all(self._next_call("all_to_all"), items)]

    def send(self, to: int, item: bytes) -> None:
        """Hand an item to rank ``to``; see ``Collective.send``."""
        self._check_other(to)
        self._sent[to] += 1  # counted by pair of ranks, as no other rank takes part
        self._channel.send(to, make_tag(self._sent[to], "message", 0, self._scope), item)

    def receive(self, source: int) -> Payload:
        """Wait for the next item of rank ``source``; see ``Collective.receive``."""
        self._check_other(source)
        self._received[source] += 1
        return self._channel.receive(source, make_tag(self._received[source], "message", 0, self._scope))

    def receive_now(self, source: int) -> Payload | None:
        """The next item of rank ``source`` if it has come; see ``Collective.receive_now``."""
        self._check_other(source)
        item = self._channel.receive_now(source, make_tag(self._received[source] + 1, "message", 0, self._scope))
        self._received[source] += item is not None
        return item

    def subset(self, ranks: Sequence[int]) -> "ChannelCollective":
        """The collective of some of the ranks over the same channel; see ``Collective.subset``. ValueError for other ranks."""
        wanted = list(ranks)
        if wanted != sorted(set(wanted)) or self.rank not in wanted or not 0 <= wanted[0] <= wanted[-1] < self.size:
            raise ValueError(f"rank {self.rank} of {self.size} is in no subset {wanted}: ascending ranks, each once")
        return ChannelCollective(SubsetChannel(self._channel, wanted), scope_of([self._scope, *wanted]))

    def _check_other(self, rank: int) -> None:
        if not 0 <= rank < self.size or rank == self.rank:
            raise ValueError(f"rank {self.rank} of {self.size} has no other rank {rank}")

    def _next_call(self, operation: str, *, halves: bool = False) -> algorithms.Steps:
        self._calls += 1
        return algorithms.Steps(
            self._channel, self._calls, operation, scope=self._scope, halves=halves, buffers=self._buffers
        )
