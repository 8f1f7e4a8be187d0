"""Bins in a file give the trees of bins in memory, bit for bit, whatever is trained, in blocks of any size."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gbdist import file_matrix
from gbdist.boosting import bins as bins_module
from gbdist.boosting import histogram
from gbdist.boosting.collective import Collective
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.file_matrix import FileMatrix
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.collective.threads import run_threads

from ..conftest import CategoricalTable, on_ranks
from ..conftest import make_table as categorical_table
from ..conftest import params_of as categorical_params
from .conftest import MakeTable, Table

#: A block of four features of 1,500 rows, so that there are several, and a last one that is shorter.
SMALL_BLOCK = 6_000


def params_of(loss: str = "RMSE", classes: int = 1, **more: Any) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        **{"iterations": 3, "depth": 5, "learning_rate": 0.3, **more},
    )


def in_file(rows: Rows, folder: Path) -> Rows:
    matrix = FileMatrix.create(str(folder), rows.bins.shape, rows.bins.dtype)
    matrix[...] = rows.bins
    return replace(rows, bins=matrix)


def assert_same(found: BoostResult, expected: BoostResult) -> None:
    assert found.trees == expected.trees
    assert found.history == expected.history
    assert found.bias.tobytes() == expected.bias.tobytes()


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_matrix, "BLOCK_BYTES", SMALL_BLOCK)
    monkeypatch.setattr(bins_module, "BLOCK_BYTES", SMALL_BLOCK)


RUNS: dict[str, dict[str, Any]] = {
    "symmetric": {},
    "symmetric, sampled": {"bootstrap": Bootstrap("MVS", 0.6), "rsm": 0.7},
    "Depthwise": {"grow_policy": "Depthwise"},
    "Lossguide": {"grow_policy": "Lossguide", "max_leaves": 11},
    "three threads": {"threads": 3},
}


@pytest.mark.parametrize("more", RUNS.values(), ids=list(RUNS))
@pytest.mark.parametrize("n_ranks", [1, 3])
@pytest.mark.parametrize("bins", [40, 300])
@pytest.mark.usefixtures("small_blocks")
def test_trees_are_those_of_memory(
    make_table: MakeTable, tmp_path: Path, more: dict[str, Any], n_ranks: int, bins: int
) -> None:
    table = make_table(n_rows=1_500, n_features=11, weighted=True, bins=min(bins, 40))
    evals = make_table(n_rows=400, n_features=11, seed=8, bins=min(bins, 40))
    if bins > 256:
        table, evals = (
            Table(replace(t.rows, bins=t.rows.bins.astype(np.uint16) * 7), t.n_bins * 7) for t in (table, evals)
        )
    params = params_of(**more)
    alone = table.boost(params, (evals,))

    def work(collective: Collective) -> BoostResult:
        start, stop = (table.rows.n_rows * r // n_ranks for r in (collective.rank, collective.rank + 1))
        sets = [table.part(start, stop), evals.rows if collective.rank == 0 else evals.part(0, 0)]
        train, held_out = (in_file(rows, tmp_path) for rows in sets)
        return boost(train, [held_out], table.n_bins, params, collective)

    for result in run_threads(n_ranks, work):
        assert_same(result, alone)


@pytest.mark.parametrize(("loss", "classes"), [("Logloss", 2), ("MultiClass", 3)])
@pytest.mark.parametrize("limits", [{"ALL_REDUCE_BYTES": 0}, {"TABLE_BUDGET": 40_000}])
@pytest.mark.usefixtures("small_blocks")
def test_tables_in_blocks_and_several_raw_values(
    make_table: MakeTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loss: str,
    classes: int,
    limits: dict[str, int],
) -> None:
    table = make_table(n_rows=1_500, n_features=11, classes=classes)
    params = params_of(loss, classes)
    alone = table.boost(params)
    for name, value in limits.items():
        monkeypatch.setattr(histogram, name, value)
    on_disk = Table(in_file(table.rows, tmp_path), table.n_bins)
    assert_same(on_disk.boost(params), alone)


@pytest.mark.parametrize("one_hot", [(), (0,), (0, 1, 2)])
@pytest.mark.parametrize("n_ranks", [1, 2])
@pytest.mark.usefixtures("small_blocks")
def test_categorical_columns_beside_bins_on_disk(tmp_path: Path, one_hot: tuple[int, ...], n_ranks: int) -> None:
    table, evals = categorical_table(sizes=(3, 6, 40)), categorical_table(300, sizes=(3, 6, 40), seed=1, unseen=0.1)
    params = categorical_params(table.rules(one_hot, max_complexity=2))

    def trained(on_disk: bool) -> list[BoostResult]:
        def work(sets: Sequence[Rows], collective: Collective) -> BoostResult:
            there = [in_file(rows, tmp_path) for rows in sets] if on_disk else sets
            return boost(there[0], there[1:], table.n_bins, params, collective)

        cuts = [one.cut(n_ranks) for one in (table, evals)]
        return on_ranks([[cut[rank] for cut in cuts] for rank in range(n_ranks)], work)

    for found, expected in zip(trained(True), trained(False), strict=True):
        assert_same(found, expected)
        assert found.categories.statistics == expected.categories.statistics
        assert found.eval_predictions[0].tobytes() == expected.eval_predictions[0].tobytes()


@pytest.mark.parametrize("table", [categorical_table(sizes=(3, 6), n_binned=0)])
def test_no_binned_column_at_all(tmp_path: Path, table: CategoricalTable) -> None:
    params = categorical_params(table.rules(max_complexity=2))

    def trained(rows: Rows) -> BoostResult:
        return on_ranks([[rows]], lambda sets, collective: boost(sets[0], [], table.n_bins, params, collective))[0]

    assert_same(trained(in_file(table.rows, tmp_path)), trained(table.rows))


def test_bins_are_read_once_a_level(make_table: MakeTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = make_table(n_rows=1_500, n_features=11)
    read: list[int] = []
    of_matrix = FileMatrix.read

    def note(matrix: FileMatrix, start: int, stop: int, out: Any = None) -> Any:
        read.append(stop - start)
        return of_matrix(matrix, start, stop, out)

    monkeypatch.setattr(FileMatrix, "read", note)
    on_disk = Table(in_file(table.rows, tmp_path), table.n_bins)
    on_disk.boost(params_of(iterations=1, depth=4))
    assert sum(read) == 4 * 11 + 4  # and a column for each split
