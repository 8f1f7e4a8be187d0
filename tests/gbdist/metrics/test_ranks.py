"""Metrics do not depend on who holds the rows, and cost the rounds that they should."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gbdist.metrics import METRICS_OF_LOSS, evaluate, evaluate_many, make_metrics

from ..conftest import described

KIND = {
    "Logloss": "binary",
    "Focal": "binary",
    "CrossEntropy": "soft",
    "MultiClass": "multi",
    "MultiClassOneVsAll": "multi",
    "MultiQuantile": "multi",
    "RMSEWithUncertainty": "uncertain",
    "MultiRMSE": "numbers",
    "SurvivalAft": "times",
    "MultiRMSEWithMissingValues": "missing",
    "MultiLogloss": "labels",
    "MultiCrossEntropy": "soft_labels",
}


def all_metrics(loss: str, without_auc: bool = False, use_weights: bool = True):
    # Cox needs more of the other ranks than sums (tests/gbdist/boosting/test_risk.py).
    left_out = ("AUC", "Cox") if without_auc else ("Cox",)
    names = [described(name) for name in METRICS_OF_LOSS[loss] if name not in left_out]
    flag = f"use_weights={str(use_weights).lower()}"
    texts = [f"{name};{flag}" if ":" in name else f"{name}:{flag}" for name in names]
    return tuple(metric for text in texts for metric in make_metrics(text, 3, loss))


@pytest.mark.parametrize("cuts", [(700,), (1, 900), (0, 0, 5, 1_501), (3, 200, 201, 600, 1_000, 1_400)])
@pytest.mark.parametrize("loss", METRICS_OF_LOSS)
def test_ranks_agree_with_one_rank(loss, cuts, make_scored, cut, ranks) -> None:
    scored = make_scored(KIND.get(loss, "regression"), weighted=True)
    metrics = all_metrics(loss)
    expected = evaluate(metrics, scored, lambda vector: vector)
    found = ranks(cut(scored, cuts)).evaluate(metrics)
    assert all(values == expected for values in found)
    assert all(math.isfinite(value) for value in expected.values())


@pytest.mark.parametrize("loss", METRICS_OF_LOSS)
def test_additive_metrics_cost_one_round(loss, make_scored, cut, ranks) -> None:
    gang = ranks(cut(make_scored(KIND.get(loss, "regression"), weighted=True), (500,)))
    for use_weights in (True, False):
        gang.evaluate(all_metrics(loss, without_auc=True, use_weights=use_weights))
        assert gang.rounds == 1


def test_unknown_row_count_costs_a_round_and_no_value(make_scored, cut, ranks) -> None:
    scored = make_scored("binary", weighted=True)
    metrics = all_metrics("Logloss", use_weights=False)
    gang = ranks(cut(replace(scored, total_rows=0), (500,)))
    assert gang.evaluate(metrics)[0] == evaluate(metrics, scored, lambda vector: vector)
    gang.evaluate(make_metrics("Logloss:use_weights=false", 2, "Logloss"))
    assert gang.rounds == 2


def test_sums_of_all_sets_and_extra_ride_together(make_scored) -> None:
    train, valid = make_scored("binary", weighted=True), make_scored("binary", weighted=False, n_rows=300, seed=9)
    metrics = all_metrics("Logloss", without_auc=True)
    sent = []

    def doubled(vector):
        sent.append(vector.shape[0])
        return vector * 2

    values, extra = evaluate_many([(metrics, train), (metrics[:2], valid), ((), valid)], np.array([4, 5]), doubled)
    assert len(sent) == 1
    assert extra.tolist() == [8, 10]
    assert [set(table) for table in values] == [{m.name for m in metrics}, {m.name for m in metrics[:2]}, set()]
    assert values[1] == evaluate(metrics[:2], valid, lambda vector: vector)  # twice the rows, the same means


def test_nothing_to_add_up_costs_no_round() -> None:
    def refuse(vector):
        raise AssertionError("there is nothing to send")

    values, extra = evaluate_many([], np.empty(0, np.int64), refuse)
    assert values == []
    assert extra.shape == (0,)


def test_extra_rides_alone_where_no_metric_is_due() -> None:
    values, extra = evaluate_many([], np.array([7]), lambda vector: vector * 3)
    assert values == []
    assert extra.tolist() == [21]
