"""Metrics of ranking in Python and NumPy: what the kernels of ``cpu_ranking`` must equal, bit for bit.

Arrays of all functions
-----------------------
label, weight : float32 [n], IN; ``weight`` without elements where every weight is 1
prediction : float64 [n], IN
starts : int64 [n_groups + 1], IN
    Rows ``starts[g] … starts[g+1] − 1`` of the other arrays are group g.
order : int32 [n], OUT of ``rank_rows``, else IN
    Rows of each group from the first to the last, counted from the group's start.
scores, losses : float64 [n_groups], OUT
"""

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels import cpu_ranking as kinds
from gbdist.kernels.cpu_ranking import ScoreRule
from gbdist.kernels.elementary import exp_array, sigmoid_array, softplus_of_decay_array
from gbdist.kernels.reference_grouped import discounts, gains

_F4: TypeAlias = NDArray[np.float32]
_F8: TypeAlias = NDArray[np.float64]
_I8: TypeAlias = NDArray[np.int64]


def rank_rows(prediction: _F8, label: _F4, starts: _I8, order: NDArray[np.int32]) -> None:
    """Order rows by prediction, of equal ones the less relevant first, as CatBoost's CompareDocs, and then by number."""
    for begin, end in pairwise(starts.tolist()):
        order[begin:end] = np.lexsort((label[begin:end], -prediction[begin:end]))


def score_groups(
    rule: ScoreRule, label: _F4, prediction: _F8, starts: _I8, order: NDArray[np.int32], scores: _F8
) -> None:
    """One score a group; of a group without relevant rows, or without pairs, as CatBoost's (dcg.cpp, pfound.h, …)."""
    for g, (begin, end) in enumerate(pairwise(starts.tolist())):
        ranked = label[begin:end][order[begin:end]]
        if rule[0] in (kinds.CLASSIC_AUC, kinds.RANKING_AUC):
            scores[g] = _auc(label[begin:end], prediction[begin:end], rule[0] == kinds.CLASSIC_AUC)
        else:
            scores[g] = _score(rule, ranked)


def _auc(label: _F4, prediction: _F8, classic: bool) -> float:
    y, right, pairs = label.astype(np.float64), np.float64(0.0), np.float64(0.0)
    for i in range(len(y)):
        for j in range(len(y)):
            w = y[i] * (1.0 - y[j]) if classic else float(y[i] > y[j])
            pairs += w
            right += w * (float(prediction[i] > prediction[j]) + 0.5 * float(prediction[i] == prediction[j]))
    return float(right / pairs) if pairs > 0.0 else 0.0


def _score(rule: ScoreRule, ranked: _F4) -> float:
    kind, top, border, fading, exponential, by_position = rule
    depth = min(top, len(ranked))
    if kind in (kinds.DCG, kinds.NDCG):
        counts = discounts(len(ranked), top, by_position)
        found, best = (_in_order((gains(one, exponential) * counts)[:depth]) for one in (ranked, np.sort(ranked)[::-1]))
        return found if kind == kinds.DCG else found / best if best > 0.0 else 1.0
    if kind in (kinds.PFOUND, kinds.ERR):
        found, looks = 0.0, 1.0
        for place, y in enumerate(ranked[:depth].astype(np.float64)):
            found += y * looks if kind == kinds.PFOUND else y * looks / (place + 1.0)
            looks *= (1.0 - y) * fading
        return float(found)
    relevant = ranked > border
    hits, places = np.cumsum(relevant), np.arange(len(ranked)) + 1.0
    above = np.flatnonzero(relevant[:depth])
    if kind == kinds.MAP:
        total = _in_order((hits / places)[above])
        return float(total / min(hits[-1], depth)) if hits[-1] else 0.0
    if kind == kinds.MRR:
        return float(1.0 / places[above[0]]) if above.size else 0.0
    if kind == kinds.PRECISION:
        return len(above) / depth
    return float(len(above) / hits[-1]) if hits[-1] else 1.0


def _in_order(values: _F8) -> float:
    total = 0.0
    for value in values.tolist():
        total += value
    return total


def query_cross_entropy(label: _F4, weight: _F4, prediction: _F8, starts: _I8, alpha: float, losses: _F8) -> None:
    """Σ w ((1 − α) logloss + α logloss at the shift of the group's predictions that makes that smallest).

    The second part is 0 for a group of equal labels.
    """
    for g, (begin, end) in enumerate(pairwise(starts.tolist())):
        y, a = label[begin:end].astype(np.float64), prediction[begin:end]
        w = weight[begin:end].astype(np.float64) if weight.shape[0] else np.ones(end - begin)
        one_class, shift = bool((y == y[0]).all()), 0.0
        below, above = -a.max() - 40.0, 40.0 - a.min()
        for _ in range(0 if one_class else kinds.MOST_STEPS):
            p = sigmoid_array(a + shift)
            slope, curvature = _in_order((y - p) * w), _in_order(p * (1.0 - p) * w)
            below, above = (shift, above) if slope > 0.0 else (below, shift)
            moved = shift + slope / curvature if curvature > 0.0 else below
            if not below < moved < above:
                moved = 0.5 * (below + above)
            step, shift = abs(moved - shift), moved
            if step <= kinds.LAST_STEP:
                break
        loss = 0.0
        for i in range(end - begin):
            loss += (1.0 - alpha) * (_logloss(y[i], a[i]) * w[i])
            if not one_class:
                loss += alpha * (_logloss(y[i], a[i] + shift) * w[i])
        losses[g] = loss


def _logloss(y: float, a: float) -> float:
    return float(softplus_of_decay_array(np.float64(a), exp_array(np.float64(-abs(a))))) - y * a
