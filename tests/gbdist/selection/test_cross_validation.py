"""``cv`` as a user sees it: CatBoost's columns, the models of separate fits, the same ones on a cluster, and clear errors."""

from pathlib import Path
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.model_selection import KFold

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool
from gbdist.errors import ClusterError, DataError, ParameterError
from gbdist.estimators import placing
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.models.missing import cat_nan_of
from gbdist.selection import cv
from gbdist.selection.cross_validation import _REFUSED
from gbdist_cluster.launch.local import start_local

from ..estimators import conftest as of_estimators

table, client, three_workers = of_estimators.table, of_estimators.client, of_estimators.three_workers

FEATURES = list("abcdef")
PARAMS = {
    "loss_function": "Logloss",
    "iterations": 9,
    "depth": 3,
    "learning_rate": 0.2,
    "leaf_estimation_iterations": 1,
}


@pytest.fixture
def frame(table: pd.DataFrame) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=5, sort=False)


def bytes_of(models: list[Any]) -> list[bytes]:
    return [fixed_cbm_bytes(model) for model in models]


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (DaskCatBoostRegressor, {**PARAMS, "loss_function": "RMSE", "custom_metric": ["MAE"]}),
        (DaskCatBoostClassifier, {**PARAMS, "bootstrap_type": "Bernoulli", "subsample": 0.6}),
    ],
)
def test_curves_and_models_are_those_of_fits_on_the_subsets(
    table: pd.DataFrame, tmp_path: Path, estimator: Any, params: dict[str, Any], inverted: bool
) -> None:
    """With the borders of all rows, bit for bit."""
    X, y, w = table[FEATURES], table["y"], table["w"]
    given = {"shuffle": False, "stratified": False, "fold_count": 4, "inverted": inverted}
    curves, models = cv((X, y, w), params, return_models=True, **given)
    whole = catboost.Pool(X)
    whole.quantize()
    whole.save_quantization_borders(str(tmp_path / "borders"))
    told = []
    for (train, test), model in zip(KFold(4).split(X), models, strict=True):
        train, test = (test, train) if inverted else (train, test)
        alone = estimator(**params, use_best_model=False, input_borders=str(tmp_path / "borders"))
        alone.fit(
            X.iloc[train],
            y.iloc[train],
            sample_weight=w.iloc[train],
            eval_set=(X.iloc[test], y.iloc[test], w.iloc[test]),
        )
        told.append(alone.evals_result_)
        raw = "RawFormulaVal"
        assert np.array_equal(model.predict(X, raw), alone.model_.predict(X, raw))
        assert model.tree_count_ == 9
    for name in told[0]["learn"]:
        for data_set, words in (("learn", "train"), ("validation", "test")):
            values = np.array([each[data_set][name] for each in told])
            assert np.array_equal(curves[f"{words}-{name}-mean"], [_mean(of) for of in values.T.tolist()])
            assert curves[f"{words}-{name}-std"].to_numpy() == pytest.approx(values.std(axis=0, ddof=1))


def _mean(values: list[float]) -> float:
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


@pytest.mark.parametrize(
    ("params", "more"),
    [
        (PARAMS, {}),
        ({**PARAMS, "loss_function": "CrossEntropy", "eval_metric": "AUC"}, {"shuffle": False, "inverted": True}),
        ({**PARAMS, "loss_function": "MultiClass", "bootstrap_type": "Bayesian"}, {"fold_count": 5, "seed": 3}),
        (
            {**PARAMS, "loss_function": "RMSE", "one_hot_max_size": 2, "cat_features": ["k"]},
            {"early_stopping_rounds": 2},
        ),
    ],
)
def test_data_here_on_a_cluster_and_in_a_pool_have_the_same_folds(
    client: Client, table: pd.DataFrame, params: dict[str, Any], more: dict[str, Any]
) -> None:
    names = [*FEATURES, *params.get("cat_features", ())]
    data = table.assign(k=(np.arange(len(table)) * 7 % 11).astype(str))[[*names, "y", "w"]]
    lazy = dd.from_pandas(data, npartitions=5, sort=False)
    given = {"params": params, "return_models": True, "client": client, **more}
    here, models = cv((data[names], data["y"], data["w"]), **given)
    there, others = cv((lazy, "y", "w"), **given)
    assert there.equals(here)
    assert bytes_of(others) == bytes_of(models)
    with DaskPool(lazy, "y", sample_weight="w", cat_features=params.get("cat_features"), client=client) as pool:
        pooled, again = cv(pool, **given)
        assert pooled.equals(here)
        assert bytes_of(again) == bytes_of(models)
        assert cv(dtrain=pool, params=params, client=client, **more).equals(here)


