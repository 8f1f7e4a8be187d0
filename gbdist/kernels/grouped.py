"""Losses of ranking, whose derivatives follow from all rows of a group together: one source for CPU and card.

Formulas are CatBoost's (error_functions.h and .cpp, yetirank_helpers.cpp), with y the label, a the prediction, w the weight
of a row of a group, W that of the group:

QueryRMSE     ½ w (d − mean)², with d = y − a and its weighted mean over the group, which counts as a constant
QuerySoftMax  −w y log p, with p = w e^(β a) / Σ w e^(β a); its second derivative has β λ Σ w y taken off
pairs         W log(1 + e^(a_loser − a_winner)), of every pair of rows of which one should be ahead of the other
LambdaMart    those pairs, each counting for what the swap of its rows would change of NDCG, and less the further they are apart
YetiRank      those pairs that are neighbours once noise is added to the predictions, over several draws of it

Everywhere in this library the derivative is that of minus the loss, by a; CatBoost has both derivatives of LambdaMart with
the other sign. Rows of a group are ``begin … end − 1``; what functions add up they add up in the order of the rows.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gbdist.kernels.elementary import Functions
from gbdist.kernels.hashing import Draws

#: Modes of YetiRank, and kinds of its noise.
CLASSIC, DCG, NDCG = range(3)
NO_NOISE, GUMBEL, GAUSS = range(3)
#: Largest position that counts where all do.
ALL = (1 << 31) - 1
#: What CatBoost multiplies weights of pairs by in the classic mode, and what it takes for 1 in the noise.
_CLASSIC_SHARE, _ALMOST_ONE = 0.15, 1.000001
_LN2 = 0.6931471805599453

#: (sigma, whether to normalize, top, whether gains are exponential, whether positions discount by themselves)
LambdaOptions = tuple[float, bool, int, bool, bool]
#: (mode, decay, top, neighbours, whether gains are exponential, whether positions discount by themselves, noise, its power)
YetiOptions = tuple[int, float, int, int, bool, bool, int, float]


class GroupFunctions(NamedTuple):
    """One instance of every function; see ``grouped``."""

    query_rmse: Callable[..., Any]
    query_softmax: Callable[..., Any]
    label_pairs: Callable[..., Any]
    listed_pairs: Callable[..., Any]
    lambda_mart: Callable[..., Any]
    yeti_rank: Callable[..., Any]


class Ordering(NamedTuple):
    """What ranks rows."""

    sort_down: Callable[..., Any]
    gain: Callable[..., Any]
    discount: Callable[..., Any]


def ordering(elementary: Functions, times: Callable[[Any, Any], Any], compiled: Callable[[Any], Any]) -> Ordering:
    """Make the functions that rank rows, for one kind of kernel; parameters as of ``grouped``."""
    exp, log = elementary.exp, elementary.log

    def comes_before(key: Any, tie: Any, begin: Any, i: Any, j: Any) -> Any:
        """Whether row i is ahead of j: by the larger key, else by the smaller tie, else by its number."""
        mine, other = key[begin + i], key[begin + j]
        if mine != other:
            return mine > other
        mine, other = tie[begin + i], tie[begin + j]
        return mine < other or (mine == other and i < j)

    comes_before = compiled(comes_before)

    def sift(key: Any, tie: Any, order: Any, begin: Any, root: Any, stop: Any) -> None:
        """Move a root of a heap, in which the last of all is on top, to its place."""
        moving = order[begin + root]
        while True:
            child = 2 * root + 1
            if child >= stop:
                break
            if child + 1 < stop and comes_before(key, tie, begin, order[begin + child], order[begin + child + 1]):
                child += 1
            if not comes_before(key, tie, begin, moving, order[begin + child]):
                break
            order[begin + root] = order[begin + child]
            root = child
        order[begin + root] = moving

    sift = compiled(sift)

    def sort_down(key: Any, tie: Any, order: Any, begin: Any, end: Any) -> None:
        """Number rows from the largest key to the smallest, counted from ``begin``.

        Of equal keys the smaller ``tie`` comes first, of equal ties the smaller number.
        """
        count = end - begin
        for i in range(count):
            order[begin + i] = i
        for step in range(count // 2):
            sift(key, tie, order, begin, count // 2 - 1 - step, count)
        for step in range(count - 1):
            last = count - 1 - step
            top = order[begin]
            order[begin] = order[begin + last]
            order[begin + last] = top
            sift(key, tie, order, begin, 0, last)

    def gain(label: Any, exponential: Any) -> Any:
        """What a row of that relevance is worth."""
        return exp(times(label, _LN2)) - 1.0 if exponential else label

    def discount(position: Any, top: Any, by_position: Any) -> Any:
        """What counts of a row's worth at a position, from 0."""
        if position >= top:
            return 0.0
        return 1.0 / (position + 1.0) if by_position else _LN2 / log(position + 2.0)

    return Ordering(compiled(sort_down), compiled(gain), compiled(discount))


