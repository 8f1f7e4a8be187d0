"""What a model needs least: CatBoost's own selection of the same model, and the same on any number of ranks."""

from dataclasses import dataclass, replace
from typing import Any

import catboost
import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.rows import Rows
from gbdist.elimination.losses import Measure
from gbdist.elimination.ranks import Eliminated, Question, eliminate
from gbdist.metrics.make import make_metrics
from gbdist.metrics.ranking import make_ranking_metric
from gbdist.models.catboost_format import cbm_bytes
from gbdist.objectives import make_objective

from .conftest import N_ROWS, Table, on_ranks

GROUPS = np.arange(N_ROWS) // 8
#: Without a permutation of the rows, which ``fit`` makes and ``select_features`` does not.
HOW = {
    "iterations": 8,
    "depth": 4,
    "learning_rate": 0.3,
    "max_ctr_complexity": 2,
    "one_hot_max_size": 5,
    "has_time": True,
    "logging_level": "Silent",
    "allow_writing_files": False,
    "thread_count": 1,
}
BY_SHAP, BY_LOSS = "RecursiveByShapValues", "RecursiveByLossFunctionChange"


@dataclass(frozen=True)
class Case:
    """A model of CatBoost's, what is asked about it, and what CatBoost answers."""

    rows: Rows
    question: Question
    summary: dict[str, Any]


def case(table: Table, loss: str, algorithm: Any, count: int = 5) -> Case:
    n_classes = {"MultiClass": 3, "Logloss": 2}.get(loss, 1)
    label = table.raw
    if n_classes > 1:
        label = np.digitize(table.raw, np.quantile(table.raw, np.arange(1, n_classes) / n_classes))
    ranked = {"YetiRank": "NDCG", "QueryRMSE": "QueryRMSE"}.get(loss)
    if ranked is not None:
        label = np.digitize(table.raw, np.quantile(table.raw, [0.5, 0.8]))
        metric: Any = make_ranking_metric(ranked, group_weighted=False, parameter="eval_metric")
    else:
        metric = make_metrics(loss, n_classes, loss)[0]
    pool = table.pool(label, group_id=GROUPS if ranked is not None else None)
    model = catboost.CatBoost({**HOW, "loss_function": loss}).fit(pool)
    summary = catboost.CatBoost({**HOW, "loss_function": loss}).select_features(
        pool,
        features_for_select=list(range(7)),
        num_features_to_select=7 - count,
        algorithm=algorithm,
        train_final_model=False,
        logging_level="Silent",
    )
    borders = table.borders(model)
    rows = table.rows(borders, label, GROUPS.astype(np.uint64) if ranked is not None else None)
    measure = Measure(make_objective(loss, n_classes), metric)
    question = Question(cbm_bytes(model), measure, borders, table.names, algorithm, tuple(range(7)), count)
    return Case(rows, question, summary)


@pytest.mark.parametrize("algorithm", [BY_SHAP, BY_LOSS])
@pytest.mark.parametrize("loss", ["RMSE", "Logloss", "MultiClass", "Poisson", "QueryRMSE", "YetiRank"])
def test_the_columns_and_losses_of_catboosts_selection(table: Table, loss: str, algorithm: str) -> None:
    given = case(table if loss != "Poisson" else replace(table, raw=np.exp(table.raw / 4)), loss, algorithm)
    found = eliminate(given.rows, given.question, SingleRank(), 1)
    assert list(found.columns) == given.summary["eliminated_features"]
    losses = given.summary["loss_graph"]["loss_values"]
    assert [found.loss, *found.losses] == pytest.approx(losses, rel=1e-12)


@pytest.mark.parametrize("loss", ["MultiClass", "YetiRank"])
def test_ranks_answer_as_one(table: Table, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a rank without rows, nor a sample of the rows, changes a bit."""
    given = case(table, loss, BY_SHAP)
    for most in (10**6, 100):
        monkeypatch.setattr("gbdist.elimination.ranks.most_rows", lambda columns, dimension, most=most: most)
        alone = eliminate(given.rows, given.question, SingleRank(), 1)
        many = on_ranks(
            given.rows, [8, 8, 120], lambda mine, collective: eliminate(mine, given.question, collective, 1)
        )
        assert many == [alone] * 4


def test_effects_that_are_known_decide_alone(table: Table) -> None:
    given = case(table, "RMSE", BY_LOSS)
    asked = replace(given.question, columns=(1, 3, 5, 6), count=3, effects=np.array([2.0, 1.0, 1.0, 0.5]))
    loss = given.summary["loss_graph"]["loss_values"][0]
    found = eliminate(given.rows, asked, SingleRank(), 1)
    assert found == Eliminated(pytest.approx(loss), (6, 3, 5), ())


def test_a_loss_alone(table: Table) -> None:
    given = case(table, "RMSE", BY_SHAP)
    found = eliminate(given.rows, replace(given.question, count=0), SingleRank(), 1)
    assert found == Eliminated(pytest.approx(given.summary["loss_graph"]["loss_values"][0]), (), ())


def test_columns_that_may_not_go_stay(table: Table) -> None:
    given = case(table, "RMSE", BY_SHAP)
    found = eliminate(given.rows, replace(given.question, columns=(0, 4), count=2), SingleRank(), 1)
    assert found.columns == (4, 0)