@pytest.mark.parametrize(
    ("params", "more"),
    [
        ({**PARAMS, "custom_metric": ["AUC", "Accuracy"]}, {}),
        ({**PARAMS, "eval_metric": "F1", "metric_period": 4}, {}),
        (
            {**PARAMS, "loss_function": "RMSE", "boost_from_average": False},
            {"metric_period": 5, "num_boost_round": 12, "nfold": 2},
        ),
        ({**PARAMS, "metric_period": 3}, {"early_stopping_rounds": 50}),
    ],
)
@pytest.mark.parametrize("as_pandas", [True, False])
def test_columns_and_rows_are_those_of_catboosts_cv(
    table: pd.DataFrame, params: dict[str, Any], more: dict[str, Any], as_pandas: bool
) -> None:
    X, y = table[FEATURES].iloc[:1000], table["y"].iloc[:1000]
    ours = cv((X, y), params, as_pandas=as_pandas, **more)
    silent = {"allow_writing_files": False, "verbose": False}
    theirs = catboost.cv(catboost.Pool(X, y), {**params, **silent}, as_pandas=as_pandas, **more)
    assert list(ours) == list(theirs)
    assert list(ours["iterations"]) == list(theirs["iterations"])
    assert type(ours) in (pd.DataFrame, dict)
    assert isinstance(ours, pd.DataFrame) == as_pandas
    name = f"test-{params['loss_function']}-mean"
    # Folds are others: so are values, in their second digit.
    assert np.asarray(ours[name]) == pytest.approx(np.asarray(theirs[name]), rel=0.1)


