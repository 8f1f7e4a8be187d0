"""Data sets on other workers than before hold the rows that they held, each once, and what was lost is made again."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostRegressor
from dask.utils import key_split
from distributed import Client, wait

from gbdist.boosting.rows import Rows, Segment
from gbdist.estimators.clusters import ready_workers
from gbdist.estimators.columns import ColumnRules, unbinned_of
from gbdist.estimators.initial import initial_model
from gbdist.estimators.parameters.cuts import quantize_params
from gbdist.estimators.preparation import futures, surveying
from gbdist.estimators.preparation.futures import held_where
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.pipeline import Source, quantize_sets
from gbdist.estimators.preparation.quantized import QuantizedSet, layout_of
from gbdist.estimators.preparation.raw_parts import futures_in
from gbdist.estimators.preparation.regroup import regroup, settled
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.split import split_for
from gbdist.estimators.preparation.stored import futures_of
from gbdist_cluster.errors import ShardsGone
from gbdist_cluster.placement import largest_rank
from gbdist_cluster.shards import wait_for_shards

FEATURES = list("abcdef")
Make = Callable[..., list[QuantizedSet]]


@pytest.fixture
def scope() -> Iterator[FutureScope]:
    """What later gangs make, as long as a run takes."""
    with FutureScope() as made:
        yield made


@pytest.fixture
def workers(client: Client) -> list[str]:
    return [worker.address for worker in ready_workers(client)]


@pytest.fixture
def quantized(client: Client, workers: list[str]) -> Iterator[Make]:
    """Quantize data sets on all three workers; they are let go at the end."""
    made: list[QuantizedSet] = []

    def quantize(*sources: Source, **how: Any) -> list[QuantizedSet]:
        parts = sources[0].parts
        rules = quantize_params({"border_count": 40}, parts.feature_names, [at for at, _ in parts.unbinned])
        sets = quantize_sets(client, sources, workers, rules, **how)
        made.extend(sets)
        return sets

    yield quantize
    for data in made:
        data.release()


@pytest.fixture
def _frames_let_go(client: Client) -> Iterator[None]:
    """An error's frames refer to futures, and to each other."""
    yield
    gc.collect()


def whole(client: Client, data: QuantizedSet) -> Rows:
    """All rows of a data set, put together as one rank would; each must be there once."""
    handles = client.gather(futures_of(data.shards))
    rows = layout_of(data, None).rows_of([shard for handle in handles for shard in handle.shard])
    assert rows.segments == (Segment(0, data.survey.n_rows, 0),)
    told = [one.spans for of_rank in data.shards for one in of_rank]
    assert told == [
        tuple((each.first_row, each.first_row + each.n_rows) for each in handle.shard) for handle in handles
    ]
    return rows


def assert_same(found: Rows, expected: Rows) -> None:
    for name in ("label", "weight", "baseline", "group"):
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None), name
        assert one is None or np.array_equal(one, other), name
    assert np.array_equal(found.bins[:, :], expected.bins[:, :])
    assert [column.position for column in found.unbinned] == [column.position for column in expected.unbinned]
    for mine, theirs in zip(found.unbinned, expected.unbinned, strict=True):
        assert np.array_equal(mine.values, theirs.values)


def rows_of(data: QuantizedSet) -> list[int]:
    """How many rows each rank owns."""
    return [sum(one.n_rows for one in of_rank) for of_rank in data.shards]


def n_cut(data: QuantizedSet) -> int:
    """How many shards were cut out of others."""
    return sum(key_split(future.key) == "gbdist-part" for future in futures_of(data.shards))


