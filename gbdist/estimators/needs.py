"""How much memory each worker needs for its rows, computed before anything is quantized: to refuse, to choose, and for plans.

Two sums of a worker: what it needs for certain, above which a run is refused, and what it probably needs, above which bins go to
disk. Between them lie what imports and kernels add to a process, and tables, which depend on the data.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask
import numpy as np
from dask.utils import format_bytes

from gbdist.boosting import histogram
from gbdist.boosting.bins import read_ahead_bytes
from gbdist.boosting.params import BoostParams
from gbdist.errors import ClusterError
from gbdist.estimators.preparation.pace import PROCESS, PROCESS_AT_WORK
from gbdist.quantize.cells import NUMBERS
from gbdist_cluster.versions import WorkerFacts

#: Bytes a training row takes beside its quantized values for each raw value: prediction, derivative, packed cell, and half of
#: the rows gathered for histograms and for Newton steps.
BYTES_A_VALUE = 8 + 8 + 8 + 4 + 6
#: … and once: leaf number, draw, gradient norm, bootstrap mark, and numbers of gathered rows. Measured in all: 58.
BYTES_A_ROW = 2 + 4 + 8 + 1 + 9
#: … and of an eval set, for each raw value, and once.
EVAL_VALUE, EVAL_ROW = 8, 2
#: What a network takes of a row for each categorical column (a code beside the hash) and each output (its target), and once: its
#: number and its place in the order of the epoch, weight; of an eval set for each output (target and prediction), and once.
_CODE, _TARGET, _NETWORK_ROW, _PREDICTED, _NETWORK_EVAL_ROW = 4, 4, 8 + 12 + 4, 4 + 8, 8 + 4
#: … and of each parameter: itself, its gradient as it is and as it is summed, two moments, the best one, and what the next gang
#: begins with, which is all of it but gradients once more.
_PARAMETER = 4 * (1 + 2 + 2 + 1 + 4)
#: … of each batch under way: the gradient of the rank that adds up and the one that has come, and the sum.
_UNDER_WAY = 4 * (2 + 1)
#: … and where models are added up: CatBoost's own pool, a byte a cell.
POOL_CELL = 1
#: What levels keep of tables, as a share of the largest ones: those that are counted, and of two levels.
_TABLES = 1.25
#: Tables of a level take at most this part of a worker's limit.
_TABLE_SHARE = 8


@dataclass(frozen=True, slots=True)
class RunShape:
    """What a run takes beside the rows' values: raw values a row, permutations, and bytes of the largest tables, unbounded.

    ``values`` is 0 where nothing is trained yet, and for a network; ``copies`` is how often bins are there. A network takes
    ``network_row`` bytes of a training row, ``network_eval_row`` of one of an eval set, and ``fixed`` bytes on every worker.
    With ``folds`` as many runs train side by side, each on copies of its rows (decision 0046), or ``apart``: on data sets of its
    own, rows to train on and rows held out in turn (0047).
    """

    values: int = 1
    permutations: int = 1
    table_bytes: int = 0
    copies: int = 1
    pooled: bool = False
    network_row: int = 0
    network_eval_row: int = 0
    fixed: int = 0
    folds: int = 0
    apart: bool = False

    @classmethod
    def of_network(cls, n_outputs: int, n_hashed: int, n_parameters: int, under_way: int = 0) -> "RunShape":
        """The shape of a network's run; ``n_hashed`` columns are categorical, ``under_way`` batches run ahead."""
        row = _CODE * n_hashed + _TARGET * n_outputs + _NETWORK_ROW
        eval_row = _CODE * n_hashed + _PREDICTED * n_outputs + _NETWORK_EVAL_ROW
        fixed = (_PARAMETER + _UNDER_WAY * under_way) * n_parameters
        return cls(values=0, network_row=row, network_eval_row=eval_row, fixed=fixed)

    @classmethod
    def of(cls, params: BoostParams, n_features: int, most_borders: int) -> "RunShape":
        """The shape of a run on histograms; ``n_features`` are binned."""
        values, rules = params.objective.dimension, params.categories
        depth = params.depth if params.grow_policy != "Lossguide" else params.max_leaves.bit_length()
        tables = bytes_of_tables(values, n_features, most_borders, depth)
        if rules is None:
            return cls(values, 1, tables)
        # Rows are dealt, and one-hot columns appended, to copies of the bins.
        permutations = 1 if rules.has_time or not rules.statistic_columns else rules.permutations
        return cls(values, permutations, tables, copies=2)

    def trains(self, n_sets: int) -> list[bool]:
        """Which of some data sets are trained on: the first one, or with ``apart`` each other one."""
        return [number % 2 == 0 if self.apart else number == 0 for number in range(n_sets)]

    def row_bytes(self, one: "SetShape") -> int:
        """Bytes that are kept of a row of a data set while the run goes on, beside what shards have of it."""
        pooled = POOL_CELL * one.n_features * self.pooled
        if not one.trained:
            return EVAL_VALUE * self.values + EVAL_ROW * bool(self.values) + self.network_eval_row + pooled
        orders = 8 * self.values * (self.permutations - 1)
        each = BYTES_A_VALUE * self.values + orders + BYTES_A_ROW * bool(self.values)
        return max(1, self.folds) * each + self.network_row + pooled


