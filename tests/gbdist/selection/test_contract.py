"""What holds for every splitter: partitioning changes nothing, kinds of data agree, and scikit-learn's conventions hold."""

import copy
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

from gbdist import DaskCatBoostClassifier
from gbdist.errors import DataError
from gbdist.selection import (
    GroupKFold,
    KFold,
    OverlappingSplit,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from .conftest import as_frame, as_unknown_frame

SPLITTERS = [
    KFold(4),
    KFold(4, shuffle=True, random_state=3),
    RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    StratifiedKFold(4),
    StratifiedKFold(4, shuffle=True, random_state=3),
    GroupKFold(3),
    GroupKFold(3, shuffle=True),
    StratifiedGroupKFold(3),
    StratifiedGroupKFold(3, shuffle=True, random_state=2),
    ShuffleSplit(2, test_size=0.2, train_size=50, random_state=5),
    TimeSeriesSplit(3, gap=2, time="time"),
    TimeSeriesSplit(3, test_size=9, max_train_size=20),
    OverlappingSplit(2, random_state=4),
    OverlappingSplit(3, kind="overlapping", train_size=0.7),
    PredefinedSplit("fold"),
]

each_splitter = pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda one: " ".join(repr(one).split()))


def numbers(splitter: Any, table: pd.DataFrame) -> list[tuple[list[int], list[int]]]:
    """Rows of each split in memory, each once."""
    pairs = splitter.split(table, "label", "group")
    return [(np.unique(train).tolist(), test.tolist()) for train, test in pairs]


def computed(splitter: Any, X: Any) -> list[tuple[list[int], list[int]]]:
    """The same on a frame, by its masks."""
    pairs = splitter.split(X, "label", "group")
    found = dask.compute([(X["number"][train], X[test]["number"]) for train, test in pairs])[0]
    return [(train.tolist(), test.tolist()) for train, test in found]


@each_splitter
@pytest.mark.parametrize(("collection", "n_parts"), [(as_unknown_frame, 1), (as_unknown_frame, 4), (as_frame, 13)])
def test_masks_of_a_frame_are_the_rows_in_memory(
    splitter: Any, n_parts: int, collection: Callable[..., Any], table: pd.DataFrame
) -> None:
    assert computed(splitter, collection(table, n_parts)) == numbers(splitter, table)


@each_splitter
def test_masks_of_joined_files_are_the_rows_in_memory(
    splitter: Any, table: pd.DataFrame, files: Callable[[int], Path]
) -> None:
    X = dd.read_parquet(files(8))[list(table.columns)]
    assert X.dropna().optimize().npartitions < 8  # which is what the test is about
    features, label = X.drop(columns="label"), X["label"]
    third = X.partitions[2].compute()["number"]
    masks = list(splitter.split(X, "label", "group"))
    taken = [(features[a]["number"], label[b], features[b].partitions[2]["number"]) for a, b in masks]
    for (train, labels, some), (in_train, in_test) in zip(
        dask.compute(taken)[0], numbers(splitter, table), strict=True
    ):
        assert train.tolist() == in_train
        assert labels.tolist() == table["label"].iloc[in_test].tolist()
        assert some.tolist() == [number for number in third if number in in_test]


@each_splitter
@pytest.mark.parametrize(("n_parts", "lengths"), [(1, True), (4, True), (13, None)])
def test_masks_of_an_array_are_the_rows_in_memory(
    splitter: Any, n_parts: int, lengths: Any, table: pd.DataFrame
) -> None:
    # Columns have no names: they are given themselves.
    frame = as_frame(table, n_parts)
    X, code, group, time, fold = (
        frame[columns].to_dask_array(lengths=lengths)
        for columns in (["number", "time"], "code", "group", "time", "fold")
    )
    want = numbers(splitter, table.assign(label=table["code"]))
    splitter = copy.deepcopy(splitter)
    if getattr(splitter, "time", None) is not None:
        splitter.time = time
    if hasattr(splitter, "test_fold"):
        splitter.test_fold = fold
    masks = list(splitter.split(X, code, group))
    taken = dask.compute([(X[train], X[test], code[test]) for train, test in masks])[0]
    for (train, test, codes), (in_train, in_test) in zip(taken, want, strict=True):
        assert train[:, 0].tolist() == in_train
        assert test[:, 0].tolist() == in_test
        assert codes.tolist() == table["code"].iloc[in_test].tolist()


@each_splitter
def test_no_row_trains_and_tests(splitter: Any, table: pd.DataFrame) -> None:
    for train, test in splitter.split(table, "label", "group"):
        assert train.dtype == test.dtype == np.int64
        assert len(train)
        assert len(test)
        assert not set(train.tolist()) & set(test.tolist())


@each_splitter
def test_number_of_splits_is_what_it_says(splitter: Any, table: pd.DataFrame) -> None:
    assert len(list(splitter.split(table, "label", "group"))) == splitter.get_n_splits(table, "label", "group")


