"""The task is the one asked for, else that of the loss, else the one that the target looks like."""

from collections.abc import Iterator
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from gbdist.errors import DataError, ParameterError
from gbdist.jobs.targets import choose_task, count_classes, decided_by, distinct_values, require_targets, values_a_row


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster, set_as_default=False) as found,
    ):
        yield found


def test_groups_make_it_ranking() -> None:
    for asked in ("auto", "ranking"):
        assert choose_task(asked, {"loss_function": "PairLogit"}, None, "y", None, grouped=True) == "ranking"


@pytest.mark.parametrize(
    ("asked", "params", "grouped", "message"),
    [
        (
            "ranking",
            {},
            False,
            "task='ranking' cannot be used: expected a column of groups beside it. "
            "Say which rows are ranked together: --group COL.",
        ),
        (
            "auto",
            {"loss_function": "YetiRank:mode=NDCG"},
            False,
            "loss_function='YetiRank' cannot be used: expected a column of groups beside it. "
            "Say which rows are ranked together: --group COL.",
        ),
        (
            "binary",
            {},
            True,
            "task='binary' cannot be used: expected ranking, as groups are named. Leave out --task or --group.",
        ),
    ],
)
def test_what_does_not_go_with_groups(asked: str, params: dict[str, Any], grouped: bool, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        choose_task(asked, params, None, "y", None, grouped=grouped)
    assert str(caught.value) == message


def table_of(values: Any) -> Any:
    return dd.from_pandas(pd.DataFrame({"y": values, "x": 1.0}), npartitions=3, sort=False)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (np.arange(60) % 2, "binary"),
        (np.arange(60) % 2 * 1.0, "binary"),
        (np.arange(60) % 2 == 0, "binary"),
        (["a", "b"] * 30, "binary"),
        (["a", "b", "c"] * 20, "multiclass"),
        ([f"name {i}" for i in range(60)], "multiclass"),
        (np.arange(60) % 20, "multiclass"),
        (np.arange(60) % 21, "regression"),
        (np.arange(60) / 7, "regression"),
        # One partition alone has two values; all of them together have three.
        (np.repeat([1, 1, 2, 2, 3, 3], 10), "multiclass"),
    ],
)
def test_task_of_a_target(client: Client, values: Any, task: str) -> None:
    assert choose_task("auto", {}, table_of(values), "y", client) == task


@pytest.mark.parametrize(
    ("asked", "params", "task"),
    [
        ("regression", {}, "regression"),
        ("multiclass", {}, "multiclass"),
        ("binary", {}, "binary"),
        ("auto", {"objective": "RMSE"}, "regression"),
        ("auto", {"loss_function": "MultiClassOneVsAll"}, "multiclass"),
        ("auto", {"loss_function": "Logloss"}, "binary"),
        ("multiclass", {"loss_function": "MultiClass"}, "multiclass"),
        ("auto", {"loss_function": "MultiLogloss"}, "multilabel"),
        ("binary", {"loss_function": "MultiCrossEntropy"}, "multilabel"),
    ],
)
def test_what_is_asked_for_needs_no_look_at_the_target(asked: str, params: dict[str, Any], task: str) -> None:
    assert choose_task(asked, params, None, "y", None) == task


@pytest.mark.parametrize(
    ("asked", "params", "message"),
    [
        (
            "sorting",
            {},
            "task='sorting' cannot be used: expected one of auto, binary, multiclass, regression, ranking. "
            "Leave it out to have it chosen from the target.",
        ),
        (
            "regression",
            {"loss_function": "Logloss"},
            "loss_function='Logloss' cannot be used: expected a loss for regression. "
            "Use --task binary or multiclass for it.",
        ),
        (
            "binary",
            {"loss_function": "RMSE"},
            "loss_function='RMSE' cannot be used: expected a loss for binary. Use --task regression for it.",
        ),
    ],
)
def test_loss_for_another_task_is_refused(asked: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        choose_task(asked, params, None, "y", None)
    assert str(caught.value) == message


def test_constant_target_is_refused(client: Client) -> None:
    with pytest.raises(DataError) as caught:
        choose_task("auto", {}, table_of([1] * 60), "y", client)
    assert str(caught.value) == (
        "target 'y': found 1 distinct value(s), expected at least 2. Name another column with --target."
    )


def test_many_values_are_not_sent_to_the_client() -> None:
    assert distinct_values(pd.DataFrame({"y": np.arange(10_000)}), 3) == {0, 1, 2}
    assert distinct_values(pd.DataFrame({"y": [1.0, 2.0, np.nan]}), 3) == {1.0, 2.0}
    assert distinct_values(pd.DataFrame({"y": [1.0, 2.5]}), 3) is None


def test_classes_are_counted_over_all_partitions(client: Client) -> None:
    assert count_classes(table_of([f"name {i}" for i in range(60)]), "y", client) == 60


def test_what_decided_the_task_is_told() -> None:
    assert decided_by("auto", {}, "y", grouped=False) == " (from the values of 'y'; --task says otherwise)"
    assert decided_by("auto", {"objective": "Quantile:alpha=0.9"}, "y", grouped=False) == " (from loss_function)"
    assert decided_by("regression", {}, "y", grouped=False) == decided_by("auto", {}, "y", grouped=True) == ""


@pytest.mark.parametrize(
    ("targets", "params", "message"),
    [
        (("a", "a"), {"loss_function": "MultiRMSE"}, "expected each column once. Name it once."),
        (("a", "b"), {}, "expected one column, as loss_function is not for several. "),
        (("a", "b"), {"loss": "MAE", "objective": "RMSE"}, "expected one column, as loss_function is RMSE. "),
    ],
)
def test_targets_that_the_loss_does_not_take(targets: tuple[str, ...], params: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        require_targets(targets, params)
    fix = (
        "Name one column, or set loss_function to one of MultiRMSE, MultiRMSEWithMissingValues, MultiLogloss, "
        "MultiCrossEntropy, SurvivalAft."
    )
    assert str(caught.value) == f"target={list(targets)} cannot be used: {message}{fix if message[-1] == ' ' else ''}"


def test_several_targets_are_a_value_each_but_for_ends_of_times() -> None:
    for loss, values in (("MultiRMSE", 2), ("MultiLogloss", 2), ("SurvivalAft", 1)):
        require_targets(("a", "b"), {"loss_function": loss})
        assert values_a_row(("a", "b"), {"loss_function": loss}) == values
    require_targets(("a",), {})
