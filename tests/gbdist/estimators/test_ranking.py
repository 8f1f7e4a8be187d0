"""Rankers on histograms: what they are given, what they leave, and what they refuse before anything is grown."""

from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostRanker
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.parameters.table import RANKER_LOSSES

FEATURES = list("abc")
#: Columns that are features where no weights are taken from the table.
USED = [*FEATURES, "w"]


def ranked(n_groups: int = 60, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), rng.integers(1, 20, n_groups))
    table = pd.DataFrame(rng.normal(size=(len(group), 3)).astype(np.float32), columns=FEATURES)
    score = table["a"] + 0.5 * table["b"] ** 2 + rng.normal(size=len(group)) * 0.3
    weight = (0.5 + rng.random(n_groups))[group].astype(np.float32)
    return table.assign(y=np.clip(np.round(score + 1), 0, 4) / 4, q=group, w=weight)


TABLE = ranked()
SETTINGS: dict[str, Any] = {"iterations": 5, "depth": 3, "learning_rate": 0.2, "verbose": False}


def fit(
    loss: str | None = "QueryRMSE", table: Any = TABLE, client: Client | None = None, **more: Any
) -> DaskCatBoostRanker:
    given = {name: more.pop(name) for name in list(more) if name not in ARGUMENTS}
    settings = {**SETTINGS, **given, "client": client} | ({} if loss is None else {"loss_function": loss})
    return DaskCatBoostRanker(**settings).fit(table, "y", **{"group_id": "q", **more})


ARGUMENTS = ("group_id", "sample_weight", "group_weight", "subgroup_id", "pairs", "eval_set", "init_model", "callbacks")


@pytest.mark.parametrize("loss", [None, *RANKER_LOSSES])
def test_losses_and_what_they_are_followed_by(loss: str | None) -> None:
    own = {"YetiRank": "PFound", "LambdaMart": "NDCG:type=Base"}.get(loss or "YetiRank", loss)
    model = fit(
        loss, eval_set={"X": ranked(20, 2), "y": "y", "group_id": "q"}, eval_metric="NDCG:top=5", custom_metric="MAP"
    )
    assert list(model.evals_result_["validation"]) == ["NDCG:top=5;type=Base", own, "MAP"]
    assert isinstance(model.model_, catboost.CatBoostRanker)
    assert model.model_.get_all_params()["loss_function"] == (loss or "YetiRank")
    assert model.predict(TABLE[USED]).tolist() == model.model_.predict(TABLE[USED]).tolist()
    options = {name: value for name, value in SETTINGS.items() if name != "verbose"}
    plain = catboost.CatBoostRanker(**options, **({"loss_function": loss} if loss else {}), logging_level="Silent")
    plain.fit(TABLE[USED], TABLE["y"], group_id=TABLE["q"])
    theirs, ours = plain.get_all_params(), model.model_.get_all_params()
    for name in (
        "l2_leaf_reg",
        "leaf_estimation_method",
        "leaf_estimation_iterations",
        "bootstrap_type",
        "random_strength",
    ):
        assert ours[name] == pytest.approx(theirs[name]), name


def test_relevances_above_one_are_followed_by_ndcg() -> None:
    table = TABLE.assign(y=TABLE["y"] * 4)
    model = fit("YetiRank", table, eval_set={"X": table, "y": "y", "group_id": "q"})
    assert list(model.evals_result_["validation"]) == ["NDCG:type=Base"]


def test_an_earlier_model_a_one_hot_column_and_early_stopping() -> None:
    first = fit("QueryRMSE")
    further = fit("QueryRMSE", init_model=first)
    assert further.tree_count_ == 10
    assert further.best_score_["learn"]["QueryRMSE"] < first.best_score_["learn"]["QueryRMSE"]
    kind = pd.Categorical(np.where(TABLE["a"] > 0, "x", "y"))
    valid = {"X": TABLE.assign(kind=kind), "y": "y", "group_id": "q"}
    model = fit("PairLogit", TABLE.assign(kind=kind), eval_set=valid, early_stopping_rounds=2, use_best_model=True)
    assert model.cat_features_ == [5 - 1]
    assert model.best_iteration_ is not None


def test_strings_as_groups_and_pairs_of_frames(client: Client) -> None:
    table = TABLE.assign(q="q" + TABLE["q"].astype(str))
    same = table["q"].to_numpy()[1:] == table["q"].to_numpy()[:-1]
    first = np.flatnonzero(same)
    pairs = pd.DataFrame({"winner": first, "loser": first + 1})
    expected = fit("PairLogit", table, pairs=pairs)
    found = fit("PairLogit", dd.from_pandas(table, npartitions=4, sort=False), client=client, pairs=pairs)
    assert found.predict(TABLE[USED]).tolist() == expected.predict(TABLE[USED]).tolist()
    without = fit("PairLogit", table)
    assert without.predict(TABLE[USED]).tolist() != expected.predict(TABLE[USED]).tolist()


