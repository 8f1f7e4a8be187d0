"""``select_features`` as a user sees it: CatBoost's summary, fits that leave columns out, the same on a cluster, clear errors."""

import os
import signal
from collections.abc import Callable
from typing import Any

import catboost
import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor, DaskPool
from gbdist.errors import DataError, ParameterError
from gbdist.estimators import repeated_fits
from gbdist.estimators.listeners import told_to
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.selection import select_features

from .selection_table import GOOD, HOW, NAMES, made

ALGORITHMS = ["RecursiveByShapValues", "RecursiveByLossFunctionChange", "RecursiveByPredictionValuesChange"]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """700 rows; see ``made``."""
    return made(700)


@pytest.fixture(scope="module")
def large() -> pd.DataFrame:
    """So many rows that three workers train on them."""
    return made(4_900)


def halves(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Five sevenths to train on, to a whole group, and the others."""
    cut = len(frame) * 5 // 49 * 7
    return frame.iloc[:cut], frame.iloc[cut:]


def sides(frame: pd.DataFrame) -> tuple[Any, Any]:
    """Their columns and numbers."""
    train, test = halves(frame)
    return (train[NAMES], train["y"]), (test[NAMES], test["y"])


def labelled(frame: pd.DataFrame, kind: str) -> tuple[Any, pd.DataFrame]:
    """An estimator, and the table with labels for it."""
    if kind == "regressor":
        return DaskCatBoostRegressor(**HOW), frame
    classes = pd.qcut(frame["y"], 3, labels=["a", "b", "c"]).astype(str)
    if kind == "classifier":
        return DaskCatBoostClassifier(**HOW), frame.assign(y=classes)
    return DaskCatBoostRanker(**HOW, loss_function="QueryRMSE"), frame.assign(y=pd.qcut(frame["y"], 4, labels=False))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_columns_that_matter_are_kept_as_catboost_keeps_them(frame: pd.DataFrame, algorithm: str) -> None:
    (X, y), test = sides(frame)
    asked = {"features_for_select": "0-6", "num_features_to_select": 3, "steps": 2, "algorithm": algorithm}
    model = DaskCatBoostRegressor(**HOW)
    found = model.select_features(X, y, test, **asked)
    theirs = catboost.CatBoostRegressor(**HOW, allow_writing_files=False).select_features(
        catboost.Pool(X, y, cat_features=["kind"]),
        eval_set=catboost.Pool(*test, cat_features=["kind"]),
        logging_level="Silent",
        **asked,
    )
    assert found["selected_features"] == theirs["selected_features"] == GOOD
    assert found["selected_features_names"] == theirs["selected_features_names"]
    assert found.keys() == theirs.keys()
    graph, other = found["loss_graph"], theirs["loss_graph"]
    for places in ("removed_features_count", "main_indices"):
        assert graph[places] == other[places]
    assert graph["loss_values"][-1] == pytest.approx(other["loss_values"][-1], rel=0.1)
    assert [NAMES[column] for column in found["eliminated_features"]] == found["eliminated_features_names"]
    # The last loss is that of the final model, which is fitted.
    assert graph["loss_values"][-1] == pytest.approx(model.best_score_["validation"]["RMSE"], rel=1e-9)


@pytest.mark.parametrize("kind", ["regressor", "classifier", "ranker"])
def test_the_final_model_is_the_fit_that_ignores_what_was_eliminated(frame: pd.DataFrame, kind: str) -> None:
    model, data = labelled(frame, kind)
    train = {"X": data[NAMES], "y": data["y"], "sample_weight": data["w"]}
    if kind == "ranker":
        train["group_id"] = data["g"]
    summary = model.set_params(ignored_features=["n1"]).select_features(**train, num_features_to_select=4, steps=2)
    assert set(GOOD) <= set(summary["selected_features"])
    assert 2 not in [*summary["selected_features"], *summary["eliminated_features"]]
    alone = type(model)(**{**model.get_params(), "ignored_features": [2, *summary["eliminated_features"]]})
    assert fixed_cbm_bytes(alone.fit(**train).model_) == fixed_cbm_bytes(model.model_)
    assert list(model.predict(data[NAMES])) == list(alone.predict(data[NAMES]))


@pytest.mark.parametrize("kind", ["regressor", "classifier", "ranker"])
def test_a_cluster_selects_the_same(
    client: Client, large: pd.DataFrame, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one quantization for all fits."""
    (here, data), (there, _) = (labelled(large, kind) for _ in range(2))
    group = {} if kind != "ranker" else {"group_id": "g"}
    columns = [*NAMES, "y", "w", *group.values()]

    def given(part: pd.DataFrame, lazy: bool) -> dict[str, Any]:
        X = dd.from_pandas(part[columns], npartitions=4, sort=False) if lazy else part[columns]
        return {"X": X, "y": "y", "sample_weight": "w", **group}

    def sets(lazy: bool) -> dict[str, Any]:
        train, test = (given(part, lazy) for part in halves(data))
        return {**train, "eval_set": test if kind == "ranker" else (test["X"], "y", "w")}

    calls = []
    quantize = repeated_fits.quantize_sets
    monkeypatch.setattr(
        repeated_fits, "quantize_sets", lambda *args, **more: calls.append(1) or quantize(*args, **more)
    )
    asked = {"num_features_to_select": 3, "steps": 3}
    expected = here.select_features(**sets(False), **asked)
    assert calls == []
    assert there.set_params(client=client).select_features(**sets(True), **asked) == expected
    assert calls == [1]
    assert fixed_cbm_bytes(there.model_) == fixed_cbm_bytes(here.model_)


def test_pools_are_used_as_they_are(client: Client, large: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever their bins lie: here on the workers' disks."""
    (X, y), test = sides(large)
    how = {"num_features_to_select": 2, "steps": 2, "algorithm": ALGORITHMS[1]}
    here = DaskCatBoostRegressor(**HOW)
    expected = here.select_features(X, y, test, **how)
    monkeypatch.setattr(repeated_fits, "quantize_sets", None)
    with (
        DaskPool(X, y, client=client, bins_on_disk=True) as pool,
        DaskPool(*test, borders_of=pool, bins_on_disk=True) as other,
    ):
        model = DaskCatBoostRegressor(**HOW)
        assert model.select_features(pool, eval_set=other, **how) == expected
        assert pool.n_rows == 3_500
    assert fixed_cbm_bytes(model.model_) == fixed_cbm_bytes(here.model_)


def on_cluster(client: Client, frame: pd.DataFrame, **asked: Any) -> dict[str, Any]:
    """A selection of two columns in two steps, of lazy data."""
    train, test = (dd.from_pandas(X.assign(y=y), npartitions=4, sort=False) for X, y in sides(frame))
    model = DaskCatBoostRegressor(**HOW, client=client)
    return model.select_features(train, "y", (test, "y"), num_features_to_select=2, steps=2, **asked)


class AtTheEndOfAFit:
    """A callback that does something once, after the last tree of the first fit."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work, self.done = work, False

    def after_iteration(self, info: Any) -> bool:
        if info.iteration == HOW["iterations"] and not self.done:
            self.done = True
            self.work()
        return True


def test_workers_that_are_gone_after_a_fit_are_done_without(
    client: Client, large: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    (X, y), test = sides(large)
    expected = DaskCatBoostRegressor(**HOW).select_features(X, y, test, num_features_to_select=2, steps=2)
    there, gangs = repeated_fits.ready_workers, []
    boost, look = repeated_fits.boost_on_gang, repeated_fits.eliminate_on_gang

    def leave() -> None:
        monkeypatch.setattr(repeated_fits, "ready_workers", lambda client: there(client)[1:])

    def boost_noted(client: Client, sets: Any, order: Any) -> Any:
        gangs.append(sets[0].members)
        return boost(client, sets, order)

    def look_noted(client: Client, data: Any, *others: Any) -> Any:
        gangs.append(data.members)
        return look(client, data, *others)

    monkeypatch.setattr(repeated_fits, "boost_on_gang", boost_noted)
    monkeypatch.setattr(repeated_fits, "eliminate_on_gang", look_noted)
    assert on_cluster(client, large, callbacks=[AtTheEndOfAFit(leave)]) == expected
    assert [len(gang) for gang in gangs] == [3, 2, 2, 2, 2, 2]
    assert len(set(gangs[1:])) == 1


@pytest.mark.soak
def test_worker_killed_at_the_end_of_a_fit(large: pd.DataFrame) -> None:
    from gbdist_cluster.launch.local import start_local

    (X, y), test = sides(large)
    expected = DaskCatBoostRegressor(**HOW).select_features(X, y, test, num_features_to_select=2, steps=2)
    with start_local(workers=2, dashboard=False) as local:
        victim = min(local.client.run(os.getpid).values())
        kill = AtTheEndOfAFit(lambda: os.kill(victim, signal.SIGKILL))
        assert on_cluster(local.client, large, callbacks=[kill]) == expected
        assert kill.done


def test_without_a_final_model_the_estimator_stays_as_it_is(frame: pd.DataFrame) -> None:
    model = DaskCatBoostRegressor(**HOW)
    summary = model.select_features(
        frame[NAMES], frame["y"], None, ["n0", "n1-best"], 2, steps=9, train_final_model=False
    )
    assert not hasattr(model, "model_")
    assert sorted([*summary["selected_features"], *summary["eliminated_features"]]) == [0, 2, 3]
    assert 3 in summary["selected_features"]
    graph = summary["loss_graph"]
    assert (graph["removed_features_count"], graph["main_indices"]) == ([0, 1], [0])


def test_nothing_to_eliminate_is_a_fit(frame: pd.DataFrame) -> None:
    model, alone = DaskCatBoostRegressor(**HOW), DaskCatBoostRegressor(**HOW)
    summary = select_features(model, frame[NAMES], frame["y"], num_features_to_select=7)
    assert summary["selected_features"] == list(range(7))
    assert summary["eliminated_features"] == []
    assert summary["loss_graph"]["main_indices"] == [0]
    assert fixed_cbm_bytes(model.model_) == fixed_cbm_bytes(alone.fit(frame[NAMES], frame["y"]).model_)


def test_each_fit_reports_its_progress(frame: pd.DataFrame) -> None:
    class Notes:
        """A reporter that keeps what it is told."""

        def __init__(self) -> None:
            self.lines: list[str] = []
            self.begun = 0

        def say(self, line: str) -> None:
            self.lines.append(line)

        def hear(self, event: Any) -> bool:
            self.begun += type(event).__name__ == "RunStarted"
            return False

        def close(self) -> None:
            """Nothing to tidy."""

    notes, calls = Notes(), []

    class Counts:
        def after_iteration(self, info: Any) -> bool:
            calls.append(info.iteration)
            return info.iteration < 3

    with told_to(notes):
        DaskCatBoostRegressor(**HOW, silent=True).select_features(
            frame[NAMES], frame["y"], num_features_to_select=5, steps=2, callbacks=[Counts()], verbose=True
        )
    assert notes.begun == 3
    first, second, last = [line for line in notes.lines if "selection" in line]
    assert first == "selection, step 1 of 2: 7 of 7 columns left"
    assert second.startswith("selection, step 2 of 2: 6 of 7 columns left, without 'n")
    assert last.startswith("selection, final model: 5 of 7 columns left, without 'n")
    assert calls == [1, 2, 3] * 3


def test_a_call_may_be_silent_where_its_estimator_is_not(
    frame: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    model = DaskCatBoostRanker(**{**HOW, "iterations": 2}, verbose=1)
    data = {"X": frame[NAMES], "y": (frame["y"] > 0).astype(int), "group_id": frame["g"]}
    asked = {"num_features_to_select": 6, "train_final_model": False}
    select_features(model, **data, **asked, logging_level="Silent")
    assert not capsys.readouterr().err
    select_features(model, **data, **asked)
    assert "selection, step 1 of 1" in capsys.readouterr().err


def test_members_of_catboosts_enumerations(frame: pd.DataFrame) -> None:
    summary = DaskCatBoostRegressor(**HOW).select_features(
        frame[NAMES],
        frame["y"],
        num_features_to_select=3,
        algorithm=catboost.EFeaturesSelectionAlgorithm.RecursiveByShapValues,
        shap_calc_type=catboost.EShapCalcType.Approximate,
        grouping=catboost.EFeaturesSelectionGrouping.Individual,
        train_final_model=False,
    )
    assert summary["selected_features"] == GOOD


def test_others_than_estimators_of_trees(frame: pd.DataFrame) -> None:
    with pytest.raises(ParameterError) as raised:
        select_features(object(), frame[NAMES], frame["y"], num_features_to_select=1)
    assert str(raised.value) == (
        "estimator='object' cannot be used: expected a DaskCatBoostClassifier, DaskCatBoostRegressor or DaskCatBoostRanker. "
        "Select with one, and train what you like."
    )


def test_wrong_data_are_an_error_before_anything_is_trained(
    client: Client, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_fits, "boost_on_gang", None)
    monkeypatch.setattr(repeated_fits.local_run, "boost_here", None)
    X, y = frame[NAMES], frame["y"].where(frame.index != 600)
    lazy = dd.from_pandas(X.assign(y=y), npartitions=3, sort=False)
    for data in ((X, y), (lazy, "y")):
        with pytest.raises(DataError, match=r"^y"):
            DaskCatBoostRegressor(client=client).select_features(*data, num_features_to_select=1)
    with pytest.raises(DataError, match=r"^group_id: found None"):
        DaskCatBoostRanker().select_features(X, y, num_features_to_select=1)


def test_rows_quantized_beside_a_pool_of_other_borders_are_let_go_of(
    client: Client, large: pd.DataFrame, tasks_left: Callable[[], list[str]]
) -> None:
    (X, y), test = sides(large)
    lazy = dd.from_pandas(X.assign(y=y), npartitions=3, sort=False)
    with (
        DaskPool(*test, client=client, cat_features=["kind"]) as pool,
        pytest.raises(DataError, match=r"^eval_set: found a DaskPool with borders of its own") as raised,
    ):
        DaskCatBoostRegressor(client=client).select_features(lazy, "y", pool, num_features_to_select=1)
    assert tasks_left() == []
    assert raised.tb is not None  # it knows all that was made
