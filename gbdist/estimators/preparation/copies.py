"""A quantized data set once more, whole on one worker: runs on such copies go on side by side."""

from collections.abc import Sequence
from dataclasses import replace

from distributed import Client

from gbdist.estimators.preparation.futures import names
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import RowShape, Shard, Shards, joined_shards
from gbdist.estimators.preparation.stored import Stored, futures_of
from gbdist_cluster.shards import ShardHandle, keep


def copied_to(client: Client, data: QuantizedSet, worker: str) -> QuantizedSet:
    """All rows on a worker; nothing is waited for. Dask makes the copy on another one if that worker is gone."""
    every = sorted((one for held in data.shards for one in held), key=lambda one: one.first_row)
    with FutureScope() as scope:
        how = {"workers": [worker], "allow_other_workers": True}
        (future,) = scope.hold([client.submit(_join, [one.future for one in every], data.row, **how, **names("copy"))])
        spans = tuple(span for one in every for span in one.spans)
        parts = tuple(sorted({part for one in every for part in one.parts}))
        copy = replace(data, members=(worker,), shards=((Stored(future, spans, parts),),), stays=True)
        scope.keep(futures_of(copy.shards))
    return copy


def _join(handles: Sequence[ShardHandle], row: RowShape) -> ShardHandle:
    """The shards of all tasks in one arena, so that a run need not put them together."""
    arena, segments = joined_shards([shard for handle in handles for shard in handle.shard], row)
    whole = (Shard(arena, each.start, each.stop - each.start, each.first_row) for each in segments)
    return keep(Shards(whole))
