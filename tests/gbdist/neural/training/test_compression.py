"""Compressed sums of gradients: the same on all ranks, as near as they promise, and nothing is lost for good."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.collective import SingleRank
from gbdist.neural.training.compression import Exact, Halves, Largest, make_exchange
from gbdist.neural.training.params import COMPRESSIONS, StrategyParams
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.threads import run_threads

Array = NDArray[Any]


def sums_of(make: Callable[[ChannelCollective], Any], messages: list[Array], exact: int) -> list[Array]:
    """What each rank gets of the exchange of one message."""

    def routine(collective: ChannelCollective) -> Array:
        mine = messages[collective.rank]
        before = mine.copy()
        total: Array = make(collective).sum(mine, exact)
        np.testing.assert_array_equal(mine, before)
        return total

    return run_threads(len(messages), routine, deadline=20)


def gradients(n_ranks: int, size: int, dtype: str) -> list[Array]:
    """Numbers of very different size, as layers have them."""
    rng = np.random.default_rng(n_ranks)
    scale = 10.0 ** rng.uniform(-6, 3, size)
    return [(rng.standard_normal(size) * scale * 10.0**rank).astype(dtype) for rank in range(n_ranks)]


@pytest.mark.parametrize("kind", COMPRESSIONS)
@pytest.mark.parametrize("n_ranks", [1, 2, 3, 5])
def test_all_ranks_get_the_same_and_what_is_exact_stays_so(kind: str, n_ranks: int) -> None:
    params = StrategyParams(compression=kind, kept_share=0.1)
    messages = gradients(n_ranks, 103, "float32")
    totals = sums_of(lambda one: make_exchange(params, one), messages, 3)
    assert {total.tobytes() for total in totals} == {totals[0].tobytes()}
    assert totals[0].dtype == np.float32
    exact = messages[0][-3:].copy()
    for message in messages[1:]:
        exact += message[-3:]
    np.testing.assert_array_equal(totals[0][-3:], exact)


@pytest.mark.parametrize(
    ("kind", "made"), [("none", Exact), ("fp16", Halves), ("top-k", Largest)], ids=lambda value: str(value)
)
def test_one_rank_compresses_nothing(kind: str, made: type) -> None:
    params = StrategyParams(compression=kind)
    assert type(make_exchange(params, SingleRank())) is Exact
    assert run_threads(2, lambda one: type(make_exchange(params, one)) is made) == [True, True]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_ranks", [2, 3, 7])
def test_halves_are_as_near_as_they_promise(n_ranks: int, dtype: str) -> None:
    messages = gradients(n_ranks, 1_001, dtype)
    total = sums_of(Halves, messages, 1)[0][:-1].astype(np.float64)
    given = np.stack(messages)[:, :-1].astype(np.float64)
    allowed = sum(2.0**-11 * np.abs(each) + 2.0**-38 * np.abs(each).max() for each in given)
    once = given.sum(axis=0)
    # The sum is rounded once more on its way back, and additions in float32 round too.
    bound = (
        allowed + 2.0**-11 * (np.abs(once) + allowed) + 2.0**-38 * np.abs(once).max() + 1e-6 * np.abs(given).sum(axis=0)
    )
    error = np.abs(total - once)
    assert (error <= bound).all()
    assert error.max() > 0  # it is compressed


@pytest.mark.parametrize("size", [1e-38, 1e-20, 1.0, 1e30, 3e38])
def test_halves_neither_overflow_nor_vanish(size: float) -> None:
    messages = [np.float32([size, -size / 3, 0.0]), np.float32([0.0, 0.0, 0.0])]
    np.testing.assert_allclose(sums_of(Halves, messages, 0)[1], messages[0], rtol=2.0**-10)


@pytest.mark.parametrize("kind", ["fp16", "top-k"])
def test_what_is_not_finite_is_seen_by_all(kind: str) -> None:
    params = StrategyParams(compression=kind, kept_share=0.01)
    for bad in (np.nan, np.inf, -np.inf):
        messages = gradients(3, 100, "float32")
        messages[1][77] = bad
        for total in sums_of(lambda one: make_exchange(params, one), messages, 0):
            assert not np.isfinite(total[77])


def test_halves_send_half_the_bytes() -> None:
    def sent(make: Callable[[ChannelCollective], Any]) -> Callable[[ChannelCollective], int]:
        def routine(collective: ChannelCollective) -> int:
            make(collective).sum(np.ones(10_000, np.float32), 0)
            return collective.traffic.bytes_sent

        return routine

    assert run_threads(2, sent(Exact)) == [40_000, 40_000]
    assert run_threads(2, sent(Halves)) == [20_016, 20_016]
    assert run_threads(2, sent(lambda one: Largest(one, 0.01))) == [800, 800]


def test_the_largest_are_sent_and_the_rest_comes_later() -> None:
    messages = [np.float64([1, -5, 2, 0, 3, 7]), np.float64([4, 0, -1, 0, 0, 7])]  # the last number is exact

    def routine(collective: ChannelCollective) -> list[list[float]]:
        exchange = Largest(collective, 0.4)
        first = exchange.sum(messages[collective.rank], 1).tolist()
        nothing = np.zeros(6)
        return [first, *(exchange.sum(nothing, 1).tolist() for _ in range(2))]

    told = run_threads(2, routine)
    assert told[0] == told[1]
    assert told[0] == [[4, -5, -1, 0, 3, 14], [1, 0, 2, 0, 0, 0], [0, 0, 0, 0, 0, 0]]


def test_of_equal_numbers_the_first_go() -> None:
    messages = [np.float32([1, -1, 1, -1, 1, 2, -1])] * 2
    total = sums_of(lambda one: Largest(one, 3 / 7), messages, 0)[0]
    assert total.tolist() == [2, -2, 0, 0, 0, 4, 0]


def test_what_is_held_back_is_kept_where_a_step_is_left_out() -> None:
    def routine(collective: ChannelCollective) -> list[float]:
        exchange = Largest(collective, 0.3)
        exchange.sum(np.float32([1, 3, 2]), 0)  # 1 and 2 are held back
        bad = np.float32([5, 5, np.nan if collective.rank else 5])
        assert not np.isfinite(exchange.sum(bad, 0)).all()
        return exchange.sum(np.zeros(3, np.float32), 0).tolist()  # type: ignore[no-any-return]

    assert run_threads(2, routine) == [[0, 0, 4]] * 2


@pytest.mark.parametrize("n_ranks", [2, 3])
def test_descent_by_the_largest_reaches_the_same_point(n_ranks: int) -> None:
    """Each rank has a quadratic of its own; the minimum of their sum is at none of theirs."""
    rng = np.random.default_rng(0)
    curvatures = rng.uniform(0.5, 2.0, (n_ranks, 40))
    centres = rng.standard_normal((n_ranks, 40)) * 3
    best = (curvatures * centres).sum(axis=0) / curvatures.sum(axis=0)

    def distance(collective: ChannelCollective, forgets: bool) -> float:
        exchange, point = Largest(collective, 0.05), np.zeros(40)
        for step in range(2_000):
            gradient = curvatures[collective.rank] * (point - centres[collective.rank])
            # What is held back is a few steps' gradients at any time, so a rate that does not fall leaves the point wandering.
            point -= 0.03 * 0.997**step * exchange.sum(gradient, 0)
            if forgets:
                exchange = Largest(collective, 0.05)
        return float(np.abs(point - best).max())

    assert max(run_threads(n_ranks, lambda one: distance(one, False))) < 0.02  # of about 4 at the start
    assert (
        min(run_threads(n_ranks, lambda one: distance(one, True))) > 0.5
    )  # without what was held back it ends elsewhere
