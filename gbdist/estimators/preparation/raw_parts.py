"""Raw partitions on the cluster: futures of what the user gave, and how a worker reads them as one ``RawPart``."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from weakref import ref

from dask.core import flatten
from distributed import Client, Future

from gbdist.errors import DataError
from gbdist.estimators.preparation.futures import batched, by_holder, held_where
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.lazy_parts import LazyParts
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import Side
from gbdist.estimators.preparation.tables import (
    bytes_of,
    column,
    column_labels,
    count_rows,
    is_frame,
    label_of,
    select_columns,
    slice_rows,
    take_apart,
    take_rows,
)
from gbdist.quantize.raw import RawPart
from gbdist_cluster.errors import ShardsGone

#: A block is taken within this time, or its worker does not answer.
_SEND_SECONDS = 120.0
#: Rows of a partition that are in this process's memory, by its number.
Here = Callable[[int], Any]
_GONE = ("cancelled", "lost")

#: Rows in this process travel to the workers in blocks of about this many bytes, one after the other.
BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class PartFormat:
    """How to take a partition apart; the same for all partitions of a data set."""

    labels: tuple[Hashable, ...] | None
    label_columns: tuple[Hashable, ...]
    weight_column: Hashable | None
    group_column: Hashable | None = None
    unbinned: tuple[tuple[int, str], ...] = ()
    cat_nan: str | None = None
    split: Side | None = None

    @classmethod
    def of(cls, parts: Parts, split: Side | None = None) -> "PartFormat":
        """The format of a data set, or of one side of it."""
        columns = (parts.label_columns, parts.weight_column, parts.group_column)
        return cls(parts.labels, *columns, parts.unbinned, parts.cat_nan, split)


@dataclass(frozen=True, slots=True)
class PartNumber:
    """A partition's number, and where its rows begin: in all rows, and in those that ``PartFormat.split`` selects."""

    number: int
    raw_first_row: int = 0
    first_row: int = 0


@dataclass(frozen=True, eq=False)
class Block:
    """Rows as the user gave them: cut from tables in the client's memory, or the partitions of collections beside each other."""

    features: Any
    label: Any = None
    weight: Any = None
    baseline: Any = None
    group: Any = None
    fold: Any = None


