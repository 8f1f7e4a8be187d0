"""Where the bins of a run go, memory or the workers' disks, once the facts of all data sets are known (decision 0028)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from warnings import warn

import numpy as np

from gbdist.estimators import needs
from gbdist.estimators.needs import RunShape, SetShape, WorkerNeed
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.preparation.inputs import Parts
from gbdist.estimators.preparation.pipeline import Choice
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.shard import RowShape
from gbdist.quantize.cells import BINS
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.unbinned import HASH_BYTES, HASHED
from gbdist_cluster.placement import Placement
from gbdist_cluster.versions import WorkerFacts

if TYPE_CHECKING:
    from gbdist.estimators.setup import Setup

#: Of ``bins_on_disk``, None for "auto".
Wanted = bool | None
#: The least that training takes.
_ANY_RUN = RunShape()


def choice(
    wanted: Wanted,
    run: Callable[[int], RunShape],
    cells: np.dtype[Any],
    *,
    may_be_on_disk: bool = True,
    n_alike: int = 1,
) -> Choice:
    """Decides whether bins go to disk, and refuses what fits nowhere; ``run`` is asked, with the number of columns of numbers,
    when the facts are known.

    ``cells`` is the type of the cells, the widest that may be needed. ``may_be_on_disk``: whether what is to be trained can read
    bins there. ``n_alike``: so many times as many sets will be there in the end.
    """

    def choose(placed: Sequence[tuple[DataSurvey, Placement, int]], workers: Sequence[WorkerFacts]) -> bool:
        sets = [
            _shape(survey, _rows_of(placement), dimension, cells, trained=number == 0)
            for number, (survey, placement, dimension) in enumerate(placed)
        ] * n_alike
        found = _needs(sets, run(sets[0].n_features), workers)
        on_disk = decide(wanted, found, may_be_on_disk=may_be_on_disk)
        needs.require_room(found, on_disk=on_disk, may_be_on_disk=may_be_on_disk)
        return on_disk

    return choose


def run_shape(setup: "Setup", n_features: int, most_borders: int, folds: int = 0) -> RunShape:
    """What a run, or ``folds`` side by side, takes beside its rows' values; ``n_features`` are binned."""
    resolved = setup.resolved
    if isinstance(resolved, Resolved):
        return replace(RunShape.of(resolved.params, n_features, most_borders), folds=folds)
    return RunShape(values=max(1, resolved.dimension), pooled=True)


def shape_on(train: QuantizedSet, resolved: Resolved, folds: int = 0) -> RunShape:
    """What a run on histograms, or ``folds`` of them, takes beside the rows, once its training set is quantized."""
    most = max((len(each.values) for each in train.borders), default=0)
    return replace(RunShape.of(resolved.params, len(train.borders), most), folds=folds)


def any_run(n_features: int) -> RunShape:
    """The least that training on a pool takes."""
    return _ANY_RUN


def no_run(n_features: int) -> RunShape:
    """What a pool takes that nothing is trained on."""
    return RunShape(values=0)


def require_room_to_send(
    parts: Parts,
    workers: Sequence[WorkerFacts],
    wanted: Wanted,
    *,
    may_be_on_disk: bool,
    cells: np.dtype[Any] = BINS,
    run: RunShape = _ANY_RUN,
) -> None:
    """ClusterError before rows of this process are sent to workers that have no room for what becomes of them."""
    if parts.lazy or parts.n_rows is None:
        return
    unbinned = len(parts.unbinned)
    rows = {worker.address: parts.n_rows // len(workers) for worker in workers}
    beside = HASH_BYTES * sum(kind == HASHED for _, kind in parts.unbinned)
    shape = SetShape(rows, len(parts.feature_names) - unbinned, cells, beside, trained=True)
    found = _needs([shape], run, workers)
    on_disk = may_be_on_disk if wanted is None else wanted
    needs.require_room(found, on_disk=on_disk, may_be_on_disk=may_be_on_disk)


def require_room_again(sets: Sequence[QuantizedSet], run: RunShape, workers: Sequence[WorkerFacts]) -> None:
    """ClusterError if the rows of a run that goes on do not fit into the workers that there are now, in even shares."""
    rows = [{worker.address: -(-data.survey.n_rows // len(workers)) for worker in workers} for data in sets]
    needs.require_room(_needs_again(sets, rows, run, workers), on_disk=sets[0].on_disk, may_be_on_disk=False)


def room_for(
    sets: Sequence[QuantizedSet],
    rows: Sequence[Mapping[str, int]],
    run: RunShape,
    workers: Sequence[WorkerFacts],
) -> bool:
    """Whether a run that goes on fits most likely if each worker has so many ``rows`` of each set; others than ``workers`` do."""
    return all(need.fits(on_disk=sets[0].on_disk) for need in _needs_again(sets, rows, run, workers))


def fits_on_each(data: QuantizedSet, folds: int, workers: Sequence[WorkerFacts]) -> bool:
    """Whether each worker has room for all rows in its memory, beside its share of them, with what a run of folds takes."""
    n_rows = data.survey.n_rows
    rows = {worker.address: n_rows + -(-n_rows // len(workers)) for worker in workers}
    return not data.on_disk and room_for([data], [rows], replace(_ANY_RUN, folds=folds), workers)


def _needs_again(
    sets: Sequence[QuantizedSet],
    rows: Sequence[Mapping[str, int]],
    run: RunShape,
    workers: Sequence[WorkerFacts],
) -> list[WorkerNeed]:
    shapes = [
        SetShape(of_set, data.row.n_features, data.row.dtype, _beside(data.survey, data.dimension), trained)
        for data, of_set, trained in zip(sets, rows, run.trains(len(sets)), strict=True)
    ]
    return _needs(shapes, run, workers)


def decide(wanted: Wanted, found: Sequence[WorkerNeed], *, may_be_on_disk: bool = True, told: bool = True) -> bool:
    """What ``bins_on_disk`` comes to; a warning, if it is to be ``told``, where bins go to disk that nobody sent there."""
    if wanted is not None:
        return wanted
    if not may_be_on_disk or not needs.chosen(found):
        return False
    if told:
        warn(needs.said_of_disk(found), stacklevel=2)
    return True


def _needs(sets: Sequence[SetShape], run: RunShape, workers: Sequence[WorkerFacts]) -> list[WorkerNeed]:
    limits = {worker.address: worker.memory_limit for worker in workers}
    return needs.needs_of(sets, run, limits, {worker.address: worker.threads for worker in workers})


def _rows_of(placement: Placement) -> dict[str, int]:
    return {address: placement.rows_of(rank) for rank, address in enumerate(placement.members)}


def _shape(
    survey: DataSurvey, rows: Mapping[str, int], dimension: int, dtype: np.dtype[Any], *, trained: bool
) -> SetShape:
    return SetShape(rows, len(survey.names), dtype, _beside(survey, dimension), trained)


def _beside(survey: DataSurvey, dimension: int) -> int:
    """Bytes of a row beside its bins."""
    row = replace(RowShape.of(survey, dimension, BINS), n_features=0, hashed=())
    return row.nbytes + survey.unbinned_row_bytes + 8 * (survey.part_cuts is not None)
