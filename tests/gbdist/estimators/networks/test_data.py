"""Rows of a network travel as those of trees do: on any workers, from any partitioning, they are the ones of this process."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.rows import Segment
from gbdist.errors import ClusterError, DataError, ParameterError
from gbdist.estimators import local_run
from gbdist.estimators.clusters import ready_workers
from gbdist.estimators.needs import RunShape
from gbdist.estimators.networks.data import network_rows, network_rows_here
from gbdist.estimators.placing import choice, require_room_again, require_room_to_send
from gbdist.estimators.preparation.inputs import Parts, collect
from gbdist.estimators.preparation.pipeline import Known, Source, quantize_sets
from gbdist.estimators.preparation.quantized import (
    QuantizedSet,
    class_names,
    codes_for_classes,
    layout_of,
    numbers_of_codes,
)
from gbdist.estimators.preparation.regroup import regroup
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.shard import Shard
from gbdist.estimators.preparation.split import split_for
from gbdist.neural.network.rows import NetworkRows
from gbdist.quantize.scales import ScaleRules
from gbdist.quantize.unbinned import HASHED
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.versions import WorkerFacts, check_workers

RULES = ScaleRules("quantile")
N_ROWS = 4_800
RNG = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {
        "a": RNG.normal(size=N_ROWS),
        "town": RNG.choice(["Oslo", "Rome", "Bonn", "Lima"], N_ROWS, p=[0.5, 0.3, 0.15, 0.05]),
        "b": np.where(RNG.random(N_ROWS) < 0.1, np.nan, RNG.gamma(1.0, size=N_ROWS)),
        "one": np.ones(N_ROWS),
        "y": RNG.choice(["no", "yes", "maybe"], N_ROWS),
        "w": RNG.random(N_ROWS) + 0.5,
    }
)
CLASS_WEIGHTS = np.array([1.0, 2.0, 0.5])


@pytest.fixture
def workers(client: Client) -> list[str]:
    return [worker.address for worker in ready_workers(client)]


def parts_of(data: Any, label: Any = "y", weight: Any = "w") -> Parts:
    parts = collect(data, label, weight)
    return replace(parts, unbinned=((parts.feature_names.index("town"), HASHED),))


def sources_of(data: Any, **columns: Any) -> list[Source]:
    """A training set, and rows that are held out of it."""
    side, parts = split_for(0.2), parts_of(data, **columns)
    return [Source(parts, "", side), Source(parts, "eval_fraction", side.other())]


def here(sources: Sequence[Source], loss: str = "log_loss") -> tuple[list[NetworkRows], Any]:
    """Rows of this process, and the vocabularies."""
    sets = local_run.survey_here(sources)
    scales = local_run.encodings_here(sets[0], RULES)
    tables = tables_of([each.survey for each in sets], loss)
    return network_rows_here(sets, scales, tables, CLASS_WEIGHTS if loss == "log_loss" else None, loss)


def tables_of(surveys: Sequence[Any], loss: str) -> list[Any]:
    if loss == "squared_error":
        return [numbers_of_codes(survey, "y") for survey in surveys]
    return [codes_for_classes(survey, class_names(surveys[0]), "y") for survey in surveys]


def on_ranks(client: Client, sets: Sequence[QuantizedSet], loss: str = "log_loss") -> list[tuple[Any, Any]]:
    """What each rank makes of its shards."""
    layouts = [
        replace(layout_of(data, table), class_weights=CLASS_WEIGHTS if loss == "log_loss" else None)
        for data, table in zip(sets, tables_of([data.survey for data in sets], loss), strict=True)
    ]
    stored: list[list[tuple[Shard, ...]]] = []
    for rank in range(len(sets[0].members)):
        futures = [one.future for data in sets for one in data.shards[rank]]
        stored.append([handle.shard for handle in client.gather(futures)])
    return run_threads(len(stored), lambda c: network_rows(layouts, stored[c.rank], loss, c))


def together(of_ranks: Sequence[NetworkRows]) -> tuple[Any, ...]:
    """Rows of all ranks in the order of their numbers."""
    order = np.argsort(np.concatenate([rows.numbers() for rows in of_ranks]))
    columns = [[getattr(rows, name) for rows in of_ranks] for name in ("numeric", "codes", "target", "weight")]
    return tuple(np.concatenate(column)[order] for column in columns)


def released(sets: Sequence[QuantizedSet]) -> None:
    for data in sets:
        data.release()


@pytest.mark.parametrize("kind", ["lazy", "lazy in small pieces", "persisted", "memory", "memory of a few rows"])
def test_rows_on_workers_are_those_of_this_process(client: Client, workers: list[str], kind: str) -> None:
    table = TABLE.iloc[:7] if kind == "memory of a few rows" else TABLE
    data: Any = table
    if kind.startswith("lazy") or kind == "persisted":
        data = dd.from_pandas(table, npartitions=29 if kind == "lazy in small pieces" else 4, sort=False)
        data = client.persist(data) if kind == "persisted" else data
    expected, vocabulary = here(sources_of(table))
    sets = quantize_sets(client, sources_of(data), workers, RULES)
    try:
        found = on_ranks(client, sets)
        assert sets[0].nbytes == sets[0].survey.n_rows * (3 * 4 + 4 + 4 + 4)
        assert not sets[0].borders
        assert len(sets[0].scales) == 3
    finally:
        released(sets)
    assert len(found) == (1 if kind.endswith("few rows") else 3)
    for number in range(2):
        mine, theirs = together([expected[number]]), together([rows[number] for rows, _ in found])
        assert all(a.tobytes() == b.tobytes() for a, b in zip(mine, theirs, strict=True))
        assert all(a.dtype == b.dtype for a, b in zip(mine, theirs, strict=True))
    for rows, vocabularies in found:
        assert [each.tolist() for each in vocabularies] == [each.tolist() for each in vocabulary]
        assert all(one.numeric.flags.c_contiguous and one.numeric.dtype == np.float32 for one in rows)


def test_rows_that_have_moved_are_the_same(client: Client, workers: list[str]) -> None:
    expected, _ = here(sources_of(TABLE))
    sets = quantize_sets(client, sources_of(dd.from_pandas(TABLE, npartitions=5, sort=False)), workers, RULES)
    with FutureScope() as scope:
        try:
            moved = regroup(client, sets, workers[:2], scope)
            found = on_ranks(client, moved)
        finally:
            released(sets)
    assert len(moved[0].members) == 2
    mine, theirs = together([expected[0]]), together([rows[0] for rows, _ in found])
    assert all(a.tobytes() == b.tobytes() for a, b in zip(mine, theirs, strict=True))


def test_rows_of_this_process_are_encoded_once_more_where_a_worker_took_them_along(
    client: Client, workers: list[str]
) -> None:
    (data,) = quantize_sets(client, [Source(parts_of(TABLE))], workers, RULES)
    with FutureScope() as scope:
        try:
            for stored in [one for of_rank in data.shards for one in of_rank]:
                again = stored.made_again(client, workers[0], scope)
                before, after = client.gather([stored.future, again.future])
                for mine, theirs in zip(before.shard, after.shard, strict=True):
                    assert theirs.cells.tobytes() == mine.cells.tobytes()
                    assert theirs.cells.T.flags.c_contiguous
                    assert np.array_equal(theirs.hashes, mine.hashes)
        finally:
            released([data])


def test_targets_and_weights_of_each_loss() -> None:
    (rows, _), vocabulary = here(sources_of(TABLE))
    kept = split_for(0.2).mask(0, N_ROWS)
    table = TABLE[kept]
    number = table["y"].map({"maybe": 0, "no": 1, "yes": 2}).to_numpy()
    assert rows.target.dtype == np.int32
    assert rows.target.tolist() == number.tolist()
    assert np.array_equal(rows.weight, (CLASS_WEIGHTS[number] * table["w"].astype(np.float32)).astype(np.float32))
    assert [each.shape for each in vocabulary] == [(4,)]
    assert np.bincount(rows.codes[:, 0]).tolist() == [0, *table["town"].value_counts()]
    assert rows.segments == (Segment(0, int(kept.sum()), 0),)
    assert (rows.numeric[:, 2] == 0.0).all()
    assert np.isfinite(rows.numeric).all()
    (numbers, _), _ = here(sources_of(TABLE.assign(y=TABLE["a"] * 2), weight=None), "squared_error")
    assert (numbers.weight, numbers.target.dtype, numbers.target.shape) == (None, np.float32, (numbers.n_rows, 1))
    assert np.array_equal(numbers.target[:, 0], (table["a"] * 2).astype(np.float32))


@pytest.mark.parametrize("loss", ["squared_error", "binary_log_loss"])
def test_several_labels_a_row(loss: str) -> None:
    labels = (TABLE[["a", "w"]] > 0.8).astype(float)
    (data,) = local_run.survey_here([Source(parts_of(TABLE[["a", "town", "b"]], labels.to_numpy(), None))])
    scales = local_run.encodings_here(data, RULES)
    (rows,), _ = network_rows_here([data], scales, [None], None, loss)
    assert np.array_equal(rows.target, labels.to_numpy(np.float32))
    assert rows.target.flags.c_contiguous


def test_two_classes_are_zero_and_one() -> None:
    table = TABLE.assign(y=np.where(TABLE["a"] > 0, "yes", "no"))
    (data,) = local_run.survey_here([Source(parts_of(table))])
    tables = tables_of([data.survey], "binary_log_loss")
    (rows,), _ = network_rows_here([data], local_run.encodings_here(data, RULES), tables, None, "binary_log_loss")
    assert np.array_equal(rows.target, (table["a"] > 0).to_numpy(np.float32)[:, np.newaxis])


def test_numbers_are_not_copied_where_shards_fill_an_arena() -> None:
    (data,) = local_run.survey_here([Source(parts_of(TABLE))])
    shard, row = local_run.shard_here(data, local_run.encodings_here(data, RULES))
    layout = replace(layout_of(QuantizedSet((), (), (), data.survey, 0), None), row=row, counts=(1,))
    (rows,), _ = network_rows([layout], [(shard,)], "squared_error", SingleRank())
    assert np.shares_memory(rows.numeric, shard.arena.cells)
    assert np.shares_memory(rows.weight, shard.arena.weight)


def test_table_of_categories_alone(client: Client, workers: list[str]) -> None:
    table = TABLE[["town", "y"]]
    sources = [Source(parts_of(table, weight=None))]
    expected, _ = here(sources)
    lazy = parts_of(dd.from_pandas(table, npartitions=3), weight=None)
    sets = quantize_sets(client, [Source(lazy)], workers, RULES)
    found = on_ranks(client, sets)
    released(sets)
    rows = [of_rank[0] for of_rank, _ in found]
    assert all((one.numeric.shape, one.numeric.dtype) == ((one.n_rows, 0), np.float32) for one in rows)
    assert np.array_equal(together(rows)[1], expected[0].codes)


def test_known_scales_and_vocabularies_are_kept(client: Client, workers: list[str]) -> None:
    """As when a model is gone on with, or for an eval set of its own."""
    sets = local_run.survey_here([Source(parts_of(TABLE))])
    scales = local_run.encodings_here(sets[0], RULES)
    (_,), known = network_rows_here(sets, scales, [None], None, "squared_error")
    other = TABLE.iloc[::-1].iloc[:300].assign(a=lambda table: table["a"] + 5.0, town="Bonn")
    names = sets[0].survey.names
    rules = replace(RULES, known=dict(zip(names, scales, strict=True)))
    (rows,), again = network_rows_here(
        local_run.survey_here([Source(parts_of(other))]),
        local_run.encodings_here(local_run.survey_here([Source(parts_of(other))])[0], rules),
        [None],
        None,
        "squared_error",
        known,
    )
    assert again == known
    assert set(rows.codes[:, 0]) == {3}
    members = tuple(workers)
    trained = Known(members, scales, sets[0].survey)
    (made,) = quantize_sets(
        client, [Source(parts_of(dd.from_pandas(other, npartitions=2, sort=False)))], members, trained
    )
    handles = client.gather([one.future for of_rank in made.shards for one in of_rank])
    shards = sorted((shard for handle in handles for shard in handle.shard), key=lambda shard: shard.first_row)
    released([made])
    assert np.array_equal(np.concatenate([shard.cells.T for shard in shards]), rows.numeric)


def test_infinite_values_end_the_preparation(
    client: Client, workers: list[str], tasks_left: Callable[[], list[str]]
) -> None:
    table = TABLE.copy()
    table.loc[N_ROWS - 1, "b"] = np.inf
    for data in (table, dd.from_pandas(table, npartitions=4, sort=False)):
        with pytest.raises(DataError, match=r"^column 'b'.*: found 1 value\(s\) that are infinite"):
            quantize_sets(client, sources_of(data), workers, RULES)
        assert tasks_left() == []
    rules = ScaleRules("none", fill_missing=False)
    with pytest.raises(DataError, match=r"^column 'b': found missing values \(NaN\)"):
        quantize_sets(client, [Source(parts_of(TABLE))], workers, rules)
    assert tasks_left() == []


def test_disks_are_for_bins(client: Client, workers: list[str]) -> None:
    with pytest.raises(ParameterError) as error:
        quantize_sets(client, sources_of(TABLE), workers, RULES, on_disk=True)
    assert str(error.value) == (
        "bins_on_disk=True cannot be used: expected False for a network, which reads its rows in any order. "
        "Leave it out, or use the trees: DaskCatBoostClassifier, DaskCatBoostRegressor."
    )


def test_numbers_that_fit_nowhere_are_refused_before_any_is_made(
    client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch, tasks_left: Callable[[], list[str]]
) -> None:
    run = RunShape.of_network(1, 1, 200 << 20)
    limited = [replace(worker, memory_limit=1 << 30) for worker in check_workers(client)]
    monkeypatch.setattr("gbdist.estimators.preparation.pipeline.check_workers", lambda client: limited)
    choose = choice(None, lambda n_features: run, RULES.cells, may_be_on_disk=False)
    with pytest.raises(ClusterError, match=r"for numbers, .* Add workers or memory"):
        quantize_sets(client, sources_of(TABLE), workers, RULES, on_disk=None, choose=choose)
    assert tasks_left() == []


def test_four_bytes_a_cell_are_counted() -> None:
    # No memory is touched: the matrix is one zero.
    parts = collect(np.broadcast_to(np.zeros((), np.float32), (3_000, 100_000)), np.zeros(3_000))
    worker = WorkerFacts("tcp://10.0.0.1:1", 1, 1 << 30, "w")
    require_room_to_send(parts, [worker], False, may_be_on_disk=False)
    with pytest.raises(ClusterError, match=r"1\.12 GiB for numbers"):
        require_room_to_send(parts, [worker], False, may_be_on_disk=False, cells=RULES.cells)
    sets = local_run.survey_here([Source(parts_of(TABLE))])
    survey = replace(sets[0].survey, part_rows=(90_000_000,))
    held = QuantizedSet((worker.address,), ((),), local_run.encodings_here(sets[0], RULES), survey, 0)
    with pytest.raises(ClusterError, match=r"1\.01 GiB for numbers"):
        require_room_again([held], RunShape.of_network(1, 1, 1_000), [worker])