class RawParts:
    """A data set on the cluster, not quantized yet: one future a partition in each column, None where there is none (now).

    Partitions of lazy collections are there between ``call`` and ``let_go``; all others always.
    """

    def __init__(
        self,
        columns: Sequence[list[Any]],
        layout: PartFormat,
        lazy: LazyParts | None = None,
        here: Sequence["Here | None"] = (),
    ) -> None:
        self._columns = tuple(columns)
        self._format, self._lazy = layout, lazy
        self._in_memory = (*here, *[None] * (len(self._columns) - len(here)))
        self._here = set(range(self.n_parts)) if lazy is None else set()
        #: Whether partitions stay once they are there: those in memory already, and those that share work with others.
        self.stays = lazy is None or not lazy.apart

    def columns(self) -> tuple[list[Any], ...]:
        """Features, label, weight, baseline, group and fold: a ``Block`` each."""
        return self._columns

    @property
    def features(self) -> list[Any]:
        """Futures of the features."""
        return self._columns[0]

    @property
    def n_parts(self) -> int:
        """Number of partitions."""
        return len(self._columns[0])

    @property
    def all_here(self) -> bool:
        """Whether nothing has to be computed (again)."""
        return len(self._here) == self.n_parts

    @property
    def computes_features(self) -> bool:
        """Whether the features themselves come and go, rather than a label or weight beside them alone."""
        return self._lazy is not None and self._lazy.computes(0)

    def format_of(self, split: Side | None) -> PartFormat:
        """How to take one side of the partitions apart."""
        return replace(self._format, split=split)

    def call(self, client: Client, numbers: Sequence[int], scope: FutureScope, worker: str | None = None) -> None:
        """Start computing those of the partitions that are not there, on ``worker`` if it can."""
        absent = [number for number in numbers if number not in self._here]
        if not absent or self._lazy is None:
            return
        for held, futures in zip(self._columns, self._lazy.compute(client, absent, worker), strict=True):
            for number, future in zip(absent, scope.hold(futures or ()), strict=False):
                held[number] = future
        self._here.update(absent)

    def again(self, client: Client, numbers: Sequence[int], worker: str, scope: FutureScope) -> list[list[Any]]:
        """Some partitions of each column once more, computed or sent to ``worker``; what the user persisted must still be there.

        Called after ``release``.

        Raises ShardsGone for partitions whose futures the user made and whose rows went with a worker.
        """
        computed = (
            self._lazy.compute(client, numbers, worker) if self._lazy is not None else [None] * len(self._columns)
        )
        made: list[list[Any]] = []
        for held, here, futures in zip(self._columns, self._in_memory, computed, strict=True):
            if here is not None:
                made.append(scope.hold(send(client, [here(number) for number in numbers], [worker])))
            elif futures is not None:
                made.append(scope.hold(futures))
            else:
                made.append(_still_there(held, numbers))
        return made

    def let_go(self, numbers: Sequence[int], scope: FutureScope) -> None:
        """Let go of partitions that can be computed again."""
        if self.stays or self._lazy is None:
            return
        for i, held in enumerate(self._columns):
            if self._lazy.computes(i):
                for number in numbers:
                    scope.drop([held[number]])
                    held[number] = None
        self._here.difference_update(numbers)

    def release(self, scope: FutureScope) -> None:
        """Let go of what the scope holds; partitions that the user persisted stay for as long as the user wants them."""
        for held in self._columns:
            scope.drop(held)
            held[:] = [None if future is None else ref(future) for future in held]

    def batches(self, client: Client, numbers: Sequence[int]) -> list[list[int]]:
        """Partitions that one task looks at together: one, unless all of them are in memory already."""
        rows = [[held[i] for held in self._columns if held[i] is not None] for i in numbers]
        if not all(future.done() for row in rows for future in row):
            return [[number] for number in numbers]
        sizes: dict[Any, int] = client.nbytes([future.key for row in rows for future in row], summary=False)
        n_bytes = {i: sum(sizes.get(future.key, 0) for future in row) for i, row in zip(numbers, rows, strict=True)}
        where = dict(zip(numbers, held_where(client, [self.features[i] for i in numbers]), strict=True))
        return [batch for parts in by_holder(numbers, where) for batch in batched(parts, [n_bytes[i] for i in parts])]


