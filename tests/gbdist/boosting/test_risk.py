"""Sums over those at risk: Cox's derivatives and its likelihood, whoever holds the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.exchange import RowExchange
from gbdist.boosting.risk import RiskOrder
from gbdist.boosting.rows import Rows, Segment
from gbdist_cluster.collective.threads import run_threads


def rows_of(label: np.ndarray, start: int = 0, stop: int | None = None) -> Rows:
    stop = len(label) if stop is None else stop
    bins = np.zeros((1, stop - start), np.uint8)
    return Rows(bins, label[start:stop], None, None, (Segment(0, stop - start, start),))


def times(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """With ties; negative where nothing happened."""
    return (np.ceil(rng.exponential(size=n_rows) * 9) / 9 * rng.choice([-1.0, 1.0], n_rows)).astype(np.float32)


def by_definition(label: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Derivatives and logarithm of the partial likelihood, a sum over everybody at risk for each event."""
    order = np.argsort(np.abs(label), kind="stable")
    first, second, likelihood = np.zeros(len(label)), np.zeros(len(label)), 0.0
    first[label > 0] += 1.0
    for place, event in enumerate(order):
        if label[event] > 0:
            at_risk = order[place:]
            shares = np.exp(a[at_risk] - a[at_risk].max())
            total = shares.sum()
            likelihood += a[event] - a[at_risk].max() - np.log(total)
            first[at_risk] -= shares / total
            second[at_risk] -= shares / total * (1.0 - shares / total)
    return first, second, likelihood


@pytest.mark.parametrize("spread", [0.3, 3.0, 8.0])
def test_derivatives_are_those_of_the_partial_likelihood(spread: float) -> None:
    rng = np.random.default_rng(1)
    label, a = times(rng, 300), rng.normal(size=300) * spread
    order = RiskOrder(rows_of(label), SingleRank())
    first, second, likelihood = by_definition(label, a)
    found = order.derivatives(a)
    assert found[0] == pytest.approx(first, rel=1e-9, abs=1e-12)
    assert found[1] == pytest.approx(second, rel=1e-9, abs=1e-12)
    assert order.gains(a).sum() == pytest.approx(likelihood, rel=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_ranks=st.sampled_from([2, 3, 7]), n_rows=st.sampled_from([0, 1, 5, 120]))
def test_who_holds_the_rows_does_not_matter(seed: int, n_ranks: int, n_rows: int) -> None:
    rng = np.random.default_rng(seed)
    label, a = times(rng, n_rows), rng.normal(size=n_rows) * 5
    one = RiskOrder(rows_of(label), SingleRank())
    edges = np.sort(rng.integers(0, n_rows + 1, n_ranks - 1)).tolist()
    spans = list(zip([0, *edges], [*edges, n_rows], strict=True))

    def of_rank(collective) -> tuple[np.ndarray, np.ndarray]:
        start, stop = spans[collective.rank]
        order = RiskOrder(rows_of(label, start, stop), collective)
        return order.derivatives(a[start:stop]), order.gains(a[start:stop])

    found = run_threads(n_ranks, of_rank)
    assert np.concatenate([each[0] for each in found], axis=1).tobytes() == one.derivatives(a).tobytes()
    assert np.concatenate([each[1] for each in found]).tobytes() == one.gains(a).tobytes()


def test_hazards_that_vanish_beside_others_give_numbers() -> None:
    label = np.array([1, 2, 3, 4, 5], np.float32)
    found = RiskOrder(rows_of(label), SingleRank()).derivatives(np.array([0.0, 900.0, 0.0, -900.0, -1e5]))
    assert np.isfinite(found).all()
    assert found[0, 1] == pytest.approx(-1.0)  # at risk alone, once for the first event and once for its own


def test_rows_come_back_to_where_they_were() -> None:
    rng = np.random.default_rng(3)
    places = rng.permutation(50).astype(np.uint64)
    values = rng.normal(size=(2, 50))

    def of_rank(collective) -> np.ndarray:
        mine = slice(20 * collective.rank, 20 * collective.rank + 20) if collective.rank < 2 else slice(40, 50)
        exchange = RowExchange(places[mine], [5, 40], collective)
        there = exchange.matrix(values[:, mine])
        assert np.array_equal(exchange.column(places[mine]), np.sort(exchange.column(places[mine])))
        assert np.array_equal(exchange.back(there), values[:, mine])
        return there

    assert [found.shape[1] for found in run_threads(3, of_rank)] == [5, 35, 10]
