"""Which splitter the options of a job are."""

from typing import Any

import pytest

from gbdist.jobs.folding import FoldedJob, with_loss
from gbdist.selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit


def job(**options: Any) -> FoldedJob:
    return FoldedJob(("rows.parquet",), "y", **options)


@pytest.mark.parametrize(
    ("options", "loss", "kind", "fields"),
    [
        ({}, "Logloss", StratifiedKFold, (5, True, None)),
        ({"seed": 4}, "RMSE", KFold, (5, True, 4)),
        ({"stratified": False, "folds": 3}, "MultiClass", KFold, (3, True, None)),
        ({"stratified": True, "shuffle": False}, "RMSE", StratifiedKFold, (5, False, None)),
        ({"shuffle": False, "seed": 4}, "RMSE", KFold, (5, False, None)),  # a seed of the search alone
        ({"group": "g"}, "Logloss", StratifiedGroupKFold, (5, True, None)),
        ({"group": "g", "seed": 2}, "RMSE", GroupKFold, (5, True, 2)),
        ({"group": "g", "task": "ranking"}, "YetiRank", GroupKFold, (5, True, None)),
    ],
)
def test_splitter_of_a_job(options: dict[str, Any], loss: str, kind: type, fields: tuple[Any, ...]) -> None:
    made = job(**options).splitter(loss)
    assert type(made) is kind
    assert (made.n_splits, made.shuffle, made.random_state) == fields


def test_folds_follow_time() -> None:
    made = job(time_series=True, folds=4).splitter("Logloss")
    assert (type(made), made.n_splits) == (TimeSeriesSplit, 4)


def test_a_group_alone_does_not_make_rows_ranked() -> None:
    assert not job(group="g").ranks
    assert job(group="g", params={"objective": "QueryRMSE"}).ranks


def test_a_loss_that_is_given_stays() -> None:
    assert with_loss("binary", {"depth": 3}) == {"depth": 3, "loss_function": "Logloss"}
    assert with_loss("binary", {"objective": "CrossEntropy"}) == {"objective": "CrossEntropy"}
