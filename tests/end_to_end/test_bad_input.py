"""Input that other trainers answer with a wrong model or an obscure error: here each is right, or told in words.

After each of them the cluster holds nothing (the ``client`` fixture looks), and after all it trains as before.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.errors import ClusterError, DataError
from gbdist.estimators import clusters
from gbdist.models.catboost_format import fixed_cbm_bytes

FEATURES = list("abcdef")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4_000, 6)).astype(np.float32)
    label = (values[:, 0] + values[:, 1] * values[:, 2] + rng.normal(size=4_000) * 0.3 > 0).astype(np.int64)
    return pd.DataFrame(values, columns=FEATURES).assign(y=label)


@pytest.fixture(scope="module", autouse=True)
def good_model(two_processes: Client, table: pd.DataFrame) -> Iterator[bytes]:
    """The model of the table before all tests; after them the same workers train the same one."""
    made = model_bytes(fit(two_processes, dd.from_pandas(table, npartitions=2, sort=False)))
    yield made
    assert model_bytes(fit(two_processes, dd.from_pandas(table, npartitions=3, sort=False))) == made


def fit(client: Client, X: Any, y: Any = "y", *, regressor: bool = False, **more: Any) -> Any:
    kind = DaskCatBoostRegressor if regressor else DaskCatBoostClassifier
    return kind(iterations=6, depth=4, client=client, random_seed=1).fit(X, y, **more)


def model_bytes(estimator: Any) -> bytes:
    return fixed_cbm_bytes(estimator.model_)


def refusal(kind: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(kind) as refused:
        call()
    return str(refused.value)


def parts_of(parts: Sequence[pd.DataFrame]) -> dd.DataFrame:
    """A collection of just these partitions, whatever their types."""
    return dd.from_map(lambda i: parts[i], range(len(parts)), meta=parts[0].iloc[:0])


def placed(client: Client, parts: Sequence[pd.DataFrame]) -> tuple[list[Any], dd.DataFrame]:
    """Partitions that lie on the workers in turn; the futures must be held by the test."""
    workers = sorted(client.nthreads())
    futures = [
        client.scatter([part], workers=[workers[i % len(workers)]], hash=False)[0] for i, part in enumerate(parts)
    ]
    return futures, dd.from_delayed(futures, meta=parts[0].iloc[:0], verify_meta=False)


# ---- right


@pytest.mark.parametrize(
    "edges", [[0, 0, 4_000], [0, 100, 100, 4_000], [0, 9, 999, 4_000, 4_000], [0, 0, 7, 7, 4_000, 4_000]]
)
def test_partitions_without_rows(client: Client, table: pd.DataFrame, good_model: bytes, edges: list[int]) -> None:
    parts = [table.iloc[start:stop] for start, stop in pairwise(edges)]
    assert model_bytes(fit(client, parts_of(parts))) == good_model


def test_array_with_empty_chunks(client: Client, table: pd.DataFrame) -> None:
    rows = (0, 1_500, 0, 2_500)
    X = da.from_array(table[FEATURES].to_numpy(), chunks=(rows, 6))
    expected = fit(client, table[FEATURES].to_numpy(), table["y"])
    assert model_bytes(fit(client, X, table["y"])) == model_bytes(expected)


def test_worker_with_an_empty_partition_and_worker_without_data(
    client: Client, table: pd.DataFrame, good_model: bytes
) -> None:
    held, frame = placed(client, [table, table.iloc[:0]])
    assert model_bytes(fit(client, frame)) == good_model
    held, frame = placed(client, [table])
    assert model_bytes(fit(client, frame)) == good_model
    del held


@pytest.mark.parametrize("mixed", [False, True])
def test_one_class_per_worker(client: Client, table: pd.DataFrame, mixed: bool) -> None:
    by_class = table.sort_values("y", kind="stable", ignore_index=True)
    first = int((by_class["y"] == 0).sum()) - (500 if mixed else 0)
    held, frame = placed(client, [by_class.iloc[:first], by_class.iloc[first:]])
    trained = fit(client, frame)
    assert model_bytes(trained) == model_bytes(fit(client, by_class))
    assert trained.score(table[FEATURES], table["y"]) > 0.85
    del held


def test_feature_that_is_nan_on_one_worker(client: Client, table: pd.DataFrame) -> None:
    hidden = table.copy()
    hidden.loc[2_000:, "a"] = np.nan
    held, frame = placed(client, [hidden.iloc[:2_000], hidden.iloc[2_000:]])
    assert model_bytes(fit(client, frame)) == model_bytes(fit(client, hidden))
    del held


def test_infinite_features(client: Client, table: pd.DataFrame) -> None:
    wild = table.copy()
    wild.loc[::50, "a"] = np.inf
    wild.loc[7::50, "b"] = -np.inf
    frame = dd.from_pandas(wild, npartitions=3, sort=False)
    trained = fit(client, frame)
    assert model_bytes(trained) == model_bytes(fit(client, wild))
    assert np.isfinite(trained.predict_proba(wild[FEATURES])).all()


def test_partitions_of_different_types(client: Client, table: pd.DataFrame) -> None:
    whole = table.assign(a=(table["a"] * 10).round())
    parts = [
        whole.iloc[:1_000].astype({"a": "float64"}),
        whole.iloc[1_000:2_000].astype({"a": "int8", "y": "int32"}),
        whole.iloc[2_000:].astype({"b": "float64", "y": "uint8"}),
    ]
    assert model_bytes(fit(client, parts_of(parts))) == model_bytes(fit(client, whole))


@pytest.mark.parametrize("labels", [(1, 2), ("no", "yes"), (False, True), (-1.0, 1.0)])
def test_labels_of_any_type(client: Client, table: pd.DataFrame, labels: tuple[Any, Any]) -> None:
    named = table.assign(y=np.where(table["y"] == 1, labels[1], labels[0]))
    trained = fit(client, dd.from_pandas(named, npartitions=3, sort=False))
    assert list(trained.classes_) == list(labels)
    assert np.mean(np.ravel(trained.predict(table[FEATURES])) == named["y"]) > 0.85


def test_array_label_in_other_chunks(client: Client, table: pd.DataFrame) -> None:
    X = da.from_array(table[FEATURES].to_numpy(), chunks=(1_000, 6))
    y = da.from_array(table["y"].to_numpy(), chunks=1_500)
    assert model_bytes(fit(client, X, y)) == model_bytes(fit(client, table[FEATURES].to_numpy(), table["y"]))


def test_large_tables_in_memory_are_sent_to_the_workers(client: Client, table: pd.DataFrame) -> None:
    thrice = pd.concat([table] * 3, ignore_index=True)
    expected = model_bytes(fit(client, dd.from_pandas(thrice, npartitions=5, sort=False)))
    assert model_bytes(fit(client, thrice)) == expected


# ---- clear


def with_value(table: pd.DataFrame, name: str, row: int, value: Any) -> pd.DataFrame:
    changed = table.astype({name: object}) if isinstance(value, str) else table.astype({name: "float64"})
    changed.loc[row, name] = value
    return changed


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_label_that_is_no_number(client: Client, table: pd.DataFrame, value: float) -> None:
    frame = dd.from_pandas(with_value(table, "y", 2_500, value), npartitions=4, sort=False)
    assert refusal(DataError, lambda: fit(client, frame)) == (
        "y of partition 2: found 1 missing or infinite value(s), expected a finite label in every row. "
        "Drop or repair those rows."
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [(-1.0, "1 negative value(s), expected weights of 0 or more"), (np.nan, "1 missing or infinite value(s)")],
)
def test_weight_that_is_none(client: Client, table: pd.DataFrame, value: float, words: str) -> None:
    weighted = with_value(table.assign(w=1.0), "w", 3_999, value)
    frame = dd.from_pandas(weighted, npartitions=4, sort=False)
    message = refusal(DataError, lambda: fit(client, frame, sample_weight="w"))
    assert message.startswith(f"sample_weight of partition 3: found {words}")


def test_weights_that_are_all_zero(client: Client, table: pd.DataFrame) -> None:
    frame = dd.from_pandas(table.assign(w=0.0), npartitions=4, sort=False)
    assert refusal(DataError, lambda: fit(client, frame, sample_weight="w")) == (
        "sample_weight: found only zeros, expected at least one weight above 0. Check how the weights are made."
    )


def test_lengths_that_differ(client: Client, table: pd.DataFrame) -> None:
    X = da.from_array(table[FEATURES].to_numpy(), chunks=(1_000, 6))
    y = da.from_array(table["y"].to_numpy()[:3_500], chunks=875)
    assert refusal(DataError, lambda: fit(client, X, y)).startswith("y: found 3500 rows, expected as many as X, 4000.")
    frame = parts_of([table.iloc[:2_000][FEATURES], table.iloc[2_000:][FEATURES]])
    label = dd.from_map(
        lambda i: [table["y"].iloc[:2_000], table["y"].iloc[2_000:3_000]][i], range(2), meta=table["y"].iloc[:0]
    )
    assert refusal(DataError, lambda: fit(client, frame, label)) == (
        "partition 1: found 2000 rows in X but 1000 in y, expected the same rows in both. Partition X and y alike, row by row."
    )


def test_frames_cut_differently(client: Client, table: pd.DataFrame) -> None:
    X = dd.from_pandas(table[FEATURES], npartitions=4, sort=False)
    y = dd.from_pandas(table["y"], npartitions=3, sort=False)
    assert refusal(DataError, lambda: fit(client, X, y)).startswith("y: found 3 partitions, expected X's 4,")


def test_zero_rows(client: Client, table: pd.DataFrame) -> None:
    assert refusal(DataError, lambda: fit(client, dd.from_pandas(table.iloc[:0], npartitions=1))) == (
        "X: found 0 rows in 1 partition(s), expected at least one row. Check the filter or the path that the data come from."
    )
    filtered = dd.from_pandas(table, npartitions=3, sort=False).query("a > 1e9")
    assert "found 0 rows in 3 partition(s)" in refusal(DataError, lambda: fit(client, filtered))


def test_one_class(client: Client, table: pd.DataFrame) -> None:
    frame = dd.from_pandas(table.assign(y=1), npartitions=3, sort=False)
    assert refusal(DataError, lambda: fit(client, frame)).startswith("y: found one class, 1, expected at least two")


def test_too_many_classes(client: Client, table: pd.DataFrame) -> None:
    frame = dd.from_pandas(table.assign(y=np.arange(4_000)), npartitions=3, sort=False)
    assert refusal(DataError, lambda: fit(client, frame)) == (
        "y: found more than 2000 different labels, expected classes. "
        "Use a regressor for continuous values, or merge rare classes."
    )


@pytest.mark.parametrize("n_parts", [1, 4])
def test_text_in_a_column_of_numbers(client: Client, table: pd.DataFrame, n_parts: int) -> None:
    parts = [table.iloc[i * 4_000 // n_parts : (i + 1) * 4_000 // n_parts] for i in range(n_parts)]
    parts[-1] = with_value(parts[-1], "c", 3_999, "many")
    frame = dd.from_map(lambda i: parts[i], range(n_parts), meta=table.iloc[:0])
    message = refusal(DataError, lambda: fit(client, frame))
    assert message.startswith(f"column 'c' of partition {n_parts - 1}: found ")
    assert message.endswith("expected numbers. Name it in cat_features, encode it as numbers, or drop it.")


def test_categories_where_numbers_were_announced(client: Client, table: pd.DataFrame) -> None:
    words = table["a"].gt(0).map({False: "low", True: "high"}).astype("category")
    parts = [table.iloc[:2_000], table.iloc[2_000:].assign(a=words[2_000:])]
    assert refusal(DataError, lambda: fit(client, parts_of(parts))) == (
        "column 'a' of partition 1: found categories, expected numbers. "
        "Name it in cat_features, encode it as numbers, or drop it."
    )


def test_duplicate_columns(client: Client, table: pd.DataFrame) -> None:
    twice = table.rename(columns={"b": "a"})
    assert refusal(DataError, lambda: fit(client, twice)) == (
        "column 'a': found the same name more than once, expected distinct column names. Rename one."
    )


def test_array_chunked_over_columns(client: Client, table: pd.DataFrame) -> None:
    X = da.from_array(table[FEATURES].to_numpy(), chunks=(1_000, 3))
    assert refusal(DataError, lambda: fit(client, X, table["y"])) == (
        "X: found a Dask array in 2 chunks along its columns, expected chunks over rows only. Call X.rechunk({1: -1})."
    )


def test_columns_that_a_partition_lacks(client: Client, table: pd.DataFrame) -> None:
    parts = [table.iloc[:2_000], table.iloc[2_000:].drop(columns="d")]
    assert refusal(DataError, lambda: fit(client, parts_of(parts))).startswith("partition 1: found no column 'd',")
    parts = [table.iloc[:2_000], table.iloc[2_000:].assign(z=1.0)]
    assert refusal(DataError, lambda: fit(client, parts_of(parts))).startswith(
        "partition 1: found an unexpected column 'z'"
    )


def test_eval_set_that_does_not_fit(client: Client, table: pd.DataFrame) -> None:
    frame = dd.from_pandas(table, npartitions=3, sort=False)
    other = frame.rename(columns={"c": "z"})
    message = refusal(DataError, lambda: fit(client, frame, eval_set=(other, "y")))
    assert message.startswith("eval_set: found 6 columns, missing 'c', unexpected 'z', expected 6 columns.")
    reordered = frame[["b", "a", "c", "d", "e", "f", "y"]]
    message = refusal(DataError, lambda: fit(client, frame, eval_set=(reordered, "y")))
    assert message.startswith("eval_set: found column 'b' at position 0, expected 'a' there.")
    unseen = dd.from_pandas(table.assign(y=table["y"] * 2), npartitions=2, sort=False)
    message = refusal(DataError, lambda: fit(client, frame, eval_set=(unseen, "y")))
    assert message.startswith("eval_set: found label 2, expected one of the 2 training labels.")
    missing = dd.from_pandas(with_value(table, "y", 3_999, np.nan), npartitions=2, sort=False)
    message = refusal(DataError, lambda: fit(client, frame, eval_set=(missing, "y")))
    assert message.startswith("eval_set, y of partition 1: found 1 missing")
    assert "a tuple of 1" in refusal(DataError, lambda: fit(client, frame, eval_set=(frame,)))


@pytest.mark.parametrize("lazy", [False, True])
def test_predict_on_other_columns(client: Client, table: pd.DataFrame, lazy: bool) -> None:
    trained = fit(client, dd.from_pandas(table, npartitions=2, sort=False))
    X = dd.from_pandas(table[FEATURES], npartitions=2, sort=False) if lazy else table[FEATURES]
    for changed, words in (
        (X[FEATURES[:5]], ["f"]),
        (X.assign(more=1.0), ["more"]),
        (X[FEATURES[::-1]], ["order"]),
    ):
        message = refusal(ValueError, lambda changed=changed: trained.predict(changed))
        assert all(word in message for word in words), message


def test_cluster_without_workers(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "WORKERS_SECONDS", 0.2)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        Client(empty, set_as_default=False) as nobody,
    ):
        frame = dd.from_pandas(table, npartitions=2, sort=False)
        message = refusal(ClusterError, lambda: fit(nobody, frame))
        assert "has no workers after 0.2 s" in message


def test_address_where_nobody_is(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 1)
    frame = dd.from_pandas(table, npartitions=2, sort=False)
    message = refusal(ClusterError, lambda: fit("tcp://127.0.0.1:9", frame))  # type: ignore[arg-type]
    assert message.startswith("No Dask scheduler answers at tcp://127.0.0.1:9 (")


def test_error_in_the_users_graph_is_the_cause_that_is_shown(client: Client, table: pd.DataFrame) -> None:
    def fail_late(part: pd.DataFrame, partition_info: Any = None) -> pd.DataFrame:
        if partition_info and partition_info["number"] == 2:
            raise FileNotFoundError("part-2.parquet")
        return part

    frame = dd.from_pandas(table, npartitions=4, sort=False).map_partitions(fail_late, meta=table.iloc[:0])
    assert refusal(FileNotFoundError, lambda: fit(client, frame)) == "part-2.parquet"


def test_regression_with_strings(client: Client, table: pd.DataFrame) -> None:
    named = table.assign(y=np.where(table["y"] == 1, "yes", "no"))
    frame = dd.from_pandas(named, npartitions=2, sort=False)
    assert refusal(DataError, lambda: fit(client, frame, regressor=True)) == (
        "y: found strings, expected numbers. Use a classifier, or convert y to numbers."
    )
