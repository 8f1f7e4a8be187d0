"""Metrics of ranking, group by group. The twins, which say what each computes, are in ``reference_ranking``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import device_function, kernel
from gbdist.kernels.elementary import SCALAR, decay, sigmoid_of_decay, softplus_of_decay
from gbdist.kernels.grouped import ordering
from gbdist.kernels.hashing import product

#: What ``score_groups`` computes.
DCG, NDCG, MAP, MRR, PRECISION, RECALL, PFOUND, ERR, CLASSIC_AUC, RANKING_AUC = range(10)
#: (kind, top, border, decay, whether gains are exponential, whether positions discount by themselves)
ScoreRule = tuple[int, int, float, float, bool, bool]
#: Steps to the shift of a group, and the one that ends them.
MOST_STEPS, LAST_STEP = 100, 1e-12

_sort_down, _gain, _discount = ordering(SCALAR, product, device_function)


@kernel
def rank_rows(
    prediction: NDArray[np.float64], label: NDArray[np.float32], starts: NDArray[np.int64], order: NDArray[np.int32]
) -> None:
    """See ``reference_ranking.rank_rows``."""
    for g in range(starts.shape[0] - 1):
        _sort_down(prediction, label, order, starts[g], starts[g + 1])


@kernel
def score_groups(
    rule: ScoreRule,
    label: NDArray[np.float32],
    prediction: NDArray[np.float64],
    starts: NDArray[np.int64],
    order: NDArray[np.int32],
    scores: NDArray[np.float64],
) -> None:
    """See ``reference_ranking.score_groups``."""
    kind, top, border, fading, exponential, by_position = rule
    for g in range(starts.shape[0] - 1):
        begin = starts[g]
        size = starts[g + 1] - begin
        depth = min(top, size)
        if kind in (RANKING_AUC, CLASSIC_AUC):
            right, pairs = np.float64(0.0), np.float64(0.0)
            for i in range(begin, begin + size):
                for j in range(begin, begin + size):
                    if kind == CLASSIC_AUC:
                        w = np.float64(label[i]) * (1.0 - np.float64(label[j]))
                    else:
                        w = np.float64(label[i] > label[j])
                    pairs += w
                    if prediction[i] > prediction[j]:
                        right += w
                    elif prediction[i] == prediction[j]:
                        right += 0.5 * w
            scores[g] = right / pairs if pairs > 0.0 else 0.0
        elif kind in (DCG, NDCG):
            total = 0.0
            for place in range(depth):
                y = np.float64(label[begin + order[begin + place]])
                total += _gain(y, exponential) * _discount(place, top, by_position)
            if kind == NDCG:
                best = _ideal(label, begin, size, (depth, top, exponential, by_position))
                total = total / best if best > 0.0 else 1.0
            scores[g] = total
        elif kind in (PFOUND, ERR):
            found, looks = 0.0, 1.0
            for place in range(depth):
                y = np.float64(label[begin + order[begin + place]])
                found += y * looks if kind == PFOUND else y * looks / (place + 1.0)
                looks *= (1.0 - y) * fading
            scores[g] = found
        else:
            scores[g] = _of_relevant(kind, label, begin, size, depth, border, order)


@device_function
def _ideal(label: Any, begin: Any, size: Any, how: Any) -> Any:
    """DCG of the best order."""
    depth, top, exponential, by_position = how
    sorted_labels = np.sort(label[begin : begin + size])
    total = 0.0
    for place in range(depth):
        y = np.float64(sorted_labels[size - 1 - place])
        total += _gain(y, exponential) * _discount(place, top, by_position)
    return total


@device_function
def _of_relevant(kind: Any, label: Any, begin: Any, size: Any, depth: Any, border: Any, order: Any) -> Any:
    """MAP, MRR, precision and recall: of rows whose label is above the border."""
    hits, hits_above, first, precisions = 0.0, 0.0, 0.0, 0.0
    for place in range(size):
        if label[begin + order[begin + place]] > border:
            hits += 1.0
            if place < depth:
                hits_above += 1.0
                precisions += hits / (place + 1.0)
                first = 1.0 / (place + 1.0) if first == 0.0 else first
    if kind == MAP:
        return precisions / min(hits, np.float64(depth)) if hits > 0.0 else 0.0
    if kind == MRR:
        return first
    if kind == PRECISION:
        return hits_above / depth
    return hits_above / hits if hits > 0.0 else 1.0


@kernel
def query_cross_entropy(
    label: NDArray[np.float32],
    weight: NDArray[np.float32],
    prediction: NDArray[np.float64],
    starts: NDArray[np.int64],
    alpha: float,
    losses: NDArray[np.float64],
) -> None:
    """See ``reference_ranking.query_cross_entropy``."""
    weighted = weight.shape[0] != 0
    for g in range(starts.shape[0] - 1):
        begin, end = starts[g], starts[g + 1]
        low, high, one_class = prediction[begin], prediction[begin], True
        for i in range(begin, end):
            low, high = min(low, prediction[i]), max(high, prediction[i])
            one_class &= label[i] == label[begin]
        shift = 0.0
        below, above = -high - 40.0, 40.0 - low
        for _ in range(0 if one_class else MOST_STEPS):
            slope, curvature = 0.0, 0.0
            for i in range(begin, end):
                w = np.float64(weight[i]) if weighted else 1.0
                x = prediction[i] + shift
                p = sigmoid_of_decay(x, decay(x))
                slope += (np.float64(label[i]) - p) * w
                curvature += p * (1.0 - p) * w
            if slope > 0.0:
                below = shift
            else:
                above = shift
            moved = shift + slope / curvature if curvature > 0.0 else below
            if not (moved > below and moved < above):
                moved = 0.5 * (below + above)
            step = abs(moved - shift)
            shift = moved
            if step <= LAST_STEP:
                break
        loss = 0.0
        for i in range(begin, end):
            w = np.float64(weight[i]) if weighted else 1.0
            y, x = np.float64(label[i]), prediction[i]
            loss += (1.0 - alpha) * ((softplus_of_decay(x, decay(x)) - y * x) * w)
            if not one_class:
                x = x + shift
                loss += alpha * ((softplus_of_decay(x, decay(x)) - y * x) * w)
        losses[g] = loss
