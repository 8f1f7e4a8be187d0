"""With nothing left to chance, ranking grows the very trees that CatBoost grows; YetiRank's are as good."""

import json
import pathlib
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist import DaskCatBoostRanker

CERTAIN = {"bootstrap_type": "No", "random_strength": 0, "iterations": 12, "learning_rate": 0.2, "depth": 5}


def make_groups() -> tuple[Any, Any, Any, Any]:
    """Continuous columns, so that no two splits tie; groups of 1 to 24 rows, and a weight for each group."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(200), rng.integers(1, 25, 200))
    x = rng.normal(size=(len(group), 6)).astype(np.float32)
    score = x[:, 0] + np.sin(2 * x[:, 1]) + x[:, 2] * (x[:, 3] > 0) + rng.normal(size=len(group))
    weight = (0.5 + rng.random(200))[group].astype(np.float32)
    return x, np.digitize(score, [-1, 0, 1, 2]).astype(np.float32), group, weight


X, Y, GROUP, WEIGHT = make_groups()
NEIGHBOURS = [[i, i + 1] for i in range(len(GROUP) - 1) if GROUP[i] == GROUP[i + 1]]


def splits_of(model: Any, path: pathlib.Path) -> list[list[tuple[int, float]]]:
    model.save_model(str(path), format="json")
    trees = json.loads(path.read_text())["oblivious_trees"]
    return [[(s["float_feature_index"], s["border"]) for s in tree["splits"]] for tree in trees]


@pytest.mark.parametrize(
    ("loss", "more", "given", "tolerance"),
    [
        ("QueryRMSE", {}, {}, 1e-9),
        ("QueryRMSE", {"leaf_estimation_method": "Gradient", "leaf_estimation_iterations": 5}, {"w": WEIGHT}, 1e-9),
        ("QueryRMSE", {}, {"w": (1 + np.arange(len(Y)) % 3).astype(np.float32)}, 1e-9),
        ("QuerySoftMax", {"leaf_estimation_iterations": 20}, {}, 1e-6),
        (
            "QuerySoftMax:beta=2;lambda=0.1",
            {"leaf_estimation_method": "Newton", "leaf_estimation_iterations": 5},
            {"w": WEIGHT},
            1e-6,
        ),
        ("PairLogit", {"leaf_estimation_iterations": 10}, {}, 1e-6),
        ("PairLogit", {"l2_leaf_reg": 30}, {"group_weight": WEIGHT}, 1e-9),
        ("PairLogit", {}, {"group_weight": WEIGHT, "pairs": NEIGHBOURS}, 1e-9),
        ("LambdaMart", {}, {}, 1e-9),
        ("LambdaMart:metric=DCG;top=3;type=Exp;sigma=2", {}, {"group_weight": WEIGHT}, 1e-9),
        ("LambdaMart:norm=false;denominator=Position", {}, {}, 1e-9),
        # Without noise YetiRank draws nothing; its pairs have weights of float32.
        ("YetiRank:noise=No", {}, {"group_weight": WEIGHT}, 1e-6),
        ("YetiRank:noise=No;mode=NDCG;top=5;dcg_type=Exp", {}, {"group_weight": WEIGHT}, 1e-6),
        ("YetiRank:noise=No;mode=DCG;num_neighbors=3;dcg_denominator=Position", {}, {}, 1e-6),
    ],
)
def test_trees_are_those_of_catboost(
    loss: str, more: dict[str, Any], given: dict[str, Any], tolerance: float, tmp_path: pathlib.Path
) -> None:
    params = {**CERTAIN, "loss_function": loss, **more}
    ours = DaskCatBoostRanker(**params, verbose=False).fit(
        X,
        Y,
        group_id=GROUP,
        sample_weight=given.get("w"),
        group_weight=given.get("group_weight"),
        pairs=given.get("pairs"),
    )
    pool = catboost.Pool(
        X, Y, group_id=GROUP, weight=given.get("w"), group_weight=given.get("group_weight"), pairs=given.get("pairs")
    )
    theirs = catboost.CatBoost({**params, "verbose": False, "allow_writing_files": False}).fit(pool)
    assert splits_of(ours.model_, tmp_path / "ours.json") == splits_of(theirs, tmp_path / "theirs.json")
    assert ours.predict(X) == pytest.approx(theirs.predict(X), abs=tolerance)
    assert ours.predict(X).tolist() == ours.model_.predict(X).tolist()


@pytest.mark.parametrize("loss", ["YetiRank", "YetiRank:mode=NDCG;noise=Gauss"])
def test_yeti_rank_is_as_good_as_catboosts(loss: str) -> None:
    params = {"loss_function": loss, "iterations": 40, "learning_rate": 0.1, "verbose": False}
    metrics: dict[str, list[float]] = {"ours": [], "theirs": []}
    held_out = GROUP >= 150
    train = {"group_id": GROUP[~held_out]}
    valid = {"X": X[held_out], "y": Y[held_out], "group_id": GROUP[held_out]}
    pool = catboost.Pool(valid["X"], valid["y"], group_id=valid["group_id"])
    for seed in range(3):
        ours = DaskCatBoostRanker(**params, random_seed=seed).fit(X[~held_out], Y[~held_out], **train, eval_set=valid)
        theirs = catboost.CatBoostRanker(**params, random_seed=seed, allow_writing_files=False)
        theirs.fit(X[~held_out], Y[~held_out], **train, eval_set=pool)
        for name, model in (("ours", ours), ("theirs", theirs)):
            metrics[name].append(max(model.evals_result_["validation"]["NDCG:type=Base"]))
    assert np.mean(metrics["ours"]) == pytest.approx(np.mean(metrics["theirs"]), rel=0.01)
