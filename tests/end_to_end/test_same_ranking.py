"""The cluster does not change how rows are ranked: workers, partitions, threads and ranks leave no trace in the file."""

from collections.abc import Callable
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostRanker
from gbdist.boosting.crew import Crew
from gbdist.models.catboost_format import fixed_cbm_bytes

FEATURES = list("abcd")
CASES: dict[str, dict[str, Any]] = {
    "YetiRank": {},
    "YetiRank-NDCG": {"loss_function": "YetiRank:mode=NDCG;top=5", "bootstrap_type": "Bernoulli"},
    "PairLogit": {"loss_function": "PairLogit", "leaf_estimation_iterations": 3},
    "PairLogit-given": {"loss_function": "PairLogit"},
    "QuerySoftMax": {"loss_function": "QuerySoftMax", "leaf_estimation_iterations": 5},
    "LambdaMart": {"loss_function": "LambdaMart"},
    "QueryRMSE": {"loss_function": "QueryRMSE"},
}


def ranked(n_groups: int = 300, seed: int = 4) -> pd.DataFrame:
    """Groups of 1 to 30 rows, with relevances from 0 to 4 and a weight each."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), rng.integers(1, 31, n_groups))
    table = pd.DataFrame(rng.normal(size=(len(group), 4)).astype(np.float32), columns=FEATURES)
    score = table["a"] + np.sin(2 * table["b"]) + rng.normal(size=len(group))
    weight = (0.5 + rng.random(n_groups)).astype(np.float32)[group]
    return table.assign(y=np.clip(np.round(score + 1), 0, 4), q=group, w=weight)


TABLE, VALID = ranked(), ranked(40, seed=5)


def pairs_of(table: pd.DataFrame) -> np.ndarray:
    """Neighbours of a group, the more relevant one ahead, with weights; in an order that is not that of the rows."""
    group, label = table["q"].to_numpy(), table["y"].to_numpy()
    first = np.flatnonzero((group[1:] == group[:-1]) & (label[1:] != label[:-1]))
    ahead = label[first] > label[first + 1]
    pairs = np.stack([np.where(ahead, first, first + 1), np.where(ahead, first + 1, first), 1 + first % 3], axis=1)
    return np.random.default_rng(0).permutation(pairs)


def fit(name: str, client: Client | None = None, parts: int = 0) -> DaskCatBoostRanker:
    def given(table: pd.DataFrame) -> Any:
        return dd.from_pandas(table, npartitions=parts, sort=False) if parts else table

    beside = {"pairs": pairs_of(TABLE)} if name == "PairLogit-given" else {}
    settings = {"iterations": 8, "depth": 4, "learning_rate": 0.2, "custom_metric": ["NDCG:top=3"], "client": client}
    return DaskCatBoostRanker(**{**settings, **CASES[name]}).fit(
        given(TABLE),
        "y",
        group_id="q",
        group_weight="w",
        eval_set={"X": given(VALID), "y": "y", "group_id": "q", "group_weight": "w"},
        **beside,
    )


@pytest.fixture(scope="module")
def expected() -> Callable[[str], DaskCatBoostRanker]:
    """What one rank in this process trains."""
    made: dict[str, DaskCatBoostRanker] = {}

    def of(name: str) -> DaskCatBoostRanker:
        if name not in made:
            made[name] = fit(name)
        return made[name]

    return of


@pytest.mark.parametrize("name", ["YetiRank", "PairLogit-given"])
def test_workers_threads_and_partitions(
    cluster: Client, expected: Callable[[str], DaskCatBoostRanker], name: str
) -> None:
    for n_parts in (1, 4, 13) if name == "YetiRank" else (4,):
        found = fit(name, cluster, n_parts)
        assert fixed_cbm_bytes(found.model_) == fixed_cbm_bytes(expected(name).model_), f"{n_parts} partitions"
        assert found.evals_result_ == expected(name).evals_result_


@pytest.mark.parametrize("name", list(CASES))
def test_threads(name: str, expected: Callable[[str], DaskCatBoostRanker], monkeypatch: pytest.MonkeyPatch) -> None:
    model = expected(name)
    assert model.evals_result_["validation"]["NDCG:top=3;type=Base"][-1] > 0.5
    monkeypatch.setattr("gbdist.boosting.crew._MIN_ROWS", 100)
    monkeypatch.setattr("gbdist.estimators.local_run.threads_for", lambda rows: 7)
    assert len(Crew(7).row_slices(len(TABLE))) == 7
    again = fit(name)
    assert fixed_cbm_bytes(again.model_) == fixed_cbm_bytes(model.model_)
    assert again.evals_result_ == model.evals_result_


def test_the_model_is_catboosts(expected: Callable[[str], DaskCatBoostRanker], tmp_path: Any) -> None:
    model = expected("YetiRank")
    model.save_model(tmp_path / "model.cbm")
    plain = catboost.CatBoostRanker().load_model(str(tmp_path / "model.cbm"))
    assert plain.predict(VALID[FEATURES]).tolist() == model.predict(VALID[FEATURES]).tolist()
    assert plain.get_all_params()["loss_function"] == "YetiRank"


def test_worker_processes(client: Client, expected: Callable[[str], DaskCatBoostRanker]) -> None:
    found = fit("PairLogit-given", client, 5)
    assert fixed_cbm_bytes(found.model_) == fixed_cbm_bytes(expected("PairLogit-given").model_)
