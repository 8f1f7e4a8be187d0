"""``cv`` as a user sees it: CatBoost's columns, the models of separate fits, the same ones on a cluster, and clear errors."""

from pathlib import Path
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from sklearn.model_selection import KFold, ShuffleSplit

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor, DaskPool
from gbdist.errors import ClusterError, DataError, ParameterError
from gbdist.estimators import placing
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.models.missing import cat_nan_of
from gbdist.selection import GroupKFold, PredefinedSplit, StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit, cv
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
    path, told = borders_of(X, tmp_path / "borders"), []
    for (train, test), model in zip(KFold(4).split(X), models, strict=True):
        train, test = (test, train) if inverted else (train, test)
        alone = estimator(**params, use_best_model=False, input_borders=path)
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


def borders_of(X: pd.DataFrame, path: Path) -> str:
    """A file with the borders that CatBoost chooses from all rows."""
    whole = catboost.Pool(X)
    whole.quantize()
    whole.save_quantization_borders(str(path))
    return str(path)


@pytest.mark.parametrize(
    "folds",
    [
        GroupKFold(3),
        StratifiedGroupKFold(3),
        TimeSeriesSplit(3, gap=20),
        PredefinedSplit("fold"),
        list(ShuffleSplit(3, random_state=0).split(np.zeros(500))),
    ],
    ids=lambda one: type(one).__name__,
)
def test_folds_of_any_splitter_are_fits_on_the_subsets(
    client: Client, table: pd.DataFrame, tmp_path: Path, folds: Any
) -> None:
    """With the borders of all rows, bit for bit, in this process and on workers."""
    data = table.iloc[:500].assign(g=np.arange(500) * 7 % 31, fold=np.arange(500) // 100 % 4 - 1)
    names = [*FEATURES, "g", "fold"]
    curves, models = cv((data[[*names, "y"]], "y"), PARAMS, folds=folds, groups="g", return_models=True)
    pairs = folds if isinstance(folds, list) else folds.split(data, "y", "g")
    path, told = borders_of(data[names], tmp_path / "borders"), []
    for (train, test), model in zip(pairs, models, strict=True):
        sides = [(data[names].iloc[rows], data["y"].iloc[rows]) for rows in map(np.sort, (train, test))]
        alone = DaskCatBoostClassifier(**PARAMS, use_best_model=False, input_borders=path)
        alone.fit(*sides[0], eval_set=sides[1])
        told.append(alone.evals_result_["validation"]["Logloss"])
        assert np.array_equal(model.predict(data, "RawFormulaVal"), alone.model_.predict(data, "RawFormulaVal"))
    assert list(curves["test-Logloss-mean"]) == [_mean(list(of)) for of in zip(*told, strict=True)]
    if not isinstance(folds, list):
        lazy = dd.from_pandas(data[[*names, "y"]], npartitions=4, sort=False)
        there, others = cv((lazy, "y"), PARAMS, folds=folds, groups="g", return_models=True, client=client)
        assert there.equals(curves)
        assert bytes_of(others) == bytes_of(models)


@pytest.mark.parametrize(
    ("params", "how"),
    [
        (PARAMS, {"folds": GroupKFold(3), "groups": "g"}),
        (PARAMS, {}),
        ({**PARAMS, "loss_function": "MultiClass"}, {"folds": StratifiedKFold(3, shuffle=True)}),
        ({**PARAMS, "loss_function": "RMSE"}, {"folds": TimeSeriesSplit(3, gap=20)}),
        ({**PARAMS, "loss_function": "RMSE"}, {"folds": list(ShuffleSplit(3, random_state=0).split(np.zeros(500)))}),
    ],
)
def test_strict_borders_are_those_of_the_fits_on_the_subsets(
    client: Client, table: pd.DataFrame, params: dict[str, Any], how: dict[str, Any]
) -> None:
    """All of it, bit for bit, in this process and on workers."""
    first = int(np.argmin(table["y"]))  # so that classes come in their order to a splitter, too
    data = table.iloc[first : first + 500].assign(g=np.arange(500) * 7 % 31)
    names = [*FEATURES, "g"]
    given = {"params": params, "strict_borders": True, "return_models": True, **how}
    curves, models = cv((data[[*names, "y"]], "y"), **given)
    folds = how.get("folds", StratifiedKFold(3, shuffle=True))
    pairs = folds if isinstance(folds, list) else folds.split(data, "y", "g")
    kind, told = DaskCatBoostRegressor if params["loss_function"] == "RMSE" else DaskCatBoostClassifier, []
    for (train, test), model in zip(pairs, models, strict=True):
        sides = [(data[names].iloc[rows], data["y"].iloc[rows]) for rows in map(np.sort, (train, test))]
        alone = kind(**params, use_best_model=False).fit(*sides[0], eval_set=sides[1])
        told.append(alone.evals_result_["validation"][params["loss_function"]])
        assert model.get_borders() == alone.model_.get_borders()
        assert np.array_equal(model.predict(data, "RawFormulaVal"), alone.model_.predict(data, "RawFormulaVal"))
    assert list(curves[f"test-{params['loss_function']}-mean"]) == [_mean(list(of)) for of in zip(*told, strict=True)]
    shared, _ = cv((data[[*names, "y"]], "y"), **{**given, "strict_borders": False})
    assert list(shared) == list(curves)
    assert not shared.equals(curves)
    if not isinstance(folds, list):
        lazy = dd.from_pandas(data[[*names, "y"]], npartitions=4, sort=False)
        there, others = cv((lazy, "y"), **given, client=client)
        assert there.equals(curves)
        assert bytes_of(others) == bytes_of(models)


def test_data_that_are_ranked_have_folds_of_whole_groups(client: Client, table: pd.DataFrame, tmp_path: Path) -> None:
    data = table.iloc[:600].assign(q=np.repeat(np.arange(100), [4, 8] * 50))
    params = {"loss_function": "YetiRank", "iterations": 4, "depth": 3, "custom_metric": ["NDCG"]}
    how: dict[str, Any] = {"params": params, "group_id": "q", "shuffle": False, "return_models": True}
    curves, models = cv((data[[*FEATURES, "q", "y"]], "y"), **how)
    path, told = borders_of(data[FEATURES], tmp_path / "borders"), []
    # Folds have as many groups each, to one: 34, 33 and 33 of 100.
    for mask, model in zip([data["q"] < 34, data["q"].between(34, 66), data["q"] > 66], models, strict=True):
        train, test = (
            {"X": side[FEATURES], "y": side["y"], "group_id": side["q"]} for side in (data[~mask], data[mask])
        )
        alone = DaskCatBoostRanker(**params, use_best_model=False, input_borders=path).fit(**train, eval_set=test)
        told.append(alone.evals_result_["validation"]["NDCG:type=Base"])
        assert np.array_equal(model.predict(data[FEATURES]), alone.model_.predict(data[FEATURES]))
    assert list(curves["test-NDCG:type=Base-mean"]) == [_mean(list(of)) for of in zip(*told, strict=True)]
    lazy = dd.from_pandas(data[[*FEATURES, "q", "y"]], npartitions=4, sort=False)
    there, others = cv((lazy, "y"), **how, client=client)
    assert there.equals(curves)
    assert bytes_of(others) == bytes_of(models)
    pairs = [[start, start + 1] for start in range(0, 600, 12)]
    of_pairs = {**how, "params": {**params, "loss_function": "PairLogit"}, "pairs": pairs}
    here, _ = cv((data[[*FEATURES, "q", "y"]], "y"), **of_pairs)
    assert cv((lazy, "y"), **of_pairs, client=client)[0].equals(here)
    assert list(here) != list(curves)


@pytest.mark.parametrize(("n_rows", "n_folds"), [(11, 3), (12, 3), (14, 3), (23, 4)])
def test_rows_of_time_series_and_of_pairs_are_catboosts(n_rows: int, n_folds: int) -> None:
    """Trees that hardly move anything are scored by the mean of the rows that train: of row numbers, here."""
    X, y = np.random.default_rng(0).normal(size=(n_rows, 1)), np.arange(float(n_rows))
    params = {"loss_function": "RMSE", "iterations": 1, "depth": 1, "learning_rate": 1e-5, "boost_from_average": True}
    pairs = [(np.arange(0, 5), np.arange(7, 9)), (np.arange(3, 10), np.arange(2))]
    for how in ({"type": "TimeSeries", "fold_count": n_folds}, {"folds": pairs}):
        ours = cv((X, y), params, **how)
        theirs = catboost.cv(catboost.Pool(X, y), {**params, "allow_writing_files": False, "verbose": False}, **how)
        for name in list(theirs)[1:]:
            assert ours[name].to_numpy() == pytest.approx(theirs[name].to_numpy(), abs=1e-4), name


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


@pytest.mark.parametrize(
    "how", [{}, pytest.param({"strict_borders": True, "folds": GroupKFold(3), "groups": "a"}, marks=pytest.mark.soak)]
)
def test_a_worker_that_dies_while_folds_train_costs_no_bit(
    table: pd.DataFrame, tmp_path: Path, how: dict[str, Any]
) -> None:
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
    expected, models = cv((table[FEATURES], table["y"]), params, return_models=True, **how)
    with start_local(workers=2, threads=1, dashboard=False) as local:
        lazy = dd.from_pandas(table.drop(columns="w"), npartitions=4, sort=False)
        watched = {**params, "custom_metric": ["MAE"], "eval_metric": DiesOnce()}
        found, others = cv((lazy, "y"), watched, return_models=True, client=local.client, **how)
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
        {"params": {"loss_function": "Loglos"}},
        "loss_function='Loglos' cannot be used: expected a loss: Logloss, LogCosh, MultiLogloss, CrossEntropy, MultiClass, "
        "MultiClassOneVsAll, Focal, MultiCrossEntropy, RMSE, MAE, Quantile, MAPE, LogLinQuantile, Poisson, Lq, Expectile, Huber, "
        "Tweedie, MultiQuantile, RMSEWithUncertainty, MultiRMSE, MultiRMSEWithMissingValues, SurvivalAft, Cox, YetiRank, "
        "QueryRMSE, QuerySoftMax, PairLogit, LambdaMart. Did you mean 'Logloss'?",
    ),
    (
        {"params": {"loss_function": "YetiRank"}},
        "group_id: found None, expected which rows are ranked together, for loss_function='YetiRank'. "
        "Pass group_id=, one value a row or the name of a column of X.",
    ),
    (
        {"group_id": ROWS[1]},
        "group_id: found a value, expected None with loss_function='Logloss', which does not rank. "
        "Leave it out. Folds of whole groups are folds=GroupKFold(3), with groups=.",
    ),
    (
        {"params": {"loss_function": "QueryRMSE"}, "group_id": ROWS[1], "pairs": [[0, 2]]},
        "pairs: found a value, expected None with loss_function='QueryRMSE'. "
        'Set loss_function="PairLogit", or leave pairs out.',
    ),
    (
        {"params": {"loss_function": "QueryRMSE"}, "group_id": ROWS[1], "type": "TimeSeries"},
        "type='TimeSeries' cannot be used: expected it to be left out beside loss_function='QueryRMSE'. "
        "Leave one of them out.",
    ),
    (
        {"params": {"loss_function": "QueryRMSE"}, "group_id": np.arange(20) // 10},
        "groups: found 2 different groups, expected at least as many as folds, n_splits=3. Use fewer folds.",
    ),
    (
        {"params": {"loss_function": "QueryRMSE"}, "group_id": np.arange(20) // 4, "folds": KFold(3)},
        "fold 0: found the group of row 4 with some of its rows trained on, expected groups that are whole. "
        "Split by groups, such as with GroupKFold.",
    ),
    (
        {"folds": GroupKFold(3)},
        "groups: found None, expected a group for each row. "
        "Pass groups=, one value a row or the name of a column of X.",
    ),
    (
        {"groups": ROWS[1]},
        "groups='a value' cannot be used: expected None without folds that look at groups. "
        "Set folds=GroupKFold(3), for example, or leave it out.",
    ),
    (
        {"folds": KFold(3), "fold_count": 3},
        "fold_count=3 cannot be used: expected it to be left out beside folds. Leave one of them out.",
    ),
    (
        {"folds": [([0, 1], [1])]},
        "folds, split 0: found row 1 in train and in test, expected rows that are in one of the two. "
        "Take it out of one of the two.",
    ),
    (
        {"type": "TimeSeries", "stratified": True},
        "stratified=True cannot be used: expected it to be left out beside type='TimeSeries'. Leave one of them out.",
    ),
    (
        {"params": {"loss_function": "QueryRMSE"}, "group_id": np.arange(20) // 2, "strict_borders": True},
        "strict_borders=True cannot be used: expected folds that partitions can tell by themselves. "
        "Name a splitter: folds=KFold(3, shuffle=True), or GroupKFold(3).",
    ),
    (
        {
            "params": {"loss_function": "PairLogit"},
            "group_id": np.arange(20) // 2,
            "pairs": [[0, 1]],
            "strict_borders": True,
            "folds": GroupKFold(3),
        },
        "pairs: found a value, expected None with strict_borders=True. Leave one of them out.",
    ),
    ({"strict_borders": 1}, "strict_borders=1 cannot be used: expected True or False. Change it."),
    (
        {"type": "TimeSeries", "fold_count": 20},
        "X: found 20 rows, expected at least as many as folds, n_splits=21. Use fewer folds.",
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
    ({"type": "Time"}, "type='Time' cannot be used: expected 'Classical', 'Inverted' or 'TimeSeries'. Change it."),
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
    monkeypatch.setattr("gbdist.boosting.lockstep._Together.add_trees", None)
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


def test_what_is_shown_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    cv(ROWS, {**PARAMS, "silent": True}, verbose=5)
    lines = [line for line in capsys.readouterr().err.splitlines() if "validation" in line]
    assert [line.split(":")[0] for line in lines] == ["0", "5", "8"]
    with pytest.raises(ParameterError, match=r"^logging_level='Silent' cannot be used: "):
        cv(ROWS, PARAMS, verbose=5, logging_level="Silent")


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
