"""Every algorithm gives every rank the sum in the order of the ranks, bit for bit."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.boosting.collective import SingleRank
from gbdist_cluster.collective import float_sums
from gbdist_cluster.collective.algorithms import Steps
from gbdist_cluster.collective.choice import ChannelCollective
from gbdist_cluster.collective.threads import run_threads
from gbdist_cluster.errors import ClusterError

ALGORITHMS = ["direct_sum", "tree_sum", "split_sum", "central_sum", "ring_sum"]


def numbers_of(rank: int, size: int, dtype: str) -> NDArray[Any]:
    """Sums of these depend on the order of the additions: large ones cancel."""
    drawn = np.random.default_rng(rank).standard_normal(size)
    return (drawn * np.where(np.arange(size) % 3, 1.0, 1e6)).astype(dtype)


def in_order(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """The obvious sum: one rank after the other, in their type."""
    total = parts[0].copy()
    for part in parts[1:]:
        total = total + part
    return total


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_rank_gets_the_sum_in_the_order_of_the_ranks(
    name: str, n_ranks: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(float_sums, "RING_PIECE_BYTES", 100)  # several pieces, the last one shorter
    algorithm = getattr(float_sums, name)
    for size in (101, 1, 0):
        inputs = [numbers_of(rank, size, dtype) for rank in range(n_ranks)]
        wanted = in_order(inputs)

        def routine(collective: ChannelCollective, inputs: list[NDArray[Any]] = inputs) -> NDArray[Any]:
            mine = inputs[collective.rank]
            before = mine.copy()
            total: NDArray[Any] = algorithm(Steps(collective._channel, 1, "sum_floats"), mine)
            np.testing.assert_array_equal(mine, before)
            mine[:] = np.nan  # a caller may use its memory again while slower ranks still read
            return total

        totals = run_threads(n_ranks, routine, deadline=20)
        assert [(total.dtype, total.tobytes()) for total in totals] == [(wanted.dtype, wanted.tobytes())] * n_ranks
        assert size == 0 or len({total.__array_interface__["data"][0] for total in totals}) == n_ranks


def test_the_order_shows_in_these_numbers() -> None:
    parts = [numbers_of(rank, 101, "float32") for rank in range(5)]
    assert in_order(parts).tobytes() != in_order(parts[::-1]).tobytes()


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 7])
def test_a_vector_may_be_cut_and_has_any_shape(n_ranks: int) -> None:
    tables = [numbers_of(rank, 600, "float32").reshape(20, 30) for rank in range(n_ranks)]

    def routine(collective: ChannelCollective) -> bytes:
        mine = tables[collective.rank]
        mine.flags.writeable = False
        whole = collective.sum_floats(mine)
        assert whole.shape == (20, 30)
        by_columns = [collective.sum_floats(mine[:, column]) for column in range(30)]
        np.testing.assert_array_equal(np.stack(by_columns, axis=1), whole)
        return whole.tobytes()

    assert run_threads(n_ranks, routine, deadline=30) == [in_order(tables).tobytes()] * n_ranks


def test_one_rank_gets_its_array() -> None:
    array = np.ones(3, np.float32)
    assert SingleRank().sum_floats(array) is array


def test_sums_that_are_kept_stay_as_they_were() -> None:
    def routine(collective: ChannelCollective) -> bool:
        kept = [collective.sum_floats(np.full(100_000, number, np.float32)) for number in range(12)]
        return all((total == 2 * number).all() for number, total in enumerate(kept))

    assert run_threads(2, routine, deadline=30) == [True, True]


def test_what_is_not_finite_arrives() -> None:
    def routine(collective: ChannelCollective) -> list[float]:
        given = [np.inf, np.nan, -np.inf] if collective.rank == 1 else [1.0, 1.0, np.inf]
        return collective.sum_floats(np.float32(given)).tolist()  # type: ignore[no-any-return]

    for total in run_threads(3, routine, deadline=20):
        np.testing.assert_array_equal(total, [np.inf, np.nan, np.nan])


def test_arrays_of_two_types_are_told_so() -> None:
    with pytest.raises(ClusterError) as caught:
        run_threads(2, lambda one: one.sum_floats(np.zeros(5, np.float32 if one.rank else np.float64)), deadline=20)
    words = ("20 bytes where 5 numbers of 8 bytes", "40 bytes where 5 numbers of 4 bytes")
    assert str(caught.value) in {
        f"a rank sent {each} were expected. All ranks must call the collective with arrays of one shape and type"
        for each in words
    }
