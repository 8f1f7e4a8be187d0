"""What a worker needs is arithmetic; what cannot fit is refused with the numbers."""

from dataclasses import replace
from typing import Any

import dask
import pytest

from gbdist.boosting.params import BoostParams
from gbdist.categories.rules import CategoricalColumn, CategoryRules, StatisticRule
from gbdist.errors import ClusterError
from gbdist.estimators.needs import RunShape, SetShape, WorkerNeed, bytes_of_tables, needs_of, require_room
from gbdist.estimators.placing import require_room_to_send
from gbdist.estimators.preparation.inputs import collect
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist.quantize.cells import BINS, NUMBERS, WIDE_BINS
from gbdist_cluster.versions import WorkerFacts

MB, GB = 1 << 20, 1 << 30
A, B = "tcp://10.0.0.1:1", "tcp://10.0.0.2:1"


def params_of(loss: str = "Logloss", classes: int = 2, **more: Any) -> BoostParams:
    return BoostParams(make_objective(loss, classes), make_metrics(loss, classes, loss), **more)


def shape(rows: dict[str, int], *, wide: bool = False, trained: bool = True) -> SetShape:
    return SetShape(rows, n_features=100, dtype=WIDE_BINS if wide else BINS, beside=12, trained=trained)


def need(sets: list[SetShape], run: RunShape, limit: int = 0) -> list[WorkerNeed]:
    return needs_of(sets, run, {A: limit, B: limit}, {A: 1, B: 4})


def test_rows_of_each_worker() -> None:
    first, second = need([shape({A: 1_000, B: 3_000}), shape({B: 500}, trained=False)], RunShape())
    assert (first.rows, first.bins, first.beside, first.training) == (1_000, 100_000, 12_000, 58_000)
    assert (second.rows, second.bins, second.beside) == (3_500, 350_000, 42_000)
    assert second.training == 3_000 * 58 + 500 * 10
    assert (first.reading, second.reading) == (200_000, 600_000)
    assert [one.address for one in need([shape({A: 0, B: 1})], RunShape())] == [B]


@pytest.mark.parametrize(
    ("run", "bins", "training"),
    [
        (RunShape(values=0), 100, 0),
        (RunShape(values=5), 100, 5 * 34 + 24),
        (RunShape(permutations=4), 100, 58 + 3 * 8),
        (RunShape(copies=2), 200, 58),
        (RunShape(folds=5), 600, 5 * 58),
        (RunShape(copies=2, folds=3), 700, 3 * 58),
        (RunShape(pooled=True), 100, 58 + 100),
    ],
)
def test_what_a_run_keeps_of_a_row(run: RunShape, bins: int, training: int) -> None:
    (found,) = need([shape({A: 1_000})], run)
    assert (found.bins, found.training) == (1_000 * bins, 1_000 * training)
    (wide,) = need([shape({A: 1_000}, wide=True)], run)
    assert wide.bins == 2 * found.bins


def test_folds_with_data_sets_of_their_own_train_on_each_other_one() -> None:
    assert RunShape(apart=True).trains(4) == [True, False, True, False]
    assert RunShape().trains(3) == [True, False, False]


def test_shape_of_a_run() -> None:
    assert RunShape.of(params_of(), 100, 254) == RunShape(1, 1, 2 * 8 * 100 * 256 * 32)
    assert RunShape.of(params_of("MultiClass", 5, depth=3), 100, 31) == RunShape(5, 1, 2 * 5 * 8 * 100 * 32 * 4)
    leaves = RunShape.of(params_of(grow_policy="Lossguide", max_leaves=31), 100, 254)
    assert leaves.table_bytes == bytes_of_tables(1, 100, 254, 5)
    column = CategoricalColumn(1, "c", None)
    simple = (StatisticRule("Counter", (0.0,)),)
    rules = CategoryRules((column,), simple=simple, combined=simple, permutations=4)
    made = RunShape.of(params_of(categories=rules), 100, 254)
    assert (made.copies, made.permutations) == (2, 4)
    made = RunShape.of(params_of(categories=replace(rules, has_time=True)), 100, 254)
    assert (made.copies, made.permutations) == (2, 1)


def test_tables_are_bounded_by_an_eighth_of_the_smallest_limit() -> None:
    run = RunShape(table_bytes=10 * GB)
    assert [one.tables for one in need([shape({A: 1, B: 1})], run)] == [640 * MB] * 2
    assert [one.tables for one in need([shape({A: 1, B: 1})], run, limit=2 * GB)] == [320 * MB] * 2
    assert [one.tables for one in needs_of([shape({A: 1, B: 1})], run, {A: GB, B: 0}, {})] == [160 * MB] * 2
    apart = [shape({A: 1}), shape({A: 1}, trained=False)] * 3
    (found,) = need(apart, replace(run, apart=True), limit=2 * GB)
    assert found.tables == 3 * 320 * MB
    folds = replace(run, folds=3)
    assert [one.tables for one in needs_of([shape({A: 1, B: 1})], folds, {A: GB, B: 0}, {})] == [3 * 160 * MB] * 2


