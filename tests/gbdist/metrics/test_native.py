"""CatBoost's own metrics, averaged over ranks, are those of all rows."""

import numpy as np
import pytest
from catboost.utils import eval_metric

from gbdist.errors import ParameterError
from gbdist.metrics import evaluate
from gbdist.metrics.base import Scored
from gbdist.metrics.native import NativeMetric, any_metrics
from gbdist_cluster.collective.threads import run_threads

ADDITIVE = [
    "MAE",
    "MAPE",
    "Quantile:alpha=0.3",
    "Poisson",
    "SMAPE",
    "LogLinQuantile",
    "Huber:delta=1",
    "Expectile:alpha=0.2",
]


@pytest.mark.parametrize("name", ADDITIVE)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_ranks", [1, 3])
def test_value_of_all_rows(name: str, weighted: bool, n_ranks: int) -> None:
    rng = np.random.default_rng(1)
    label = rng.gamma(2.0, size=1_000).astype(np.float32)
    predictions = rng.normal(size=(1, 1_000))
    weight = (0.1 + rng.random(1_000)).astype(np.float32) if weighted else None
    (metric,) = any_metrics(name, 1, name)
    assert isinstance(metric, NativeMetric)

    def work(collective: object) -> float:
        rank = collective.rank  # type: ignore[attr-defined]
        rows = slice(1_000 * rank // n_ranks, 1_000 * (rank + 1) // n_ranks)
        scored = Scored(predictions[:, rows], label[rows], None if weight is None else weight[rows], 0.0, 0.0, 0.0)
        return evaluate([metric], scored, collective.all_reduce)[metric.name]  # type: ignore[attr-defined]

    expected = eval_metric(label, predictions[0], name, weight=weight)[0]
    found = run_threads(n_ranks, work)
    assert len(set(found)) == 1
    assert found[0] == pytest.approx(expected, rel=1e-9)


def test_groups_count_alike() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(30, dtype=np.uint64), rng.integers(2, 20, 30))
    label, predictions = rng.integers(0, 4, len(group)).astype(np.float32), rng.normal(size=(1, len(group)))
    (metric,) = any_metrics("NDCG:top=5", 1, "YetiRank")
    cut = int(np.searchsorted(group, 11))

    def work(collective: object) -> float:
        rows = [slice(0, cut), slice(cut, None)][collective.rank]  # type: ignore[attr-defined]
        scored = Scored(predictions[:, rows], label[rows], None, 0.0, 0.0, 0.0, group=group[rows])
        return evaluate([metric], scored, collective.all_reduce)[metric.name]  # type: ignore[attr-defined]

    expected = eval_metric(label, predictions[0], "NDCG:top=5", group_id=group)[0]
    assert run_threads(2, work)[0] == pytest.approx(expected, rel=1e-9)


def test_ours_come_first_and_what_parts_do_not_tell_is_refused() -> None:
    assert not isinstance(any_metrics("AUC", 2, "Logloss")[0], NativeMetric)
    with pytest.raises(ParameterError) as caught:
        any_metrics("R2", 1, "MAE")
    assert str(caught.value) == (
        "metric='R2' cannot be used: expected a metric that parts of the rows add up to, with loss_function='MAE'. "
        "Choose a metric that is a mean over rows or groups, or compute it from the predictions."
    )


def test_larger_is_better_where_catboost_says_so() -> None:
    assert any_metrics("NDCG", 1, "YetiRank")[0].is_max_optimal
    assert not any_metrics("MAE", 1, "MAE")[0].is_max_optimal
