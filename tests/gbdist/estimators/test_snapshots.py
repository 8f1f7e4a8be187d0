"""A fit that was ended, however it was, goes on from its snapshot and gives the model of one that was not, bit for bit."""

from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor, DaskPool
from gbdist.errors import SnapshotError
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.snapshots.store import Store

from .interrupted import AT, PLAIN, TREES, Interrupts

FEATURES = list("abcdef")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "new folder" / 'it\'s "$HOME"\n')


def frame(table: pd.DataFrame, parts: int) -> Any:
    return dd.from_pandas(table, npartitions=parts, sort=False)


def made(kind: str, table: pd.DataFrame) -> tuple[type[Any], dict[str, Any], dict[str, Any]]:
    """An estimator, parameters and arguments of ``fit`` (without X) of each kind of run."""
    evals = {"eval_set": (table[:700].drop(columns="w"), "y")}
    match kind:
        case "plain":
            return DaskCatBoostClassifier, {}, {}
        case "eval set":
            given = {"early_stopping_rounds": 50, "metric_period": 3, "custom_metric": ["AUC"]}
            return DaskCatBoostClassifier, given, {"sample_weight": "w", **evals}
        case "drawn":
            return DaskCatBoostClassifier, {"bootstrap_type": "Bernoulli", "rsm": 0.5, "random_strength": 2}, {}
        case "leaf by leaf":
            return DaskCatBoostClassifier, {"grow_policy": "Lossguide", "max_leaves": 7, "depth": 6}, {}
        case "depthwise":
            return DaskCatBoostClassifier, {"grow_policy": "Depthwise"}, {"sample_weight": "w", **evals}
        case "shrunk":
            return DaskCatBoostRegressor, {"model_shrink_rate": 0.3, "loss_function": "Poisson"}, {}
        case "several values":
            return DaskCatBoostRegressor, {"loss_function": "MultiQuantile:alpha=0.1,0.9"}, {}
        case "categories":
            given = {"cat_features": ["c1", "c2"], "first_feature_use_penalties": {"c1": 0.1}, "max_ctr_complexity": 3}
            return DaskCatBoostClassifier, given, {}
        case "groups":
            return DaskCatBoostRanker, {"loss_function": "YetiRank"}, {"group_id": "q"}
    raise ValueError(kind)


def table_of(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    table = table[:2_000]
    if kind == "groups":
        return table.drop(columns="w").assign(q=np.arange(len(table)) // 8, y=table["y"] * 2.0)
    if kind == "categories":
        words = np.array([f"v{k}" for k in range(40)])
        first, second = (np.abs(table[name].to_numpy() * 9).astype(int) % 40 for name in "ab")
        return table.drop(columns=["a", "w"]).assign(c1=words[first], c2=words[second % 7])
    return table


KINDS = [
    "plain",
    "eval set",
    "drawn",
    "leaf by leaf",
    "depthwise",
    "shrunk",
    "several values",
    "categories",
    "groups",
]


@pytest.mark.parametrize("kind", KINDS)
def test_interrupted_and_gone_on_with_is_the_same_model(table: pd.DataFrame, path: str, kind: str) -> None:
    estimator, given, beside = made(kind, table)
    data = table_of(kind, table)

    def fit(callbacks: Any = None, **more: Any) -> Any:
        return estimator(**{**PLAIN, **given, **more}).fit(data, "y", callbacks=callbacks, **beside)

    whole = fit()
    with pytest.raises(KeyboardInterrupt):
        fit([Interrupts(AT)], save_snapshot=True, snapshot_file=path)
    seen = Interrupts()
    resumed = fit([seen], save_snapshot=True, snapshot_file=path)
    assert fixed_cbm_bytes(resumed.model_) == fixed_cbm_bytes(whole.model_)
    assert resumed.evals_result_ == whole.evals_result_
    assert resumed.best_iteration_ == whole.best_iteration_
    # As CatBoost's callbacks: trees that were there are in the history, and not told of again.
    assert [iteration for iteration, _ in seen.seen] == list(range(AT + 1, TREES + 1))
    if kind == "plain":
        assert [n for _, n in seen.seen] == list(range(AT + 1, TREES + 1))
    # What is finished comes out of the snapshot at once.
    again = Interrupts()
    finished = fit([again], save_snapshot=True, snapshot_file=path)
    assert fixed_cbm_bytes(finished.model_) == fixed_cbm_bytes(whole.model_)
    assert again.seen == []


@pytest.mark.parametrize("kind", ["eval set", "categories", "groups"])
def test_on_a_cluster_and_here(client: Client, table: pd.DataFrame, path: str, kind: str) -> None:
    estimator, given, beside = made(kind, table)
    data = table_of(kind, table)

    def fit(X: Any, callbacks: Any = None, **more: Any) -> Any:
        return estimator(**{**PLAIN, **given, **more}, client=client).fit(X, "y", callbacks=callbacks, **beside)

    whole = fit(frame(data, 3))
    # Interrupted on three workers, gone on with on other partitions, and what is finished once more here.
    with pytest.raises(KeyboardInterrupt):
        fit(frame(data, 3), [Interrupts(AT)], save_snapshot=True, snapshot_file=path, snapshot_interval=0)
    saved = Store(path).load()
    assert saved is not None
    assert 1 <= len(saved.content.records) <= AT + 1
    for X in (frame(data, 5), data):
        resumed = fit(X, save_snapshot=True, snapshot_file=path)
        assert fixed_cbm_bytes(resumed.model_) == fixed_cbm_bytes(whole.model_)
        assert resumed.evals_result_ == whole.evals_result_
    found = Store(path).load()
    assert found is not None
    assert len(found.content.records) == TREES


def test_a_pool(client: Client, table: pd.DataFrame, path: str) -> None:
    with DaskPool(frame(table[:2_000], 3), "y", client=client) as pool:
        train_on(pool, path)


def train_on(pool: DaskPool, path: str) -> None:
    client = pool.client
    whole = DaskCatBoostClassifier(**PLAIN, client=client).fit(pool)
    snapshot = {**PLAIN, "save_snapshot": True, "snapshot_file": path, "client": client}
    with pytest.raises(KeyboardInterrupt):
        DaskCatBoostClassifier(**snapshot).fit(pool, callbacks=[Interrupts(AT)])
    assert fixed_cbm_bytes(DaskCatBoostClassifier(**snapshot).fit(pool).model_) == fixed_cbm_bytes(whole.model_)


def test_other_data_are_refused_on_a_cluster(client: Client, table: pd.DataFrame, path: str) -> None:
    data = table[:2_000]
    snapshot = {**PLAIN, "save_snapshot": True, "snapshot_file": path, "client": client}
    DaskCatBoostClassifier(**snapshot).fit(frame(data, 3), "y")
    changed = data.assign(y=data["y"].where(np.arange(len(data)) != 77, 1 - data["y"]))
    with pytest.raises(SnapshotError) as refusal:
        DaskCatBoostClassifier(**snapshot).fit(frame(changed, 3), "y")
    assert refusal.value.args[1] == "a snapshot of another run (the labels are other ones)"
    # What the client can see is told before anything is quantized.
    with pytest.raises(SnapshotError, match=r"2,000 rows in the snapshot, 1,999 here"):
        DaskCatBoostClassifier(**snapshot).fit(frame(data[:-1], 3), "y")
    with pytest.raises(SnapshotError, match=r"depth: 3 in the snapshot, 4 here"):
        DaskCatBoostClassifier(**{**snapshot, "depth": 4}).fit(frame(data, 3), "y")
