"""What a fit would put where, without training: rows and bytes of each worker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dask
import numpy as np
from distributed import Client

from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.columns import ColumnRules, unbinned_of
from gbdist.estimators.needs import RunShape, SetShape, WorkerNeed, bytes_of_tables, needs_of
from gbdist.estimators.parameters.cuts import quantize_params
from gbdist.estimators.placing import decide
from gbdist.estimators.preparation.futures import gather, held_where
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.raw_parts import futures_in
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import RowShape
from gbdist.quantize.cells import BINS, bins_type
from gbdist.quantize.unbinned import HASHED
from gbdist_cluster.placement import place


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One rank: its rows, what they need, and whether their bins would lie on disk."""

    partitions: int
    need: WorkerNeed
    on_disk: bool

    @property
    def address(self) -> str:
        """Of the worker."""
        return self.need.address

    @property
    def rows(self) -> int:
        """Rows of the worker."""
        return self.need.rows

    @property
    def shard_bytes(self) -> int:
        """Bytes of quantized rows, in memory or on disk."""
        return self.need.bins + self.need.beside

    @property
    def training_bytes(self) -> int:
        """Bytes that training needs beside them."""
        return self.need.training + self.need.tables + self.need.reading * self.on_disk

    @property
    def needed_bytes(self) -> int:
        """Bytes of memory that the worker needs most likely, its process included."""
        return self.need.probable(on_disk=self.on_disk)

    @property
    def fits(self) -> bool:
        """Whether ``train`` would not refuse the rows."""
        return self.need.can(on_disk=self.on_disk)


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
    on_disk: bool | None = None,
    client: Any = None,
) -> Plan:
    """Count the rows of X's partitions and place them, as ``train`` would; nothing is quantized and nothing is kept.

    Groups are not looked at: a few rows of theirs may go to another worker, so that they stay together.

    Bytes are those of training on histograms, with every column binned or, if it is categorical, hashed.

    ``classes`` is the number of raw values of a row: 1 but for multi-class losses. ``on_disk`` as in ``train``. Raises what
    ``train`` raises for X and y.
    """
    parts = collect(X, y, sample_weight, baseline, group_id)
    hashed = tuple(at for at, kind in unbinned_of(parts, ColumnRules(parameters)) if kind == HASHED)
    client = resolve_client(client)
    workers = ready_workers(client)
    counts: list[int] = _lengths(parts.features, client) if parts.lazy else [parts.n_rows or 0]
    where: Sequence[str | None] = held_where(client, futures_in(parts.features)) if parts.lazy else []
    where = where or [None] * len(counts)
    placement = place(counts, where, [worker.address for worker in workers])
    n_features = len(parts.feature_names)
    most_borders = quantize_params(parameters, parts.feature_names).most_borders
    beside = RowShape(0, BINS, parts.has_weight, classes if baseline is not None else 0, hashed).nbytes
    rows = {address: placement.rows_of(rank) for rank, address in enumerate(placement.members)}
    shape = SetShape(rows, n_features - len(hashed), bins_type(most_borders), beside, trained=True)
    depth = parameters.get("depth", 6)
    tables = bytes_of_tables(max(classes, 1), shape.n_features, most_borders, depth if isinstance(depth, int) else 6)
    limits = {worker.address: worker.memory_limit for worker in workers}
    threads = {worker.address: worker.threads for worker in workers}
    found = needs_of([shape], RunShape(max(classes, 1), 1, tables), limits, threads)
    bins_on_disk = decide(on_disk, found, told=False)
    made = [
        WorkerPlan(len({piece.partition for piece in placement.pieces_of(rank)}), need, bins_on_disk)
        for rank, need in enumerate(found)
    ]
    return Plan(sum(counts), n_features, parts.n_parts, tuple(made))


def _lengths(collection: Any, client: Client) -> list[int]:
    """Rows of each partition; a partition that has to be computed for it is let go at once."""
    pieces = np.ravel(collection.to_delayed())
    with FutureScope() as scope:
        return gather(client, scope.hold(client.compute([dask.delayed(len)(piece) for piece in pieces])))
