"""From raw partitions to quantized shards on the workers: survey, placement, borders, bins.

Two waits of the client in all: for the surveys, on which placement and every check depend, and for the bins. Tasks are
O(partitions + workers²), fewer where partitions are small: a task takes several of those that lie on one worker. The client
sees one small record a partition, and the borders.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from distributed import Client, Future, as_completed
from distributed.scheduler import KilledWorker

from gbdist.errors import ClusterError, DataError
from gbdist.estimators.parameters.canonical import QuantizeParams
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.raw_parts import PartNumber, RawParts
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import ArenaSpec
from gbdist.estimators.preparation.split import RowSplit
from gbdist.estimators.preparation.tasks import PieceTask
from gbdist.quantize.merge_surveys import DataSurvey, merge_surveys
from gbdist_cluster.placement import Piece, Placement, place

T = TypeVar("T")

_MOST_SHARES = 64
#: A task takes partitions of about this many raw bytes together: many times what a task costs in itself, little to hold.
_BATCH_BYTES = 4 << 20


@dataclass(frozen=True, eq=False)
class Surveyed:
    """A raw data set whose facts are known: what every later step reads."""

    raw: RawParts
    survey: DataSurvey
    numbers: tuple[PartNumber, ...]
    where: tuple[str | None, ...]

    @property
    def rows_per_partition(self) -> tuple[int, ...]:
        """Rows of each partition, in order."""
        return self.survey.part_rows


@dataclass(frozen=True, eq=False)
class SurveyRequest:
    """Survey tasks that were sent off."""

    raw: RawParts
    numbers: tuple[PartNumber, ...]
    futures: list[Future]


def request_survey(client: Client, raw: RawParts, split: RowSplit | None, scope: FutureScope) -> SurveyRequest:
    """Send off the survey of a data set, or of one side of ``split``, which costs a wait for the lengths first."""
    numbers = [PartNumber(i) for i in range(raw.n_parts)]
    if split is not None:
        raw = replace(raw, format=replace(raw.format, split=split))
        counts = count_rows_of(client, raw, scope)
        starts = [0, *np.cumsum(counts).tolist()]
        numbers = [PartNumber(i, starts[i], split.count_before(starts[i])) for i in range(raw.n_parts)]
    batches = _survey_batches(client, raw)
    columns = [[[column[i] for i in batch] for batch in batches] for column in (*raw.columns(), numbers)]
    futures = client.map(tasks.survey, *columns, layout=raw.format, **names("survey"))
    return SurveyRequest(raw, tuple(numbers), scope.hold(futures))


def finish_survey(client: Client, request: SurveyRequest, scope: FutureScope) -> Surveyed:
    """Wait for the survey and make every check on the input; DataError says what is wrong and where."""
    survey = merge_surveys([part for batch in gather(client, request.futures) for part in batch])
    scope.drop(request.futures)
    first_rows = np.cumsum((0, *survey.part_rows)).tolist()
    numbers = tuple(replace(number, first_row=first_rows[number.number]) for number in request.numbers)
    return Surveyed(request.raw, survey, numbers, held_where(client, request.raw.features))


def _survey_batches(client: Client, raw: RawParts) -> list[list[int]]:
    """Numbers of the partitions that one task surveys: one, unless all of them are in memory already."""
    futures = [future for column in raw.columns() for future in column if future is not None]
    if not all(future.done() for future in futures):
        return [[number] for number in range(raw.n_parts)]
    sizes: dict[Any, int] = client.nbytes([future.key for future in futures], summary=False)
    n_bytes = [
        sum(sizes.get(future.key, 0) for future in part if future is not None)
        for part in zip(*raw.columns(), strict=True)
    ]
    held = _by_holder(range(raw.n_parts), held_where(client, raw.features))
    return [batch for parts in held for batch in batched(parts, [n_bytes[i] for i in parts])]


def _by_holder(parts: Iterable[int], where: Sequence[str | None]) -> list[list[int]]:
    """Partitions grouped by the worker that holds them."""
    held: dict[str | None, list[int]] = {}
    for number in parts:
        held.setdefault(where[number], []).append(number)
    return list(held.values())


def batched(items: Sequence[T], n_bytes: Sequence[int]) -> list[list[T]]:
    """Cut items into runs of at most ``_BATCH_BYTES``, or of one item."""
    runs: list[list[T]] = []
    room = 0
    for item, size in zip(items, n_bytes, strict=True):
        room -= size
        if not runs or room < 0:
            runs.append([])
            room = _BATCH_BYTES - size
        runs[-1].append(item)
    return runs


def count_rows_of(client: Client, raw: RawParts, scope: FutureScope) -> list[int]:
    """Rows of each partition."""
    return gather(client, scope.hold(client.map(tasks.count_part, raw.features, **names("count"))))


def held_where(client: Client, futures: Sequence[Future]) -> tuple[str | None, ...]:
    """A worker that holds the result of each future, None where none does (any more)."""
    held = client.who_has(futures) if futures else {}
    return tuple(min(held.get(future.key, ()), default=None) for future in futures)


def request_borders(
    client: Client, data: Surveyed, placement: Placement, rules: QuantizeParams, scope: FutureScope
) -> Future:
    """Send off the choice of borders; the future holds a tuple of FeatureBorders.

    Samples are joined on each worker, cut into shares of the features, and every share goes to one task.
    """
    survey, members = data.survey, placement.members
    filled = [number for number, rows in enumerate(survey.part_rows) if rows]
    samples = [
        _sample(client, data, batched(parts, [survey.part_nbytes[i] for i in parts]), scope)
        for parts in _by_holder(filled, data.where)
    ]
    edges = share_edges(len(survey.names), len(members), sum(client.nthreads(list(members)).values()))
    spans = list(pairwise(edges))
    packs = scope.hold(client.map(tasks.cut_by_feature, samples, edges=edges, **names("cut")))
    chosen = []
    for share, (first, last) in enumerate(spans):
        cuts = scope.hold(client.map(tasks.take, packs, number=share, **names("take")))
        span = {"has_nan": survey.has_nan[first:last], "names": survey.names[first:last], "rules": rules}
        chosen += scope.hold([client.submit(tasks.choose, cuts, **span, **names("choose"))])
    return scope.hold([client.submit(tasks.join, chosen, **names("borders"))])[0]


def _sample(client: Client, data: Surveyed, batches: Sequence[Sequence[int]], scope: FutureScope) -> list[Future]:
    features, numbers = (
        [[column[i] for i in batch] for batch in batches] for column in (data.raw.features, data.numbers)
    )
    how = {"layout": data.raw.format, "n_rows_total": data.survey.n_rows}
    return scope.hold(client.map(tasks.sample, features, numbers, **how, **names("sample")))


def share_edges(n_features: int, n_workers: int, n_threads: int) -> list[int]:
    """Where the shares of the features begin and end: one a thread, but no more than 64 unless there are more workers."""
    n_shares = min(n_features, max(n_workers, min(n_threads, _MOST_SHARES)))
    return [n_features * share // n_shares for share in range(n_shares + 1)]


def request_bins(
    client: Client,
    data: Surveyed,
    placement: Placement,
    borders: Future,
    initial: Future | None,
    dimension: int,
    scope: FutureScope,
) -> list[list[Future]]:
    """Send off the quantize tasks, each to its rank's worker but free to run elsewhere; futures by rank.

    ``dimension`` is that of the baseline, 0 without one.
    """
    token = uuid.uuid4().hex[:12]
    by_rank: list[list[Future]] = []
    for rank, address in enumerate(placement.members):
        pieces = placement.pieces_of(rank)
        arena = ArenaSpec(
            key=f"{token}-{rank}",
            n_rows=placement.rows_of(rank),
            n_features=len(data.survey.names),
            wide=False,
            weighted=data.survey.weight is not None,
            dimension=dimension,
        )
        batches = batched(
            _piece_tasks(pieces, data.numbers, arena), [_bytes_of(piece, data.survey) for piece in pieces]
        )
        columns = [
            [[column[piece.part.number] for piece in batch] for batch in batches] for column in data.raw.columns()
        ]
        futures = client.map(
            tasks.quantize,
            *columns,
            [borders] * len(batches),
            [initial] * len(batches),
            batches,
            layout=data.raw.format,
            coding=None if data.survey.label is None else data.survey.labels,
            workers=[address],
            allow_other_workers=True,
            **names("quantize"),
        )
        by_rank.append(scope.hold(futures))
    return by_rank


def _bytes_of(piece: Piece, survey: DataSurvey) -> int:
    return survey.part_nbytes[piece.partition] * piece.rows // survey.part_rows[piece.partition]


def _piece_tasks(pieces: Sequence[Piece], numbers: Sequence[PartNumber], arena: ArenaSpec) -> list[PieceTask]:
    made = []
    column = 0
    for piece in pieces:
        made.append(PieceTask(numbers[piece.partition], piece.start, piece.stop, piece.first_row, column, arena))
        column += piece.rows
    return made


def place_rows(data: Surveyed, workers: Sequence[str]) -> Placement:
    """Give the rows to workers."""
    return place(data.rows_per_partition, data.where, workers)


def on_ranks_of(placement: Placement, members: Sequence[str]) -> Placement:
    """The same pieces, numbered by the ranks of ``members``, some of which may own nothing."""
    rank_of = {address: rank for rank, address in enumerate(members)}
    pieces = tuple(replace(piece, rank=rank_of[placement.members[piece.rank]]) for piece in placement.pieces)
    return Placement(tuple(members), pieces)


def gather(client: Client, futures: Sequence[Future]) -> list[Any]:
    """Results of tasks, once all are there; the error of the first that failed, with its own type."""
    wait_for(futures)
    return list(client.gather(list(futures)))


def wait_for(futures: Sequence[Future]) -> None:
    """Wait until all tasks are done; raise what a failed one raised as soon as it has failed."""
    if not futures:
        return
    for future in as_completed(futures, loop=futures[0].client.loop):
        if future.status == "error":
            raise _cause(future) from None
        if future.status in ("cancelled", "lost"):
            raise ClusterError(
                f"{future.key} was cancelled, or the worker that held its rows left the cluster",
                "Call fit again; rows that come from this process's memory cannot be computed anew on another worker.",
            )


def _cause(future: Future) -> BaseException:
    error = future.exception()
    if isinstance(error, KilledWorker):
        return ClusterError(
            f"Workers died again and again while they ran {error.task} (the last was {error.last_worker})",
            "Give workers more memory, or the data smaller partitions, and look at the workers' logs.",
        )
    if isinstance(error, BaseException):
        return error
    return DataError(str(future.key), repr(error), "a result", "Look at the worker's log.")


def names(step: str) -> dict[str, Any]:
    """Keywords that name the tasks of a step on Dask's dashboard, each call's its own."""
    name = f"gbdist-{step}-{uuid.uuid4().hex[:12]}"
    return {"key": name, "pure": False}