def grouped(
    elementary: Functions, times: Callable[[Any, Any], Any], compiled: Callable[[Any], Any], draws: Draws
) -> GroupFunctions:
    """Make the functions for one kind of kernel; ``times`` and ``compiled`` are as in ``elementary.functions``.

    Each writes derivatives and second derivatives of the rows of a group, and returns the group's loss, or 0 where it has none.
    """
    exp, log = elementary.exp, elementary.log
    decay, sigmoid_of_decay = elementary.decay, elementary.sigmoid_of_decay
    softplus_of_decay, normal_quantile = elementary.softplus_of_decay, elementary.normal_quantile
    sort_down, gain, discount = ordering(elementary, times, compiled)

    def query_rmse(
        label: Any, weight: Any, weighted: Any, a: Any, begin: Any, end: Any, first: Any, second: Any
    ) -> Any:
        total, whole, loss = 0.0, 0.0, 0.0
        for i in range(begin, end):
            w = np.float64(weight[i]) if weighted else 1.0
            total += times(np.float64(label[i]) - a[i], w)
            whole += w
        mean = total / whole if whole > 0.0 else 0.0
        for i in range(begin, end):
            w = np.float64(weight[i]) if weighted else 1.0
            d = (np.float64(label[i]) - a[i]) - mean
            first[i] = times(d, w)
            second[i] = -w
            loss += times(times(0.5 * d, d), w)
        return loss

    def query_softmax(
        label: Any, weight: Any, weighted: Any, a: Any, begin: Any, end: Any, options: Any, first: Any, second: Any
    ) -> Any:
        shrink, beta = options
        target, top, seen = 0.0, 0.0, False
        for i in range(begin, end):
            w = np.float64(weight[i]) if weighted else 1.0
            if w > 0.0:
                top = max(top, a[i]) if seen else a[i]
                seen = True
                target += times(w, max(np.float64(label[i]), 0.0))
        whole = 0.0
        for i in range(begin, end):
            w = np.float64(weight[i]) if weighted else 1.0
            e = times(exp(times(a[i] - top, beta)), w) if w > 0.0 else 0.0
            first[i] = e
            whole += e
        loss = 0.0
        for i in range(begin, end):
            w = np.float64(weight[i]) if weighted else 1.0
            p = first[i] / whole if whole > 0.0 else 0.0
            if w > 0.0 and target > 0.0:
                own = times(w, np.float64(label[i]))
                second[i] = times(beta * target, times(times(beta, p), p - 1.0) - shrink)
                first[i] = times(beta, own - times(target, p))
                if own > 0.0:
                    loss -= times(own, log(max(p, 1e-300)))
            else:
                first[i] = 0.0
                second[i] = 0.0
        return loss

    def add_pair(a: Any, winner: Any, loser: Any, w: Any, with_loss: Any, first: Any, second: Any) -> Any:
        x = a[loser] - a[winner]
        e = decay(x)
        p = sigmoid_of_decay(x, e)
        d = times(w, p)
        bent = times(d, p - 1.0)
        first[winner] += d
        first[loser] -= d
        second[winner] += bent
        second[loser] += bent
        return times(w, softplus_of_decay(x, e)) if with_loss else 0.0

    add_pair = compiled(add_pair)

    def clear(begin: Any, end: Any, first: Any, second: Any, count: Any) -> None:
        for i in range(begin, end):
            first[i] = 0.0
            second[i] = 0.0
            count[i] = 0.0

    clear = compiled(clear)

    def label_pairs(
        label: Any, a: Any, begin: Any, end: Any, w: Any, with_loss: Any, first: Any, second: Any, count: Any
    ) -> Any:
        """All pairs of different labels; ``count`` gets the weights of each row's pairs."""
        clear(begin, end, first, second, count)
        loss = 0.0
        for i in range(begin, end):
            for j in range(begin, end):
                if label[i] > label[j]:
                    loss += add_pair(a, i, j, w, with_loss, first, second)
                    count[i] += w
                    count[j] += w
        return loss

    def listed_pairs(
        pairs: Any, begin: Any, end: Any, a: Any, rows: Any, with_loss: Any, first: Any, second: Any, count: Any
    ) -> Any:
        """Pairs ``begin … end − 1`` of (winner, loser, weight), of the rows between the two ``rows``."""
        winners, losers, weights = pairs
        clear(rows[0], rows[1], first, second, count)
        loss = 0.0
        for k in range(begin, end):
            w = np.float64(weights[k])
            loss += add_pair(a, winners[k], losers[k], w, with_loss, first, second)
            count[winners[k]] += w
            count[losers[k]] += w
        return loss

    def ideal(label: Any, begin: Any, end: Any, how: Any, key: Any, order: Any) -> Any:
        """DCG of the best order; ``how`` is (top, whether gains are exponential, whether positions discount by themselves)."""
        top, exponential, by_position = how
        for i in range(begin, end):
            key[i] = np.float64(label[i])
        sort_down(key, key, order, begin, end)
        total = 0.0
        for position in range(min(end - begin, top)):
            worth = gain(np.float64(label[begin + order[begin + position]]), exponential)
            total += times(worth, discount(position, top, by_position))
        return total

    ideal = compiled(ideal)

    def lambda_mart(
        label: Any, a: Any, begin: Any, end: Any, options: Any, key: Any, order: Any, first: Any, second: Any
    ) -> Any:
        sigma, normalize, top, exponential, by_position = options
        for i in range(begin, end):
            first[i] = 0.0
            second[i] = 0.0
        best = ideal(label, begin, end, (top, exponential, by_position), key, order)
        sort_down(a, a, order, begin, end)
        count = end - begin
        for position in range(count):
            # CatBoost discounts beyond ``top`` too: pairs that reach into it count for what they are worth there.
            key[begin + position] = discount(position, ALL, by_position)
        spread = a[begin + order[begin]] != a[begin + order[end - 1]]
        total = 0.0
        for ahead in range(count):
            i = begin + order[begin + ahead]
            for behind in range(count if ahead < top else min(top, count)):
                j = begin + order[begin + behind]
                if label[i] > label[j]:
                    x = a[i] - a[j]
                    worth = gain(np.float64(label[i]), exponential) - gain(np.float64(label[j]), exponential)
                    delta = times(worth, abs(key[begin + ahead] - key[begin + behind])) / best
                    if normalize and spread:
                        delta = delta / (0.01 + abs(x))
                    scaled = times(sigma, x)
                    p = sigmoid_of_decay(-scaled, decay(scaled))
                    d = times(times(sigma, delta), p)
                    bent = times(times(times(sigma, sigma), delta), times(p, 1.0 - p))
                    first[i] += d
                    first[j] -= d
                    second[i] -= bent
                    second[j] -= bent
                    total += times(2.0, d)
        if normalize and total > 0.0:
            factor = log(1.0 + total) / times(_LN2, total)
            for i in range(begin, end):
                first[i] = times(first[i], factor)
                second[i] = times(second[i], factor)

    def shaken(base: Any, u: Any, noise: Any, power: Any) -> Any:
        """e^prediction with noise, by a draw."""
        if noise == GUMBEL:
            return times(base, u / (_ALMOST_ONE - u))
        if noise == GAUSS:
            return times(base, exp(times(power, normal_quantile(u))))
        return base

    shaken = compiled(shaken)

    def weigh(label: Any, i: Any, j: Any, places: Any, options: Any, scale: Any) -> Any:
        """Weight of the pair of rows i and j at two places."""
        mode, _, top, _, exponential, by_position, _, _ = options
        if mode == CLASSIC:
            return times(scale, abs(np.float64(label[i]) - np.float64(label[j])))
        apart = discount(places[0], top, by_position) - discount(places[1], top, by_position)
        worth = gain(np.float64(label[i]), exponential) - gain(np.float64(label[j]), exponential)
        return times(scale, abs(times(worth, apart)))

    weigh = compiled(weigh)

    def yeti_rank(
        label: Any, ranked_by: Any, a: Any, begin: Any, end: Any, group: Any, options: Any, scratch: Any, first: Any,
        second: Any, count: Any,
    ) -> None:  # fmt: skip
        """Noise is added to ``ranked_by``; ``group`` is (its weight, number of its first row, a key a draw).

        ``scratch`` is float64 [n] twice, and int32 [n].
        """
        mode, decaying, top, neighbours, exponential, by_position, noise, power = options
        weight, first_row, keys = group
        base, key, order = scratch
        clear(begin, end, first, second, count)
        scale = weight / keys.shape[0]
        if mode == NDCG:
            best = ideal(label, begin, end, (top, exponential, by_position), key, order)
            scale = scale / best if best > 0.0 else 0.0
        largest = ranked_by[begin]
        for i in range(begin, end):
            largest = max(largest, ranked_by[i])
        for i in range(begin, end):
            base[i] = exp(ranked_by[i] - largest)
        size = end - begin
        for draw in range(keys.shape[0]):
            for i in range(begin, end):
                u = draws.unit_draw(keys[draw], first_row + np.uint64(i - begin))
                key[i] = shaken(base[i], u, noise, power)
            sort_down(key, key, order, begin, end)
            share = times(scale, _CLASSIC_SHARE) if mode == CLASSIC else scale
            for place in range(min(top, size - 1) if mode != CLASSIC else size - 1):
                i = begin + order[begin + place]
                for other in range(place + 1, min(size, place + 1 + neighbours)):
                    j = begin + order[begin + other]
                    if label[i] != label[j]:
                        w = weigh(label, i, j, (place, other), options, share)
                        winner, loser = (i, j) if label[i] > label[j] else (j, i)
                        add_pair(a, winner, loser, w, False, first, second)
                        count[i] += w
                        count[j] += w
                share = times(share, decaying) if mode == CLASSIC else share

    return GroupFunctions(
        *map(compiled, (query_rmse, query_softmax, label_pairs, listed_pairs, lambda_mart, yeti_rank))
    )
