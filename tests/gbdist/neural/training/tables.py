"""Rows to train networks on, whole or cut into ranks, and runs on ranks that are threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.control import Free
from gbdist.boosting.events import Event
from gbdist.boosting.rows import Segment
from gbdist.neural.network.rows import NetworkRows
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.loop import train
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.state import TrainState
from gbdist_cluster.collective.threads import run_threads

#: loss and outputs of each task
TASKS = {
    "binary": ("binary_log_loss", 1),
    "multilabel": ("binary_log_loss", 3),
    "multiclass": ("log_loss", 3),
    "regression": ("squared_error", 1),
    "regressions": ("squared_error", 2),
}


@dataclass(frozen=True)
class NetworkTable:
    """A data set: numeric values float32 [n, f], and targets as scikit-learn takes them."""

    numeric: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    rows: NetworkRows
    spec: NetworkSpec

    def part(self, ranges: Sequence[tuple[int, int]]) -> NetworkRows:
        """Some ranges of rows, each a segment."""
        rows = self.rows
        chosen = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in ranges)])
        ends = np.cumsum([0, *(b - a for a, b in ranges)]).tolist()
        return NetworkRows(
            np.ascontiguousarray(rows.numeric[chosen]),
            rows.codes[chosen],
            rows.target[chosen],
            None if rows.weight is None else rows.weight[chosen],
            tuple(Segment(i, j, a) for (i, j), (a, _) in zip(pairwise(ends), ranges, strict=True)),
        )

    def cut(self, n_ranks: int) -> list[NetworkRows]:
        """Uneven pieces, dealt so that a rank's rows are not neighbours; from four ranks on the second one has none."""
        n = self.rows.n_rows
        rng = np.random.default_rng(n_ranks)
        edges = [0, *sorted(rng.choice(np.arange(1, n), 2 * n_ranks - 1, replace=False).tolist()), n]
        pieces = list(pairwise(edges))
        mine: list[list[tuple[int, int]]] = [[] for _ in range(n_ranks)]
        for number, piece in enumerate(pieces):
            rank = number % n_ranks
            mine[0 if rank == 1 and n_ranks >= 4 else rank].append(piece)
        return [self.part(ranges) for ranges in mine]


def make_table(
    task: str = "binary",
    n: int = 90,
    *,
    weighted: bool = False,
    seed: int = 0,
    hidden: tuple[int, ...] = (6, 5),
    **spec: Any,
) -> NetworkTable:
    """Rows of five numbers with a target that depends on them."""
    loss, n_outputs = TASKS[task]
    rng = np.random.default_rng(seed)
    numeric = rng.normal(size=(n, 5)).astype(np.float32)
    score = numeric @ rng.normal(size=(5, n_outputs)) + rng.normal(size=(n, n_outputs)) * 0.3
    if task == "multiclass":
        y = target = score.argmax(axis=1).astype(np.int32)
    else:
        target = (score if loss == "squared_error" else score > 0).astype(np.float32)
        y = target[:, 0] if n_outputs == 1 else target
        y = y if loss == "squared_error" else y.astype(int)
    weight = rng.uniform(0.2, 2.0, n).astype(np.float32) if weighted else None
    rows = NetworkRows(numeric, np.empty((n, 0), np.int32), target, weight, (Segment(0, n, 0),))
    return NetworkTable(numeric, y, weight, rows, NetworkSpec(5, hidden, n_outputs, loss, **spec))


@dataclass
class Ear:
    """A listener: what it heard; and it wants to stop after ``stop`` epochs."""

    stop: int = -1
    events: list[Event] = field(default_factory=list)

    def hear(self, event: Event) -> bool:
        self.events.append(event)
        return getattr(event, "iteration", -1) + 1 == self.stop


class Interruption(Exception):
    """Ends a run."""


class Course(Free):
    """Wants a pause, or ends the run, at the n-th step (from 0)."""

    def __init__(self, *, pause: int = -1, end: int = -1) -> None:
        super().__init__()
        self._pause, self._end, self._checks = pause, end, -1

    def check(self) -> None:
        self._checks += 1
        if self._checks == self._end:
            raise Interruption

    @property
    def wants_pause(self) -> bool:  # type: ignore[override]
        return self._checks == self._pause


def fitted(table: NetworkTable, params: TrainParams, **more: Any) -> TrainState:
    """The result of a whole run on one rank."""
    state = train(table.rows, [], table.spec, params, SingleRank(), **more)
    assert state is not None
    return state


def fitted_on(
    n_ranks: int,
    table: NetworkTable,
    params: TrainParams,
    work: Callable[[NetworkRows, Collective], Any] | None = None,
    **more: Any,
) -> list[Any]:
    """What each of some ranks that are threads ends with."""
    parts = table.cut(n_ranks)

    def run(collective: Any) -> Any:
        rows = parts[collective.rank]
        return train(rows, [], table.spec, params, collective) if work is None else work(rows, collective)

    return run_threads(n_ranks, run, **more)


def same_bits(one: TrainState, other: TrainState) -> bool:
    """Whether two states are the same, bit for bit."""
    mine, theirs = one.progress, other.progress
    arrays = [(mine.flat, theirs.flat), *zip(mine.moments, theirs.moments, strict=True)]
    if (one.best_flat is None) != (other.best_flat is None):
        return False
    if one.best_flat is not None:
        arrays.append((one.best_flat, other.best_flat))
    return all(a.tobytes() == b.tobytes() for a, b in arrays) and _numbers(one) == _numbers(other)


def _numbers(state: TrainState) -> str:
    blank = replace(state.progress, flat=np.empty(0), moments=())
    return repr(replace(state, progress=blank, best_flat=None))