@dataclass(frozen=True, slots=True)
class SetShape:
    """One data set: rows of each worker, cells of a row and their type, and bytes of a row beside them.

    ``trained`` tells the training set from eval sets.
    """

    rows: Mapping[str, int]
    n_features: int
    dtype: np.dtype[Any]
    beside: int
    trained: bool

    @property
    def bins(self) -> int:
        """Bytes of a row's bins."""
        return self.n_features * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class WorkerNeed:
    """Bytes that a worker needs for its rows; ``limit`` is its memory limit, 0 for none.

    ``bins`` are in memory or on disk (numbers for a network, in memory: ``cells`` says which), ``beside`` are labels, weights,
    hashes and the like, ``training`` is kept of each row while a run goes on, ``tables`` and ``reading`` (two blocks of bins that
    are on disk) do not grow with the rows.
    """

    address: str
    rows: int
    bins: int
    beside: int
    training: int
    tables: int
    reading: int
    limit: int
    cells: str = "bins"

    def certain(self, *, on_disk: bool) -> int:
        """What is needed in any case."""
        return PROCESS + self.beside + self.training + (self.reading if on_disk else self.bins)

    def probable(self, *, on_disk: bool) -> int:
        """What is needed most likely."""
        return self.certain(on_disk=on_disk) + PROCESS_AT_WORK - PROCESS + self.tables

    def can(self, *, on_disk: bool) -> bool:
        """Whether the limit does not rule it out."""
        return not self.limit or self.certain(on_disk=on_disk) <= _share("terminate") * self.limit

    def fits(self, *, on_disk: bool) -> bool:
        """Whether it fits most likely: training below what has Dask end the worker, and quantizing below what pauses it.

        A worker that is paused goes on with what it does, but begins no other task, such as one that would quantize.
        """
        quantized = PROCESS_AT_WORK + self.beside + (0 if on_disk else self.bins)
        may_pause, may_end = _share("pause") * self.limit, _share("terminate") * self.limit
        return not self.limit or (quantized <= may_pause and self.probable(on_disk=on_disk) <= may_end)


def bytes_of_tables(values: int, n_features: int, most_borders: int, depth: int) -> int:
    """Bytes of a level's tables and of their parents, at the last level, if there were no bound."""
    return 2 * (8 * values * n_features << most_borders.bit_length()) << max(depth - 1, 0)


def table_budget(workers: Iterable[WorkerFacts]) -> int:
    """Bytes that tables of a level may take on a worker: an eighth of the smallest memory limit, where that is little."""
    return _budget([worker.memory_limit for worker in workers])


