"""Which splitter the options of a job are."""

from typing import Any

import pytest

from gbdist.errors import ParameterError
from gbdist.jobs.folding import FoldedJob, with_loss
from gbdist.jobs.tune import TuneJob, check_given
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "--folds=1 cannot be used: expected an integer of at least 2. Change it."),
        ({"seed": -1}, "--seed=-1 cannot be used: expected an integer of at least 0. Change it."),
        ({"trials": 0}, "--trials=0 cannot be used: expected an integer of at least 1. Change it."),
        ({"jobs": 0}, "--jobs=0 cannot be used: expected an integer of at least 1. Change it."),
    ],
)
def test_numbers_of_a_job_file_are_checked_before_a_worker_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as error:
        check_given(TuneJob(("rows.parquet",), "y", space={"depth": [1, 2]}, **options))
    assert str(error.value) == message


def test_a_loss_that_is_given_stays() -> None:
    assert with_loss("binary", {"depth": 3}) == {"depth": 3, "loss_function": "Logloss"}
    assert with_loss("binary", {"objective": "CrossEntropy"}) == {"objective": "CrossEntropy"}