SAME = TABLE["q"].to_numpy()
APART = int(np.flatnonzero(SAME[1:] != SAME[:-1])[0])
LATE = int(np.flatnonzero(SAME == 50)[1])

REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    (
        "StochasticRank:metric=NDCG",
        {},
        "expected 'YetiRank' or 'QueryRMSE' or 'QuerySoftMax' or 'PairLogit' or 'LambdaMart'. Set aggregate=\"models\" for "
        "CatBoost's other losses.",
    ),
    ("RMSE", {}, "Use DaskCatBoostRegressor, or another loss."),
    ("Logloss", {}, "Use DaskCatBoostClassifier, or another loss."),
    ("YetiRnk", {}, "Did you mean 'YetiRank'?"),
    ("YetiRankPairwise", {}, 'Set aggregate="models" for CatBoost\'s other losses.'),
    ("QueryCrossEntropy", {}, 'Set aggregate="models" for CatBoost\'s other losses.'),
    ("YetiRank:mode=ERR", {}, "expected mode to be one of Classic, DCG, NDCG."),
    (
        "LambdaMart",
        {"reg_lambda": 3},
        "reg_lambda=3 cannot be used: expected 0.0 with loss_function='LambdaMart': "
        "CatBoost's own leaves have the wrong sign then. Leave it out.",
    ),
    ("LambdaMart", {"monotone_constraints": {"a": 1}}, "expected none with loss_function='LambdaMart': CatBoost's own"),
    ("LambdaMart", {"leaf_estimation_method": "Gradient"}, "CatBoost's own leaves have the wrong sign then"),
    ("LambdaMart", {"leaf_estimation_backtracking": "AnyImprovement"}, "there is no loss to compare. Leave it out."),
    ("PairLogit", {"leaf_estimation_method": "Gradient"}, "expected 'Newton' with loss_function='PairLogit'."),
    ("YetiRank", {"leaf_estimation_method": "Gradient"}, "leaf_estimation_method='Gradient' cannot be used"),
    ("QueryRMSE", {"leaf_estimation_method": "Exact"}, "Exact method is only available for Quantile"),
    ("QueryRMSE", {"boost_from_average": True}, "boost_from_average=True cannot be used"),
    ("QueryRMSE", {"eval_metric": "Kappa"}, "metric='Kappa' cannot be used: expected one of DCG, ERR, MAP"),
    ("QueryRMSE", {"rounds": 3}, "rounds=3 cannot be used: expected it to be left out with aggregate='histograms'."),
    (
        "YetiRank",
        {"sample_weight": "w"},
        "sample_weight: found a weight for each row, expected None with loss_function='YetiRank', whose pairs weigh as their "
        "group does. Pass group_weight, one value a row and the same in a group.",
    ),
    ("QueryRMSE", {"sample_weight": "w", "group_weight": "w"}, "group_weight: found a value beside sample_weight"),
    (
        "QueryRMSE",
        {"group_weight": "w", "eval_set": {"X": TABLE, "y": "y", "group_id": "q", "sample_weight": "w"}},
        "sample_weight: found sample_weight in some data sets, group_weight in others, expected one of the two.",
    ),
    (
        "QueryRMSE",
        {"group_weight": (1.0 + np.arange(len(TABLE)) % 2)},
        "group_weight: found 1 and 2 in group 0, expected one weight for all rows of a group. "
        "Give every row the weight of its group.",
    ),
    ("QueryRMSE", {"group_weight": -TABLE["w"]}, "group_weight of partition 0: found"),
    (
        "QueryRMSE",
        {"subgroup_id": "w"},
        "subgroup_id: found a value, expected None: no loss looks at it, and of the metrics PFound alone",
    ),
    (
        "QueryRMSE",
        {"group_weight": "w", "aggregate": "models"},
        "group_weight: found a value, expected None with aggregate='models'. Leave it out, or set aggregate=\"histograms\".",
    ),
    (
        "PairLogit",
        {"eval_set": {"X": TABLE, "y": "y", "group_id": "q", "pairs": [[0, 1]]}, "aggregate": "models"},
        "eval_set, pairs: found a value, expected None with aggregate='models'.",
    ),
    ("QueryRMSE", {"pairs": [[0, 1]]}, "pairs: found a value, expected None with loss_function='QueryRMSE'"),
    (
        "PairLogit",
        {"pairs": [[0, 1], [APART, APART + 1]]},
        f"pairs: found the rows {APART} and {APART + 1} of different groups in pair 1, expected two rows of one group. "
        "Pair rows of the same group_id.",
    ),
    ("PairLogit", {"pairs": [[0, len(TABLE)]]}, f"expected row numbers below {len(TABLE)}."),
    ("PairLogit", {"pairs": [[0, 0]]}, "pairs: found [0, 0] in pair 0, expected two different rows."),
    (
        "PairLogit",
        {"eval_set": {"X": TABLE, "y": "y", "group_id": "q", "pairs": [[0, LATE]]}},
        f"eval_set, pairs: found the rows 0 and {LATE} of different groups in pair 0",
    ),
]


