"""AUC keeps its stated error, in few rounds, whatever the scores look like."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gbdist.metrics import Scored, make_metrics
from gbdist.metrics.auc import TOLERANCE


def auc_of(label, score, weight=None) -> tuple[float, int]:
    """Value and number of rounds."""
    rounds = 0

    metric = make_metrics("AUC:use_weights=true", 2, "Logloss")[0]
    scored = Scored(
        predictions=np.asarray(score, np.float64)[None],
        label=np.asarray(label, np.float32),
        weight=weight,
        total_weight=float(len(label) if weight is None else weight.astype(np.float64).sum()),
        label_bound=1.0,
        prediction_bound=float(np.abs(score).max()),
        total_rows=len(label),
    )
    running = metric.rounds(scored)
    vector = next(running)
    while True:
        rounds += 1
        try:
            vector = running.send(vector)
        except StopIteration as finished:
            return finished.value, rounds


def sample(shape: str, n_rows: int = 20_000):
    rng = np.random.default_rng(12)
    label = rng.random(n_rows) < (0.0005 if shape == "rare" else 0.4)
    spread = {
        "wide": rng.normal(size=n_rows) * 2,
        "narrow": 1.7 + rng.normal(size=n_rows) * 1e-6,
        "very_narrow": -0.3 + rng.normal(size=n_rows) * 1e-10,
        "rare": -8 + rng.normal(size=n_rows),
        "outlier": np.where(rng.random(n_rows) < 1e-3, 500.0, 1e-3) * rng.normal(size=n_rows),
        "few": rng.integers(0, 7, n_rows) * 0.013,
        "near_pairs": rng.integers(0, 3, n_rows) * 0.4 + rng.integers(0, 2, n_rows) * 1e-9,
        "constant": np.full(n_rows, -2.5),
    }[shape]
    step = {"narrow": 1e-6, "very_narrow": 1e-10, "outlier": 1e-3, "few": 0.013, "near_pairs": 0.0, "constant": 0.0}
    shift = np.round(label * rng.random(n_rows) * 2) * step.get(shape, 1.0)
    return label.astype(np.float32), spread + shift


SHAPES = ["wide", "narrow", "very_narrow", "rare", "outlier", "few", "near_pairs", "constant"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_error_is_within_the_tolerance(shape, weighted) -> None:
    label, score = sample(shape)
    weight = (np.random.default_rng(1).random(label.shape[0]) * 5).astype(np.float32) if weighted else None
    found, rounds = auc_of(label, score, weight)
    assert abs(found - roc_auc_score(label, score, sample_weight=weight)) <= TOLERANCE
    assert rounds <= 4


@pytest.mark.parametrize(("shape", "rounds"), [("wide", 1), ("few", 2), ("constant", 2), ("narrow", 3)])
def test_rounds(shape, rounds) -> None:
    assert auc_of(*sample(shape))[1] == rounds


@pytest.mark.parametrize("shape", ["few", "constant", "near_pairs"])
def test_equal_scores_count_exactly_half(shape) -> None:
    label, score = sample(shape)
    assert auc_of(label, score)[0] == pytest.approx(roc_auc_score(label, score), abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.floats(-50, 50), st.integers(0, 3)), min_size=2, max_size=60).filter(
        lambda rows: 0 < sum(label for label, _, _ in rows) < len(rows)
    )
)
def test_any_few_rows(rows) -> None:
    label = np.array([row[0] for row in rows], np.float32)
    score = np.round(np.array([row[1] for row in rows]), rows[0][2])
    assert abs(auc_of(label, score)[0] - roc_auc_score(label, score)) <= TOLERANCE


def test_one_class_gives_zero_as_in_catboost() -> None:
    assert auc_of(np.ones(5, np.float32), np.arange(5.0))[0] == 0.0
    assert auc_of(np.zeros(5, np.float32), np.arange(5.0))[0] == 0.0


@pytest.mark.parametrize("n_classes", [2, 3, 30])
@pytest.mark.parametrize("kind", ["Mu", "OneVsAll"])
def test_a_round_of_many_classes_stays_small(kind, n_classes, make_scored) -> None:
    rng = np.random.default_rng(0)
    scored = make_scored("multi", weighted=False, n_rows=400)
    scored = replace(
        scored,
        predictions=rng.normal(size=(n_classes, 400)),
        label=rng.integers(0, n_classes, 400).astype(np.float32),
    )
    metrics = make_metrics(f"AUC:type={kind}", n_classes, "MultiClass")
    first = sum(next(metric.rounds(scored)).nbytes for metric in metrics)
    assert first <= 2**21
