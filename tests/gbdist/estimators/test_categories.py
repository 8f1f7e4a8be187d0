"""Categorical columns on histograms: what reaches the trainer is the same hashes for any container, cluster and partitioning."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.boosting.params import BoostParams
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.categories.hashing import category_hashes
from gbdist.categories.rules import CategoricalColumn
from gbdist.errors import DataError, ParameterError
from gbdist.estimators import gang_run, local_run, needs, outcome
from gbdist.estimators.needs import WorkerNeed
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.plan import plan
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation import pool_files
from gbdist.estimators.training import train
from gbdist.models.statistics import CategoricalPart

COLUMNS = ["size", "color", "shop", "age", "sold"]
CATS = [1, 2, 4]


@pytest.fixture(scope="module")
def goods() -> pd.DataFrame:
    """4,000 rows; "shop" has 300 values, "color" three and "sold" two."""
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "size": rng.normal(size=4_000).astype(np.float32),
            "color": pd.Categorical(rng.choice(["red", "green", "blue"], 4_000), ["unused", "red", "green", "blue"]),
            "shop": pd.Series(rng.integers(0, 300, 4_000).astype(str), dtype=object),
            "age": rng.integers(0, 90, 4_000),
            "sold": pd.Series(rng.choice(["0", "1"], 4_000), dtype=object),
            "y": rng.integers(0, 2, 4_000),
        }
    )


@dataclass(frozen=True)
class Seen:
    """What one rank's trainer was given."""

    sets: tuple[Rows, ...]
    params: BoostParams
    n_bins: np.ndarray


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Seen]]:
    """The trainer only takes notes; so does what makes a model."""
    notes: list[Seen] = []

    def take_notes(train: Rows, evals: Any, n_bins: Any, params: BoostParams, *others: Any) -> BoostResult:
        notes.append(Seen((train, *evals), params, n_bins))
        return BoostResult((), np.zeros(1), (), -1, np.nan, "iterations", np.empty((1, 0)), (), CategoricalPart(), 0)

    for where in (gang_run, local_run):
        monkeypatch.setattr(where, "boost", take_notes)
    monkeypatch.setattr(outcome, "to_catboost", lambda ensemble, record: ensemble)
    with dask.config.set({"dataframe.convert-string": False}):
        yield notes


def fit(X: Any, y: Any = "y", parameters: dict[str, Any] | None = None, **more: Any) -> Any:
    return train(X, y, parameters=canonical(parameters or {}, classifier=True), classifier=True, **more)


def hashes_of(table: pd.DataFrame, name: str) -> list[int]:
    texts = table[name].astype(object).map(lambda value: value if isinstance(value, str) else str(int(value))).tolist()
    distinct = sorted(set(texts))
    return category_hashes(distinct)[[distinct.index(text) for text in texts]].tolist()


def columns_of(seen: list[Seen], number: int = 0) -> dict[int, list[int]]:
    """Hashes of a data set by position of the column, in the order of the rows, whoever has them."""
    by_row: dict[int, dict[int, int]] = {}
    for rank in seen:
        rows = rank.sets[number]
        assert [column.kind for column in rows.unbinned] == ["hash"] * len(rows.unbinned)
        for column in rows.unbinned:
            assert column.values.dtype == np.uint32
            assert column.values.flags.c_contiguous
            cells = by_row.setdefault(column.position, {})
            for segment in rows.segments:
                for row in range(segment.start, segment.stop):
                    cells[segment.first_row + row - segment.start] = int(column.values[row])
    return {at: [cells[row] for row in sorted(cells)] for at, cells in sorted(by_row.items())}


def expected(table: pd.DataFrame) -> dict[int, list[int]]:
    return {at: hashes_of(table, COLUMNS[at]) for at in CATS}


