"""Losses of ranking: options are CatBoost's, and derivatives stay within their bounds."""

import pickle

import numpy as np
import pytest

from gbdist.errors import ParameterError
from gbdist.kernels import grouped as kinds
from gbdist.objectives import RANKING, make_objective
from gbdist.objectives.grouped import GroupBounds, Grouped, GroupParts, GroupRows
from gbdist.objectives.ranking import LambdaMart, QuerySoftMax, YetiRank, ranking_loss

DESCRIPTIONS = [
    "QueryRMSE",
    "QuerySoftMax:beta=3;lambda=0.5",
    "PairLogit",
    "LambdaMart",
    "LambdaMart:norm=false;sigma=2;type=Exp",
    "YetiRank",
    "YetiRank:mode=NDCG;num_neighbors=-1",
    "YetiRank:mode=DCG;dcg_type=Exp;permutations=2",
]


@pytest.mark.parametrize("description", DESCRIPTIONS)
@pytest.mark.parametrize("spread", [0.1, 3.0, 200.0])
def test_derivatives_stay_within_their_bounds(description: str, spread: float) -> None:
    rng = np.random.default_rng(1)
    starts = np.cumsum([0, 1, 30, 7, 200]).astype(np.int64)
    n, loss = int(starts[-1]), ranking_loss(description)
    label, a = rng.integers(0, 5, n).astype(np.float32), np.clip(rng.normal(size=n), -3, 3) * spread
    pairs = np.sort(rng.integers(1, 31, (300, 2)), axis=1).astype(np.int32)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    weights = rng.random(len(pairs)).astype(np.float32) * 9
    of_row = np.bincount(pairs.ravel(), np.repeat(weights, 2), n)
    pair_starts = np.array([0, 0, len(pairs), len(pairs), len(pairs)], np.int64)
    for given in (None, (pairs[:, 0].copy(), pairs[:, 1].copy(), weights))[: 1 + loss.takes_pairs]:
        told = loss.among(GroupBounds(200, 0.0 if given is None else float(of_row.max())))
        assert told.groups.largest == 200
        scratch = (np.empty(n), np.empty(n), np.empty(n, np.int32))
        keys = rng.integers(0, 2**63, loss.n_draws).astype(np.uint64)
        rows = GroupRows(label, None, starts, a, a, starts[:-1].astype(np.uint64), keys, given, pair_starts, scratch)
        parts = GroupParts(np.empty(n), np.empty(n), np.zeros(n, np.float32), np.zeros(4))
        told.write(rows, parts, with_loss=True)
        bounds = told.bounds(float(label.max()), float(np.abs(a).max()))
        assert np.abs(parts.first).max() <= bounds.derivative
        assert np.abs(parts.second).max() <= bounds.second_derivative
        assert parts.count.max() <= bounds.derivative
        assert np.abs(parts.loss).sum() <= bounds.loss * n
        assert (parts.second <= 0.0).all()


def test_options() -> None:
    assert isinstance(made := make_objective("QuerySoftMax", 1), QuerySoftMax)
    assert made.options == (0.01, 1.0)
    assert isinstance(made := make_objective("LambdaMart:top=5;norm=0", 1), LambdaMart)
    assert made.options == (1.0, False, 5, False, False)
    assert isinstance(made := make_objective("YetiRank", 1), YetiRank)
    assert (made.options, made.n_draws) == ((kinds.CLASSIC, 0.85, kinds.ALL, 1, False, False, kinds.GUMBEL, 1.0), 10)
    for description in DESCRIPTIONS:
        loss = make_objective(description, 1)
        assert isinstance(loss, Grouped)
        assert pickle.loads(pickle.dumps(loss)) == loss
        assert loss.name in RANKING


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("QueryRMSE:beta=1", "expected no options. Leave 'beta' out."),
        ("PairLogit:max_pairs=5", "expected no options. Leave 'max_pairs' out."),
        ("QuerySoftMax:gamma=1", "expected no option but lambda, beta. Leave 'gamma' out."),
        ("LambdaMart:metric=MRR", "expected metric to be one of NDCG, DCG. "),
        ("LambdaMart:sigma=0", "expected sigma to be above 0. Correct sigma."),
        ("LambdaMart:top=0", "expected top to be an integer of at least 1, or -1 for all. Correct top."),
        ("YetiRank:mode=MRR", "expected mode to be one of Classic, DCG, NDCG. "),
        ("YetiRank:permutations=-1", "expected permutations to be an integer of at least 1. Correct permutations."),
        ("YetiRank:permutations=1.5", "expected permutations to be an integer of at least 1. Correct permutations."),
        ("YetiRank:decay=1.5", "expected decay to be from 0 to 1. Correct decay."),
        ("QuerySoftMax:beta=-1", "expected beta to be 0 or above. Correct beta."),
        ("YetiRank:noise=White", "expected noise to be one of Gumbel, Gauss, No. "),
    ],
)
def test_options_that_are_not_theirs_are_refused(description: str, words: str) -> None:
    with pytest.raises(ParameterError) as caught:
        make_objective(description, 1)
    assert caught.value.args[:2] == ("loss_function", description)
    assert words in str(caught.value)


def test_no_start_value() -> None:
    with pytest.raises(ParameterError, match="boost_from_average=True cannot be used"):
        make_objective("QueryRMSE", 1).start_value(0.5)