def _budget(limits: Iterable[int]) -> int:
    return min([histogram.TABLE_BUDGET, *(limit // _TABLE_SHARE for limit in limits if limit)])


def needs_of(
    sets: Sequence[SetShape], run: RunShape, limits: Mapping[str, int], threads: Mapping[str, int]
) -> list[WorkerNeed]:
    """What each worker that gets rows needs."""
    members = dict.fromkeys(address for one in sets for address, rows in one.rows.items() if rows)
    tables = int(_TABLES * min(run.table_bytes, _budget(limits.values())))
    run = replace(run, table_bytes=tables * max(1, run.folds, sum(one.trained for one in sets)))
    return [_need_of(address, sets, run, limits.get(address, 0), threads.get(address, 1)) for address in members]


def _need_of(address: str, sets: Sequence[SetShape], run: RunShape, limit: int, threads: int) -> WorkerNeed:
    bins = beside = reading = 0
    training = run.fixed
    for one in sets:
        rows = one.rows.get(address, 0)
        bins += rows * one.bins * ((run.copies * run.folds + 1 if run.folds else run.copies) if one.trained else 1)
        beside += rows * one.beside
        training += rows * run.row_bytes(one)
        if one.trained:
            reading = read_ahead_bytes(rows * one.dtype.itemsize, one.n_features, threads)
    n_rows = sum(one.rows.get(address, 0) for one in sets)
    cells = "numbers" if any(one.dtype == NUMBERS for one in sets) else "bins"
    return WorkerNeed(address, n_rows, bins, beside, training, run.table_bytes, reading, limit, cells)


def require_room(needs: Sequence[WorkerNeed], *, on_disk: bool, may_be_on_disk: bool, what: str = "X") -> None:
    """ClusterError, with the numbers of the worker that lacks most, if rows cannot fit into the workers' memory."""
    short = [need for need in needs if not need.can(on_disk=on_disk)]
    if not short:
        return
    need = max(short, key=lambda one: one.certain(on_disk=on_disk) - one.limit)
    held = (
        f"{format_bytes(need.reading)} to read bins through"
        if on_disk
        else f"{format_bytes(need.bins)} for {need.cells}"
    )
    problem = (
        f"{what}: worker {need.address} would need {format_bytes(need.certain(on_disk=on_disk))} for its {need.rows:,} rows, and "
        f"Dask ends it above {format_bytes(int(_share('terminate') * need.limit))} ({_share('terminate'):.0%} of its limit): "
        f"{held}, {format_bytes(need.beside)} for labels, weights and hashes, {format_bytes(need.training)} for training, "
        f"{format_bytes(PROCESS)} for the process"
    )
    fix = "Add workers or memory, or drop rows or features."
    if not on_disk and may_be_on_disk and all(one.can(on_disk=True) for one in needs):
        fix = "Set bins_on_disk=True to keep bins on the workers' disks, add workers or memory, or drop features."
    raise ClusterError(problem, fix)


def chosen(needs: Sequence[WorkerNeed]) -> bool:
    """Whether bins are better on disk: some worker has no room for them in memory, and every one has room without them."""
    return not all(need.fits(on_disk=False) for need in needs) and all(need.can(on_disk=True) for need in needs)


def said_of_disk(needs: Sequence[WorkerNeed]) -> str:
    """What users are told where bins go to disk by themselves."""
    need = max(needs, key=lambda one: one.probable(on_disk=False) - one.limit)
    return (
        f"Bins go to the workers' disks, and are read for every level of a tree: worker {need.address} has a memory limit of "
        f"{format_bytes(need.limit)}, and in memory its {need.rows:,} rows would need "
        f"{format_bytes(need.probable(on_disk=False))}, {format_bytes(need.bins)} of them for bins. "
        "Add workers or memory to train faster, or set bins_on_disk=True or False."
    )


def _share(threshold: str) -> float:
    """Share of a worker's limit at which Dask does something about it, 1 where it does nothing."""
    return float(dask.config.get(f"distributed.worker.memory.{threshold}", False) or 1.0)
