"""``aggregate="models"``: native CatBoost on every worker, merged into one plain model."""

import pickle
import threading
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.errors import ClusterError, ModelError, ParameterError
from gbdist.estimators.pool import DaskPool

FEATURES = list("abcdef")


@pytest.fixture
def frame(table: pd.DataFrame) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=6, sort=False)


def make(client: Client | None = None, kind: type = DaskCatBoostClassifier, **more: Any) -> Any:
    return kind(aggregate="models", iterations=20, rounds=4, depth=4, client=client, verbose=False, **more)


@pytest.mark.parametrize("merge", ["average", "bagging", "best"])
def test_three_workers_make_one_plain_model(
    client: Client, frame: dd.DataFrame, table: pd.DataFrame, merge: str, tmp_path: Any
) -> None:
    text = frame.assign(y=frame["y"].map({0: "no", 1: "yes"}, meta=("y", object)))
    model = make(client, merge=merge).fit(text[[*FEATURES, "y"]], "y")
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.tree_count_ == (20 if merge == "best" else 60)
    assert len(model.evals_result_["learn"]["Logloss"]) == 4
    model.save_model(tmp_path / "model.cbm")
    plain = catboost.CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    assert plain.predict(table[FEATURES]).tolist() == model.predict(table[FEATURES]).tolist()
    assert plain.feature_names_ == FEATURES
    raw = plain.predict(table[FEATURES], prediction_type="RawFormulaVal")
    loss = np.mean(np.logaddexp(0, raw) - table["y"] * raw)
    assert loss == pytest.approx(model.evals_result_["learn"]["Logloss"][-1], rel=1e-6)
    assert (
        pickle.loads(pickle.dumps(model)).predict(table[FEATURES]).tolist() == plain.predict(table[FEATURES]).tolist()
    )


def test_what_is_given_to_fit_is_used(client: Client, frame: dd.DataFrame, table: pd.DataFrame) -> None:
    X, y = frame[FEATURES], frame["y"]
    first = make(client).fit(X, y, sample_weight=frame["w"], eval_set=(X, y))
    assert set(first.evals_result_) == {"learn", "validation"}
    assert first.best_iteration_ == 19
    further = make(client).fit(X, y, init_model=first)
    assert further.tree_count_ == 120
    assert further.best_score_["learn"]["Logloss"] < first.best_score_["learn"]["Logloss"]

    class Stops:
        def after_iteration(self, info: Any) -> bool:
            return bool(info.iteration < 10)

    assert make(client).fit(X, y, callbacks=[Stops()]).tree_count_ == 30
    with DaskPool(X, y, client=client) as pool:
        assert make().fit(pool).tree_count_ == 60


def test_eval_rows_may_be_too_few_for_all_workers(client: Client, frame: dd.DataFrame, table: pd.DataFrame) -> None:
    few = dd.from_pandas(table[:300], npartitions=1, sort=False)
    model = make(client).fit(frame[FEATURES], frame["y"], eval_set=(few[FEATURES], few["y"]))
    assert len(model.evals_result_["validation"]["Logloss"]) == 4


def test_regression_multiclass_and_weights_of_classes(client: Client, frame: dd.DataFrame, table: pd.DataFrame) -> None:
    number = make(client, DaskCatBoostRegressor).fit(frame[list("bcdef")], frame["a"])
    assert number.score(table[list("bcdef")], table["a"]) > 0.0
    three = frame.assign(y=frame["y"] + (frame["b"] > 1).astype(int))
    several = make(client, auto_class_weights="Balanced").fit(three[FEATURES], three["y"])
    assert several.predict_proba(table[FEATURES]).shape == (5_000, 3)
    assert several.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (DaskCatBoostRegressor, {"loss_function": "MAE", "eval_metric": "RMSE"}),
        (DaskCatBoostRegressor, {"loss_function": "Quantile:alpha=0.7", "eval_metric": "Quantile:alpha=0.7"}),
        (DaskCatBoostClassifier, {"boosting_type": "Ordered"}),
        (DaskCatBoostClassifier, {"grow_policy": "Lossguide", "max_leaves": 8}),
        (DaskCatBoostClassifier, {"bootstrap_type": "Bernoulli", "subsample": 0.5, "monotone_constraints": {"a": 1}}),
        (DaskCatBoostClassifier, {"monotone_constraints": [1, 0, 0, 0, 0, 0]}),
        (DaskCatBoostClassifier, {"task_type": "auto"}),
    ],
)
def test_whatever_catboost_takes_is_passed_on(client: Client, frame: dd.DataFrame, kind: type, more: Any) -> None:
    model = make(client, kind, **more).fit(frame[FEATURES], frame["y"])
    values = next(iter(model.evals_result_["learn"].values()))
    assert values[-1] < values[0]


