"""``DaskCatBoostRanker``: groups stay whole on the workers, and what comes out is CatBoost's ranker."""

import pickle
from typing import Any

import catboost
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from catboost.utils import eval_metric
from distributed import Client, LocalCluster
from sklearn.base import clone

from gbdist import DaskCatBoostRanker, DataError, ParameterError
from gbdist.estimators.pool import DaskPool

FEATURES = list("abcd")


def ranked(n_groups: int, seed: int, first: int = 0) -> pd.DataFrame:
    """Groups of 3 to 16 rows, whose "y" in 0 … 4 depends on "a" and "b"."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(first, first + n_groups), rng.integers(3, 17, n_groups))
    table = pd.DataFrame(rng.normal(size=(len(group), 4)).astype(np.float32), columns=FEATURES)
    score = table["a"] + 0.5 * table["b"] ** 2 + rng.normal(size=len(group)) * 0.3
    return table.assign(y=np.clip(np.round(score + 1), 0, 4), q=group)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return ranked(600, seed=1)


@pytest.fixture(scope="module")
def valid() -> pd.DataFrame:
    return ranked(100, seed=2, first=10_000)


def make(client: Client | None = None, **more: Any) -> DaskCatBoostRanker:
    settings: dict[str, Any] = {"iterations": 20, "rounds": 4, "depth": 4, "learning_rate": 0.1, "verbose": False}
    return DaskCatBoostRanker(**{"aggregate": "models", "client": client, **settings, **more})


def as_partitions(table: pd.DataFrame, size: int) -> dd.DataFrame:
    """Partitions of as many rows each, whose edges lie anywhere in a group."""
    return dd.from_map(
        lambda first: table.iloc[first : first + size], list(range(0, len(table), size)), meta=table.iloc[:0]
    )


def ndcg(table: pd.DataFrame, raw: Any) -> float:
    return float(eval_metric(table["y"], np.asarray(raw), "NDCG", group_id=table["q"])[0])


@pytest.mark.parametrize("ids", ["integers", "strings"])
def test_groups_that_straddle_partitions_are_ranked_by_three_workers(
    client: Client, table: pd.DataFrame, valid: pd.DataFrame, ids: str, tmp_path: Any
) -> None:
    if ids == "strings":
        table, valid = (one.assign(q="q" + one["q"].astype(str)) for one in (table, valid))
    frame = as_partitions(table, 500)
    edges = range(500, len(table), 500)
    assert sum(table["q"].iloc[edge] == table["q"].iloc[edge - 1] for edge in edges) > 5  # groups do straddle
    model = make(client, eval_metric="NDCG").fit(
        frame, "y", group_id="q", eval_set={"X": as_partitions(valid, 300), "y": "y", "group_id": "q"}
    )
    assert model.tree_count_ == 60  # of three ranks
    raw = model.predict(valid[FEATURES])
    assert model.evals_result_["validation"]["NDCG"][-1] == pytest.approx(ndcg(valid, raw), rel=1e-9)
    assert ndcg(valid, raw) > ndcg(valid, np.zeros(len(valid))) + 0.1
    assert model.predict(frame[FEATURES]).compute().tolist() == model.predict(table[FEATURES]).tolist()
    model.save_model(tmp_path / "model.cbm")
    plain = catboost.CatBoostRanker().load_model(str(tmp_path / "model.cbm"))
    assert plain.predict(valid[FEATURES]).tolist() == raw.tolist()
    assert isinstance(model.model_, catboost.CatBoostRanker)
    assert isinstance(model.to_local(), catboost.CatBoostRanker)


def test_one_round_in_this_process_is_catboosts_own_training(table: pd.DataFrame, valid: pd.DataFrame) -> None:
    # QueryRMSE draws nothing but the noise of scores, which is off.
    settings = {
        "loss_function": "QueryRMSE",
        "random_strength": 0,
        "bootstrap_type": "No",
        "iterations": 20,
        "depth": 4,
    }
    model = make(**settings, rounds=1).fit(
        table[FEATURES], table["y"], group_id=table["q"], eval_set={"X": valid, "y": "y", "group_id": "q"}
    )
    plain = catboost.CatBoostRanker(**settings, learning_rate=0.1, verbose=False, allow_writing_files=False)
    pools = [catboost.Pool(one[FEATURES], one["y"], group_id=one["q"]) for one in (table, valid)]
    plain.fit(pools[0], eval_set=pools[1])
    assert model.evals_result_["learn"]["QueryRMSE"][-1] == pytest.approx(plain.evals_result_["learn"]["QueryRMSE"][-1])
    np.testing.assert_allclose(model.predict(valid[FEATURES]), plain.predict(valid[FEATURES]), atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        (None, "PFound"),
        ("YetiRankPairwise", "PFound"),
        ("QueryRMSE", "QueryRMSE"),
        ("QuerySoftMax", "QuerySoftMax"),
        ("PairLogit", "PairLogit"),
        ("PairLogitPairwise", "PairLogit"),
        ("LambdaMart", "NDCG:type=Base"),
        ("StochasticRank:metric=DCG", "DCG:type=Base"),
        ("GroupQuantile:alpha=0.3", "GroupQuantile:alpha=0.3"),
    ],
)
def test_losses_that_need_groups_alone(table: pd.DataFrame, loss: str | None, metric: str) -> None:
    model = make(loss_function=loss).fit(table, "y", group_id="q")
    assert list(model.evals_result_["learn"]) == [metric]
    assert ndcg(table, model.predict(table[FEATURES])) > ndcg(table, np.zeros(len(table))) + 0.05


def test_arrays_weights_and_an_earlier_model(client: Client, table: pd.DataFrame) -> None:
    X, y, group = (
        da.from_array(table[part].to_numpy(), chunks=(700, -1)[: 1 + (part is FEATURES)])
        for part in (FEATURES, "y", "q")
    )
    weight = da.ones(len(table), chunks=700)
    first = make(client, loss_function="QueryRMSE").fit(X, y, group_id=group, sample_weight=weight)
    further = make(client, loss_function="QueryRMSE").fit(X, y, group_id=group, init_model=first)
    assert further.tree_count_ == 120
    assert further.best_score_["learn"]["QueryRMSE"] < first.best_score_["learn"]["QueryRMSE"]


def test_fewer_eval_rows_than_workers_and_groups_than_ranks(client: Client, table: pd.DataFrame) -> None:
    one_group = table.assign(q=7)
    few = ranked(2, seed=3)
    model = make(client, loss_function="QueryRMSE", merge="best").fit(
        as_partitions(one_group, 900), "y", group_id="q", eval_set=[{"X": few, "y": "y", "group_id": "q"}]
    )
    assert model.tree_count_ == 20
    assert set(model.evals_result_) == {"learn", "validation"}


def test_processes_agree_on_groups_of_strings(table: pd.DataFrame) -> None:
    named = table.assign(q="q" + table["q"].astype(str))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        model = make(client, iterations=4, rounds=2).fit(
            dd.from_pandas(named, npartitions=5, sort=False), "y", group_id="q"
        )
    assert model.tree_count_ == 8


def test_group_that_comes_back_is_an_error(client: Client, table: pd.DataFrame, tasks_left: Any) -> None:
    ids = table["q"].copy()
    ids.iloc[400] = ids.iloc[0]
    with pytest.raises(DataError, match=r"group_id of partition 0: found group 0 once more in row 400, after another"):
        make(client).fit(as_partitions(table.assign(q=ids), 500), "y", group_id="q")
    assert tasks_left() == []
    ids = table["q"].copy()
    ids.iloc[-1] = ids.iloc[0]
    words = rf"group_id: found group 0 of row 0 once more in row {len(table) - 1}, after another one"
    with pytest.raises(DataError, match=rf"^{words}"):
        make(client).fit(as_partitions(table.assign(q=ids), 500), "y", group_id="q")
    again = {"X": as_partitions(table.assign(q=ids), 500), "y": "y", "group_id": "q"}
    with pytest.raises(DataError, match=rf"^eval_set, {words}"):
        make(client).fit(as_partitions(table, 500), "y", group_id="q", eval_set=again)


REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"loss_function": "RMSE"},
        {},
        "loss_function='RMSE' cannot be used: expected a loss of CatBoost's for ranking. "
        "Use DaskCatBoostRegressor, or another loss.",
    ),
    (
        {"eval_fraction": 0.2},
        {},
        "eval_fraction=0.2 cannot be used: expected 0 (no rows are set apart). Set groups apart yourself: "
        'fit(..., eval_set={"X": X_val, "y": y_val, "group_id": group_val}).',
    ),
    (
        {"class_weights": [1, 2]},
        {},
        "class_weights=[1, 2] cannot be used: expected no classes in regression. "
        "Leave it out; weigh rows with fit(sample_weight=...).",
    ),
    (
        {},
        {"group_id": None},
        "group_id: found None, expected one group a row, or the name of a column of X. "
        'Say which rows are ranked together: fit(X, y, group_id="query").',
    ),
    (
        {},
        {"eval_set": (1, 2)},
        "eval_set: found a tuple, expected a dict of fit's arguments. "
        'Pass eval_set={"X": X_val, "y": y_val, "group_id": group_val}.',
    ),
    (
        {},
        {"eval_set": {"X": 1, "w": 2}},
        "eval_set: found the key 'w', expected keys among 'X', 'y', 'group_id', 'sample_weight', 'group_weight', 'pairs'. "
        'Pass eval_set={"X": X_val, "y": y_val, "group_id": group_val}.',
    ),
    (
        {},
        {"eval_set": [{"X": 1, "y": "y", "group_id": "q"}, {"X": 1}]},
        "eval_set[1], group_id: found None, expected one group a row, or the name of a column of X. "
        'Say which rows are ranked together: eval_set={"X": X_val, "y": y_val, "group_id": group_val}.',
    ),
    (
        {},
        {"eval_set": {"X": 1, "group_id": "q"}},
        "eval_set, y: found None, expected one value a row, or the name of a column of X. "
        'Pass eval_set={"X": X_val, "y": y_val, "group_id": group_val}.',
    ),
]


@pytest.mark.parametrize(("given", "to_fit", "words"), REFUSALS)
def test_what_cannot_be_ranked_is_refused(
    table: pd.DataFrame, given: dict[str, Any], to_fit: dict[str, Any], words: str
) -> None:
    with pytest.raises((ParameterError, DataError)) as caught:
        make(**given).fit(table, "y", **{"group_id": "q", **to_fit})
    assert str(caught.value) == words


def test_pool_keeps_no_groups(client: Client, table: pd.DataFrame) -> None:
    with DaskPool(table[FEATURES], table["y"], client=client) as pool, pytest.raises(DataError) as caught:
        make().fit(pool, group_id=table["q"])
    assert str(caught.value) == (
        "X: found a DaskPool, which keeps no groups, expected the rows themselves. Pass the collection."
    )


def test_group_of_other_length_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"group_id: found 3 rows, expected as many as X"):
        make().fit(table[FEATURES], table["y"], group_id=[1, 2, 3])


def test_conventions_of_scikit_learn(table: pd.DataFrame) -> None:
    model = make(max_leaves=16)
    assert clone(model).get_params() == model.get_params()
    model.set_params(depth=3, max_leaves=8)
    assert (model.get_params()["depth"], model.get_params()["max_leaves"]) == (3, 8)
    model.fit(table, "y", group_id="q")
    again = pickle.loads(pickle.dumps(model))
    assert isinstance(again.model_, catboost.CatBoostRanker)
    assert again.predict(table[FEATURES]).tolist() == model.predict(table[FEATURES]).tolist()
    assert model.feature_importances_.sum() == pytest.approx(100)
    assert model.feature_names_in_.tolist() == FEATURES
    stages = list(model.staged_predict(table[FEATURES], eval_period=10))
    np.testing.assert_allclose(stages[-1], model.predict(table[FEATURES]), rtol=1e-12)


def test_ranking_with_columns_that_are_not_numbers(client: Client, table: pd.DataFrame) -> None:
    title = np.where(table["a"] > 0, "good find", "old find")
    frame = as_partitions(table.assign(kind=np.where(table["b"] > 1, "x", "y"), title=title), 700)
    columns = [*FEATURES[1:], "kind", "title"]
    model = make(client, rounds=1, merge="best", cat_features=["kind"], text_features=["title"])
    model.fit(frame[[*columns, "y", "q"]], "y", group_id="q")
    assert isinstance(model.model_, catboost.CatBoostRanker)
    raw = model.predict(frame[columns]).compute()
    assert raw.tolist() == model.model_.predict(frame[columns].compute()).tolist()
    assert ndcg(table, raw) > ndcg(table, np.zeros(len(table))) + 0.05


def test_labels_of_eval_sets_fit_the_metrics_too(table: pd.DataFrame, valid: pd.DataFrame) -> None:
    twos = table.assign(y=(table["y"] > 1).astype(float))
    model = DaskCatBoostRanker(loss_function="QueryRMSE", eval_metric="PFound", iterations=2, verbose=False)
    told = "eval_set: found labels from 0 to 4, expected labels from 0 to 1 for the metric PFound"
    evals = {"X": valid[FEATURES], "y": valid["y"], "group_id": valid["q"]}
    with pytest.raises(DataError, match=told):
        model.fit(twos[FEATURES], twos["y"], group_id=twos["q"], eval_set=evals)


def test_weights_of_an_eval_set_count_in_its_metrics_alone(table: pd.DataFrame, valid: pd.DataFrame) -> None:
    model = DaskCatBoostRanker(loss_function="QueryRMSE", eval_metric="NDCG", iterations=5, verbose=False)
    weight = np.random.default_rng(1).random(100)[valid["q"] - 10_000]
    evals = {"X": valid[FEATURES], "y": valid["y"], "group_id": valid["q"]}
    model.fit(table[FEATURES], table["y"], group_id=table["q"], eval_set={**evals, "group_weight": weight})
    raw = model.predict(valid[FEATURES])
    (expected,) = eval_metric(
        valid["y"], raw, "NDCG", group_id=valid["q"], weight=weight, group_weight=weight, thread_count=1
    )
    assert model.evals_result_["validation"]["NDCG:type=Base"][model.best_iteration_] == pytest.approx(expected)
