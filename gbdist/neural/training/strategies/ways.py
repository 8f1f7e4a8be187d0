"""How wide dense layers are split over the ranks of a group. Pure: no arrays, no messages.

A layer whose input is whole on all ranks is split by its units; its output then lies in columns, a slice on each rank. The
next layer is split by its inputs: each rank multiplies its columns, and the sum over the ranks is the layer's output, whole
on all of them (Shoeybi et al., "Megatron-LM: Training Multi-Billion Parameter Language Models Using Model Parallelism", 2019,
section 3). So two layers cost one sum of a batch's outputs each way.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Final

from gbdist.neural.network.blocks import UNITS_A_DRAW

#: Fewer units of a layer are not worth a rank's trouble: below, all ranks have the whole layer.
FEWEST_UNITS: Final = 16


class Way(Enum):
    """What a rank has of a dense layer."""

    #: All of it, as all ranks have.
    WHOLE = "whole"
    #: Some units; the input is whole, the output lies in columns.
    UNITS = "units"
    #: Some units; the input lies in columns that are brought together first, as a residual connection needs its own of them.
    GATHERED = "gathered"
    #: Some inputs, those that the layer before has left on this rank; the output is whole.
    INPUTS = "inputs"


def ways_of(hidden: Sequence[int], ranks: int, *, residual: bool) -> list[Way]:
    """How each dense layer is split, the one of the outputs last.

    Parameters
    ----------
    hidden : sequence of int
        Units of the hidden layers.
    residual : bool
        Whether a hidden layer that is as wide as the one before is added to that one's output.
    """
    ways: list[Way] = []
    for number, units in enumerate(hidden):
        in_columns = bool(ways) and ways[-1] in (Way.UNITS, Way.GATHERED)
        if in_columns and residual and units == hidden[number - 1]:
            ways.append(Way.GATHERED)
        elif in_columns:
            ways.append(Way.INPUTS)
        else:
            ways.append(Way.UNITS if units >= FEWEST_UNITS * ranks else Way.WHOLE)
    in_columns = bool(ways) and ways[-1] in (Way.UNITS, Way.GATHERED)
    return [*ways, Way.INPUTS if in_columns else Way.WHOLE]


def most_ranks(hidden: Sequence[int]) -> int:
    """Over how many ranks a layer can be split at most; 1 where none is wide enough for two."""
    return max([1, *(units // FEWEST_UNITS for units in hidden)])


def units_of(units: int, rank: int, ranks: int) -> slice:
    """The units of a layer that a rank has, or the inputs that come from them: cut where a group of dropout's draws ends."""
    groups = -(-units // UNITS_A_DRAW)
    first, last = (min(units, groups * each // ranks * UNITS_A_DRAW) for each in (rank, rank + 1))
    return slice(first, last)
