"""Quantized data sets on other workers than before: what lies somewhere stays, what is lost is made again, all is levelled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distributed import Client

from gbdist.estimators.preparation.futures import held_where
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.stages import on_ranks_of
from gbdist.estimators.preparation.stored import Stored, futures_of
from gbdist_cluster.placement import Piece, Placement, place
from gbdist_cluster.versions import WorkerFacts

#: Workers that may leave one after the other while shards are made again; the gang hears of more.
_TRIES = 5


def regroup(
    client: Client,
    sets: Sequence[QuantizedSet],
    workers: Sequence[str],
    scope: FutureScope,
    speeds: Mapping[str, float] | None = None,
) -> list[QuantizedSet]:
    """Data sets that belong together, on some of the ``workers``; ``scope`` holds what has to be made for it.

    The rule is that of the first placement, with tasks' shards for partitions; they are cut where ranks would be uneven, for
    the workers' ``speeds`` if they are not alike. Nothing is waited for. Raises ShardsGone for rows that cannot be made again.
    """
    made: list[QuantizedSet] = []
    for data in sets:
        stored, _ = _in_order(data)
        for _ in range(_TRIES):
            stored = _made_again(client, stored, workers, scope)
            futures = futures_of([stored])
            where = held_where(client, futures)
            if not any(future.cancelled() for future in futures):
                break  # else Dask has given some up meanwhile
        placement = _placed(stored, where, made[0].members if made else workers, speeds)
        if made:
            placement = on_ranks_of(placement, made[0].members)
        shards = [
            tuple(_piece(client, stored, piece, address, scope) for piece in placement.pieces_of(rank))
            for rank, address in enumerate(placement.members)
        ]
        made.append(replace(data, members=placement.members, shards=tuple(shards)))
    return made


def settled(
    client: Client, sets: Sequence[QuantizedSet], workers: Sequence[WorkerFacts], scope: FutureScope
) -> list[QuantizedSet]:
    """Data sets that belong together, as they are; or, if a worker of theirs is not among the ``workers``, regrouped on those."""
    present = [worker.address for worker in workers]
    if all(set(data.members) <= set(present) for data in sets):
        return list(sets)
    return regroup(client, sets, present, scope)


def planned(
    sets: Sequence[QuantizedSet], workers: Sequence[str], speeds: Mapping[str, float] | None
) -> list[dict[str, int]]:
    """Rows of each worker in each data set, if the sets are regrouped while all shards are where they were placed."""
    made: list[dict[str, int]] = []
    for data in sets:
        stored, where = _in_order(data)
        placement = _placed(stored, where, list(made[0]) if made else workers, speeds)
        rows = dict.fromkeys(placement.members, 0)
        for piece in placement.pieces:
            rows[placement.members[piece.rank]] += piece.rows
        made.append(rows)
    return made


def _in_order(data: QuantizedSet) -> tuple[list[Stored], list[str]]:
    """All shards of a data set in the order of their rows, and the workers that they were placed on."""
    placed = [(one, address) for address, held in zip(data.members, data.shards, strict=True) for one in held]
    placed.sort(key=lambda pair: pair[0].first_row)
    return [one for one, _ in placed], [address for _, address in placed]


def _placed(
    stored: Sequence[Stored], where: Sequence[str | None], workers: Sequence[str], speeds: Mapping[str, float] | None
) -> Placement:
    cuts = [one.cuts for one in stored]
    known = None if None in cuts else [cut for cut in cuts if cut is not None]
    return place([one.n_rows for one in stored], where, workers, cuts=known, speeds=speeds)


def _made_again(client: Client, stored: list[Stored], workers: Sequence[str], scope: FutureScope) -> list[Stored]:
    """The same, with those that Dask has given up made again, by the workers in turn."""
    turns = 0
    for number, one in enumerate(stored):
        if one.lost:
            stored[number] = one.made_again(client, workers[turns % len(workers)], scope)
            turns += 1
    return stored


def _piece(client: Client, stored: Sequence[Stored], piece: Piece, address: str, scope: FutureScope) -> Stored:
    whole = stored[piece.partition]
    if piece.rows == whole.n_rows:
        return whole
    return whole.cut(client, piece.start, piece.stop, address, scope)
