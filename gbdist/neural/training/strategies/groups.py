"""Which ranks share one network, and which hold the same part of it."""

from dataclasses import dataclass

from gbdist.errors import ParameterError
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.params import StrategyParams
from gbdist.neural.training.strategies.ways import most_ranks


@dataclass(frozen=True, slots=True)
class Groups:
    """The ranks of a run in groups of neighbours, each of which holds the whole network together.

    Parameters
    ----------
    size : int
        Ranks of the run, a multiple of ``parts``.
    parts : int
        Ranks of a group, each with its part of the network.
    """

    size: int
    parts: int

    def part(self, rank: int) -> int:
        """Which part of the network a rank holds."""
        return rank % self.parts

    def members(self, rank: int) -> list[int]:
        """The ranks of a rank's group, in the order of their parts."""
        first = rank - rank % self.parts
        return list(range(first, first + self.parts))

    def peers(self, rank: int) -> list[int]:
        """The ranks that hold the same part as a rank, one of each group."""
        return list(range(rank % self.parts, self.size, self.parts))


def grouped(size: int, model_ranks: int, most: int) -> Groups:
    """The groups of a gang that has ``size`` ranks now.

    A gang that has lost a rank, or got one, is grouped anew: what was checked when the run began need not hold any more, so the
    largest groups are taken that the gang can be cut into and that are asked for.

    Parameters
    ----------
    model_ranks : int
        Ranks of a group as the user wants them; 0: as many as there are.
    most : int
        Parts that the network can be cut into.
    """
    wanted = min(most, model_ranks or size)
    return Groups(size, next(parts for parts in range(min(wanted, size), 0, -1) if size % parts == 0))


def most_parts(kind: str, spec: NetworkSpec) -> int:
    """Into how many parts a strategy can cut a network: 1 where it does not, or cannot."""
    if kind == "pipeline":
        return spec.embeds + len(spec.hidden) + 1
    return most_ranks(spec.hidden) if kind == "tensor" else 1


def check_model_ranks(strategy: StrategyParams, spec: NetworkSpec, size: int) -> None:
    """Raise ParameterError unless ``size`` workers can be cut into groups of ``model_ranks`` that share a network.

    For before a run: see ``grouped`` for the rest of it.
    """
    wanted, most = strategy.model_ranks, most_parts(strategy.kind, spec)
    if wanted == 0 or strategy.kind not in ("pipeline", "tensor"):
        return
    if wanted > most:
        raise ParameterError(
            "model_ranks",
            wanted,
            f"at most {most}, as many parts as strategy={strategy.kind!r} can cut this network into",
            "Lower it, or leave it at 0: then the largest groups are made that fit",
        )
    if size % wanted:
        raise ParameterError(
            "model_ranks",
            wanted,
            f"a divisor of the number of workers, {size}: each group of workers holds one network",
            "Lower it, train on another number of workers, or leave it at 0: then the largest groups are made that fit",
        )
