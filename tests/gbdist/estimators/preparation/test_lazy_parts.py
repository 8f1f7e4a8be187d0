"""A few partitions of a collection are computed alone, and it is known when that would be wasteful."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist.estimators.preparation.lazy_parts import LazyParts


@pytest.fixture
def files(table: pd.DataFrame, tmp_path: Path) -> dd.DataFrame:
    dd.from_pandas(table, npartitions=10, sort=False).to_parquet(tmp_path, write_index=False)
    return dd.read_parquet(tmp_path)


MAKERS: dict[str, tuple[Callable[[Client, dd.DataFrame], Any], bool]] = {
    "files": (lambda client, frame: frame[["a", "b"]], True),
    "one column of many": (lambda client, frame: frame[["a"]], True),
    "array": (lambda client, frame: frame.to_dask_array(), True),
    "of persisted": (lambda client, frame: client.persist(frame)[["a", "b"]], True),
    "mapped": (lambda client, frame: frame[["a", "b"]].map_partitions(lambda part: part * 2), True),
    "less its mean": (lambda client, frame: frame[["a", "b"]] - frame[["a", "b"]].mean(), False),
    "shuffled": (lambda client, frame: frame[["a", "b"]].shuffle("a"), False),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_partitions_can_be_computed_a_few_at_a_time(client: Client, files: dd.DataFrame, kind: str) -> None:
    make, apart = MAKERS[kind]
    X = make(client, files)
    lazy = LazyParts([X, files["y"], None], X.npartitions)
    assert lazy.apart is apart
    assert [lazy.computes(column) for column in range(3)] == [True, True, False]
    if not apart:
        return  # their partitions come in whatever order the shuffle gives
    features, label, nothing = lazy.compute(client, [7, 2])
    assert nothing is None
    for futures, collection in ((features, X), (label, files["y"])):
        assert futures is not None
        for future, number in zip(futures, [7, 2], strict=True):
            wanted = client.compute(collection.partitions[number]).result()
            np.testing.assert_array_equal(np.asarray(future.result()), np.asarray(wanted))


def test_small_files_are_not_joined_and_other_columns_are_not_read(
    client: Client, files: dd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = LazyParts([files[["a"]], files["y"]], 10)
    (features, label) = lazy.compute(client, range(10))
    assert features is not None
    assert label is not None
    assert [len(future.result()) for future in features] == [500] * 10
    assert "'w'" not in repr(list(lazy._graph.values()))  # the weight is not asked for


def test_only_what_the_partitions_need_travels(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    X = da.from_array(np.zeros((100, 2)), chunks=(10, 2)) + 1
    lazy = LazyParts([X], 10)
    sent: list[dict[Any, Any]] = []
    monkeypatch.setattr(client, "get", lambda graph, keys, **how: sent.append(graph) or keys)
    lazy.compute(client, [3])
    assert len(sent[0]) <= 3
