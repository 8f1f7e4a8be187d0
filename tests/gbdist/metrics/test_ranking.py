"""Metrics of ranking are CatBoost's, by value and by name, and do not depend on who holds which groups."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from catboost import CatBoost, Pool
from catboost.utils import eval_metric

from gbdist.boosting.rows import RowPairs
from gbdist.errors import ParameterError
from gbdist.metrics import RANKING_METRICS, Scored, evaluate, make_ranking_metric

SIZES = [1, 5, 3, 8, 1, 12, 2, 7, 20]
STARTS = np.cumsum([0, *SIZES])
GROUP = np.repeat(np.arange(len(SIZES), dtype=np.uint64), SIZES)
GRADED = ["NDCG", "NDCG:top=3", "NDCG:top=-1;type=Exp", "NDCG:denominator=Position", "DCG", "DCG:top=2;type=Exp"]
GRADED += ["MAP", "MAP:top=3;border=1.5", "MRR", "MRR:top=2", "PrecisionAt:top=3", "PrecisionAt", "RecallAt:top=3"]
GRADED += ["QueryAUC:type=Ranking", "QueryRMSE", "QuerySoftMax", "QuerySoftMax:beta=2;lambda=0.3", "PairLogit"]
FRACTIONS = ["PFound", "PFound:top=3;decay=0.5", "ERR", "ERR:top=3", "QueryAUC", "QueryAUC:type=Classic"]
FRACTIONS += ["QueryCrossEntropy", "QueryCrossEntropy:alpha=0.5", "NDCG:top=4", "RecallAt:top=2;border=0.3"]
#: What CatBoost's metrics take from the argument of that name.
BY_GROUP_WEIGHT = ("NDCG", "DCG", "MRR", "PFound", "ERR", "PairLogit")


def make_scored(fractions: bool, weights: np.ndarray | None = None, seed: int = 0) -> Scored:
    """Ties, groups of one row, and one group without anything relevant."""
    rng = np.random.default_rng(seed)
    n = len(GROUP)
    label = (rng.integers(0, 5, n) / (4 if fractions else 1)).astype(np.float32)
    label[STARTS[2] : STARTS[3]] = 0
    predictions = np.round(rng.normal(size=(1, n)) * 2, 1)
    return Scored(
        predictions=predictions,
        label=label,
        weight=None if weights is None else weights.astype(np.float32),
        total_weight=float(n if weights is None else weights.sum()),
        label_bound=float(label.max()),
        prediction_bound=float(np.abs(predictions).max()),
        total_rows=n,
        group=GROUP,
    )


def all_pairs(label: np.ndarray) -> np.ndarray:
    parts = [np.argwhere(label[b:e, None] > label[None, b:e]) + b for b, e in pairwise(STARTS)]
    return np.concatenate(parts)


def value(scored: Scored, description: str, group_weighted: bool = False) -> float:
    metric = make_ranking_metric(description, group_weighted=group_weighted)
    return evaluate([metric], scored, lambda vector: vector)[metric.name]


CASES = [*((name, False) for name in GRADED), *((name, True) for name in FRACTIONS)]


@pytest.mark.parametrize(("description", "fractions"), CASES)
def test_value(description: str, fractions: bool) -> None:
    scored = make_scored(fractions)
    beside = {"pairs": all_pairs(scored.label)} if description == "PairLogit" else {}
    expected = eval_metric(scored.label, scored.predictions[0], description, group_id=GROUP, **beside)[0]
    assert value(scored, description) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("description", "fractions"), CASES)
def test_value_with_weights_of_groups(description: str, fractions: bool) -> None:
    weights = (0.2 + np.random.default_rng(1).random(len(SIZES)))[np.repeat(np.arange(len(SIZES)), SIZES)]
    scored, name = make_scored(fractions, weights), description.partition(":")[0]
    beside: dict[str, Any] = {"group_weight" if name in BY_GROUP_WEIGHT else "weight": weights}
    if name in ("MAP", "PrecisionAt", "RecallAt", "QueryAUC"):
        beside = {}
    if name == "PairLogit":
        pairs = all_pairs(
            scored.label
        )  # the weights of pairs are lost on CatBoost's function: each counts by itself here
        x = scored.predictions[0][pairs[:, 1]] - scored.predictions[0][pairs[:, 0]]
        expected = np.average(np.log1p(np.exp(x)), weights=weights[pairs[:, 0]])
    else:
        expected = eval_metric(scored.label, scored.predictions[0], description, group_id=GROUP, **beside)[0]
    assert value(scored, description, group_weighted=True) == pytest.approx(expected, rel=1e-6)


def test_weights_of_rows() -> None:
    weights = 0.2 + np.random.default_rng(1).random(len(GROUP))
    scored = make_scored(True, weights)
    for description in ("QueryRMSE", "QuerySoftMax", "QueryCrossEntropy", "NDCG", "PFound"):
        expected = eval_metric(scored.label, scored.predictions[0], description, group_id=GROUP, weight=weights)[0]
        assert value(scored, description) == pytest.approx(expected, rel=1e-6)
        plain = eval_metric(scored.label, scored.predictions[0], description, group_id=GROUP)[0]
        assert value(scored, f"{description}:use_weights=false") == pytest.approx(plain, rel=1e-9)


def test_given_pairs() -> None:
    scored = make_scored(False)
    pairs = np.array([[1, 2], [5, 1], [6, 8], [30, 25], [31, 25], [50, 40]])
    weight = np.array([1.0, 2.0, 1.0, 0.5, 3.0, 1.0], np.float32)
    scored = replace(scored, pairs=RowPairs(*pairs.astype(np.int32).T.copy(), weight))
    x = scored.predictions[0][pairs[:, 1]] - scored.predictions[0][pairs[:, 0]]
    assert value(scored, "PairLogit") == pytest.approx(np.average(np.log1p(np.exp(x)), weights=weight))


@pytest.mark.parametrize("cuts", [(1,), (0, 6, 9), (9, 17, 18, 30, 32)])
def test_ranks_agree_with_one_rank(cuts: tuple[int, ...], ranks: Any) -> None:
    scored = make_scored(True, np.repeat(0.5 + np.arange(len(SIZES)) / 7, SIZES))
    metrics = [make_ranking_metric(name, group_weighted=True) for name in RANKING_METRICS]
    expected = evaluate(metrics, scored, lambda vector: vector)
    parts = []
    for start, stop in pairwise([0, *cuts, len(GROUP)]):
        rows = slice(start, stop)
        assert start in STARTS
        weight = scored.weight[rows] if scored.weight is not None else None
        beside = {"label": scored.label[rows], "group": GROUP[rows], "weight": weight}
        parts.append(replace(scored, predictions=scored.predictions[:, rows].copy(), **beside))
    gang = ranks(parts)
    assert all(values == expected for values in gang.evaluate(metrics))
    assert gang.rounds == 2  # one more than others need, for the number of pairs
    gang.evaluate([metric for metric in metrics if metric.name != "PairLogit"])
    assert gang.rounds == 1


@pytest.mark.parametrize("description", [*(case[0] for case in CASES), "NDCG:hints=skip_train~false"])
def test_names_and_sets(description: str) -> None:
    rng = np.random.default_rng(0)
    pool = Pool(rng.normal(size=(len(GROUP), 2)), make_scored(True).label, group_id=GROUP.astype(np.int64))
    options = {"loss_function": "YetiRank", "custom_metric": [description], "iterations": 1, "subsample": 1.0}
    model = CatBoost({**options, "verbose": False, "allow_writing_files": False}).fit(pool, eval_set=pool)
    metric = make_ranking_metric(description, group_weighted=False)
    assert metric.name in model.evals_result_["validation"]
    assert (metric.name in model.evals_result_["learn"]) == (not metric.skip_train)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("Kappa", f"expected one of {', '.join(RANKING_METRICS)} where rows are ranked. "),
        ("NDCG:sigma=3", "expected no option but top, type, denominator, use_weights and hints. Leave 'sigma' out."),
        ("PairLogit:max_pairs=3", "expected no options but use_weights and hints. Leave 'max_pairs' out."),
        ("NDCG:top=0", "expected top to be an integer of at least 1, or -1 for all. Correct top."),
        ("NDCG:type=Cosine", "expected type to be Base or Exp. Correct type."),
        ("MAP:use_weights=true", "expected use_weights=false: groups count alike here. Leave use_weights out."),
        ("PFound:decay=2", "expected decay to be from 0 to 1. Correct decay."),
    ],
)
def test_what_does_not_fit_is_refused(description: str, words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_ranking_metric(description, group_weighted=False)
    assert words in str(caught.value)


def test_direction() -> None:
    losses = {"PairLogit", "QueryCrossEntropy", "QueryRMSE", "QuerySoftMax"}
    for name in RANKING_METRICS:
        assert make_ranking_metric(name, group_weighted=False).is_max_optimal == (name not in losses)
