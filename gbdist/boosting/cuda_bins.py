"""Bins for a card: blocks of rows, those in its memory first, the others in the host's memory and streamed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from gbdist.boosting.crew import part
from gbdist.kernels.cuda_compile import is_on_card

if TYPE_CHECKING:
    from gbdist.boosting.cuda_crew import CardCrew

#: Two buffers of a streamed block, one is copied while the other is counted, may take this share of the room.
_BUFFERS = 0.25
#: Bytes of a streamed block: much larger ones do not copy faster.
_BLOCK_BYTES = 1 << 28


@dataclass(frozen=True)
class Block:
    """Rows ``start … stop−1``: their bins [n_features, stop − start], on the card or in the host's memory."""

    start: int
    stop: int
    bins: Any
    on_card: bool


class CardBins:
    """All bins of a rank; ``shape`` and ``dtype`` as of the array that they come from."""

    def __init__(self, bins: Any, room: int, crew: "CardCrew") -> None:
        self.shape, self.dtype = bins.shape, bins.dtype
        self._crew = crew
        self._buffers: tuple[_Buffer, ...] = ()
        self._columns: dict[int, Any] = {}
        n_features, n_rows = bins.shape
        self.blocks: list[Block]
        if is_on_card(bins):  # made there, by work that set its room aside
            self.blocks, self.card_bytes = [Block(0, n_rows, bins, True)], 0
            return
        self._buffers = (_Buffer("bins 0", crew), _Buffer("bins 1", crew))
        row_bytes = max(1, n_features * bins.dtype.itemsize)
        held = n_rows
        if row_bytes * n_rows > room:
            held = min(n_rows, int(max(room, 0) * (1.0 - _BUFFERS)) // row_bytes)
        most = max(1, min(_BLOCK_BYTES, int(max(room, 0) * _BUFFERS) // 2) // row_bytes)
        self.blocks = []
        if held or not n_rows:
            self.blocks.append(Block(0, held, crew.load(bins[:, :held]), True))
        for start in range(held, n_rows, most):
            stop = min(start + most, n_rows)
            self.blocks.append(Block(start, stop, bins[:, start:stop], False))
        self.card_bytes = row_bytes * (held + (2 * most if held < n_rows else 0))

    def __getitem__(self, place: tuple[int, slice]) -> Any:
        """Bins of all rows of one feature, on the card: ``bins[feature, rows]``, where ``rows`` are all."""
        feature, rows = place
        if len(self.blocks) == 1 and self.blocks[0].on_card:
            if feature not in self._columns:
                self._columns[feature] = self.blocks[0].bins[feature]
            return part(self._columns[feature], rows)
        column = self._crew.scratch.array("column", (self.shape[1],), self.dtype)
        for block in self.blocks:
            rows_of_block = column[block.start : block.stop]
            bins = block.bins[feature] if block.on_card else np.ascontiguousarray(block.bins[feature])
            rows_of_block.copy_to_device(bins, stream=self._crew.work)
        return column[rows]

    def stream(self, features: tuple[int, int]) -> Iterator[tuple[Block, Any]]:
        """Each block with its bins of some features on the card, for work that is begun before the next one is asked for.

        Blocks that are not on the card take turns with two buffers: while one is counted the next is copied.
        """
        first, last = features
        ahead: list[tuple[Block, Any, _Buffer | None]] = []
        for number, block in enumerate(self.blocks):
            if block.on_card:
                ahead.append((block, part(block.bins, slice(first, last)), None))
            else:
                buffer = self._buffers[number % 2]
                ahead.append((block, buffer.send(block.bins[first:last]), buffer))
            if len(ahead) == 2:
                yield from self._wait_for(ahead.pop(0))
        for one in ahead:
            yield from self._wait_for(one)

    def _wait_for(self, one: tuple[Block, Any, "_Buffer | None"]) -> Iterator[tuple[Block, Any]]:
        block, bins, buffer = one
        if buffer is not None:
            buffer.arrived.wait(self._crew.work)
        yield block, bins
        if buffer is not None:
            buffer.used.record(self._crew.work)


class _Buffer:
    """One of the two that streamed blocks pass through: in the host's memory and on the card."""

    def __init__(self, name: str, crew: "CardCrew") -> None:
        self._name, self._crew = name, crew
        self.arrived, self.used = cuda.event(), cuda.event()

    def send(self, bins: NDArray[Any]) -> Any:
        """Begin to copy bins [n_features, n_rows] to the card."""
        crew = self._crew
        self.arrived.synchronize()  # the last copy has left the host's buffer
        waiting = crew.pinned(self._name, bins.shape, bins.dtype)
        there = crew.scratch.array(self._name, bins.shape, bins.dtype)
        np.copyto(waiting, bins)
        self.used.wait(crew.copies)  # the last bins have been counted
        there.copy_to_device(waiting, stream=crew.copies)
        self.arrived.record(crew.copies)
        return there
