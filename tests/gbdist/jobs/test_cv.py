"""What a cross-validation on files writes and tells."""

import pandas as pd

from gbdist.jobs.cv import scores_at

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
