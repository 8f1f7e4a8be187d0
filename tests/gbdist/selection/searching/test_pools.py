"""Pools of a search: one for each way to cut columns into bins, and none for what a pool that is given has decided."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostRegressor, DaskPool
from gbdist.errors import ParameterError
from gbdist.estimators.sources import Given
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.searching.pools import key_of
from gbdist.selection.searching.rule import Wanted, places_for
from gbdist.selection.searching.spaces import read_space

from ...estimators import conftest as of_estimators

three_workers, client = of_estimators.three_workers, of_estimators.client


@pytest.mark.parametrize(
    "cut",
    [{"max_bin": 8}, {"nan_mode": "Max"}, {"cat_features": ["a"]}, {"cat_features": ["a", "b"]}, {"cat_nan": "?"}],
)
def test_trials_share_a_pool_unless_they_are_cut_otherwise(cut: dict[str, Any]) -> None:
    plain = key_of(DaskCatBoostRegressor())
    assert key_of(DaskCatBoostRegressor(depth=3, learning_rate=0.5)) == plain
    assert key_of(DaskCatBoostRegressor(**cut)) != plain


def test_the_names_of_categorical_columns_are_part_of_it() -> None:
    one, other = (key_of(DaskCatBoostRegressor(cat_features=names)) for names in (["a"], ["b"]))
    assert one != other


@pytest.mark.parametrize("name", ["border_count", "max_bin"])
def test_what_a_given_pool_has_decided_is_not_searched_for(name: str, client: Client) -> None:
    rows = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0) % 7})
    model, space = DaskCatBoostRegressor(iterations=2), read_space({name: [4, 8]})
    with DaskPool(dd.from_pandas(rows, npartitions=2), "y", client=client) as pool:
        evaluation = Evaluation(model, pool, cv=2)
        with pytest.raises(ParameterError) as error:
            places_for(evaluation, model, space, Given(pool), None, Wanted(None, "auto", 2))
    assert str(error.value) == (
        f"space: {name}=[4, 8] cannot be used: expected it to be left out with a DaskPool, whose bins are made. "
        "Pass the collection that the pool was made of."
    )
