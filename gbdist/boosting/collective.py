"""What one rank may ask of the others, and the trivial case of a single rank.

The algorithm sees this protocol alone. ``gbdist_cluster.collective`` has the implementations over Dask's
connections and over threads; they fit by structure, because the pure rooms import nothing of the cluster.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Collective(Protocol):
    """What one rank may ask of the others.

    * all ranks call the same methods in the same order with arrays of the same shape;
    * a result depends on the inputs alone, so ranks may act on it without asking again;
    * if a peer is lost every survivor gets ``PeerLost`` within the deadline; no call blocks for ever.
    """

    @property
    def rank(self) -> int:
        """Number of this rank, 0 … size−1."""
        ...

    @property
    def size(self) -> int:
        """How many ranks there are."""
        ...

    def all_reduce(self, array: NDArray[np.int64], *, halves: bool = False) -> NDArray[np.int64]:
        """Element-wise sum over the ranks, the same on every rank; any shape, IN only.

        ``halves`` says that each element packs a signed high and an unsigned low half of 32 bits (DESIGN §4), whose sums
        do not overflow; it changes how cells travel, never their sum.
        """
        ...

    def reduce_scatter(
        self, array: NDArray[np.int64], offsets: Sequence[int], *, halves: bool = False
    ) -> NDArray[np.int64]:
        """Sum over the ranks of ``array[offsets[rank]:offsets[rank + 1]]``; array 1-D, size+1 offsets."""
        ...

    def sum_floats(self, array: NDArray[Any]) -> NDArray[Any]:
        """Element-wise sum over the ranks, float32 or float64 of any shape, IN only; the same bits on every rank.

        Numbers are added in the order of the ranks, ((x₀ + x₁) + x₂) + …, in their own type, however many there are.
        """
        ...

    def all_gather(self, item: bytes) -> list[bytes]:
        """Every rank's item, in rank order, on every rank; items may differ in length."""
        ...

    def all_to_all(self, items: Sequence[bytes]) -> list[bytes]:
        """Send ``items[r]`` to rank r; receive one item from each rank, in rank order."""
        ...

    def send(self, to: int, item: bytes) -> None:
        """Hand an item to another rank, without waiting for it to be taken; ValueError for no other rank.

        The only call, with ``receive`` and ``receive_now``, that not all ranks make: what one rank sends to another arrives in
        the order in which it was sent, and is to be received before the next call of all ranks.
        """
        ...

    def receive(self, source: int) -> bytes | bytearray | memoryview:
        """Wait for the next item that another rank sends to this one; nobody else refers to it if it can be written to."""
        ...

    def receive_now(self, source: int) -> bytes | bytearray | memoryview | None:
        """As ``receive``, without waiting: None where the next item, which must be one that will come, is not here yet."""
        ...

    def subset(self, ranks: Sequence[int]) -> "Collective":
        """The collective of some of the ranks, numbered anew in their order; ascending, this rank among them.

        Costs no message. Those ranks alone call it, and then what it returns; calls of the whole and of the subset may take
        turns, in the same order on all ranks of the subset.
        """
        ...


class SingleRank:
    """The collective of one process: every answer is the question."""

    rank = 0
    size = 1

    def all_reduce(self, array: NDArray[np.int64], *, halves: bool = False) -> NDArray[np.int64]:
        """Return the array itself."""
        return array

    def reduce_scatter(
        self, array: NDArray[np.int64], offsets: Sequence[int], *, halves: bool = False
    ) -> NDArray[np.int64]:
        """Return the array itself: its only share."""
        return array[offsets[0] : offsets[1]]

    def sum_floats(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the array itself."""
        return array

    def all_gather(self, item: bytes) -> list[bytes]:
        """Return the item alone."""
        return [item]

    def all_to_all(self, items: Sequence[bytes]) -> list[bytes]:
        """Return the item that this rank sent to itself."""
        return [items[0]]

    def send(self, to: int, item: bytes) -> None:
        """Raise: there is nobody else."""
        raise ValueError(f"rank 0 of 1 has no other rank {to}")

    def receive(self, source: int) -> bytes | bytearray | memoryview:
        """Raise: there is nobody else."""
        raise ValueError(f"rank 0 of 1 has no other rank {source}")

    def receive_now(self, source: int) -> bytes | bytearray | memoryview | None:
        """Raise: there is nobody else."""
        raise ValueError(f"rank 0 of 1 has no other rank {source}")

    def subset(self, ranks: Sequence[int]) -> "SingleRank":
        """Return itself: there is nobody to leave out."""
        return self
