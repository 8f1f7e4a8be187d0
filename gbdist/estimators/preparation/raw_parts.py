"""Raw partitions on the cluster: futures of what the user gave, and how a worker reads them as one ``RawPart``."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dask.core import flatten
from distributed import Client, Future

from gbdist.errors import DataError
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import RowSplit
from gbdist.estimators.preparation.tables import (
    bytes_of,
    column,
    column_labels,
    count_rows,
    is_frame,
    select_columns,
    slice_rows,
    take_rows,
)
from gbdist.quantize.raw import RawPart

#: Rows in this process travel to the workers in blocks of about this many bytes, one after the other.
BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class PartFormat:
    """How to take a partition apart; the same for all partitions of a data set."""

    labels: tuple[Hashable, ...] | None
    label_column: Hashable | None
    weight_column: Hashable | None
    split: RowSplit | None = None


@dataclass(frozen=True, slots=True)
class PartNumber:
    """A partition's number, and where its rows begin: in all rows, and in those that ``PartFormat.split`` selects."""

    number: int
    raw_first_row: int = 0
    first_row: int = 0


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that were cut from tables in the client's memory."""

    features: Any
    label: Any
    weight: Any
    baseline: Any


@dataclass(frozen=True, eq=False)
class RawParts:
    """A data set on the cluster, not quantized yet: one future (or None) a partition in each list."""

    features: list[Any]
    label: list[Any]
    weight: list[Any]
    baseline: list[Any]
    format: PartFormat
    feature_names: tuple[str, ...]

    def columns(self) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """The lists in the order of ``read_part``'s first arguments."""
        return self.features, self.label, self.weight, self.baseline

    @property
    def n_parts(self) -> int:
        """Number of partitions."""
        return len(self.features)

    def release(self, scope: FutureScope) -> None:
        """Let go of what the scope holds; partitions that the user persisted stay."""
        for futures in self.columns():
            scope.drop(futures)


def read_part(features: Any, label: Any, weight: Any, baseline: Any, layout: PartFormat, part: PartNumber) -> RawPart:
    """Put one partition together on the worker that holds it."""
    if isinstance(features, Block):
        features, label, weight, baseline = features.features, features.label, features.weight, features.baseline
    if layout.labels is not None and is_frame(features):
        if layout.label_column is not None:
            label = column(features, layout.label_column)
        if layout.weight_column is not None:
            weight = column(features, layout.weight_column)
        features = _feature_columns(features, layout, part.number)
    if layout.split is not None:
        n_rows = count_rows(features)
        for name, values in (("y", label), ("sample_weight", weight), ("baseline", baseline)):
            _require_rows(values, n_rows, name, part.number)
        mask = layout.split.mask(part.raw_first_row, n_rows)
        features, label, weight, baseline = (
            None if piece is None else take_rows(piece, mask) for piece in (features, label, weight, baseline)
        )
    return RawPart(features, label, weight, baseline, part.number)


def _require_rows(values: Any, n_rows: int, name: str, number: int) -> None:
    if values is not None and count_rows(values) != n_rows:
        raise DataError(
            f"partition {number}",
            f"{n_rows} rows in X but {count_rows(values)} in {name}",
            "the same rows in both",
            f"Partition X and {name} alike, row by row.",
        )


def _feature_columns(table: Any, layout: PartFormat, number: int) -> Any:
    labels, have = list(layout.labels or ()), column_labels(table)
    if have == labels:
        return table
    others = {layout.label_column, layout.weight_column}
    missing = [label for label in labels if label not in have]
    extra = [label for label in have if label not in labels and label not in others]
    if missing or extra:
        found = f"no column {missing[0]!r}" if missing else f"an unexpected column {extra[0]!r}"
        raise DataError(
            f"partition {number}",
            found,
            "the columns that the collection announces",
            "Make every partition with the same columns.",
        )
    return select_columns(table, labels)


