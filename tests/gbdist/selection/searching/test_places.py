"""Where trials run: small data as a task of a worker, larger ones on a copy on each worker or on all, with the same results."""

from collections.abc import Callable, Iterator
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskCatBoostRegressor, DaskMLPClassifier
from gbdist.errors import ClusterError, DataError, ParameterError
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.sources import Given
from gbdist.selection import DaskSearchCV, GroupKFold, KFold
from gbdist.selection.evaluation import Evaluation
from gbdist.selection.searching.identity import data_of
from gbdist.selection.searching.pools import Pools
from gbdist.selection.searching.rule import Wanted, places_for
from gbdist.selection.searching.spaces import read_space
from gbdist.selection.searching.workers import Anywhere, OnWorkers, Places, PoolPlace, TaskPlace, Trained
from gbdist_cluster.errors import WorkersGone

SPACE = {"depth": [1, 2, 3]}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0", memory_limit=0) as two,
        Client(two, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    draw = np.random.default_rng(2)
    made = pd.DataFrame(draw.normal(size=(300, 3)), columns=list("abc"))
    return made.assign(y=(made["a"] * made["b"] + 0.3 * draw.normal(size=300) > 0).astype(int), g=np.arange(300) // 10)


@pytest.fixture(scope="module")
def frame(table: pd.DataFrame) -> Any:
    return dd.from_pandas(table.drop(columns="g"), npartitions=3)


def trees(**more: Any) -> DaskCatBoostClassifier:
    return DaskCatBoostClassifier(**{"iterations": 4, "learning_rate": 0.3, **more})


def places(
    X: Any, y: Any, client: Any, estimator: Any = None, cv: Any = 3, groups: Any = None, **wanted: Any
) -> Places:
    estimator = trees() if estimator is None else estimator
    evaluation = Evaluation(estimator, X, y, cv=cv, groups=groups, client=client)
    asked = Wanted(**{"n_jobs": None, "trial_workers": "auto", "n_trials": 9, **wanted})
    return places_for(evaluation, estimator, read_space(SPACE), Given(X, y), client, asked)


def test_small_data_run_here_without_a_cluster_and_on_its_workers_with_one(table: pd.DataFrame, client: Client) -> None:
    X, y = table[["a", "b"]], table["y"]
    here = places(X, y, None)
    assert isinstance(here, Anywhere)
    assert (here.side_by_side, places(X, y, None, n_jobs=3).side_by_side) == (1, 3)
    there = places(X, y, client)
    assert isinstance(there, OnWorkers)
    assert there.side_by_side == 2
    assert isinstance(there.another(), TaskPlace)
    assert isinstance(places(X, y, client, trial_workers="all"), Anywhere)


def test_collections_are_copied_to_each_worker_if_there_are_trials_for_all(frame: Any, client: Client) -> None:
    def kind(**wanted: Any) -> tuple[type, int]:
        found = places(frame, "y", client, **wanted)
        found.close()
        return type(found), found.side_by_side

    assert kind() == (OnWorkers, 2)
    assert kind(n_jobs=1) == (Anywhere, 1)
    assert kind(n_trials=1) == (Anywhere, 1)
    assert kind(trial_workers="one", n_jobs=1) == (OnWorkers, 1)
    assert kind(trial_workers="all") == (Anywhere, 1)


def test_what_needs_the_rows_themselves_uses_all_workers(table: pd.DataFrame, frame: Any, client: Client) -> None:
    network = DaskMLPClassifier(hidden_layer_sizes=(2,), max_iter=1)
    assert isinstance(places(frame, "y", client, network), Anywhere)
    lazy = dd.from_pandas(table, npartitions=2)
    X, y, g = lazy[["a", "b"]], lazy["y"], lazy["g"]
    ranker = DaskCatBoostRanker(iterations=4, loss_function="QueryRMSE")
    assert isinstance(places(X, y, client, ranker, cv=GroupKFold(3), groups=g), Anywhere)
    with pytest.raises(ParameterError, match="trial_workers='one' cannot be used"):
        places(X, y, client, ranker, cv=GroupKFold(3), groups=g, trial_workers="one")
    by_groups = places(X, y, client, cv=GroupKFold(3), groups=g)  # which copies keep too
    assert isinstance(by_groups, OnWorkers)
    by_groups.close()
    with pytest.raises(ParameterError, match="n_jobs=2 cannot be used: expected 1 where each trial uses all workers"):
        places(frame, "y", client, trial_workers="all", n_jobs=2)


def test_a_pool_of_the_user_is_used_as_it_is(frame: Any, client: Client) -> None:
    with DaskPool(frame.drop(columns="y"), frame["y"], client=client) as pool:
        found = places(pool, None, client)
        assert found.whole(trees()) is pool
        found.close()
        assert pool.n_rows == 300  # still open
        with pytest.raises(ParameterError, match=r"space: border_count=\[8, 16\] cannot be used"):
            DaskSearchCV(trees(), {"border_count": [8, 16]}, search="grid", cv=3).fit(pool)


def test_where_trials_run_does_not_change_their_scores(table: pd.DataFrame, frame: Any, client: Client) -> None:
    X, y = table[["a", "b", "c"]], table["y"]

    def scores(X: Any, y: Any, client: Any, **more: Any) -> list[float]:
        found = DaskSearchCV(trees(), SPACE, search="grid", cv=3, client=client, **more).fit(X, y)
        return [*found.cv_results_["mean_test_score"].tolist(), float(found.predict(table[["a", "b", "c"]]).sum())]

    expected = scores(X, y, None)
    for trial_workers in ("one", "all"):
        assert scores(frame, "y", client, trial_workers=trial_workers) == expected
        assert scores(X, y, client, trial_workers=trial_workers) == expected


def test_trials_prune_wherever_they_run(table: pd.DataFrame, frame: Any, client: Client) -> None:
    def states(X: Any, y: Any, client: Any, **more: Any) -> list[Any]:
        found = DaskSearchCV(
            trees(iterations=9),
            SPACE,
            search="hyperband",
            n_trials=8,
            cv=2,
            n_jobs=1,
            refit=False,
            client=client,
            **more,
        ).fit(X, y)
        return found.cv_results_["iterations"].tolist()

    expected = states(table[["a", "b", "c"]], table["y"], None)
    assert min(expected) < 9
    assert states(table[["a", "b", "c"]], table["y"], client) == expected
    assert states(frame, "y", client, trial_workers="one") == expected
    assert states(frame, "y", client, trial_workers="all") == expected


def test_networks_on_small_data_are_tasks_of_workers(table: pd.DataFrame, client: Client) -> None:
    X, y = table[["a", "b"]], table["y"]
    network = DaskMLPClassifier(hidden_layer_sizes=(2,), max_iter=2)
    space = {"alpha": [0.0, 1.0]}
    here, there = (DaskSearchCV(network, space, search="grid", cv=2, client=one).fit(X, y) for one in (None, client))
    np.testing.assert_array_equal(here.cv_results_["mean_test_score"], there.cv_results_["mean_test_score"])


def test_bins_are_made_once_for_each_way_to_cut(frame: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    given, made = Given(frame, "y"), []
    make = DaskPool.__init__

    def counted(self: DaskPool, *args: Any, **cuts: Any) -> None:
        made.append(cuts)
        make(self, *args, **cuts)

    monkeypatch.setattr(DaskPool, "__init__", counted)
    pools = Pools(client, given)
    address = min(client.scheduler_info()["workers"])
    first = pools.whole(trees())
    _, copy = pools.copied_to(address, trees(depth=3))
    assert pools.whole(trees(max_depth=2)) is first
    assert pools.whole(trees(border_count=4)) is not first
    assert len(made) == 2
    assert copy.data.members == (address,)
    copy.close()
    pools.close()


def test_a_place_whose_worker_is_gone_says_so(frame: Any, client: Client) -> None:
    pools = Pools(client, Given(frame, "y"))
    place = PoolPlace(client, "tcp://127.0.0.1:1", Evaluation(trees(), frame, "y", cv=2, client=client), pools)
    assert place.lost
    with pytest.raises((ClusterError, WorkersGone)):
        place.run(Trained(trees(), lambda iteration, score: True, False, False))
    pools.close()


def test_a_study_knows_its_rows_again(table: pd.DataFrame, frame: Any, client: Client) -> None:
    features = table[["a", "b", "c"]]
    names: list[str] = []
    for data in (
        frame,
        frame.repartition(npartitions=2),
        dd.from_pandas(table.drop(columns="g")[::-1], npartitions=1, sort=False),
    ):
        with DaskPool(data, "y", client=client) as pool:
            names.append(data_of(Given(pool), pool))
    assert names[0] == names[1] != names[2]
    here: Callable[[Any], str] = lambda y: data_of(Given(features, y), None)  # noqa: E731
    assert here(table["y"]) == here(table["y"].copy()) != here(1 - table["y"])


@pytest.mark.parametrize(
    ("estimator", "cv", "message"),
    [
        (
            DaskCatBoostClassifier(iterations=2),
            200,
            "found 1[0-9][0-9] row\\(s\\) of class [01], expected at least as many",
        ),
        (
            DaskCatBoostRegressor(iterations=2),
            301,
            "X: found 300 rows, expected at least as many as folds, n_splits=301",
        ),
    ],
)
def test_folds_that_collections_cannot_have_are_one_error(
    frame: Any, client: Client, estimator: Any, cv: int, message: str
) -> None:
    heard: list[Any] = []
    search = DaskSearchCV(estimator, SPACE, cv=cv, n_trials=2, client=client)
    with pytest.raises(DataError, match=message):
        search.fit(frame.drop(columns="y"), frame["y"], listener=heard.append)
    assert heard == []


def test_folds_that_a_ranker_cannot_have_are_one_error(table: pd.DataFrame, client: Client) -> None:
    frame = dd.from_pandas(table, npartitions=2)
    search = DaskSearchCV(DaskCatBoostRanker(iterations=2), SPACE, cv=KFold(301), n_trials=2, client=client)
    heard: list[Any] = []
    with pytest.raises(DataError, match="X: found 300 rows"):
        search.fit(frame.drop(columns="y"), frame["y"], groups="g", listener=heard.append)
    assert heard == []
