"""Placement, encodings and cells: the client's side of what workers do between the survey and the trainer.

Tasks are O(partitions + workers²), fewer where partitions are small: a task takes several of those that lie on one worker. The
client sees one small record a partition, and how columns are encoded.
"""

import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from distributed import Client, Future

from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.futures import batched, names, wait_for
from gbdist.estimators.preparation.pace import WAVES_AT_ONCE, Room, Weight
from gbdist.estimators.preparation.remaking import Batch, submitted
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape
from gbdist.estimators.preparation.surveying import Surveyed
from gbdist.estimators.preparation.tasks import PieceTask
from gbdist.quantize.cells import BINS, CellRules
from gbdist.quantize.sample import SAMPLE_LIMIT
from gbdist_cluster.placement import Placement, place

_MOST_SHARES = 64
#: Sampled values of one share of the features, which one task looks at, take about this many bytes.
_SHARE_BYTES = 64 << 20
#: Shares for each thread that are cut before those before them are done with.
_SHARES_AHEAD = 2
#: A piece to quantize, and how many raw bytes it has.
_Work = tuple[PieceTask, int]


def request_encodings(
    client: Client, data: Surveyed, members: Sequence[str], rules: CellRules, scope: FutureScope
) -> Future:
    """Send off the choice of encodings; the future holds a tuple, one a column.

    Each share of the features goes to one task, which gets its samples of all workers; the samples are let go.
    """
    survey = data.survey
    if not survey.names:  # no column of numbers
        return scope.hold(client.scatter([()], broadcast=True, hash=False))[0]
    n_threads = sum(client.nthreads(list(members)).values())
    edges = share_edges(len(survey.names), len(members), n_threads, 4 * min(survey.n_rows, SAMPLE_LIMIT))
    chosen: list[Future] = []
    for first, last in pairwise(edges):
        # Shares that are cut wait in memory, so they are not cut long before somebody has time for them.
        after = chosen[-_SHARES_AHEAD * n_threads] if len(chosen) >= _SHARES_AHEAD * n_threads else None
        how = {"features": (first, last), "n_rows_total": survey.n_rows, "after": after}
        cuts = []
        for address, samples in data.samples.items():
            # What is on a disk looks small to Dask, which would send it around.
            there = {} if address is None else {"workers": [address], "allow_other_workers": True}
            cuts.append(client.submit(tasks.cut, samples, **how, **there, **names("cut")))
        scope.hold(cuts)
        span = {"has_nan": survey.has_nan[first:last], "names": survey.names[first:last], "rules": rules}
        chosen += scope.hold([client.submit(tasks.choose, cuts, **span, **names("choose"))])
        scope.drop(cuts)
    for samples in data.samples.values():
        scope.drop(samples)
    return scope.hold([client.submit(tasks.join, chosen, **names("encodings"))])[0]