def put_on_cluster(parts: Parts, client: Client, workers: Sequence[str], scope: FutureScope) -> RawParts:
    """Start computing (or sending) the partitions; ``scope`` holds every future that is ours."""
    layout = PartFormat(parts.labels, parts.label_column, parts.weight_column)
    if parts.lazy:
        given = [parts.features, parts.label, parts.weight, parts.baseline]
        lists = _persist(given, client, parts.n_parts, workers, scope)
    else:
        blocks = _scatter(parts, client, workers, scope)
        nothing: list[Any] = [None] * len(blocks)  # a block carries everything
        lists = [blocks, nothing, nothing, nothing]
    features, label, weight, baseline = lists
    return RawParts(features, label, weight, baseline, layout, parts.feature_names)


def _persist(
    given: list[Any], client: Client, n_parts: int, workers: Sequence[str], scope: FutureScope
) -> list[list[Any]]:
    futures: list[list[Any]] = [[None] * n_parts if one is None else [] for one in given]
    fresh: list[int] = []
    for i, collection in enumerate(given):
        if isinstance(collection, list):  # a vector in memory, cut like X
            futures[i] = scope.hold(_send(client, collection, workers))
        elif collection is not None:
            futures[i] = futures_in(collection)
            if not futures[i]:
                fresh.append(i)
    # Frames and arrays apart, because Dask plans them apart; those of a kind at once, so that they share what they read.
    for frames in (True, False):
        chosen = [i for i in fresh if hasattr(given[i], "divisions") == frames]
        if chosen:
            started = _start([given[i] for i in chosen], client, n_parts)
            for i, computed in zip(chosen, started, strict=True):
                futures[i] = scope.hold(computed)
    return futures


def _start(collections: list[Any], client: Client, n_parts: int) -> list[list[Future]]:
    """Start computing collections of a kind; one list of futures each, by partition."""
    futures = [futures_in(collection) for collection in client.persist(collections)]
    if all(len(one) == n_parts for one in futures):
        return futures
    # Where few columns are read, Dask's optimizer joins small files: fewer partitions come back than were announced.
    return [client.compute(list(collection.to_delayed(optimize_graph=False))) for collection in collections]


def futures_in(collection: Any) -> list[Future]:
    """The futures of a persisted collection's partitions, in order; empty if any of them is still to be computed."""
    if hasattr(collection, "expr") and type(collection.expr).__name__ != "FromGraph":
        return []  # not what persist leaves, and its graph may be large to write out
    graph = collection.__dask_graph__()
    futures = []
    for key in flatten(collection.__dask_keys__()):
        value = graph.get(key)
        while not isinstance(value, Future) and hasattr(value, "target") and value.target in graph:  # an alias
            value = graph[value.target]
        value = getattr(value, "value", value)  # a data node
        if not isinstance(value, Future):
            return []
        futures.append(value)
    return futures


def _scatter(parts: Parts, client: Client, workers: Sequence[str], scope: FutureScope) -> list[Any]:
    """Send the rows to the workers in blocks, each worker one run of neighbouring rows."""
    n_rows = count_rows(parts.features)
    row_bytes = max(1, bytes_of(parts.features) // max(1, n_rows))
    blocks: list[Any] = []
    for rank, worker in enumerate(workers):
        first, last = (n_rows * at // len(workers) for at in (rank, rank + 1))
        n_blocks = max(1, -(-(last - first) * row_bytes // BLOCK_BYTES))
        edges = [first + (last - first) * i // n_blocks for i in range(n_blocks + 1)]
        for start, stop in pairwise(edges):
            if start < stop:
                blocks += scope.hold(_send(client, [cut_block(parts, start, stop)], [worker]))
    return blocks or scope.hold(_send(client, [cut_block(parts, 0, n_rows)], workers[:1]))


def cut_block(parts: Parts, start: int, stop: int) -> Block:
    """Rows ``start … stop−1`` of a data set in memory."""
    pieces = (parts.features, parts.label, parts.weight, parts.baseline)
    return Block(*(None if piece is None else slice_rows(piece, start, stop) for piece in pieces))


def _send(client: Client, values: list[Any], workers: Sequence[str]) -> list[Future]:
    """Scatter straight to the workers; through the scheduler only where this process cannot reach them."""
    try:
        return list(client.scatter(values, workers=list(workers), direct=True, hash=False))
    except OSError:
        return list(client.scatter(values, workers=list(workers), direct=False, hash=False))
