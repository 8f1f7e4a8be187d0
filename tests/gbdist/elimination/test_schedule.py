"""How many columns go at each step, beside CatBoost's own selection."""

import catboost
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.elimination.schedule import columns_by_step


@pytest.mark.parametrize(("columns", "wanted", "steps"), [(9, 3, 3), (12, 1, 4), (12, 11, 1), (20, 2, 7), (6, 5, 3)])
def test_as_many_as_in_catboost(columns: int, wanted: int, steps: int) -> None:
    X = np.random.default_rng(3).normal(size=(30, columns))
    summary = catboost.CatBoostRegressor(iterations=1, depth=1, allow_writing_files=False).select_features(
        X,
        X[:, 0],
        features_for_select=list(range(columns)),
        num_features_to_select=wanted,
        steps=min(steps, columns - wanted),
        algorithm="RecursiveByPredictionValuesChange",
        train_final_model=True,
        logging_level="Silent",
    )
    removed = summary["loss_graph"]["removed_features_count"]
    assert np.cumsum(columns_by_step(columns, wanted, steps)).tolist() == removed[1:]


@given(columns=st.integers(1, 300), data=st.data())
def test_steps_eliminate_all_that_are_not_wanted(columns: int, data: st.DataObject) -> None:
    wanted, steps = data.draw(st.integers(1, columns)), data.draw(st.integers(1, 40))
    counts = columns_by_step(columns, wanted, steps)
    assert sum(counts) == columns - wanted
    assert all(count > 0 for count in counts)
    assert len(counts) <= steps
