"""What a fit would put where, without training: rows and bytes of each worker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
from distributed import Client

from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.columns import ColumnRules, unbinned_of
from gbdist.estimators.parameters.cuts import quantize_params
from gbdist.estimators.preparation.futures import gather, held_where
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.quantized import row_bytes
from gbdist.estimators.preparation.raw_parts import futures_in
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.quantize.unbinned import HASHED
from gbdist_cluster.placement import place

#: Bytes a training row takes beside its quantized values for each raw value: prediction, derivative, packed cell, and half of
#: the rows gathered for histograms and for Newton steps.
_BYTES_A_VALUE = 8 + 8 + 8 + 4 + 6
#: … and once: leaf number, draw, gradient norm, bootstrap mark, and numbers of gathered rows. Measured in all: 58.
_BYTES_A_ROW = 2 + 4 + 8 + 1 + 9


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One rank. ``shard_bytes`` stay for the whole run, ``training_bytes`` are needed beside them; limit 0 is none."""

    address: str
    rows: int
    partitions: int
    shard_bytes: int
    training_bytes: int
    memory_limit: int

    @property
    def fits(self) -> bool:
        """Whether the memory limit leaves room for the rows."""
        return self.memory_limit == 0 or self.shard_bytes + self.training_bytes <= self.memory_limit


@dataclass(frozen=True, slots=True)
class Plan:
    """The outcome of ``plan``."""

    rows: int
    features: int
    partitions: int
    workers: tuple[WorkerPlan, ...]


def plan(
    X: Any,
    y: Any = None,
    *,
    parameters: Mapping[str, object],
    sample_weight: Any = None,
    baseline: Any = None,
    group_id: Any = None,
    classes: int = 1,
    client: Any = None,
) -> Plan:
    """Count the rows of X's partitions and place them, as ``train`` would; nothing is quantized and nothing is kept.

    Groups are not looked at: a few rows of theirs may go to another worker, so that they stay together.

    Bytes are those of training on histograms, with every column binned or, if it is categorical, hashed.

    ``classes`` is the number of raw values of a row: 1 but for multi-class losses. Raises what ``train`` raises for X and y.
    """
    parts = collect(X, y, sample_weight, baseline, group_id)
    hashed = sum(kind == HASHED for _, kind in unbinned_of(parts, ColumnRules(parameters)))
    client = resolve_client(client)
    workers = ready_workers(client)
    counts: list[int] = _lengths(parts.features, client) if parts.lazy else [parts.n_rows or 0]
    where: Sequence[str | None] = held_where(client, futures_in(parts.features)) if parts.lazy else []
    where = where or [None] * len(counts)
    placement = place(counts, where, [worker.address for worker in workers])
    n_features = len(parts.feature_names)
    wide = quantize_params(parameters, parts.feature_names).most_borders > 255
    dimension = classes if baseline is not None else 0
    a_row = row_bytes(n_features - hashed, wide, parts.has_weight, dimension, hashed)
    limits = {worker.address: worker.memory_limit for worker in workers}
    made = []
    for rank, address in enumerate(placement.members):
        rows = placement.rows_of(rank)
        pieces = len({piece.partition for piece in placement.pieces_of(rank)})
        training = rows * (_BYTES_A_VALUE * max(classes, 1) + _BYTES_A_ROW)
        made.append(WorkerPlan(address, rows, pieces, rows * a_row, training, limits[address]))
    return Plan(sum(counts), n_features, parts.n_parts, tuple(made))


def _lengths(collection: Any, client: Client) -> list[int]:
    """Rows of each partition; a partition that has to be computed for it is let go at once."""
    pieces = np.ravel(collection.to_delayed())
    with FutureScope() as scope:
        return gather(client, scope.hold(client.compute([dask.delayed(len)(piece) for piece in pieces])))
