"""Folds that somebody asks for: those of the splitter itself, wherever the rows are, and refusals that name the way out."""

from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn import model_selection as sklearn_splitters

from gbdist import DaskPool
from gbdist.boosting.collective import SingleRank
from gbdist.boosting.rows import Rows, Segment
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.folds import AnyFolds, FoldsWanted
from gbdist.estimators.rank_folds import FoldsAsked
from gbdist.estimators.sources import Given
from gbdist.quantize.survey import LabelFacts
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
from gbdist.selection.asked import folds_from, stratified_from

from ..estimators import conftest as of_estimators

client, three_workers = of_estimators.client, of_estimators.three_workers

N_ROWS = 90
FRAME = pd.DataFrame(
    {
        "x": np.arange(N_ROWS) / 7,
        "y": np.arange(N_ROWS) // 3 % 2,
        "g": np.arange(N_ROWS) * 5 % 17,
        "fold": np.arange(N_ROWS) % 4 - 1,
        "t": np.arange(N_ROWS) // 2,
    }
)


def pairs_of(folds: AnyFolds, given: Given) -> list[list[list[int]]]:
    """Rows that train and rows that are held out, of each fold, as one rank finds them."""
    code = given.fold.compute() if hasattr(given.fold, "compute") else given.fold
    fold = None if code is None else np.asarray(code)
    return found_by_rank(folds.of_data(N_ROWS, None, None), FRAME["y"], fold)


def found_by_rank(asked: FoldsAsked, label: pd.Series, fold: Any = None) -> list[list[list[int]]]:
    """The same, of what ranks are asked."""
    segments = (Segment(0, N_ROWS, 0),)
    rows = Rows(np.zeros((1, N_ROWS), np.uint8), label.to_numpy(np.float32), None, None, segments, fold=fold)
    return [[np.flatnonzero(mask).tolist() for mask in one.masks] for one in asked.of_rank(rows, SingleRank())]


def _groups(asked: Any) -> Any:
    """What the splitter wants: others warn."""
    return FRAME["g"] if isinstance(asked, sklearn_splitters.GroupKFold) else None


SPLITTERS = [
    KFold(4, shuffle=True),
    RepeatedKFold(n_splits=2, n_repeats=2),
    ShuffleSplit(3),
    TimeSeriesSplit(4, gap=1, time="t"),
    OverlappingSplit(3, kind="overlapping"),
    GroupKFold(3),
    GroupKFold(3, shuffle=True, random_state=2),
    StratifiedGroupKFold(3),
    StratifiedKFold(3, shuffle=True),  # of a regressor, whose labels are no classes to the trainer
    PredefinedSplit("fold"),
]


@pytest.mark.parametrize("splitter", SPLITTERS, ids=repr)
def test_folds_are_those_of_the_splitter_wherever_rows_are(splitter: Any, client: Client) -> None:
    expected = [[part.tolist() for part in pair] for pair in splitter.split(FRAME, "y", "g")]
    given = Given(FRAME, "y")
    folds, beside = folds_from(splitter, given, classifier=False, groups="g")
    assert folds.n_folds == len(expected)
    assert pairs_of(folds, beside) == expected
    mean = sum(len(train) for train, _ in expected) // len(expected)
    assert abs(folds.trained_rows(N_ROWS) - mean) <= 1
    lazy = Given(dd.from_pandas(FRAME, npartitions=4, sort=False), "y")
    there, beside = folds_from(splitter, lazy, classifier=False, groups="g", client=client)
    assert pairs_of(there, beside) == expected
    assert there.trained_rows(N_ROWS) == folds.trained_rows(N_ROWS)


def test_groups_of_data_that_are_ranked_are_those_of_splitters(client: Client) -> None:
    X = da.from_array(FRAME[["x"]].to_numpy(), (40, 1))
    groups = da.from_array(FRAME["g"].to_numpy(), 40)
    folds, given = folds_from(GroupKFold(3), Given(X, group_id=groups), classifier=False, client=client)
    assert pairs_of(folds, given) == [
        [part.tolist() for part in pair] for pair in GroupKFold(3).split(FRAME, None, "g")
    ]