def source(table: pd.DataFrame, kind: str) -> Source:
    """A data set in four partitions of 1,250 rows."""
    rng = np.random.default_rng(5)
    y, w = da.from_array(table["y"].to_numpy(), 1_250), da.from_array(table["w"].to_numpy(), 1_250)
    X = da.from_array(table[FEATURES].to_numpy(), (1_250, 6))
    match kind:
        case "weights":
            return Source(collect(X, y, w))
        case "baseline":
            return Source(collect(X, y, baseline=da.from_array(rng.normal(size=(5_000, 2)), (1_250, 2))))
        case "groups":
            return Source(
                collect(X, y, group_id=da.from_array(np.arange(5_000) // 33, 1_250))
            )  # most partitions begin within one
        case "several labels":
            return Source(collect(X, da.from_array(rng.normal(size=(5_000, 3)), (1_250, 3))))
        case "one side":
            return Source(collect(X, y), "", split_for(0.2))
        case "hashed":
            frame = table.assign(
                b=np.array(["red", "green", "blue"])[rng.integers(0, 3, 5_000)], e=np.arange(5_000).astype(str)
            )
            parts = collect(dd.from_pandas(frame, npartitions=4, sort=False), "y", "w")
            return Source(replace(parts, unbinned=unbinned_of(parts, ColumnRules({}))))
    return Source(collect(X, y))


KINDS = ["weights", "baseline", "groups", "several labels", "one side", "hashed", "on disk"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_owned_once_on_any_workers(
    client: Client,
    table: pd.DataFrame,
    workers: list[str],
    quantized: Make,
    scope: FutureScope,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind == "groups":
        # A task a piece, so that shards begin within groups. Were raw rows asked for where they lie, which changes from run to
        # run, there might be pieces of which two workers can take as many rows each. These need a cut wherever they lie.
        monkeypatch.setattr(futures, "_BATCH_BYTES", 1)
        monkeypatch.setattr(surveying, "held_where", lambda client, raw: (None,) * len(raw))
    (data,) = quantized(source(table, kind), on_disk=kind == "on disk")
    expected = whole(client, data)
    assert expected.unbinned == () or kind == "hashed"
    cuts = []
    for chosen in (workers[:2], workers[1:2], workers[::-1]):  # each goes on from the one before, as a run does
        (data,) = regroup(client, [data], chosen, scope)
        assert data.members == tuple(chosen)
        assert min(rows_of(data)) > 0
        assert_same(whole(client, data), expected)
        cuts.append(n_cut(data))
        if kind == "groups":
            handles = [client.gather(futures_of([of_rank])) for of_rank in data.shards]
            groups = [{one for each in of_rank for shard in each.shard for one in shard.group} for of_rank in handles]
            assert sum(map(len, groups)) == len(set().union(*groups)) == 152
        else:
            assert max(rows_of(data)) <= largest_rank(data.survey.n_rows, len(chosen))
    assert max(cuts) > 0
    assert data.on_disk == (kind == "on disk")


def test_what_lies_in_place_stays_there(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    (data,) = quantized(source(table, "plain"))
    (same,) = regroup(client, [data], workers, scope)
    assert [future.key for future in futures_of(same.shards)] == [future.key for future in futures_of(data.shards)]
    assert scope.held == []
    (one,) = regroup(client, [data], workers[2:], scope)
    assert {future.key for future in futures_of(one.shards)} == {future.key for future in futures_of(data.shards)}


def test_sets_are_regrouped_where_a_worker_of_theirs_has_left(
    client: Client, table: pd.DataFrame, quantized: Make, scope: FutureScope
) -> None:
    (data,) = quantized(source(table, "plain"))
    there = ready_workers(client)
    assert settled(client, [data], there, scope) == [data]
    assert scope.held == []
    (moved,) = settled(client, [data], there[1:], scope)
    assert moved.members == tuple(worker.address for worker in there[1:])


def test_an_eval_set_goes_to_the_ranks_of_the_training_set(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    sets = quantized(source(table, "weights"), Source(source(table[:1_500], "weights").parts, "eval_set"))
    expected = [whole(client, data) for data in sets]
    for chosen in (workers[:2], workers[:1], workers):
        sets = regroup(client, sets, chosen, scope)
        assert [data.members for data in sets] == [tuple(chosen)] * 2
        for data, rows in zip(sets, expected, strict=True):
            assert_same(whole(client, data), rows)


def test_an_eval_set_has_no_more_ranks_than_the_training_set(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    sets = quantized(source(table[:2_500], "weights"), Source(source(table, "weights").parts, "eval_set"))
    (_, expected) = (whole(client, data) for data in sets)
    for chosen, n_ranks in ((workers[1:], 2), (workers, 2), (workers[:1], 1)):
        sets = regroup(client, sets, chosen, scope)
        assert sets[0].members == sets[1].members
        assert len(sets[0].members) == n_ranks
        assert_same(whole(client, sets[1]), expected)


def given_as(client: Client, table: pd.DataFrame, state: str) -> tuple[Any, Any]:
    """Features and labels, lazy or not."""
    X, y = da.from_array(table[FEATURES].to_numpy(), (1_250, 6)), da.from_array(table["y"].to_numpy(), 1_250)
    match state:
        case "in memory":
            return table[FEATURES], table["y"]
        case "labels in memory":
            return X, table["y"].to_numpy()
        case "persisted frame":
            X, y = dd.from_pandas(table[FEATURES], npartitions=4), dd.from_pandas(table["y"], npartitions=4)
    if state.startswith("persisted"):
        with client.as_current():
            X, y = client.persist([X, y])
            wait([X, y])
    return X, y


def cancel(client: Client, lost: Sequence[Any]) -> None:
    """Have the cluster lose what these futures are of."""
    client.cancel(list(lost))
    assert {future.status for future in lost} == {"cancelled"}


@pytest.mark.parametrize("state", ["lazy", "persisted", "persisted frame", "labels in memory", "in memory"])
@pytest.mark.parametrize("n_lost", [1, None], ids=["one", "all"])
def test_lost_shards_are_made_again_with_the_same_bins(
    client: Client,
    table: pd.DataFrame,
    workers: list[str],
    quantized: Make,
    scope: FutureScope,
    state: str,
    n_lost: int | None,
) -> None:
    given = given_as(client, table, state)
    (data,) = quantized(Source(collect(*given)))
    expected = whole(client, data)
    lost = futures_of(data.shards)[-n_lost if n_lost else None :]
    cancel(client, lost)
    (again,) = regroup(client, [data], workers[:2], scope)
    assert not {future.key for future in futures_of(again.shards)} & {future.key for future in lost}
    assert_same(whole(client, again), expected)
    assert sorted({part for of_rank in again.shards for one in of_rank for part in one.parts}) == list(
        range(3 if state == "in memory" else 4)
    )


@pytest.mark.parametrize("state", ["lazy", "in memory"])
def test_shards_that_are_lost_while_others_are_made_again(
    client: Client,
    table: pd.DataFrame,
    workers: list[str],
    quantized: Make,
    scope: FutureScope,
    state: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (data,) = quantized(Source(collect(*given_as(client, table, state))))
    expected = whole(client, data)
    to_lose = [futures_of(data.shards)[:1]]

    def held_later(client: Client, futures: Sequence[Any]) -> tuple[str | None, ...]:
        if to_lose:
            cancel(client, to_lose.pop())
        return held_where(client, futures)

    monkeypatch.setattr("gbdist.estimators.preparation.regroup.held_where", held_later)
    (again,) = regroup(client, [data], workers[:2], scope)
    assert to_lose == []
    assert_same(whole(client, again), expected)


def test_rows_that_start_from_a_model_are_made_again_with_its_predictions(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    start = CatBoostRegressor(iterations=2, depth=2, allow_writing_files=False, verbose=False, thread_count=1)
    start.fit(table[FEATURES].to_numpy(), table["y"])
    (data,) = quantized(
        Source(collect(*given_as(client, table, "in memory"))), initial=initial_model(start, symmetric=True)
    )
    expected = whole(client, data)
    assert expected.baseline is not None
    assert np.unique(expected.baseline).size > 1
    cancel(client, futures_of(data.shards))
    (again,) = regroup(client, [data], workers[:2], scope)
    assert_same(whole(client, again), expected)


def in_memory(client: Client, until: Callable[[set[str]], bool]) -> set[str]:
    """What the cluster holds, when it has heard of all that was let go."""

    async def look(dask_scheduler: Any) -> set[str]:
        for _ in range(500):  # releases travel as messages of their own
            found = {str(task.key) for task in dask_scheduler.tasks.values() if task.state == "memory"}
            if until(found):
                break
            await asyncio.sleep(0.01)
        return found

    found: set[str] = client.run_on_scheduler(look)
    return found


def test_raw_rows_are_let_go_when_shards_have_been_made_again(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    sets = [quantized(Source(collect(*given_as(client, table, state))))[0] for state in ("lazy", "in memory")]
    for data in sets:
        cancel(client, futures_of(data.shards))
    again = regroup(client, sets, workers, scope)
    wait_for_shards(client, [future for data in again for future in futures_of(data.shards)])

    def of_shards(names: set[str]) -> bool:
        return {key_split(name) for name in names} <= {"gbdist-quantize", "gbdist-part"}

    assert of_shards(in_memory(client, until=of_shards))


def test_rows_that_the_user_persisted_stay_no_longer_than_the_user_keeps_them(
    client: Client, table: pd.DataFrame, quantized: Make
) -> None:
    X, y = given_as(client, table, "persisted")
    (data,) = quantized(Source(collect(X, y)))
    there = {str(future.key) for future in futures_in(X)}
    assert there <= in_memory(client, until=lambda names: True)
    keys = {str(future.key) for future in futures_of(data.shards)}
    del X, y
    assert in_memory(client, until=lambda names: names == keys) == keys


def test_cut_shards_are_made_again_whether_what_they_were_cut_from_is_there_or_not(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    (data,) = quantized(Source(collect(*given_as(client, table, "in memory"))))
    expected = whole(client, data)
    (data,) = regroup(client, [data], workers[:2], scope)
    parts = [one for of_rank in data.shards for one in of_rank if key_split(one.future.key) == "gbdist-part"]
    assert parts
    cancel(client, [one.future for one in parts])
    (again,) = regroup(client, [data], workers[:2], scope)
    assert_same(whole(client, again), expected)


@pytest.mark.usefixtures("_frames_let_go")
@pytest.mark.parametrize("of_label", [False, True])
@pytest.mark.parametrize("gone", [0, 3])
def test_persisted_rows_that_are_gone_cannot_be_made_again(
    client: Client,
    table: pd.DataFrame,
    workers: list[str],
    quantized: Make,
    scope: FutureScope,
    of_label: bool,
    gone: int,
) -> None:
    given = given_as(client, table, "persisted")
    (data,) = quantized(Source(collect(*given)))
    cancel(client, futures_of(data.shards))
    cancel(client, [futures_in(given[of_label])[gone]])
    with pytest.raises(ShardsGone) as caught:
        regroup(client, [data], workers, scope)
    assert str(caught.value) == (
        f"The rows of partition {gone} were on a worker that left the cluster, and nobody can compute them again: they were "
        "scattered, or what they came from was. Scatter them anew and call fit again, or pass data that Dask can compute, or "
        "that are in this process's memory."
    )


def test_persisted_rows_that_are_gone_are_not_missed_while_the_shards_are_there(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    X, y = given_as(client, table, "persisted")
    (data,) = quantized(Source(collect(X, y)))
    expected = whole(client, data)
    for future in futures_in(X):
        future._state.lose()  # what the scheduler tells of data whose worker has left
    assert {future.status for future in futures_in(X)} == {"lost"}
    (again,) = regroup(client, [data], workers[:2], scope)
    assert_same(whole(client, again), expected)


@pytest.mark.usefixtures("_frames_let_go")
def test_what_was_computed_from_scattered_rows_that_are_gone_cannot_be_made_again(
    client: Client, table: pd.DataFrame, workers: list[str], quantized: Make, scope: FutureScope
) -> None:
    scattered = client.scatter([table[:2_500], table[2_500:]], hash=False)
    X = dd.from_delayed([dask.delayed(one) for one in scattered], meta=table)
    (data,) = quantized(Source(collect(X, "y")))
    cancel(client, futures_of(data.shards))
    cancel(client, scattered)
    with pytest.raises(ShardsGone):
        wait_for_shards(client, futures_of(regroup(client, [data], workers, scope)[0].shards))