def test_all_folds_end_where_the_mean_says(table: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    noise = (table[FEATURES].iloc[:600], rng.normal(size=600))
    params = {"loss_function": "RMSE", "learning_rate": 0.4, "iterations": 60, "depth": 4}
    whole = cv(noise, params)
    curves, models = cv(noise, {**params, "od_pval": 0.3}, early_stopping_rounds=6, return_models=True)
    best = int(np.argmin(whole["test-RMSE-mean"][: len(curves)]))
    assert len(curves) == best + 7 < 60
    assert curves.equals(whole.iloc[: len(curves)])
    assert [model.tree_count_ for model in models] == [len(curves)] * 3


def test_what_follows_from_the_number_of_rows_follows_from_those_of_a_fold(table: pd.DataFrame) -> None:
    """The automatic learning rate, which is the same for all folds."""
    X, y = table[FEATURES].iloc[:600], table["y"].iloc[:600]
    params = {"loss_function": "Logloss", "iterations": 400, "depth": 1}
    _, models = cv((X, y), params, fold_count=4, return_models=True)
    (rate,) = {model.learning_rate_ for model in models}
    plain = {**params, "use_best_model": False, "verbose": False, "allow_writing_files": False}
    of_fold, of_all = (catboost.CatBoostClassifier(**plain).fit(X[:n], y[:n]).learning_rate_ for n in (450, 600))
    assert rate == pytest.approx(of_fold, rel=1e-6)
    assert rate != pytest.approx(of_all, rel=1e-3)


def test_models_say_what_stood_for_missing_categories(table: pd.DataFrame) -> None:
    data = table.iloc[:400].assign(k=["p", None, "q", "r"] * 100)
    _, models = cv((data[["a", "k"]], data["y"]), {**PARAMS, "cat_nan": "none"}, return_models=True)
    assert [cat_nan_of(model) for model in models] == ["none"] * 3


def test_catboosts_cv_has_other_defaults_than_its_fit(table: pd.DataFrame) -> None:
    """Those that do not depend on the data, which docs/selection.md says."""
    X, y = table[FEATURES].iloc[:600], table["y"].iloc[:600]
    told = []
    for loss in ("Logloss", "RMSE"):
        params = {"loss_function": loss, "iterations": 3, "allow_writing_files": False, "verbose": False}
        _, models = catboost.cv(catboost.Pool(X, y), params, return_models=True)
        told.append((models[0].learning_rate_, models[0].get_all_params()))
    (rate, of_classes), (other_rate, of_numbers) = told
    assert rate == other_rate == np.float32(0.03)
    assert of_classes["leaf_estimation_iterations"] == 10
    assert not of_numbers["boost_from_average"]


def test_a_worker_that_dies_while_folds_train_costs_no_bit(table: pd.DataFrame, tmp_path: Path) -> None:
    flag = tmp_path / "died"

    class DiesOnce:
        """A metric: RMSE, for as long as its process lives."""

        def __init__(self) -> None:
            self.calls = 0

        def is_max_optimal(self) -> bool:
            return False

        def evaluate(self, approxes: Any, target: Any, weight: Any) -> tuple[float, float]:
            import os

            self.calls += 1
            if self.calls == 20 and not flag.exists():
                flag.touch()
                os._exit(1)
            return float(((np.asarray(approxes[0]) - np.asarray(target)) ** 2).sum()), float(len(target))

        def get_final_error(self, error: float, weight: float) -> float:
            return float((error / weight) ** 0.5)

    params = {**PARAMS, "loss_function": "RMSE"}
    expected, models = cv((table[FEATURES], table["y"]), params, return_models=True)
    with start_local(workers=2, threads=1, dashboard=False) as local:
        lazy = dd.from_pandas(table.drop(columns="w"), npartitions=4, sort=False)
        watched = {**params, "custom_metric": ["MAE"], "eval_metric": DiesOnce()}
        found, others = cv((lazy, "y"), watched, return_models=True, client=local.client)
    assert flag.exists()
    columns = list(expected)
    assert found[columns].equals(expected)
    assert [model.predict(table[FEATURES]).tobytes() for model in others] == [
        model.predict(table[FEATURES]).tobytes() for model in models
    ]


def test_a_pool_that_has_no_room_for_the_folds_is_refused(
    client: Client, frame: dd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = placing.needs.needs_of

    def small(sets: Any, run: Any, limits: Any, threads: Any) -> Any:
        return usual(sets, run, dict.fromkeys(limits, 150 << 20), threads)

    with DaskPool(frame, "y", client=client) as pool:
        monkeypatch.setattr(placing.needs, "needs_of", small)
        with pytest.raises(ClusterError, match=r"would need .* for its .* rows"):
            cv(pool, PARAMS, fold_count=2000)


ROWS = (np.arange(40.0).reshape(20, 2), np.arange(20) % 2)
GPU = "'CPU' for folds that train side by side. Models of both are the same, bit for bit."
#: What is given in place of what is right, and what is said of it.
BAD: list[tuple[dict[str, Any], str]] = [
    (
        {"params": {}},
        "loss_function=None cannot be used: expected a loss, which cv does not choose by itself. "
        'Write params={"loss_function": "Logloss"}, for example.',
    ),
    (
        {"params": {"loss_function": "YetiRank"}},
        "loss_function='YetiRank' cannot be used: expected a loss of rows. "
        "Fit DaskCatBoostRanker for each fold, with groups that are whole.",
    ),
    (
        {"pool": None},
        "pool: found nothing, expected a DaskPool, (X, y) or (X, y, sample_weight). Pass cv((X, y), params).",
    ),
    (
        {"pool": ROWS[0]},
        "pool: found a ndarray, expected a DaskPool, (X, y) or (X, y, sample_weight). Pass cv((X, y), params).",
    ),
    ({"fold_count": 1}, "fold_count=1 cannot be used: expected an integer of at least 2. Change it."),
    ({"shuffle": 1}, "shuffle=1 cannot be used: expected True or False. Change it."),
    ({"stratified": "y"}, "stratified='y' cannot be used: expected True or False. Change it."),
    ({"seed": -1}, "partition_random_seed=-1 cannot be used: expected an integer of at least 0. Change it."),
    ({"type": "TimeSeries"}, "type='TimeSeries' cannot be used: expected 'Classical' or 'Inverted'. Change it."),
    (
        {"nfold": 3, "fold_count": 3},
        "nfold=3 cannot be used: expected one of fold_count and nfold. Leave one of them out.",
    ),
    (
        {"depth": 3},
        "depth=3 cannot be used: expected an argument that cv has. Give CatBoost's parameters in params.",
    ),
    ({"params": {**PARAMS, "task_type": "GPU"}}, f"task_type='GPU' cannot be used: expected {GPU}"),
    (
        {"params": {**PARAMS, "aggregate": "models"}},
        "aggregate='models' cannot be used: expected 'histograms' with cv. Leave it out.",
    ),
    (
        {"params": {**PARAMS, "save_snapshot": True}},
        "save_snapshot=True cannot be used: expected it to be left out. "
        "Leave it out: CatBoost has no snapshots of cv either.",
    ),
    (
        {"fold_count": 21},
        "X: found 20 rows, expected at least as many as folds, n_splits=21. Use fewer folds.",
    ),
    (
        {"fold_count": 11},
        "y: found 10 row(s) of class 0, expected at least as many as folds, n_splits=11. "
        "Use fewer folds, or drop or merge such classes.",
    ),
    (
        {"params": {**PARAMS, "loss_function": "RMSE"}, "stratified": True},
        "y: found numbers, expected classes with stratified=True. Leave stratified out.",
    ),
]


@pytest.mark.parametrize(("given", "said"), BAD)
def test_what_cannot_be_is_refused_before_anything_is_trained(
    given: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gbdist.estimators.local_run.boost_folds", None)
    with pytest.raises((ParameterError, DataError)) as caught:
        cv(**{"pool": ROWS, "params": PARAMS, **given})
    assert str(caught.value) == said


@pytest.mark.parametrize("name", _REFUSED)
def test_arguments_of_catboosts_that_are_refused_may_be_left_at_nothing(name: str) -> None:
    curves = cv(ROWS, PARAMS, **{name: None})
    assert len(curves) == 9
    with pytest.raises(ParameterError) as caught:
        cv(ROWS, PARAMS, **{name: "x"})
    assert str(caught.value) == f"{name}='x' cannot be used: expected it to be left out. {_REFUSED[name]}"


@pytest.mark.parametrize("more", [{"iterations": 4}, {"num_boost_round": 4}])
def test_arguments_are_used_in_place_of_parameters_of_any_name(more: dict[str, int]) -> None:
    assert (
        len(
            cv(
                ROWS,
                {"loss_function": "Logloss", "n_estimators": 9, "silent": False, "depth": 2},
                verbose=False,
                **more,
            )
        )
        == 4
    )


def test_page_has_the_curves_that_are_returned(
    table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "folds.html"
    params = {**PARAMS, "custom_metric": ["AUC"], "early_stopping_rounds": 3, "iterations": 40, "learning_rate": 1.0}
    curves = cv((table[FEATURES], table["y"]), params, plot_file=page)
    assert capsys.readouterr().err.endswith(f"report: {page}\n")
    html = page.read_text()
    best = curves["test-Logloss-mean"].idxmin()
    told = f"{curves['test-Logloss-mean'][best]:.6g} ± {curves['test-Logloss-std'][best]:.2g}"
    for words in (
        f"{best}, by Logloss",
        told,
        "Cross-validation of Logloss",
        f"{len(curves)}, stopped early",
        'data-chart="curve_1"',
    ):
        assert words in html
    with pytest.raises(ParameterError, match="plot='yes' cannot be used"):
        cv((table[FEATURES], table["y"]), params, plot="yes")