@pytest.mark.parametrize(
    "asked",
    [
        sklearn_splitters.GroupKFold(3),
        sklearn_splitters.StratifiedKFold(4, shuffle=True, random_state=0),
        list(sklearn_splitters.ShuffleSplit(3, random_state=0).split(FRAME)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_splitters_of_scikit_learn_and_pairs_of_data_in_memory(asked: Any) -> None:
    pairs = asked if isinstance(asked, list) else asked.split(FRAME, FRAME["y"], _groups(asked))
    expected = [[sorted(part.tolist()) for part in pair] for pair in pairs]
    folds, given = folds_from(asked, Given(FRAME, "y"), classifier=True, groups=_groups(asked))
    assert pairs_of(folds, given) == expected
    assert folds.trained_rows(N_ROWS) == sum(len(train) for train, _ in expected) // len(expected)


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        (
            OverlappingSplit(3),
            ParameterError,
            "cv, kind='bootstrap' cannot be used: expected splits without repeated rows, which folds on shared bins cannot have. "
            "Use kind='overlapping', or fit each split with the weights of OverlappingSplit.weights.",
        ),
        (1, ParameterError, "cv=1 cannot be used: expected an integer of at least 2. Change it."),
        (
            "kfold",
            ParameterError,
            "cv='kfold' cannot be used: expected a splitter, a number of folds, or pairs of row numbers (train, test). "
            "Pass one, e.g. KFold(5, shuffle=True) of gbdist.selection.",
        ),
        (GroupKFold(3), DataError, "groups: found None, expected a group for each row. "
            "Pass groups=, one value a row or the name of a column of X."),
    ],
)  # fmt: skip
def test_what_are_no_folds(asked: Any, kind: Any, said: str) -> None:
    with pytest.raises(kind) as caught:
        folds_from(asked, Given(FRAME, "y"), classifier=True)
    assert str(caught.value) == said


def test_what_collections_and_pools_cannot_tell(client: Client) -> None:
    lazy = dd.from_pandas(FRAME, npartitions=2, sort=False)
    for asked, found in ((sklearn_splitters.KFold(3), "a splitter of another library"), ([], "pairs of row numbers")):
        with pytest.raises(DataError) as caught:
            folds_from(asked, Given(lazy, "y"), classifier=True)
        assert str(caught.value) == (
            f"cv: found {found}, expected folds that partitions can tell by themselves. "
            "Pass a splitter of gbdist.selection; PredefinedSplit takes a column of folds."
        )
    with pytest.raises(DataError) as caught:
        folds_from(GroupKFold(3).split(lazy, groups="g"), Given(lazy, "y"), classifier=True, name="folds")
    assert str(caught.value) == (
        "folds: found pairs of masks, as split yields them, expected folds that partitions can tell by themselves. "
        "Pass the splitter itself: folds=GroupKFold(4), groups=…, in place of folds=GroupKFold(4).split(…)."
    )
    with DaskPool(lazy, "y", client=client) as pool:
        folds_from(KFold(3), Given(pool), classifier=True)
        folds_from(StratifiedKFold(3), Given(pool), classifier=True)
        with pytest.raises(DataError) as caught:
            folds_from(GroupKFold(3), Given(pool), classifier=True, groups="g", name="folds")
    assert str(caught.value) == (
        "folds: found GroupKFold(n_splits=3, random_state=None, shuffle=False) with a DaskPool, which keeps no values that it "
        "could look at, expected folds by row numbers or classes. Pass the collection itself in place of the pool."
    )


@pytest.mark.parametrize("order", [None, (1, 0)])
@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("inverted", [False, True])
def test_partitions_tell_stratified_folds_as_ranks_do(
    client: Client, order: tuple[object, ...] | None, seed: int | None, inverted: bool
) -> None:
    """Whatever the order of the classes, and of their first rows."""
    counts = (45, 45)
    facts = LabelFacts("integer", N_ROWS, 0, 0, 0.0, 1.0, (0, 1), counts, counts)
    ranks = FoldsWanted(4, seed, stratified=True, inverted=inverted).of_data(N_ROWS, facts, order or (0, 1))
    expected = found_by_rank(ranks, FRAME["y"] if order is None else 1 - FRAME["y"])
    for data in (FRAME, dd.from_pandas(FRAME, npartitions=4, sort=False)):
        folds, given = stratified_from(4, seed, Given(data, "y"), order, inverted=inverted, client=client)
        assert pairs_of(folds, given) == expected