def as_arrow(goods: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(goods, preserve_index=False)


CONTAINERS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda goods: goods,
    "pandas strings": lambda goods: goods.astype(dict.fromkeys(("color", "shop", "sold"), "string[pyarrow]")),
    "pandas categories": lambda goods: goods.astype({"shop": "category", "sold": "category"}),
    "arrow": as_arrow,
    "polars": lambda goods: pl.from_arrow(as_arrow(goods)),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("on_cluster", [False, True])
def test_every_container(
    client: Client,
    goods: pd.DataFrame,
    seen: list[Seen],
    container: str,
    on_cluster: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if on_cluster:
        monkeypatch.setattr(local_run, "ROWS_BELOW", 0)
    fit(CONTAINERS[container](goods), client=client)
    assert len(seen) == (3 if on_cluster else 1)
    assert columns_of(seen) == expected(goods)
    assert all(rank.sets[0].bins.shape[0] == 2 for rank in seen)
    assert all(rank.n_bins.shape == (2,) for rank in seen)


@pytest.mark.parametrize("n_parts", [1, 4, 11])
def test_partitions_do_not_matter(client: Client, goods: pd.DataFrame, seen: list[Seen], n_parts: int) -> None:
    frame = dd.from_pandas(goods, npartitions=n_parts, sort=False)
    fit(frame, client=client, parameters={"cat_features": ["color", "shop", "sold"], "one_hot_max_size": 3})
    assert columns_of(seen) == expected(goods)
    rules = seen[0].params.categories
    assert rules is not None
    assert rules.columns == (
        CategoricalColumn(1, "color", tuple(sorted(set(hashes_of(goods, "color"))))),
        CategoricalColumn(2, "shop", None),
        CategoricalColumn(4, "sold", tuple(sorted(set(hashes_of(goods, "sold"))))),
    )
    assert all(rank.params.categories == rules for rank in seen)


def test_partitions_of_other_types_hash_alike(client: Client, goods: pd.DataFrame, seen: list[Seen]) -> None:
    parts = [
        goods.iloc[:800].astype({"shop": "int64", "sold": "int8"}),
        goods.iloc[800:1_600].astype({"shop": "Int32", "color": str}).assign(sold=goods["sold"] == "1"),
        goods.iloc[1_600:2_400].assign(shop=[int(one) if one < "2" else one for one in goods["shop"][1_600:2_400]]),
        goods.iloc[2_400:2_400].astype({"shop": "float64", "sold": "float64"}),
        goods.iloc[2_400:][["y", *reversed(COLUMNS)]],
    ]
    frame = dd.from_map(lambda i: parts[i], range(5), meta=parts[0].iloc[:0])
    fit(frame, client=client, parameters={"cat_features": ["color", "shop", "sold"]})
    assert columns_of(seen) == expected(goods)


def test_arrays_of_objects(client: Client, goods: pd.DataFrame, seen: list[Seen]) -> None:
    values = goods[COLUMNS].to_numpy(dtype=object)
    for X in (values, da.from_array(values, chunks=(1_300, 5))):
        seen.clear()
        fit(X, goods["y"], client=client, parameters={"cat_features": CATS})
        assert columns_of(seen) == expected(goods)


@pytest.mark.parametrize("container", ["pandas", "arrow", "polars"])
def test_no_column_of_numbers(client: Client, goods: pd.DataFrame, seen: list[Seen], container: str) -> None:
    names = [COLUMNS[at] for at in CATS]
    table = CONTAINERS[container](goods[[*names, "y"]])
    fit(table, client=client)
    assert columns_of(seen) == {number: hashes_of(goods, name) for number, name in enumerate(names)}
    assert seen[0].sets[0].bins.shape == (0, 4_000)
    seen.clear()
    fit(dd.from_pandas(goods[[*names, "y"]], npartitions=3), client=client, parameters={"cat_features": names})
    assert columns_of(seen) == {number: hashes_of(goods, name) for number, name in enumerate(names)}


def test_eval_sets_have_the_columns_of_the_training_set(client: Client, goods: pd.DataFrame, seen: list[Seen]) -> None:
    # Two rows on three workers: a rank without rows knows the columns too.
    unseen = goods.iloc[:2].assign(color=["violet", "7"], shop=[5, 400], sold=[True, False])
    evals = [(unseen[COLUMNS], unseen["y"]), (goods[COLUMNS].astype({"shop": "int64"}), goods["y"])]
    frame = dd.from_pandas(goods.assign(shop=goods["shop"].astype("category")), npartitions=3)
    fit(frame[COLUMNS], frame["y"], eval_sets=evals, client=client, parameters={"cat_features": CATS})
    assert columns_of(seen, 0) == columns_of(seen, 2) == expected(goods)
    assert columns_of(seen, 1) == expected(unseen)
    assert min(rank.sets[1].n_rows for rank in seen) == 0
    assert [[column.position for column in rank.sets[1].unbinned] for rank in seen] == [CATS] * 3
    # What is one-hot is decided by the training set.
    rules = seen[0].params.categories
    assert rules is not None
    assert rules.columns[2].values == tuple(sorted(set(hashes_of(goods, "sold"))))


def test_a_share_set_apart(client: Client, goods: pd.DataFrame, seen: list[Seen]) -> None:
    for X in (goods, dd.from_pandas(goods, npartitions=4)):
        seen.clear()
        fit(X, eval_fraction=0.25, client=client, parameters={"cat_features": CATS})
        both = [columns_of(seen, number)[2] for number in (0, 1)]
        assert sorted(both[0] + both[1]) == sorted(hashes_of(goods, "shop"))
        assert len(both[1]) == 1_000


def test_columns_found_by_type(client: Client, goods: pd.DataFrame, seen: list[Seen]) -> None:
    # Of a collection of objects, which may be anything, nothing is taken for granted.
    frame = dd.from_pandas(goods.astype({"sold": "string"}).drop(columns="shop"), npartitions=3)
    fit(frame, client=client)
    assert list(columns_of(seen)) == [1, 3]
    lazy = dd.from_pandas(goods, npartitions=3)
    with pytest.raises(DataError) as caught:
        fit(lazy, client=client)
    assert str(caught.value) == (
        "column 'shop' of partition 0: found objects of kind string such as '"
        + goods["shop"].iloc[0]
        + "', expected numbers. Name it in cat_features, encode it as numbers, or drop it."
    )
    with pytest.raises(DataError, match="column 'color' of partition 0: found categories, expected numbers"):
        fit(goods, parameters={"cat_features": ["shop", "sold"]})
    with pytest.raises(DataError, match="column 'color' of partition 0: found categories, expected numbers"):
        fit(goods, parameters={"cat_features": []})


def test_missing_values(client: Client, goods: pd.DataFrame, seen: list[Seen], tasks_left: Any) -> None:
    gaps = goods.assign(color=goods["color"].where(goods.index % 7 > 0), shop=goods["shop"].where(goods.index != 700))
    frame = dd.from_pandas(gaps, npartitions=4)
    given = {"cat_features": ["color", "shop", "sold"]}
    with pytest.raises(DataError) as caught:
        fit(frame, client=client, parameters=given)
    assert str(caught.value) == (
        "column 'color' of partition 0: found 143 missing value(s), expected a category in every row: "
        'CatBoost takes none without. Fill them first, or set cat_nan="missing".'
    )
    assert tasks_left() == []
    filled = goods.astype({"color": str}).assign(
        color=gaps["color"].astype(object).fillna("none"), shop=gaps["shop"].fillna("none")
    )
    for X in (frame, gaps):
        seen.clear()
        fit(X, client=client, parameters=given, cat_nan="none", eval_sets=[(gaps[COLUMNS], gaps["y"])])
        assert columns_of(seen, 0) == columns_of(seen, 1) == expected(filled)


def test_room_is_counted_with_4_bytes_a_cell(
    client: Client, goods: pd.DataFrame, seen: list[Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def note(found: Sequence[WorkerNeed], **how: bool) -> None:
        n_rows = sum(need.rows for need in found)
        asked.append((sum(need.bins for need in found) // n_rows, sum(need.beside for need in found) // n_rows))

    monkeypatch.setattr(needs, "require_room", note)
    monkeypatch.setattr(local_run, "ROWS_BELOW", 0)
    fit(goods, client=client)
    # Before rows are sent labels are not looked at; while it trains bins are there twice.
    assert asked == [(2, 3 * 4), (2 * 2, 3 * 4 + 4)]
    made = plan(goods, "y", parameters={}, client=client)
    assert all(worker.shard_bytes == worker.rows * (2 + 3 * 4 + 4) for worker in made.workers)
    assert made.features == 5
    made = plan(
        goods[["size", "age", "y"]], "y", parameters=canonical({"cat_features": [1]}, classifier=True), client=client
    )
    assert all(worker.shard_bytes == worker.rows * (1 + 4 + 4) for worker in made.workers)


def test_what_the_model_is_made_of(goods: pd.DataFrame, seen: list[Seen]) -> None:
    made = fit(goods, parameters={"max_ctr_complexity": 2}).model
    assert made.feature_names == tuple(COLUMNS)
    assert len(made.borders) == 2
    assert made.options["cat_feature_params"]["max_ctr_complexity"] == 2


def test_nothing_to_start_from(goods: pd.DataFrame) -> None:
    numeric = DaskCatBoostClassifier(iterations=2, verbose=False).fit(goods[["size", "age"]], goods["y"])
    table = goods[["size", "color"]]
    for given, what in (({}, "the categorical column 'color'"), ({"cat_features": ["color"]}, "cat_features")):
        with pytest.raises(ParameterError) as caught:
            DaskCatBoostClassifier(**given).fit(table, goods["y"], init_model=numeric)
        assert str(caught.value) == (
            f"init_model='a model' cannot be used: expected None with {what}: CatBoost cannot add such models up. "
            "Train anew, or go on with numeric columns alone."
        )


def test_text_is_not_taken(goods: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match=r"text_features=\['shop'\] cannot be used: expected nothing in it"):
        DaskCatBoostClassifier(text_features=["shop"]).fit(goods[COLUMNS], goods["y"])


def test_cat_nan_must_be_text(goods: pd.DataFrame) -> None:
    with pytest.raises(ParameterError) as caught:
        DaskCatBoostRegressor(cat_nan=0).fit(goods[COLUMNS], goods["y"])
    assert str(caught.value) == (
        "cat_nan=0 cannot be used: expected the text that stands for missing values in categorical columns. "
        'Write cat_nan="missing", for example.'
    )


def test_detected_columns_are_told(goods: pd.DataFrame, seen: list[Seen], capsys: pytest.CaptureFixture[str]) -> None:
    from gbdist.estimators.listeners import progress_listener

    fit(goods, listener=progress_listener(True))
    assert (
        capsys.readouterr().err == "categorical by their types (cat_features says otherwise): 'color', 'shop', 'sold'\n"
    )
    fit(goods, listener=progress_listener(True), parameters={"cat_features": ["color", "shop", "sold"]})
    fit(goods[["size", "age", "y"]], listener=progress_listener(True))
    assert capsys.readouterr().err == ""


# ---- pools


@pytest.fixture
def pool(client: Client, goods: pd.DataFrame) -> Iterator[DaskPool]:
    with DaskPool(goods, "y", client=client) as made:
        yield made


def test_pool_of_hashed_columns(client: Client, goods: pd.DataFrame, seen: list[Seen], pool: DaskPool) -> None:
    assert pool.shape == (4_000, 5)
    assert pool.cat_features == CATS
    assert pool.feature_names == tuple(COLUMNS)
    assert len(pool.borders) == 2
    assert pool.nbytes == 4_000 * (2 + 3 * 4 + 4)
    unseen = goods.iloc[:90].astype({"shop": "int64"}).assign(color="violet")
    with DaskPool(unseen, "y", borders_of=pool) as eval_pool:
        result = fit(pool, None, eval_sets=[eval_pool, (unseen[COLUMNS], unseen["y"])])
        assert result.model.feature_names == tuple(COLUMNS)
    assert columns_of(seen) == expected(goods)
    assert columns_of(seen, 1) == columns_of(seen, 2) == expected(unseen)
    rules = seen[0].params.categories
    assert rules is not None
    assert [(column.position, column.name) for column in rules.columns] == [(1, "color"), (2, "shop"), (4, "sold")]
    fit(pool, None, parameters={"cat_features": ["sold", 1, "shop"]})
    with DaskPool(goods.drop(columns=["sold"]), "y", cat_features=["shop", 1], client=client) as named:
        assert named.cat_features == [1, 2]


def test_pool_that_does_not_go_with_the_parameters(client: Client, goods: pd.DataFrame, pool: DaskPool) -> None:
    with pytest.raises(ParameterError) as caught:
        fit(pool, None, parameters={"cat_features": ["color"]})
    assert str(caught.value) == (
        "cat_features=['color'] cannot be used: expected the categorical columns 'color', 'shop', 'sold'. "
        "Leave it out: the DaskPool's are taken."
    )
    with pytest.raises(ParameterError) as caught:
        DaskPool(goods, "y", borders_of=pool, cat_features=[])
    assert str(caught.value) == (
        "cat_features=[] cannot be used: expected the categorical columns 'color', 'shop', 'sold'. "
        "Leave it out: the other pool's are taken."
    )
    with pytest.raises(ParameterError) as caught:
        DaskCatBoostClassifier(aggregate="models").fit(pool)
    assert str(caught.value) == (
        "aggregate='models' cannot be used: expected 'histograms' with a DaskPool of categorical columns, which keeps nothing "
        "but their hashes. Pass the collections themselves."
    )
    with pytest.raises(DataError) as refused:
        fit(goods[COLUMNS].assign(color=1), goods["y"], eval_sets=[pool], client=client)
    assert str(refused.value) == (
        "eval_set: found a DaskPool with the categorical columns 'color', 'shop', 'sold', "
        "expected the categorical columns 'shop', 'sold', as in the training set. "
        "Make the training set a DaskPool, and this one with DaskPool(X, y, borders_of=that_pool)."
    )
    with pytest.raises(DataError, match="expected no categorical columns, as in the training set"):
        fit(goods[["size"]], goods["y"], eval_sets=[pool], client=client)
    with pytest.raises(ParameterError, match="cat_nan=1 cannot be used"):
        DaskPool(goods, "y", cat_nan=1)  # type: ignore[arg-type]


def test_missing_values_in_a_pool(client: Client, goods: pd.DataFrame, seen: list[Seen]) -> None:
    gaps = goods.assign(shop=goods["shop"].where(goods.index != 700))
    with pytest.raises(DataError, match=r"column 'shop' of partition \d: found 1 missing value"):
        DaskPool(gaps, "y", client=client)
    with DaskPool(gaps, "y", cat_nan="none", client=client) as pool:
        fit(pool, None)
    assert columns_of(seen)[2] == hashes_of(gaps.assign(shop=gaps["shop"].fillna("none")), "shop")


def test_saved_pool(client: Client, goods: pd.DataFrame, seen: list[Seen], pool: DaskPool, tmp_path: Path) -> None:
    pool.save(str(tmp_path / "pool"))
    with DaskPool.load(str(tmp_path / "pool"), client) as loaded:
        assert loaded.data.survey == pool.data.survey
        assert (loaded.cat_features, loaded.columns) == (pool.cat_features, pool.columns)
        fit(loaded, None, eval_sets=[(goods[COLUMNS], goods["y"])])
    assert columns_of(seen) == columns_of(seen, 1) == expected(goods)


def test_pool_of_the_former_version(client: Client, goods: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with DaskPool(goods[["size", "age", "y"]], "y", client=client) as pool:
        pool.save(str(path))
        header = (path / "pool.json").read_text()
        assert f'"version": {pool_files.FORMAT_VERSION}' in header
        (path / "pool.json").write_text(header.replace('"version": 2', '"version": 1'))
        with DaskPool.load(str(path), client) as loaded:
            assert loaded.data.survey == pool.data.survey
            assert loaded.cat_features == []