def share_edges(n_features: int, n_workers: int, n_threads: int, feature_bytes: int = 0) -> list[int]:
    """Where the shares of the features begin and end: one a thread, but no more than 64 unless there are more workers.

    More where a share would be large: ``feature_bytes`` are those of a feature's sampled values.
    """
    large = -(-n_features * feature_bytes // _SHARE_BYTES)
    n_shares = min(n_features, max(n_workers, min(n_threads, _MOST_SHARES), large))
    return [n_features * share // n_shares for share in range(n_shares + 1)]


@dataclass(frozen=True, eq=False)
class CellsOrder:
    """Which cells to make of a data set: where its rows go; ``dimension`` is that of the baseline, 0 without one."""

    data: Surveyed
    placement: Placement
    dimension: int


@dataclass(frozen=True, eq=False)
class CellsRules:
    """What all data sets are quantized by: futures of encodings and of the model to go on from, if any.

    ``cards`` are GPUs by the address of their worker; ``on_disk`` says where cells lie.
    """

    encodings: Future
    initial: Future | None
    cards: Mapping[str, int]
    on_disk: bool


def request_cells(
    client: Client, orders: Sequence[CellsOrder], rules: CellsRules, room: Room, scope: FutureScope
) -> list[list[list[Batch]]]:
    """Send off the quantize tasks of data sets that share raw partitions; batches by data set and rank.

    Each task prefers its rank's worker but may run elsewhere. Where raw partitions have to be computed again this is done in
    waves, and the call waits until the last waves are on their way.
    """
    raw = orders[0].data.raw
    made: list[list[list[Batch]]] = [[[] for _ in order.placement.members] for order in orders]
    work = [_work(order, rules.on_disk) for order in orders]
    on_their_way: deque[list[Future]] = deque()
    for wave in _cell_waves(orders, room):
        if len(on_their_way) == WAVES_AT_ONCE:
            wait_for(on_their_way.popleft())
        for address, numbers in wave.items():
            raw.call(client, numbers, scope, address)
        together = sorted(number for numbers in wave.values() for number in numbers)
        sent: list[Future] = []
        for order, by_number, by_rank in zip(orders, work, made, strict=True):
            for rank, address in enumerate(order.placement.members):
                pieces = [piece for number in together for piece in by_number[rank].get(number, ())]
                batches = _batches(pieces, apart=order.data.survey.part_cuts is not None)
                beside = (rules.encodings, rules.initial)
                sent_now = submitted(client, order.data, batches, beside, address, rules.cards.get(address))
                by_rank[rank] += sent_now
                sent += scope.hold(batch.future for batch in sent_now)
        on_their_way.append(sent)
        raw.let_go(together, scope)
    raw.release(scope)
    return made


def _work(order: CellsOrder, on_disk: bool) -> list[dict[int, list[_Work]]]:
    """What each rank does with each partition."""
    token, survey = uuid.uuid4().hex[:12], order.data.survey
    row = RowShape.of(survey, order.dimension, BINS)  # tasks know the type of the cells
    made: list[dict[int, list[_Work]]] = []
    for rank in range(len(order.placement.members)):
        pieces = order.placement.pieces_of(rank)
        arena = ArenaSpec(
            key=f"{token}-{rank}",
            n_rows=sum(piece.rows for piece in pieces),
            row=row,
            grouped=survey.part_cuts is not None,
            on_disk=on_disk,
        )
        of_rank: dict[int, list[_Work]] = {}
        column = 0
        for piece in pieces:
            number = order.data.numbers[piece.partition]
            task = PieceTask(number, piece.start, piece.stop, piece.first_row, column, arena)
            n_bytes = survey.part_nbytes[piece.partition] * piece.rows // survey.part_rows[piece.partition]
            of_rank.setdefault(piece.partition, []).append((task, n_bytes))
            column += piece.rows
        made.append(of_rank)
    return made


def _cell_waves(orders: Sequence[CellsOrder], room: Room) -> Iterator[dict[str, list[int]]]:
    """Partitions to quantize together, by the worker that owns their first rows; owners take turns."""
    raw, members = orders[0].data.raw, orders[0].placement.members
    owner: dict[int, int] = {}
    for order in orders:
        for piece in order.placement.pieces:
            owner.setdefault(piece.partition, piece.rank)
    taken = [0] * len(members)
    turns: list[tuple[int, int, int]] = []
    for number, rank in owner.items():
        turns.append((taken[rank], rank, number))
        taken[rank] += 1
    turns.sort()
    part_bytes = sum(sum(order.data.survey.part_nbytes) for order in orders) / max(raw.n_parts, 1)
    step = max(len(turns), 1) if raw.all_here else room.wave(Weight(part_bytes, 0.0))
    for start in range(0, len(turns), step):
        wave: dict[str, list[int]] = {}
        for _, rank, number in turns[start : start + step]:
            wave.setdefault(members[rank], []).append(number)
        yield wave


def _batches(work: Sequence[_Work], *, apart: bool) -> list[list[PieceTask]]:
    """Pieces of one rank that a task takes together; with ``apart`` neighbouring ones alone, which may be cut between groups."""
    runs: list[list[_Work]] = []
    for task, n_bytes in work:
        last = runs[-1][-1][0] if runs else None
        if last is None or (apart and last.first_row + last.stop - last.start != task.first_row):
            runs.append([])
        runs[-1].append((task, n_bytes))
    return [batch for run in runs for batch in batched([task for task, _ in run], [n_bytes for _, n_bytes in run])]


def place_rows(data: Surveyed, workers: Sequence[str]) -> Placement:
    """Give the rows to workers, those of a group to one."""
    return place(data.survey.part_rows, data.where, workers, cuts=data.survey.part_cuts)


def on_ranks_of(placement: Placement, members: Sequence[str]) -> Placement:
    """The same pieces, numbered by the ranks of ``members``, some of which may own nothing."""
    rank_of = {address: rank for rank, address in enumerate(members)}
    pieces = tuple(replace(piece, rank=rank_of[placement.members[piece.rank]]) for piece in placement.pieces)
    return Placement(tuple(members), pieces)