@each_splitter
def test_splits_repeat_and_survive_pickling(splitter: Any, table: pd.DataFrame) -> None:
    want = numbers(splitter, table)
    assert numbers(splitter, table) == want
    assert numbers(pickle.loads(pickle.dumps(splitter)), table) == want
    assert numbers(copy.deepcopy(splitter), table) == want


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (KFold(4, shuffle=True), KFold(4, shuffle=True, random_state=1)),
        (StratifiedKFold(4, shuffle=True), StratifiedKFold(4, shuffle=True, random_state=1)),
        (RepeatedKFold(n_splits=3, n_repeats=1), RepeatedKFold(n_splits=3, n_repeats=1, random_state=1)),
        (ShuffleSplit(1), ShuffleSplit(1, random_state=1)),
        (GroupKFold(3, shuffle=True), GroupKFold(3, shuffle=True, random_state=1)),
        (OverlappingSplit(2), OverlappingSplit(2, random_state=1)),
        (OverlappingSplit(2, kind="overlapping"), OverlappingSplit(2, kind="overlapping", random_state=1)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_another_seed_draws_other_rows_and_none_is_0(one: Any, other: Any, table: pd.DataFrame) -> None:
    assert numbers(one, table) != numbers(other, table)
    other.random_state = 0
    assert numbers(one, table) == numbers(other, table)


@each_splitter
def test_masks_can_be_shown(splitter: Any, table: pd.DataFrame) -> None:
    for train, test in splitter.split(as_frame(table, 3), "label", "group"):
        assert "bool" in repr(train)
        assert "bool" in repr(test)


def test_repr_is_scikit_learns() -> None:
    assert repr(KFold(4)) == "KFold(n_splits=4, random_state=None, shuffle=False)"


@pytest.mark.parametrize(
    "splitter",
    [
        KFold(3),
        StratifiedKFold(3, shuffle=True),
        RepeatedKFold(n_splits=2, n_repeats=2),
        ShuffleSplit(2),
        TimeSeriesSplit(2),
        OverlappingSplit(2),
        PredefinedSplit(np.arange(103) % 4),
    ],
    ids=lambda one: type(one).__name__,
)
def test_scikit_learn_scores_and_searches_with_it(splitter: Any, table: pd.DataFrame) -> None:
    X, y = table[["number", "time"]].to_numpy() / 100, table["code"].to_numpy()
    assert len(cross_val_score(LogisticRegression(), X, y, cv=splitter)) == splitter.get_n_splits(X, y)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=splitter).fit(X, y)
    assert search.n_splits_ == splitter.get_n_splits(X, y)


@pytest.mark.parametrize("splitter", [GroupKFold(3), StratifiedGroupKFold(3)])
def test_scikit_learn_passes_groups_on(splitter: Any, table: pd.DataFrame) -> None:
    X, y, groups = table[["number", "time"]].to_numpy() / 100, table["code"].to_numpy(), table["group"].to_numpy()
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=splitter).fit(X, y, groups=groups)
    assert search.n_splits_ == 3
    assert splitter.get_metadata_routing().split.requests == {"groups": True}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        # Not in process: what goes to workers is pickled.
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            dashboard_address=":0",
            memory_limit=0,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_masks_are_computed_by_workers(client: Client, table: pd.DataFrame) -> None:
    with dask.config.set(scheduler=client):
        found = computed(StratifiedKFold(4, shuffle=True), as_unknown_frame(table, 5))
    assert found == numbers(StratifiedKFold(4, shuffle=True), table)


def test_a_fit_of_masked_rows_is_that_of_the_rows(
    client: Client, table: pd.DataFrame, files: Callable[[int], Path]
) -> None:
    X = dd.read_parquet(files(8))[["number", "time", "group", "code"]]
    splitter, columns = StratifiedKFold(3, shuffle=True), ["number", "time", "group"]
    model = DaskCatBoostClassifier(iterations=3, learning_rate=0.3, verbose=False)
    (train, _), (rows, _) = (next(splitter.split(data, "code")) for data in (X, table))
    masked = clone(model).set_params(client=client).fit(X[columns][train], X["code"][train])
    here = clone(model).fit(table[columns].iloc[rows], table["code"].iloc[rows])
    np.testing.assert_array_equal(masked.predict_proba(table[columns]), here.predict_proba(table[columns]))


def test_partitions_that_change_are_an_error(table: pd.DataFrame) -> None:
    reads = Counter[int]()

    def read(start: int) -> pd.DataFrame:
        reads[start] += 1
        return table.iloc[start : start + 40] if reads[start] == 1 else table.iloc[start : start + 30]

    train, _ = next(KFold(4).split(dd.from_map(read, [0, 40], meta=table.iloc[:0])))
    with pytest.raises(DataError) as raised:
        train.compute()
    assert str(raised.value) == (
        "X: found 30 rows in a partition, expected the 40 that were counted there. "
        "Persist it, or write it to files first."
    )


@pytest.mark.parametrize("data", [None, "rows", {"a": 1}, 3.0, np.float64(3)])
def test_rows_are_needed(data: Any) -> None:
    with pytest.raises(DataError) as raised:
        KFold(2).split(data)
    assert str(raised.value) == (
        f"X: found {type(data).__name__}, expected a Dask DataFrame or Array, or a table, vector or list in memory. "
        "Pass the rows that are to be split."
    )
