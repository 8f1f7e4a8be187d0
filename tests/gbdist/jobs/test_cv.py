"""What a cross-validation on files writes and tells."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist.jobs.cv import CvJob, cross_validate, scores_at
from gbdist.selection import GroupKFold, cv

from ...gbdist.estimators import conftest as of_estimators

client, three_workers = of_estimators.client, of_estimators.three_workers

CURVES = pd.DataFrame(
    {
        "iterations": [0, 5, 9],
        "test-NDCG:top=3-mean": [0.1, 1 / 3, 0.2],
        "test-NDCG:top=3-std": [float("nan")] * 3,
        "test-RMSE-mean": [3.0, 2.0, 1.0],
        "test-RMSE-std": [0.0, 0.5, 1.0],
        "train-RMSE-mean": [2.5, 1.5, 0.5],
        "train-RMSE-std": [0.25, 0.125, 0.0],
    }
)


def test_scores_are_those_of_the_last_row_up_to_an_iteration() -> None:
    assert scores_at(CURVES, 8) == (
        {"metric": "NDCG:top=3", "test": 1 / 3, "test_std": None, "train": None, "train_std": None},
        {"metric": "RMSE", "test": 2.0, "test_std": 0.5, "train": 1.5, "train_std": 0.125},
    )
    assert scores_at(CURVES, 9)[1]["test"] == 1.0


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ({"params": {"loss_function": "RMSE"}}, {"folds": GroupKFold(3, shuffle=True), "groups": True}),
        ({"params": {"loss_function": "QueryRMSE"}}, {"group_id": True, "fold_count": 3}),
    ],
)
def test_a_column_of_groups_keeps_them_whole_and_is_no_feature(
    client: Client, tmp_path: Path, given: dict[str, Any], same: dict[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=120), "g": np.repeat(np.arange(30), 4), "y": rng.normal(size=120)})
    table.to_parquet(tmp_path / "rows.parquet")
    params = {**given["params"], "iterations": 3, "depth": 2}
    out = tmp_path / "curves.csv"
    job = CvJob(data=(str(tmp_path / "rows.parquet"),), target="y", group="g", folds=3, params=params, out=out)
    found = cross_validate(job, client=client)
    expected = cv(
        (table[["x"]], table["y"]),
        params,
        **{name: table["g"] if value is True else value for name, value in same.items()},
    )
    assert found.features == 1
    assert pd.read_csv(out).to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-12)
