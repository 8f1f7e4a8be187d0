"""Placement, borders and bins: the client's side of what workers do between the survey and the trainer.

Tasks are O(partitions + workers²), fewer where partitions are small: a task takes several of those that lie on one worker. The
client sees one small record a partition, and the borders.
"""

import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from distributed import Client, Future

from gbdist.estimators.parameters.cuts import QuantizeParams
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.futures import batched, names, wait_for
from gbdist.estimators.preparation.pace import WAVES_AT_ONCE, Room, Weight
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import ArenaSpec
from gbdist.estimators.preparation.surveying import Surveyed
from gbdist.estimators.preparation.tasks import PieceTask
from gbdist_cluster.placement import Placement, place

_MOST_SHARES = 64
#: A piece to quantize, and how many raw bytes it has.
_Work = tuple[PieceTask, int]


def request_borders(
    client: Client, data: Surveyed, placement: Placement, rules: QuantizeParams, scope: FutureScope
) -> Future:
    """Send off the choice of borders; the future holds a tuple of FeatureBorders.

    Samples are joined on each worker, cut into shares of the features, and every share goes to one task.
    """
    survey, members = data.survey, placement.members
    if not survey.names:  # no column is binned
        return scope.hold(client.scatter([()], broadcast=True, hash=False))[0]
    edges = share_edges(len(survey.names), len(members), sum(client.nthreads(list(members)).values()))
    spans = list(pairwise(edges))
    samples, how = list(data.samples.values()), {"edges": edges, "n_rows_total": survey.n_rows}
    packs = scope.hold(client.map(tasks.cut_by_feature, samples, **how, **names("cut")))
    chosen = []
    for share, (first, last) in enumerate(spans):
        cuts = scope.hold(client.map(tasks.take, packs, number=share, **names("take")))
        span = {"has_nan": survey.has_nan[first:last], "names": survey.names[first:last], "rules": rules}
        chosen += scope.hold([client.submit(tasks.choose, cuts, **span, **names("choose"))])
    return scope.hold([client.submit(tasks.join, chosen, **names("borders"))])[0]


def share_edges(n_features: int, n_workers: int, n_threads: int) -> list[int]:
    """Where the shares of the features begin and end: one a thread, but no more than 64 unless there are more workers."""
    n_shares = min(n_features, max(n_workers, min(n_threads, _MOST_SHARES)))
    return [n_features * share // n_shares for share in range(n_shares + 1)]


@dataclass(frozen=True, eq=False)
class BinsOrder:
    """Which bins to make of a data set: where its rows go; ``dimension`` is that of the baseline, 0 without one."""

    data: Surveyed
    placement: Placement
    dimension: int


@dataclass(frozen=True, eq=False)
class BinsRules:
    """What all data sets are quantized by: futures of borders and of the model to go on from, if any.

    ``cards`` are GPUs by the address of their worker.
    """

    borders: Future
    initial: Future | None
    cards: Mapping[str, int]


def request_bins(
    client: Client, orders: Sequence[BinsOrder], rules: BinsRules, room: Room, scope: FutureScope
) -> list[list[list[Future]]]:
    """Send off the quantize tasks of data sets that share raw partitions; futures by data set and rank.

    Each task prefers its rank's worker but may run elsewhere. Where raw partitions have to be computed again this is done in
    waves, and the call waits until the last waves are on their way.
    """
    raw = orders[0].data.raw
    made: list[list[list[Future]]] = [[[] for _ in order.placement.members] for order in orders]
    work = [_work(order) for order in orders]
    on_their_way: deque[list[Future]] = deque()
    for wave in _bin_waves(orders, room):
        if len(on_their_way) == WAVES_AT_ONCE:
            wait_for(on_their_way.popleft())
        for address, numbers in wave.items():
            raw.call(client, numbers, scope, address)
        together = sorted(number for numbers in wave.values() for number in numbers)
        sent: list[Future] = []
        for order, by_number, by_rank in zip(orders, work, made, strict=True):
            for rank, address in enumerate(order.placement.members):
                pieces = [piece for number in together for piece in by_number[rank].get(number, ())]
                futures = scope.hold(_quantize(client, order.data, address, pieces, rules))
                by_rank[rank] += futures
                sent += futures
        on_their_way.append(sent)
        raw.let_go(together, scope)
    raw.release(scope)
    return made


def _work(order: BinsOrder) -> list[dict[int, list[_Work]]]:
    """What each rank does with each partition."""
    token, survey = uuid.uuid4().hex[:12], order.data.survey
    made: list[dict[int, list[_Work]]] = []
    for rank in range(len(order.placement.members)):
        pieces = order.placement.pieces_of(rank)
        arena = ArenaSpec(
            key=f"{token}-{rank}",
            n_rows=sum(piece.rows for piece in pieces),
            n_features=len(survey.names),
            wide=False,
            weighted=survey.weight is not None,
            dimension=order.dimension,
            grouped=survey.part_cuts is not None,
            hashed=survey.hashed,
            n_labels=max(1, len(survey.targets)),
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


def _bin_waves(orders: Sequence[BinsOrder], room: Room) -> Iterator[dict[str, list[int]]]:
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


def _quantize(client: Client, data: Surveyed, address: str, work: Sequence[_Work], rules: BinsRules) -> list[Future]:
    """Send off the quantize tasks of some pieces of one rank."""
    batches = batched([task for task, _ in work], [n_bytes for _, n_bytes in work])
    columns = [[[column[piece.part.number] for piece in batch] for batch in batches] for column in data.raw.columns()]
    futures: list[Future] = client.map(
        tasks.quantize,
        *columns,
        [rules.borders] * len(batches),
        [rules.initial] * len(batches),
        batches,
        layout=data.format,
        coding=data.survey.labels if data.survey.targets else None,
        card=(address, rules.cards[address]) if address in rules.cards else None,
        workers=[address],
        allow_other_workers=True,
        **names("quantize"),
    )
    return futures


def place_rows(data: Surveyed, workers: Sequence[str]) -> Placement:
    """Give the rows to workers, those of a group to one."""
    return place(data.survey.part_rows, data.where, workers, cuts=data.survey.part_cuts)


def on_ranks_of(placement: Placement, members: Sequence[str]) -> Placement:
    """The same pieces, numbered by the ranks of ``members``, some of which may own nothing."""
    rank_of = {address: rank for rank, address in enumerate(members)}
    pieces = tuple(replace(piece, rank=rank_of[placement.members[piece.rank]]) for piece in placement.pieces)
    return Placement(tuple(members), pieces)
