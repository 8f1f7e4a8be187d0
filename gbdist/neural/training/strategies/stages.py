"""How a network is cut into stages, and in which order a stage takes the pieces of a batch. Pure: no arrays, no messages.

The order is "one forward, one backward" (Narayanan et al., "PipeDream: Generalized Pipeline Parallelism for DNN Training",
2019, section 3.2), with the parameters of one step for all pieces of a batch (Huang et al., "GPipe", 2019). It takes as long as
all pieces forward and then all backward, and a stage keeps what backward needs of as many pieces as there are stages from it on,
not of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


def cut_by_cost(costs: Sequence[float], stages: int) -> list[range]:
    """Which blocks each stage has: neighbours, at least one, so that the most expensive stage is as cheap as can be.

    Of cuts that are equally good the one whose first stages are the shortest. ValueError for more stages than blocks.
    """
    blocks = len(costs)
    if not 1 <= stages <= blocks:
        raise ValueError(f"{blocks} blocks cannot be cut into {stages} stages")
    before = [0.0, *accumulate(costs)]
    # worst[n]: the most expensive of the stages that are cut from the first n blocks; cuts[n]: where each ends.
    worst: dict[int, float] = {n: before[n] for n in range(1, blocks + 1)}
    cuts: dict[int, tuple[int, ...]] = {n: (0, n) for n in range(1, blocks + 1)}
    for stage in range(2, stages + 1):
        best = {
            n: min((max(worst[m], before[n] - before[m]), cuts[m]) for m in range(stage - 1, n))
            for n in range(stage, blocks + 1)
        }
        worst = {n: cost for n, (cost, _) in best.items()}
        cuts = {n: (*cut, n) for n, (_, cut) in best.items()}
    return [range(start, stop) for start, stop in pairwise(cuts[blocks])]


@dataclass(frozen=True, slots=True)
class Turn:
    """What a stage does next: one piece of the batch, forward or backward."""

    piece: int
    forward: bool


def turns_of(stage: int, stages: int, pieces: int) -> list[Turn]:
    """In which order a stage takes ``pieces`` pieces of a batch, each once forward and later once backward.

    Every stage takes the pieces in ascending order both ways, so a message to a neighbour needs no number.
    """
    ahead = min(stages - 1 - stage, pieces)  # so many are forward before the first comes back
    turns = [Turn(piece, True) for piece in range(ahead)]
    for piece in range(pieces - ahead):
        turns += [Turn(ahead + piece, True), Turn(piece, False)]
    return turns + [Turn(piece, False) for piece in range(pieces - ahead, pieces)]


def cut_rows(rows: int, pieces: int) -> list[slice]:
    """The pieces of a batch: neighbouring rows, none without any, sizes that differ by one at most."""
    pieces = min(pieces, rows)
    return [slice(rows * piece // pieces, rows * (piece + 1) // pieces) for piece in range(pieces)]
