"""``Evaluation``: folds in lock-step and one after another have the same models and scores; watching, pools and refusals."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.linear_model import LogisticRegression

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskMLPClassifier, DaskPool
from gbdist.errors import DataError, ParameterError
from gbdist.metrics.counts import ClassCounts
from gbdist.selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit, cross_validate
from gbdist.selection.evaluating.lockstep import Lockstep
from gbdist.selection.evaluating.one_by_one import OneByOne
from gbdist.selection.evaluating.result import Wanted
from gbdist.selection.evaluation import Evaluation

from ..estimators import conftest as of_estimators

three_workers, client = of_estimators.three_workers, of_estimators.client

SMALL = {"iterations": 5, "depth": 2, "learning_rate": 0.5, "verbose": False}
FEATURES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    draw = np.random.default_rng(4)
    made = pd.DataFrame(draw.normal(size=(150, 3)), columns=FEATURES)
    label = np.where(made["a"] + draw.normal(size=150) > 0, "yes", "no")
    return made.assign(y=label, n=made["b"] + draw.normal(size=150), w=draw.uniform(0.5, 2.0, 150))


@pytest.fixture
def frame(data: pd.DataFrame) -> dd.DataFrame:
    return dd.from_pandas(data[[*FEATURES, "y", "w"]], npartitions=4, sort=False)


def raw(models: Any, data: pd.DataFrame) -> list[Any]:
    """Raw predictions of each model, of a frame where it has seen one."""
    known = [data[FEATURES] if hasattr(model, "feature_names_in_") else data[FEATURES].to_numpy() for model in models]
    return [model.predict(X, "RawFormulaVal") for model, X in zip(models, known, strict=True)]


@pytest.mark.parametrize(
    ("estimator", "label", "scoring"),
    [
        (DaskCatBoostClassifier(**SMALL), "y", ["accuracy", "Logloss", "AUC"]),
        (DaskCatBoostRegressor(**SMALL, custom_metric="MAE"), "n", ["r2", "neg_mean_absolute_error"]),
    ],
)
def test_folds_in_lock_step_and_one_after_another_are_the_same(
    data: pd.DataFrame, estimator: Any, label: str, scoring: list[str]
) -> None:
    """Bit for bit where borders are the same: here each column has few values, all of which every fold has."""
    X = (data[FEATURES] * 2).round().clip(-2, 2)
    given = {"sample_weight": data["w"], "cv": 3, "scoring": scoring}
    together = Evaluation(estimator, X, data[label], **given).run(estimator, return_models=True, train_scores=True)
    strict = Evaluation(estimator, X, data[label], **given, strict_borders=True)
    wanted = Wanted(return_models=True, train_scores=True)
    apart = OneByOne(strict.rows, strict.scorers, None).run(estimator, wanted)
    for found in (apart, strict.run(estimator, return_models=True, train_scores=True)):
        for one, other in ((together.test, found.test), (together.train, found.train)):
            assert {name: values.tolist() for name, values in one.items()} == {
                name: values.tolist() for name, values in other.items()
            }
        for one, other in zip(together.models, found.models, strict=True):
            assert np.array_equal(one.predict(X, "RawFormulaVal"), other.predict(X, "RawFormulaVal"))
            assert one.get_params() == other.get_params() == estimator.get_params()
        assert (found.iterations, found.stopped) == (5, "iterations")


def test_collections_arrays_and_pools_are_scored_as_data_in_memory(
    data: pd.DataFrame, frame: dd.DataFrame, client: Client
) -> None:
    model = DaskCatBoostClassifier(**SMALL)
    how = {"cv": StratifiedKFold(3, shuffle=True), "scoring": ["accuracy", "roc_auc", "neg_log_loss"]}
    here = Evaluation(model, data[FEATURES], data["y"], sample_weight=data["w"], **how)
    told = here.run(model, return_models=True)
    lazy = Evaluation(model, frame, "y", sample_weight="w", client=client, **how)
    array = frame[FEATURES].to_dask_array(lengths=True)
    arrays = Evaluation(model, array, data["y"].to_numpy(), sample_weight=data["w"], client=client, **how)
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        runs = [
            lazy.run(model, return_models=True),
            lazy.run(model, data=pool, return_models=True),
            Evaluation(model, pool, **how).run(model, return_models=True),
            arrays.run(model, return_models=True),
        ]
    for found in runs:
        for name, values in told.test.items():
            assert found.test[name].tolist() == values.tolist()
        for one, other in zip(raw(found.models, data), raw(told.models, data), strict=True):
            assert np.array_equal(one, other)


def test_a_pool_has_the_folds_of_its_rows(data: pd.DataFrame, client: Client) -> None:
    """Also those that values of theirs decide: a pool has no times any more."""
    model, splitter = DaskCatBoostClassifier(**SMALL), TimeSeriesSplit(3, time="t")
    rows = dd.from_pandas(data[[*FEATURES, "y"]].assign(t=np.arange(150) // 2), npartitions=2, sort=False)
    evaluation = Evaluation(model, rows, "y", cv=splitter, client=client)
    with DaskPool(rows, "y", client=client) as pool:
        found = evaluation.run(model, data=pool)
    assert found.test["score"].tolist() == evaluation.run(model).test["score"].tolist()


def test_pools_go_with_trees_that_do_not_rank(data: pd.DataFrame) -> None:
    trees, network = DaskCatBoostClassifier(**SMALL), DaskMLPClassifier()
    groups = np.arange(150) // 10
    for estimator, cv, takes in (
        (trees, 3, True),
        (trees, KFold(3, shuffle=True), True),
        (trees, GroupKFold(3), True),
        (network, 3, False),
    ):
        evaluation = Evaluation(estimator, data[FEATURES], data["y"], cv=cv, groups=groups)
        assert (evaluation.takes_pools, evaluation.n_splits) == (takes, 3)


def test_pools_have_what_folds_go_by(client: Client, data: pd.DataFrame) -> None:
    model = DaskCatBoostClassifier(**SMALL, client=client)
    lazy = dd.from_pandas(data.assign(g=np.arange(len(data)) * 7 % 20), npartitions=4, sort=False)
    evaluation = Evaluation(model, lazy[FEATURES], lazy["y"], cv=GroupKFold(3), groups=lazy["g"])
    told, given = evaluation.run(model), evaluation.given
    with DaskPool(given.X, given.y, fold=given.fold, client=client) as pool:
        assert evaluation.run(model, data=pool).test["score"].tolist() == told.test["score"].tolist()
    with DaskPool(given.X, given.y, client=client) as pool, pytest.raises(DataError) as caught:
        evaluation.run(model, data=pool)
    assert str(caught.value) == (
        "X: found a DaskPool without the numbers that folds go by, expected one that has them. "
        "Give DaskPool the fold of each row, or pass the rows."
    )


def test_whoever_watches_hears_means_and_may_stop(data: pd.DataFrame) -> None:
    model = DaskCatBoostClassifier(**SMALL, metric_period=3)
    evaluation = Evaluation(model, data[FEATURES], data["y"], cv=3, scoring=["roc_auc", "Logloss"])
    heard: list[tuple[int, float]] = []

    def watch(iteration: int, score: float) -> bool:
        heard.append((iteration, score))
        return iteration < 3

    stopped = evaluation.run(model, watch=watch)
    assert [iteration for iteration, _ in heard] == [1, 2, 3]
    assert (stopped.iterations, stopped.stopped) == (3, "callback")
    shorter = evaluation.run(DaskCatBoostClassifier(**{**SMALL, "iterations": 3}))
    assert heard[-1][1] == pytest.approx(shorter.test["roc_auc"].mean(), abs=1e-12)
    assert stopped.test["neg_Logloss"].tolist() == shorter.test["neg_Logloss"].tolist()


def test_of_folds_one_after_another_each_is_heard(data: pd.DataFrame) -> None:
    network = DaskMLPClassifier(hidden_layer_sizes=(3,), max_iter=2, verbose=False)
    evaluation = Evaluation(network, data[FEATURES], data["y"], cv=3, scoring="accuracy")
    heard: list[int] = []
    stopped = evaluation.run(network, watch=lambda fold, score: heard.append(fold) or fold < 2, return_models=True)
    assert heard == [1, 2]
    assert (stopped.stopped, len(stopped.models), stopped.test["score"].shape) == ("callback", 2, (2,))


def test_metrics_that_nobody_asks_for_are_not_computed(data: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    rounds = ClassCounts.rounds
    monkeypatch.setattr(ClassCounts, "rounds", lambda *given: computed.append(1) or rounds(*given))
    model = DaskCatBoostClassifier(**SMALL)
    evaluation = Evaluation(model, data[FEATURES], data["y"], cv=3, scoring="accuracy")
    told = []
    # The first iteration is always scored, and the last one.
    for how, times in (({}, 2), ({"watch": lambda *_: True}, 5), ({"train_scores": True}, 4)):
        computed.clear()
        told.append(evaluation.run(model, **how).test["score"].tolist())
        assert len(computed) == 3 * times  # of three folds
    assert told == [told[0]] * 3


@pytest.mark.parametrize("keeps", [True, False])
def test_early_stopping_is_by_the_mean_over_the_folds(data: pd.DataFrame, keeps: bool) -> None:
    more = {} if keeps else {"use_best_model": False}
    model = DaskCatBoostRegressor(**{**SMALL, "iterations": 200}, early_stopping_rounds=5, metric_period=7, **more)
    evaluation = Evaluation(model, data[FEATURES], data["n"], cv=3, scoring="neg_root_mean_squared_error")
    means: list[float] = []
    found = evaluation.run(model, return_models=True, watch=lambda _, score: means.append(score) or True)
    assert evaluation.run(model).test["score"].tolist() == found.test["score"].tolist()
    best = int(np.argmax(means)) + 1
    assert found.stopped == "overfitting"
    assert len(means) == best + 5
    assert found.iterations == (best if keeps else best + 5)
    assert [fitted.tree_count_ for fitted in found.models] == [found.iterations] * 3
    test = KFold(3)
    (_, rows), *_ = test.split(data)
    of_model = found.models[0].predict(data[FEATURES].iloc[rows])
    error = np.sqrt(np.mean((of_model - data["n"].iloc[rows]) ** 2))
    assert -error == pytest.approx(found.test["score"][0], rel=1e-6)


def test_a_callable_scores_the_models_of_folds_in_lock_step(data: pd.DataFrame, frame: dd.DataFrame) -> None:
    def hits(estimator: Any, X: Any, y: Any) -> float:
        return float((estimator.predict(X) == np.asarray(y)).mean())

    def lazily(estimator: Any, X: Any, y: str) -> float:
        return float(estimator.score(X, y))

    model = DaskCatBoostClassifier(**SMALL)
    evaluation = Evaluation(model, data[FEATURES], data["y"], cv=3, scoring={"told": "accuracy", "mine": hits})
    found = evaluation.run(model, train_scores=True)
    np.testing.assert_allclose(found.test["mine"], found.test["told"], rtol=1e-6)
    np.testing.assert_allclose(found.train["mine"], found.train["told"], rtol=1e-6)
    assert (found.score_time > 0).all()
    assert found.models is None


def test_estimators_of_scikit_learn_are_for_rows_in_memory(data: pd.DataFrame, frame: dd.DataFrame) -> None:
    model = LogisticRegression()
    found = Evaluation(model, data[FEATURES], data["y"], cv=3).run(model)
    assert found.test["score"].shape == (3,)
    with pytest.raises(ParameterError, match="Use gbdist's, or pass X in memory"):
        Evaluation(model, frame, "y")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"estimator": object()},
            "expected a classifier, a regressor or a ranker. Such as DaskCatBoostClassifier or DaskCatBoostRegressor.",
        ),
        ({"cv": 1}, "cv=1 cannot be used: expected an integer of at least 2. Change it."),
        ({"cv": 200}, "expected at least as many as folds, n_splits=200"),
        ({"strict_borders": 1}, "strict_borders=1 cannot be used: expected True or False. Change it."),
        ({"estimator": DaskCatBoostClassifier(depth=99)}, "depth=99 cannot be used"),
        ({"y": None}, "y"),
        (
            {"estimator": DaskCatBoostClassifier(save_snapshot=True)},
            "save_snapshot=True cannot be used: expected it to be left out where folds are fitted. "
            "Leave it out: a snapshot is of one fit.",
        ),
        ({"estimator": DaskMLPClassifier(save_snapshot=True)}, "save_snapshot=True cannot be used"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    data: pd.DataFrame, given: dict[str, Any], text: str
) -> None:
    model = given.get("estimator", DaskCatBoostClassifier(**SMALL))
    arguments = {"estimator": model, "X": data[FEATURES], "y": data["y"], **given}
    with pytest.raises((ParameterError, DataError)) as error:
        Evaluation(**arguments).run(model, watch=lambda *_: pytest.fail("something was trained"))
    assert text in str(error.value)


def test_what_needs_rows_is_refused_beside_a_pool(
    frame: dd.DataFrame, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lockstep, "run", lambda *_: pytest.fail("something was trained"))
    trees, network = DaskCatBoostClassifier(**SMALL), DaskMLPClassifier()
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        for estimator, scoring, text in (
            (
                network,
                None,
                "estimator='DaskMLPClassifier' cannot be used: expected trees whose folds are grown in lock-step",
            ),
            (trees, lambda *_: 0.0, "expected metrics, with a DaskPool, which keeps no raw values"),
            (DaskCatBoostClassifier(aggregate="models"), None, "estimator='DaskCatBoostClassifier' cannot be used"),
        ):
            with pytest.raises(ParameterError) as error:
                Evaluation(estimator, pool, scoring=scoring)
            assert text in str(error.value)
        with pytest.raises(ParameterError, match="strict_borders=True cannot be used: expected False with a DaskPool"):
            Evaluation(trees, pool, strict_borders=True)
        with pytest.raises(DataError, match="X: found a DaskPool, expected rows, of which it can be told"):
            cross_validate(trees, pool, cv=3, return_indices=True)
        evaluation = Evaluation(network, frame, "y", client=client)
        with pytest.raises(ParameterError, match="expected trees whose folds are grown in lock-step"):
            evaluation.run(network, data=pool)