@pytest.mark.parametrize(("loss", "given", "words"), REFUSALS)
def test_what_cannot_be_ranked_is_refused(loss: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises((ParameterError, DataError)) as caught:
        fit(loss, **given)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "change", "more", "words"),
    [
        ("QuerySoftMax", -1.0, {}, "y: found labels from -1 to 0, expected labels of at least 0 for QuerySoftMax."),
        ("YetiRank:mode=NDCG", -1.0, {}, "expected labels of at least 0 for YetiRank:mode=NDCG."),
        ("LambdaMart:type=Exp", 99.0, {}, "expected labels of at least 0 and at most 60 for LambdaMart:type=Exp."),
        ("QueryRMSE", 1.0, {"custom_metric": "PFound"}, "expected labels from 0 to 1 for the metric PFound."),
        ("QueryRMSE", 1.0, {"custom_metric": "QueryCrossEntropy"}, "expected labels from 0 to 1 for the metric Query"),
        ("QueryRMSE", -1.0, {"eval_metric": "NDCG"}, "expected labels from 0 to inf for the metric NDCG:type=Base."),
    ],
)
def test_labels_that_cannot_be_ranked_by_are_refused(
    loss: str, change: float, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        fit(loss, TABLE.assign(y=TABLE["y"] + change), **more)
    assert words in str(caught.value)


def test_groups_that_come_back_and_pairs_apart_on_a_cluster(client: Client, tasks_left: Any) -> None:
    ids = TABLE["q"].copy()
    ids.iloc[-1] = 0
    frame = dd.from_pandas(TABLE.assign(q=ids), npartitions=3, sort=False)
    with pytest.raises(DataError, match=rf"^group_id: found group 0 of row 0 once more in row {len(TABLE) - 1}, after"):
        fit("QueryRMSE", frame, client=client)
    frame = dd.from_pandas(TABLE, npartitions=3, sort=False)
    with pytest.raises(DataError, match=rf"^pairs: found the rows 0 and {LATE} of different groups in pair 0"):
        fit("PairLogit", frame, client=client, pairs=[[0, LATE]])
    weight = TABLE["w"].copy()
    weight.iloc[LATE] = 9.0
    frame = dd.from_pandas(TABLE.assign(w=weight), npartitions=3, sort=False)
    with pytest.raises(DataError, match=r"^group_weight: found .* in group 50, expected one weight"):
        fit("QueryRMSE", frame, client=client, group_weight="w")
    assert tasks_left() == []


def test_columns_of_up_to_ten_categories_are_one_hot_as_in_catboost(capfd: pytest.CaptureFixture[str]) -> None:
    table = TABLE.assign(kind=[f"k{i % 10}" for i in range(len(TABLE))])
    more = {"bootstrap_type": "No", "random_strength": 0}
    model = fit("QueryRMSE", table, **more)
    assert capfd.readouterr().err == ""
    plain = catboost.CatBoostRanker(
        loss_function="QueryRMSE", **SETTINGS, **more, cat_features=["kind"], allow_writing_files=False
    )
    features = [*USED, "kind"]
    plain.fit(table[features], table["y"], group_id=table["q"])
    assert plain.get_all_params()["one_hot_max_size"] == model.model_.get_all_params()["one_hot_max_size"] == 10
    assert model.predict(table[features]) == pytest.approx(plain.predict(table[features]), abs=1e-9)


def test_columns_of_many_categories_are_refused() -> None:
    table = TABLE.assign(kind=[f"k{i % 40}" for i in range(len(TABLE))])
    with pytest.raises(DataError) as caught:
        fit("QueryRMSE", table)
    assert str(caught.value) == (
        "column 'kind': found more categories than are made columns of their own, expected at most one_hot_max_size of them "
        "with loss_function='QueryRMSE' on histograms. "
        'Raise one_hot_max_size, leave the column out, or set aggregate="models".'
    )


def test_an_object_does_not_rank() -> None:
    class Loss:
        def derivatives(self, predictions: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return label - predictions, -np.ones_like(label)

    with pytest.raises(ParameterError, match="cannot be used: expected 'YetiRank' or"):
        DaskCatBoostRanker(loss_function=Loss()).fit(np.zeros((4, 1)), np.arange(4), group_id=[1, 1, 2, 2])