def one_need(**more: int) -> WorkerNeed:
    given = {"rows": 10**6, "bins": 900 * MB, "beside": 12 * MB, "training": 58 * MB, "tables": 0, "reading": 64 * MB}
    return WorkerNeed(A, limit=GB, **{**given, **more})


def test_refusal_that_disks_would_lift() -> None:
    with pytest.raises(ClusterError) as error:
        require_room([one_need(), one_need(bins=0)], on_disk=False, may_be_on_disk=True)
    assert str(error.value) == (
        "X: worker tcp://10.0.0.1:1 would need 1.24 GiB for its 1,000,000 rows, and Dask ends it above 0.95 GiB (95% of its "
        "limit): 900.00 MiB for bins, 12.00 MiB for labels, weights and hashes, 58.00 MiB for training, 300.00 MiB for the "
        "process. Set bins_on_disk=True to keep bins on the workers' disks, add workers or memory, or drop features."
    )


@pytest.mark.parametrize(
    ("found", "on_disk", "may"),
    [(one_need(), False, False), (one_need(training=600 * MB), False, True), (one_need(training=600 * MB), True, True)],
)
def test_refusal_that_disks_would_not_lift(found: WorkerNeed, on_disk: bool, may: bool) -> None:
    with pytest.raises(ClusterError) as error:
        require_room([found], on_disk=on_disk, may_be_on_disk=may, what="X")
    assert error.value.args[1] == "Add workers or memory, or drop rows or features."
    assert ("64.00 MiB to read bins through" in str(error.value)) == on_disk


def test_nothing_is_refused_without_a_limit_or_below_it() -> None:
    require_room([replace(one_need(), limit=0)], on_disk=False, may_be_on_disk=True)
    require_room([one_need(bins=602 * MB)], on_disk=False, may_be_on_disk=True)
    require_room([one_need()], on_disk=True, may_be_on_disk=True)
    with dask.config.set({"distributed.worker.memory.terminate": False}):
        require_room([one_need(bins=650 * MB)], on_disk=False, may_be_on_disk=True)


def test_what_fits_leaves_room_for_what_is_not_certain() -> None:
    assert one_need(bins=300 * MB).fits(on_disk=False)
    assert one_need(bins=300 * MB, tables=120 * MB).fits(on_disk=False)
    assert not one_need(bins=300 * MB, tables=130 * MB).fits(on_disk=False)  # ended while it trains
    assert not one_need(bins=330 * MB).fits(on_disk=False)  # paused while rows are quantized
    assert one_need(bins=330 * MB, tables=130 * MB).can(on_disk=False)
    assert one_need(bins=330 * MB, tables=120 * MB).fits(on_disk=True)


def test_rows_of_this_process_are_refused_before_they_are_sent() -> None:
    import numpy as np

    # No memory is touched: the matrix is one zero.
    X = np.broadcast_to(np.zeros((), np.float32), (30_000, 100_000))
    parts = collect(X, np.zeros(30_000))
    workers = [WorkerFacts(address, 1, GB, address) for address in (A, B)]
    with pytest.raises(ClusterError, match=r"^X: worker tcp://10.0.0.1:1 would need 1.69 GiB for its 15,000 rows"):
        require_room_to_send(parts, workers, False, may_be_on_disk=True)
    require_room_to_send(parts, workers, None, may_be_on_disk=True)
    require_room_to_send(parts, [replace(worker, memory_limit=0) for worker in workers], False, may_be_on_disk=True)


def test_what_a_network_keeps() -> None:
    run = RunShape.of_network(n_outputs=3, n_hashed=2, n_parameters=1_000)
    sets = [SetShape({A: 1_000, B: 0}, 100, NUMBERS, 20, trained=True), SetShape({A: 10}, 100, NUMBERS, 20, False)]
    (found,) = need(sets, run)
    assert (found.bins, found.beside) == (400 * 1_010, 20 * 1_010)
    assert found.training == 40_000 + 1_000 * (2 * 4 + 3 * 4 + 24) + 10 * (2 * 4 + 3 * 12 + 12)
    (ahead,) = need(sets, RunShape.of_network(3, 2, 1_000, under_way=2))
    assert ahead.training == found.training + 2 * 12_000


def test_numbers_of_a_network_are_refused_by_their_name() -> None:
    shape_of_numbers = SetShape({A: 10**6}, 300, NUMBERS, 12, trained=True)
    found = need([shape_of_numbers], RunShape.of_network(1, 0, 10**6), limit=GB)
    with pytest.raises(ClusterError) as error:
        require_room(found, on_disk=False, may_be_on_disk=False)
    assert str(error.value) == (
        "X: worker tcp://10.0.0.1:1 would need 1.49 GiB for its 1,000,000 rows, and Dask ends it above 0.95 GiB (95% of its "
        "limit): 1.12 GiB for numbers, 11.44 MiB for labels, weights and hashes, 64.85 MiB for training, 300.00 MiB for the "
        "process. Add workers or memory, or drop rows or features."
    )
