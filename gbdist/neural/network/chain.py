"""Blocks behind one another: a whole network's, or those of a part of it."""

from collections.abc import Sequence
from dataclasses import replace

from gbdist.neural.network.blocks import Array, Block, Noise, Slot

Views = Sequence[Sequence[Array]]


class Chain:
    """Runs blocks on parameters that lie in one vector of theirs.

    Parameters
    ----------
    blocks : sequence of (Block, its Slots)
        Neighbours in a network.
    first : bool
        Whether they begin with the network's first block, whose input nobody wants derivatives by.
    """

    def __init__(self, blocks: Sequence[tuple[Block, Sequence[Slot]]], *, first: bool = True) -> None:
        slots = [slot for _, slots in blocks for slot in slots]
        #: Where their parameters lie in the vector that the slots are of.
        self.where = slice(slots[0].start, slots[-1].stop)
        self._blocks = [block for block, _ in blocks]
        self._slots = [[replace(slot, start=slot.start - self.where.start) for slot in slots] for _, slots in blocks]
        self._first = first

    @property
    def n_parameters(self) -> int:
        """Length of their vector."""
        return int(self.where.stop - self.where.start)

    def views(self, flat: Array) -> Views:
        """Each block's arrays of a vector of theirs."""
        return [[slot.of(flat) for slot in slots] for slots in self._slots]

    def forward(self, views: Views, x: Array, numbers: Array, noise: Noise | None) -> tuple[Array, Sequence[object]]:
        """What the last block makes of ``x``, and what each has kept; see ``Block``."""
        kept = []
        for block, parameters in zip(self._blocks, views, strict=True):
            x, left = block.forward(parameters, x, numbers, noise)
            kept.append(left)
        return x, kept

    def backward(self, views: Views, kept: Sequence[object], change: Array, gradients: Views) -> Array | None:
        """Derivatives by the parameters go to ``gradients`` (OUT), those by the first input are returned, if wanted."""
        back: Array | None = change
        for place in range(len(self._blocks) - 1, -1, -1):
            first = self._first and place == 0
            back = self._blocks[place].backward(views[place], kept[place], back, gradients[place], first=first)
        return back