@pytest.mark.parametrize("ignored", [["b", "c"], [1, 2]])
def test_ignored_columns_are_ignored_by_every_worker(client: Client, frame: dd.DataFrame, ignored: list[Any]) -> None:
    model = make(client, ignored_features=ignored).fit(frame[FEATURES], frame["y"]).model_
    importance = dict(zip(model.feature_names_, model.get_feature_importance(), strict=True))
    assert importance["b"] == importance["c"] == 0.0 < importance["a"]


def test_a_model_is_shrunk_in_its_only_round(client: Client, frame: dd.DataFrame) -> None:
    model = make(client, model_shrink_rate=0.5)
    with pytest.raises(
        ParameterError, match=r"rounds=4 cannot be used: expected 1 with model_shrink_rate\. Set rounds=1"
    ):
        model.fit(frame[FEATURES], frame["y"])
    shrunk = model.set_params(rounds=1).fit(frame[FEATURES], frame["y"])
    whole = make(client).set_params(rounds=1).fit(frame[FEATURES], frame["y"])
    assert np.abs(shrunk.model_.get_leaf_values()).sum() < np.abs(whole.model_.get_leaf_values()).sum()


@pytest.mark.parametrize(
    ("more", "rounds"),
    [({}, 4), ({}, 1), ({"loss_function": "Quantile:alpha=0.7"}, 2), ({"merge": "best"}, 2)],
    ids=str,
)
def test_merged_models_keep_constraints(client: Client, frame: dd.DataFrame, more: dict[str, Any], rounds: int) -> None:
    constraints = {"a": 1, "c": -1}
    model = make(client, DaskCatBoostRegressor, monotone_constraints=constraints, **more).set_params(rounds=rounds)
    model.fit(frame[FEATURES], frame["b"] - frame["a"])
    rays = np.repeat(np.random.default_rng(0).normal(size=(1, 500, 6)), 30, axis=0)
    for name, constraint in constraints.items():
        along = rays.copy()
        along[:, :, FEATURES.index(name)] = np.linspace(-3.0, 3.0, 30)[:, None]
        steps = np.diff(model.model_.predict(along.reshape(-1, 6)).reshape(30, 500), axis=0)
        assert (steps * constraint).min() > -1e-12


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"ignored_features": [9]}, "expected positions from 0 to 5"),
        ({"ignored_features": ["nope"]}, "X has no column 'nope'"),
        ({"monotone_constraints": [1, 0]}, "expected 6 numbers, one a column of X"),
        ({"feature_weights": {"nope": 2}}, "X has no column 'nope'"),
    ],
)
def test_columns_that_are_not_there(client: Client, frame: dd.DataFrame, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        make(client, **more).fit(frame[FEATURES], frame["y"])


def test_loss_that_catboost_cannot_go_on_with_has_one_round(client: Client, frame: dd.DataFrame) -> None:
    model = make(client, DaskCatBoostRegressor, loss_function="RMSEWithUncertainty", merge="best").set_params(rounds=1)
    assert model.fit(frame[FEATURES], frame["y"]).tree_count_ == 20
    with pytest.raises(ParameterError, match=r"rounds=4 cannot be used: expected 1 with loss_function='RMSEWithUncert"):
        model.set_params(rounds=4).fit(frame[FEATURES], frame["y"])


@pytest.mark.parametrize("merge", ["average", "bagging"])
def test_workers_that_train_ahead_make_the_same_model(
    client: Client, frame: dd.DataFrame, table: pd.DataFrame, merge: str
) -> None:
    X, y = frame[FEATURES], frame["y"]
    # One pool for both: where a lazy partition is computed, and so whose rows are whose, may differ from fit to fit.
    with DaskPool(X, y, client=client) as pool:
        sync, ahead = (
            make(merge=merge, **more).fit(pool, eval_set=pool)
            for more in ({}, {"schedule": "async", "max_staleness": 3})
        )
    assert ahead.evals_result_ == sync.evals_result_
    assert ahead.predict_proba(table[FEATURES]).tolist() == sync.predict_proba(table[FEATURES]).tolist()
    best = make(client, merge="best", schedule="async").fit(X, y)
    assert best.tree_count_ == 20
    assert best.score(table[FEATURES], table["y"]) > 0.8


@pytest.mark.parametrize("merge", ["average", "bagging", "best"])
def test_workers_meet_in_groups_first(client: Client, frame: dd.DataFrame, table: pd.DataFrame, merge: str) -> None:
    X, y = frame[FEATURES], frame["y"]
    model = make(client, merge=merge, schedule="groups", group_size=2, group_rounds=3).fit(X, y, eval_set=(X, y))
    assert model.tree_count_ == (20 if merge == "best" else 60)
    losses = model.evals_result_["validation"]["Logloss"]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    assert model.score(table[FEATURES], table["y"]) > 0.8


@pytest.mark.parametrize("schedule", ["async", "groups"])
def test_run_that_is_given_up_leaves_nothing_running(
    client: Client, frame: dd.DataFrame, tasks_left: Any, schedule: str
) -> None:
    class Fails:
        def after_iteration(self, info: Any) -> bool:
            raise OSError("injected")

    # The first meeting comes soon; of the next rounds there would be hours.
    model = make(client, schedule=schedule).set_params(iterations=2_000_000, rounds=1_000_000)
    with pytest.raises(OSError, match="injected"):
        model.fit(frame[FEATURES], frame["y"], callbacks=[Fails()])
    assert tasks_left() == []
    names = client.run(lambda: [thread.name for thread in threading.enumerate()])
    assert not [name for of_worker in names.values() for name in of_worker if name == "gbdist-trainer"]


def test_early_stopping_of_groups_counts_meetings(client: Client, frame: dd.DataFrame, table: pd.DataFrame) -> None:
    noise = frame.assign(y=frame["a"].map(lambda value: int(value * 1e6) % 2, meta=("y", int)))
    eval_set = (noise[FEATURES], 1 - noise["y"])  # the better it is learned, the worse
    model = make(client, schedule="groups", early_stopping_rounds=10).set_params(iterations=100, rounds=20)
    model.fit(noise[FEATURES], noise["y"], eval_set=eval_set)
    # A meeting every 4 rounds of 5 trees: 10 trees without a new best are over at the next meeting.
    assert len(model.evals_result_["validation"]["Logloss"]) == 2


def test_small_data_in_memory_need_no_cluster(table: pd.DataFrame) -> None:
    model = make().fit(table[FEATURES], table["y"])
    assert model.tree_count_ == 20
    assert model.score(table[FEATURES], table["y"]) > 0.8
    ahead = make(schedule="async").fit(table[FEATURES], table["y"])
    assert ahead.predict_proba(table[FEATURES]).tolist() == model.predict_proba(table[FEATURES]).tolist()
    groups = make(schedule="groups").fit(table[FEATURES], table["y"])
    assert groups.tree_count_ == 20


REFUSALS: list[tuple[dict[str, Any], str]] = [
    (
        {"rounds": 3},
        "rounds=3 cannot be used: expected it to be left out with aggregate='histograms'. "
        'Set aggregate="models", or leave it out.',
    ),
    (
        {"schedule": "async"},
        "schedule='async' cannot be used: expected it to be left out with aggregate='histograms'. "
        'Set aggregate="models", or leave it out.',
    ),
    (
        {"aggregate": "models", "schedule": "ring"},
        "schedule='ring' cannot be used: expected one of 'sync', 'groups', 'async'. Leave it out, or see docs/choosing.md.",
    ),
    (
        {"aggregate": "models", "group_size": 2},
        "group_size=2 cannot be used: expected it to be left out with schedule='sync'. "
        'Set schedule="groups", or leave it out.',
    ),
    (
        {"aggregate": "models", "schedule": "async", "group_rounds": 3},
        "group_rounds=3 cannot be used: expected it to be left out with schedule='async'. "
        'Set schedule="groups", or leave it out.',
    ),
    (
        {"aggregate": "models", "schedule": "groups", "max_staleness": 1},
        "max_staleness=1 cannot be used: expected it to be left out with schedule='groups'. "
        'Set schedule="async", or leave it out.',
    ),
    (
        {"aggregate": "models", "schedule": "groups", "group_size": 0},
        "group_size=0 cannot be used: expected an integer of at least 1. Leave it out, or see docs/choosing.md.",
    ),
    (
        {"aggregate": "models", "schedule": "async", "max_staleness": -1},
        "max_staleness=-1 cannot be used: expected an integer of at least 0. Leave it out, or see docs/choosing.md.",
    ),
    (
        {"aggregate": "trees"},
        "aggregate='trees' cannot be used: expected one of 'histograms', 'models'. Leave it out, or see docs/choosing.md.",
    ),
    (
        {"aggregate": "models", "devices": "gpu0"},
        'devices=\'gpu0\' cannot be used: expected numbers of GPUs, such as "0", "0:2" or "0-3". Leave it out to use all.',
    ),
    (
        {"aggregate": "models", "loss_function": "MAE"},
        "loss_function='MAE' cannot be used: expected a loss of CatBoost's for classes. "
        "Use DaskCatBoostRegressor, or another loss.",
    ),
    (
        {"aggregate": "models", "objective": "YetiRank"},
        "objective='YetiRank' cannot be used: expected a loss of CatBoost's for classes. "
        "Use DaskCatBoostRanker, or another loss.",
    ),
    (
        {"aggregate": "models", "loss_function": "F1"},
        "loss_function='F1' cannot be used: expected a loss of CatBoost's for classes. Choose another loss.",
    ),
    (
        {"aggregate": "models", "loss_function": "Loglos"},
        "loss_function='Loglos' cannot be used: expected a loss of CatBoost's for classes. "
        "CatBoost says: \"Loglos loss is not supported\". Did you mean 'Logloss'?",
    ),
    (
        {"aggregate": "models", "dept": 3},
        "dept=3 cannot be used: expected a parameter of CatBoost. Did you mean depth?",
    ),
    (
        {"aggregate": "models", "eval_metric": "Acuracy"},
        "eval_metric='Acuracy' cannot be used: expected a value that CatBoost takes together with the other parameters. "
        "CatBoost says: \"Key 'Acuracy' not found in enum ELossFunction\". Did you mean Accuracy?",
    ),
    (
        {"aggregate": "models", "custom_metric": ["AUC", "F1:beta=3"]},
        "custom_metric='F1:beta=3' cannot be used: expected no such option. Leave 'beta' out.",
    ),
    (
        {"aggregate": "models", "eval_metric": "Kappa"},
        "eval_metric='Kappa' cannot be used: expected a metric that parts of the rows add up to, with loss_function='Logloss'. "
        "Choose a metric that is a mean over rows or groups, or compute it from the predictions.",
    ),
]


@pytest.mark.parametrize(("given", "words"), REFUSALS)
def test_parameter_that_cannot_be_used_is_named(table: pd.DataFrame, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        DaskCatBoostClassifier(**given).fit(table[FEATURES], table["y"])
    assert str(caught.value) == words


def test_catboost_refuses_before_anything_is_started(table: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="CatBoost says"):
        make(grow_policy="Wide").fit(table[FEATURES], table["y"])


def test_no_gpu_is_told_and_auto_does_without(client: Client, frame: dd.DataFrame, tasks_left: Any) -> None:
    with pytest.raises(
        ClusterError, match=r"no GPU that can be used .*: CatBoost sees none.*set task_type=\"auto\" to use CPUs"
    ):
        make(client, task_type="GPU").fit(frame[FEATURES], frame["y"])
    assert tasks_left() == []


def test_rank_that_catboost_fails_on_is_named(client: Client, frame: dd.DataFrame) -> None:
    with pytest.raises(ModelError, match="CatBoost did not train") as caught:
        make(client, per_object_feature_penalties={"nowhere": 1}).fit(frame[FEATURES], frame["y"])
    assert any(note.startswith("In rank ") for note in caught.value.__notes__)


def test_metric_of_uncertainty_is_catboosts_wherever_the_mean_is(table: pd.DataFrame) -> None:
    model = DaskCatBoostRegressor(
        aggregate="models", loss_function="RMSEWithUncertainty", iterations=5, depth=3, verbose=False
    )
    label = table["a"] + 150.0
    model.fit(table[FEATURES], label)
    raw = model.predict(table[FEATURES], prediction_type="RawFormulaVal")
    (expected,) = catboost.utils.eval_metric(label.to_numpy(), raw, "RMSEWithUncertainty")
    assert model.evals_result_["learn"]["RMSEWithUncertainty"][-1] == pytest.approx(expected)


def test_cox_needs_the_rows_of_all_workers(table: pd.DataFrame) -> None:
    with pytest.raises(ParameterError, match="does not know which rows of others are at risk"):
        DaskCatBoostRegressor(aggregate="models", loss_function="Cox").fit(table[FEATURES], table["a"])
