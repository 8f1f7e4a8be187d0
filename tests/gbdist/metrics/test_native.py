"""CatBoost's own metrics, averaged over ranks, are those of all rows."""

from typing import Any

import numpy as np
import pytest
from catboost.utils import eval_metric

from gbdist.errors import ParameterError
from gbdist.metrics import evaluate
from gbdist.metrics.base import Scored
from gbdist.metrics.native import MEANS, NativeMetric, any_metrics, metric_of_ranking
from gbdist_cluster.collective.threads import run_threads

OPTIONS = {
    "Quantile": ":alpha=0.3",
    "Huber": ":delta=1",
    "Expectile": ":alpha=0.2",
    "Lq": ":q=1.5",
    "Tweedie": ":variance_power=1.5",
    "Focal": ":focal_alpha=0.3;focal_gamma=1.5",
}
BY_GROUP = {
    *(
        "AverageGain",
        "DCG",
        "ERR",
        "FilteredDCG",
        "GroupQuantile",
        "MAP",
        "MRR",
        "NDCG",
        "PFound",
        "PairAccuracy",
        "PairLogit",
    ),
    *("PrecisionAt", "QueryAUC", "QueryCrossEntropy", "QueryRMSE", "QuerySoftMax", "RecallAt"),
}
ZERO_OR_ONE = {"ERR", "MAP", "MRR", "PrecisionAt", "QueryAUC", "QueryCrossEntropy", "RecallAt"}
TOP = {"AverageGain", "MAP", "MRR", "NDCG", "PrecisionAt", "RecallAt"}
SEVERAL = {"MultiClass": 3, "MultiClassOneVsAll": 3, "RMSEWithUncertainty": 2}
BY_ROW = sorted(MEANS - BY_GROUP)


@pytest.mark.parametrize("metric_name", BY_ROW)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_ranks", [1, 3])
def test_value_of_all_rows(metric_name: str, weighted: bool, n_ranks: int) -> None:
    rng = np.random.default_rng(1)
    name = metric_name + OPTIONS.get(metric_name, "")
    dimension = SEVERAL.get(metric_name, 1)
    classes = metric_name in ("Logloss", "CrossEntropy", "Focal", "HingeLoss", "HammingLoss", "ZeroOneLoss")
    label = (rng.random(1_000) < 0.4 if classes else rng.gamma(2.0, size=1_000)).astype(np.float32)
    if metric_name.startswith("MultiClass"):
        label = rng.integers(0, 3, 1_000).astype(np.float32)
    predictions = np.abs(rng.normal(size=(dimension, 1_000)))
    weight = (0.1 + rng.random(1_000)).astype(np.float32) if weighted else None
    metric = NativeMetric(name, is_max_optimal=False)

    def work(collective: Any) -> float:
        rows = slice(1_000 * collective.rank // n_ranks, 1_000 * (collective.rank + 1) // n_ranks)
        scored = Scored(predictions[:, rows], label[rows], None if weight is None else weight[rows], 0.0, 0.0, 0.0)
        return evaluate([metric], scored, collective.all_reduce)[metric.name]

    raw = predictions[0] if dimension == 1 else predictions.T
    expected = eval_metric(label, raw, name, weight=weight)[0]
    found = run_threads(n_ranks, work)
    assert len(set(found)) == 1
    assert found[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric_name", sorted(BY_GROUP))
def test_groups_of_all_ranks(metric_name: str, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(30, dtype=np.uint64), rng.integers(2, 20, 30))
    most = 2 if metric_name in ZERO_OR_ONE else 5
    label, predictions = rng.integers(0, most, len(group)).astype(np.float32), rng.normal(size=(1, len(group)))
    weight = (0.1 + rng.random(len(group))).astype(np.float32) if weighted else None
    (metric,) = any_metrics(f"{metric_name}:top=5" if metric_name in TOP else metric_name, 1, "YetiRank")
    edges = [0, 0, int(np.searchsorted(group, 11)), len(group)]  # the first rank has no rows

    def work(collective: Any) -> float:
        rows = slice(edges[collective.rank], edges[collective.rank + 1])
        of_rows = None if weight is None else weight[rows]
        scored = Scored(predictions[:, rows], label[rows], of_rows, 0.0, 0.0, 0.0, group=group[rows])
        return evaluate([metric], scored, collective.all_reduce)[metric.name]

    how: dict[str, Any] = {"weight": None if metric_name == "FilteredDCG" else weight, "group_id": group}
    if metric_name.startswith("Pair"):
        same, more = group[:, None] == group[None, :], label[:, None] > label[None, :]
        how["pairs"] = np.argwhere(same & more)
    expected = eval_metric(label, predictions[0], metric.name, **how)[0]
    assert run_threads(3, work)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        ("YetiRank", "PFound"),
        ("LambdaMart", "NDCG:type=Base"),
        ("StochasticRank:metric=DCG;top=4", "DCG:top=4;type=Base"),
        ("StochasticFilter", "FilteredDCG"),
        ("QueryRMSE", "QueryRMSE"),
        ("PairLogitPairwise", "PairLogit"),
    ],
)
def test_ranking_losses_are_followed_by_catboosts_own_metrics(loss: str, metric: str) -> None:
    assert metric_of_ranking(loss) == metric
    any_metrics(metric, 1, loss)


def test_ours_come_first_and_what_parts_do_not_tell_is_refused() -> None:
    assert not isinstance(any_metrics("AUC", 2, "Logloss")[0], NativeMetric)
    assert not isinstance(any_metrics("RMSE", 1, "MAE")[0], NativeMetric)
    with pytest.raises(ParameterError) as caught:
        any_metrics("MedianAbsoluteError", 1, "MAE")
    assert str(caught.value) == (
        "eval_metric='MedianAbsoluteError' cannot be used: expected a metric that parts of the rows add up to, "
        "with loss_function='MAE'. "
        "Choose a metric that is a mean over rows or groups, or compute it from the predictions."
    )


def test_larger_is_better_where_catboost_says_so() -> None:
    assert any_metrics("NDCG", 1, "YetiRank")[0].is_max_optimal
    assert not any_metrics("MAPE", 1, "MAE")[0].is_max_optimal