def _still_there(held: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
    """Futures of the user's, to which there are references; ShardsGone for those that Dask cannot make again."""
    futures = {n: None if held[n] is None else held[n]() for n in numbers}
    gone = [n for n, future in futures.items() if held[n] is not None and (future is None or future.status in _GONE)]
    if gone:
        raise ShardsGone(
            f"The rows of partition {', '.join(map(str, gone))} were on a worker that left the cluster, and nobody can "
            "compute them again: they were scattered, or what they came from was",
            "Scatter them anew and call fit again, or pass data that Dask can compute, or that are in this process's memory.",
        )
    return list(futures.values())


def read_part(given: Block, layout: PartFormat, part: PartNumber) -> RawPart:
    """Put one partition together on the worker that holds it."""
    block = given.features if isinstance(given.features, Block) else given
    features, label, weight = block.features, block.label, block.weight
    baseline, group, fold = block.baseline, block.group, block.fold
    if layout.labels is not None and is_frame(features):
        if layout.label_columns:
            label = label_of(features, layout.label_columns)
        if layout.weight_column is not None:
            weight = column(features, layout.weight_column)
        if layout.group_column is not None:
            group = column(features, layout.group_column)
        features = _feature_columns(features, layout, part.number)
    if layout.split is not None:
        n_rows = count_rows(features)
        beside = (("y", label), ("sample_weight", weight), ("baseline", baseline), ("group_id", group), ("fold", fold))
        for name, values in beside:
            _require_rows(values, n_rows, name, part.number)
        mask = layout.split.mask(part.raw_first_row, n_rows, fold)
        features, label, weight, baseline, group, fold = (
            None if piece is None else take_rows(piece, mask)
            for piece in (features, label, weight, baseline, group, fold)
        )
    features, unbinned = take_apart(features, layout.unbinned, part.number, layout.cat_nan)
    return RawPart(features, label, weight, baseline, part.number, group, unbinned, fold)


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
    others = {*layout.label_columns, layout.weight_column, layout.group_column}
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
    """Say where the partitions are or how they are computed, and send what is in memory; ``scope`` holds what is ours."""
    layout = PartFormat.of(parts)
    if not parts.lazy:
        blocks, spans = _scatter(parts, client, workers, scope)
        nothing: list[Any] = [None] * len(blocks)  # a block carries everything
        return RawParts([blocks, *[nothing] * 5], layout, here=[lambda number: cut_block(parts, *spans[number])])
    columns: list[list[Any]] = []
    in_memory: list[Here | None] = []
    to_compute: list[Any] = []
    for given in (parts.features, parts.label, parts.weight, parts.baseline, parts.group, parts.fold):
        here: list[Any] = []
        if isinstance(given, list):  # a vector in memory, cut like X
            here = scope.hold(send(client, given, workers))
        elif given is not None:
            here = futures_in(given)
        to_compute.append(given if given is not None and not here else None)
        columns.append(here or [None] * parts.n_parts)
        in_memory.append(given.__getitem__ if isinstance(given, list) else None)
    lazy = any(one is not None for one in to_compute)
    return RawParts(columns, layout, LazyParts(to_compute, parts.n_parts) if lazy else None, in_memory)


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


def _scatter(
    parts: Parts, client: Client, workers: Sequence[str], scope: FutureScope
) -> tuple[list[Any], list[tuple[int, int]]]:
    """Send the rows to the workers in blocks, each worker one run of neighbouring rows; futures, and rows of each block."""
    n_rows = count_rows(parts.features)
    row_bytes = max(1, bytes_of(parts.features) // max(1, n_rows))
    blocks: list[Any] = []
    spans: list[tuple[int, int]] = []
    for rank, worker in enumerate(workers):
        first, last = (n_rows * at // len(workers) for at in (rank, rank + 1))
        n_blocks = max(1, -(-(last - first) * row_bytes // BLOCK_BYTES))
        edges = [first + (last - first) * i // n_blocks for i in range(n_blocks + 1)]
        for start, stop in pairwise(edges):
            if start < stop:
                blocks += scope.hold(send(client, [cut_block(parts, start, stop)], [worker]))
                spans.append((start, stop))
    if not blocks:
        blocks, spans = scope.hold(send(client, [cut_block(parts, 0, n_rows)], workers[:1])), [(0, n_rows)]
    return blocks, spans


def cut_block(parts: Parts, start: int, stop: int) -> Block:
    """Rows ``start … stop−1`` of a data set in memory."""
    pieces = (parts.features, parts.label, parts.weight, parts.baseline, parts.group, parts.fold)
    return Block(*(None if piece is None else slice_rows(piece, start, stop) for piece in pieces))


def send(client: Client, values: list[Any], workers: Sequence[str]) -> list[Future]:
    """Scatter straight to the workers; through the scheduler only where this process cannot reach them.

    Raises ShardsGone if they do not take it: they have left, or do not answer.
    """
    problem: Exception | None = None
    for direct in (True, False):
        how = {"workers": list(workers), "hash": False, "direct": direct}
        try:
            return list(client.sync(client._scatter, values, **how, callback_timeout=_SEND_SECONDS))
        except (OSError, TimeoutError, KeyError) as error:  # KeyError: the scheduler does not know the worker any more
            problem = error
    raise ShardsGone(
        f"Worker {', '.join(workers)} did not take rows that were sent there ({problem})",
        "See whether it is alive, and call fit again.",
    )
