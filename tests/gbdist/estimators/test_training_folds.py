"""Folds as they are asked for: who hears of them and ends them, and what they are refused for."""

from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from gbdist.errors import ParameterError
from gbdist.estimators.folds import FoldsWanted
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.estimators.training_folds import train_folds

FEATURES = list("abcdef")


@pytest.fixture
def frame(table: pd.DataFrame) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=5, sort=False)


@pytest.mark.parametrize("strict", [False, True])
def test_callbacks_are_told_the_means_over_folds_and_stop_all(
    client: Client, table: pd.DataFrame, frame: dd.DataFrame, strict: bool
) -> None:
    heard: list[float] = []

    class Third:
        """Stops after three iterations."""

        def after_iteration(self, info: Any) -> bool:
            heard.append(info.metrics["validation"]["RMSE"][-1])
            return int(info.iteration) < 3

    parameters = canonical(
        {"loss_function": "RMSE", "iterations": 8, "depth": 3, "use_best_model": False}, classifier=False
    )
    for X, y in ((table[FEATURES], table["y"]), (frame[FEATURES], frame["y"])):
        heard.clear()
        how: dict[str, Any] = {"classifier": False, "callbacks": [Third()], "client": client, "strict_borders": strict}
        found = train_folds(Given(X, y), FoldsWanted(3, 0, stratified=False), parameters=parameters, **how)
        assert (found.stopped, len(found.scores)) == ("callback", 3)
        assert heard == [each["validation"]["RMSE"] for each in found.scores]
        assert [len(one.history["validation"]["RMSE"]) for one in found.records] == [3] * 3


def test_folds_of_a_pool_have_the_borders_of_all_rows(client: Client, frame: dd.DataFrame) -> None:
    with DaskPool(frame[FEATURES], frame["y"], client=client) as pool, pytest.raises(ParameterError) as caught:
        train_folds(Given(pool), FoldsWanted(3, 0, False), parameters={}, classifier=True, strict_borders=True)
    assert str(caught.value) == (
        "strict_borders=True cannot be used: expected False with a DaskPool, which has been quantized. "
        "Pass the collection itself in place of the pool."
    )
