"""Which rows each rank owns: rows keep their order and numbers, workers get even loads, and little moves.

Pure: no Dask here. Rows that are already in a fair place stay there, so a rank may own rows that are not neighbours;
``first_row`` gives every piece its global row number, and nothing downstream needs more than that.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import inf

__all__ = ["MIN_ROWS_PER_RANK", "Piece", "Placement", "largest_rank", "place"]

MIN_ROWS_PER_RANK = 1024
"""Below this a rank costs more in messages than it saves in work, so tiny data get fewer ranks than workers."""


_FINEST = 1 << 16
"""Speeds are rounded to this part of the fastest worker's, so that shares are ratios of integers and alike where speeds are."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows ``start … stop−1`` of a partition, owned by one rank.

    ``first_row`` is the global number of the piece's first row; the others follow it.
    """

    partition: int
    start: int
    stop: int
    first_row: int
    rank: int

    @property
    def rows(self) -> int:
        """How many rows the piece has, at least one."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Placement:
    """The outcome: ``members[rank]`` is a worker's address, ``pieces`` are in the order of their rows."""

    members: tuple[str, ...]
    pieces: tuple[Piece, ...]

    def pieces_of(self, rank: int) -> tuple[Piece, ...]:
        """Return the pieces of one rank, in the order of their rows."""
        return tuple(piece for piece in self.pieces if piece.rank == rank)

    def rows_of(self, rank: int) -> int:
        """Return how many rows one rank owns."""
        return sum(piece.rows for piece in self.pieces_of(rank))


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring rows of one partition that have no owner yet."""

    partition: int
    start: int
    stop: int

    @property
    def rows(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class _Share:
    """One rank's part of all rows: ``weight`` of ``of``."""

    weight: int
    of: int

    def target(self, rows: int) -> int:
        """Rows of the rank where every rank has its part, rounded up."""
        return -(-rows * self.weight // self.of)

    def least(self, rows: int) -> int:
        """The same, rounded down."""
        return rows * self.weight // self.of

    def most(self, rows: int) -> int:
        """Most rows that the rank gets: its part, rounded up, and a tenth of it."""
        return self.target(rows) + self.least(rows) // 10


def largest_rank(rows: int, ranks: int) -> int:
    """Return the most rows that ``place`` gives to any of so many like ranks: the mean, rounded up, and a tenth of it."""
    return _Share(1, ranks).most(rows)


def place(
    rows_per_partition: Sequence[int],
    where: Sequence[str | None],
    workers: Sequence[str],
    *,
    min_rows_per_rank: int = MIN_ROWS_PER_RANK,
    cuts: Sequence[Sequence[int]] | None = None,
    speeds: Mapping[str, float] | None = None,
) -> Placement:
    """Give every row an owner. A worker's *target* are rows in proportion to its speed: the mean, where all are alike.

    * A worker at most a tenth above its target keeps all that it holds. One above that keeps its first rows, down to the target
      or to the nearest edge of a partition above it, so no more rows move than lie above the targets.
    * What is given away, and what lies on no chosen worker, fills the workers that are farthest below their targets to one level
      (the same part of each one's target), in row order. Cuts move to the edge of a partition where one is within a twentieth of
      the smaller target beside it; otherwise the partition is cut.
    * There are ``rows // min_rows_per_rank`` ranks, at least one and at most one a worker; the workers that hold most
      rows are taken, but none so slow that its target is below ``min_rows_per_rank``. No rank is without rows, so no rows give
      no ranks.
    * With ``cuts``, every place where one rank's rows end and another's begin is then moved to the closest cut; rows between two
      cuts are one rank's, whatever partitions they are in. A rank may then be far above its target, or get nothing.

    Parameters
    ----------
    rows_per_partition
        Rows of each partition, in row order; empty partitions get no piece.
    where
        Address of the worker that holds each partition, or None; an address that is not in ``workers`` counts as None.
    workers
        Addresses of the workers that may be used, each once. Ranks follow this order.
    min_rows_per_rank
        Fewest rows that are worth a rank, at least 1.
    cuts
        Rows of each partition, ascending, where another rank's rows may begin; None for everywhere.
    speeds
        Of each worker, relative to the others, above 0; None where all are alike.

    Raises
    ------
    ValueError
        If the sequences do not match, there are rows but no workers, or a worker has no speed.
    """
    if len(rows_per_partition) != len(where):
        raise ValueError(f"{len(rows_per_partition)} partitions but {len(where)} places")
    total = sum(rows_per_partition)
    if total == 0:
        return Placement((), ())
    if not workers:
        raise ValueError(f"{total} rows but no workers")
    chosen, shares = _choose(rows_per_partition, where, _weights(workers, speeds), min_rows_per_rank)
    kept, loose = _keep(rows_per_partition, where, chosen, shares)
    owned = _fill(kept, loose, shares)
    if cuts is not None:
        owned = _at_cuts(rows_per_partition, owned, cuts)
    return _number(rows_per_partition, owned, chosen)


def _weights(workers: Sequence[str], speeds: Mapping[str, float] | None) -> dict[str, int]:
    """Return the workers' speeds as integers, in the order of ``workers``."""
    if speeds is None:
        return dict.fromkeys(workers, 1)
    for address in workers:
        if not 0.0 < speeds.get(address, 0.0) < inf:
            raise ValueError(f"worker {address} has the speed {speeds.get(address)}")
    fastest = max(speeds[address] for address in workers)
    return {address: max(1, round(speeds[address] / fastest * _FINEST)) for address in workers}


def _choose(
    rows_per_partition: Sequence[int], where: Sequence[str | None], weights: Mapping[str, int], min_rows_per_rank: int
) -> tuple[list[str], list[_Share]]:
    """Return the workers that become ranks, those that hold most rows, in the order of ``weights``; and their shares."""
    held = dict.fromkeys(weights, 0)
    for rows, address in zip(rows_per_partition, where, strict=True):
        if address in held:
            held[address] += rows
    total = sum(rows_per_partition)
    while True:
        ranks = min(len(held), max(1, total // min_rows_per_rank))
        fullest = set(sorted(held, key=lambda address: -held[address])[:ranks])  # stable: ties go to the earlier worker
        chosen = [address for address in held if address in fullest]
        of = sum(weights[address] for address in chosen)
        shares = [_Share(weights[address], of) for address in chosen]
        slowest = min(chosen, key=lambda address: weights[address])
        if ranks == 1 or _Share(weights[slowest], of).least(total) >= min_rows_per_rank:
            return chosen, shares
        del held[slowest]


def _keep(
    rows_per_partition: Sequence[int], where: Sequence[str | None], chosen: Sequence[str], shares: Sequence[_Share]
) -> tuple[list[list[_Run]], list[_Run]]:
    """Split the rows into those that stay with their worker, a list a rank, and those that need an owner."""
    rank_of = {address: rank for rank, address in enumerate(chosen)}
    held: list[list[_Run]] = [[] for _ in chosen]
    loose: list[_Run] = []
    for partition, (rows, address) in enumerate(zip(rows_per_partition, where, strict=True)):
        if rows:
            home = loose if address not in rank_of else held[rank_of[address]]
            home.append(_Run(partition, 0, rows))

    total = sum(rows_per_partition)
    kept = []
    for runs, share in zip(held, shares, strict=True):
        target, most = share.target(total), share.most(total)
        if sum(run.rows for run in runs) <= most:
            kept.append(runs)
            continue
        cut = max((edge for edge in _edges(runs) if target <= edge <= most), default=target)
        stays, goes = _cut(runs, [cut])
        kept.append(stays)
        loose += goes
    return kept, sorted(loose, key=lambda run: (run.partition, run.start))


def _fill(kept: list[list[_Run]], loose: list[_Run], shares: Sequence[_Share]) -> list[list[_Run]]:
    """Give the loose rows, in order, to the emptier ranks so that these end on one level."""
    supply = sum(run.rows for run in loose)
    if not supply:
        return kept
    loads = [sum(run.rows for run in runs) for runs in kept]
    quotas = _level(loads, supply, [share.weight for share in shares])
    total = supply + sum(loads)
    nears = [share.least(total) // 20 for share in shares]
    takers = [rank for rank, quota in enumerate(quotas) if quota]
    edges = _edges(loose)
    cuts: list[int] = []
    target = 0
    for rank, following in pairwise(takers):
        target += quotas[rank]
        # Less than half of either neighbour's quota, so that cuts stay apart and nobody is left empty-handed.
        near = min(nears[rank], nears[following], (quotas[rank] - 1) // 2, (quotas[following] - 1) // 2)
        cuts.append(_snap(target, edges, near))
    owned = list(kept)
    for rank, extra in zip(takers, _cut(loose, cuts), strict=True):
        owned[rank] = kept[rank] + extra
    return owned


def _at_cuts(
    rows_per_partition: Sequence[int], owned: list[list[_Run]], cuts: Sequence[Sequence[int]]
) -> list[list[_Run]]:
    """Move every change of owner to the closest cut, the lower one of two; rows keep their order, so changes keep theirs."""
    first_rows = [0, *accumulate(rows_per_partition)]
    total = first_rows[-1]
    allowed = sorted(
        {0, total, *(first + row for first, of_part in zip(first_rows, cuts, strict=False) for row in of_part)}
    )
    spans = sorted((first_rows[run.partition] + run.start, rank) for rank, runs in enumerate(owned) for run in runs)
    changes = [spans[0], *(after for before, after in pairwise(spans) if before[1] != after[1])]
    starts = [0, *(_closest(row, allowed) for row, _ in changes[1:]), total]
    every = [_Run(partition, 0, rows) for partition, rows in enumerate(rows_per_partition) if rows]
    moved: list[list[_Run]] = [[] for _ in owned]
    for (_, rank), runs in zip(changes, _cut(every, starts[1:-1]), strict=True):
        moved[rank] += runs
    return moved


def _closest(row: int, allowed: Sequence[int]) -> int:
    """Return the entry of ``allowed``, ascending, that is closest to ``row``."""
    after = bisect_left(allowed, row)
    return min(allowed[max(0, after - 1) : after + 1], key=lambda one: abs(one - row))


def _level(loads: Sequence[int], supply: int, weights: Sequence[int]) -> list[int]:
    """Return how much of ``supply`` each rank gets, so that the emptiest by weight rise to one level (within one row)."""
    order = sorted(range(len(loads)), key=lambda rank: Fraction(loads[rank], weights[rank]))
    filled, of, takers = supply, 0, []
    for rank in order:
        if of and filled * weights[rank] <= loads[rank] * of:
            break
        filled, of = filled + loads[rank], of + weights[rank]
        takers.append(rank)
    spare = filled - sum(filled * weights[rank] // of for rank in takers)
    quotas = [0] * len(loads)
    for rank in sorted(takers):
        level, part = divmod(filled * weights[rank], of)
        rounded_up = part > 0 and spare > 0
        spare -= rounded_up
        quotas[rank] = level - loads[rank] + rounded_up
    return quotas


def _snap(cut: int, edges: Sequence[int], near: int) -> int:
    """Return the edge closest to ``cut`` that is at most ``near`` rows away, or ``cut`` itself."""
    return min((edge for edge in edges if abs(edge - cut) <= near), key=lambda edge: abs(edge - cut), default=cut)


def _edges(runs: Sequence[_Run]) -> list[int]:
    """Return the ends of the runs, counted in rows from the first run's start."""
    edges, seen = [], 0
    for run in runs:
        seen += run.rows
        edges.append(seen)
    return edges


def _cut(runs: Sequence[_Run], cuts: Sequence[int]) -> list[list[_Run]]:
    """Cut the runs after ``cuts`` rows (ascending); return one list more than there are cuts."""
    bounds = [0, *cuts, sum(run.rows for run in runs)]
    starts = [0, *_edges(runs)]
    parts: list[list[_Run]] = []
    for low, high in pairwise(bounds):
        part = []
        for run, start in zip(runs, starts, strict=False):  # starts has the end of the last run too
            first, last = max(low, start), min(high, start + run.rows)
            if first < last:
                part.append(_Run(run.partition, run.start + first - start, run.start + last - start))
        parts.append(part)
    return parts


def _number(rows_per_partition: Sequence[int], owned: list[list[_Run]], chosen: Sequence[str]) -> Placement:
    """Number ranks and rows: ranks without rows are left out, neighbouring runs of a rank are joined."""
    first_rows = [0]
    for rows in rows_per_partition:
        first_rows.append(first_rows[-1] + rows)
    members: list[str] = []
    pieces: list[Piece] = []
    for address, runs in zip(chosen, owned, strict=True):
        if not runs:
            continue
        rank = len(members)
        members.append(address)
        joined: list[_Run] = []
        for run in sorted(runs, key=lambda run: (run.partition, run.start)):
            if joined and (joined[-1].partition, joined[-1].stop) == (run.partition, run.start):
                joined[-1] = _Run(run.partition, joined[-1].start, run.stop)
            else:
                joined.append(run)
        pieces += [
            Piece(run.partition, run.start, run.stop, first_rows[run.partition] + run.start, rank) for run in joined
        ]
    return Placement(tuple(members), tuple(sorted(pieces, key=lambda piece: piece.first_row)))
