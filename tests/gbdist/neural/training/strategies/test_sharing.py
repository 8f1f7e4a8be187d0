"""Rows of a batch come together on the ranks that need them."""

from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.neural.network.blocks import Batch
from gbdist.neural.training.strategies.sharing import Needs, RowSharing
from gbdist_cluster.collective.threads import run_threads

ALL, FIRST, LAST, NONE = Needs(True, True), Needs(True, False), Needs(False, True), Needs(False, False)


def batch_of(rows: range, *, target: Any = "numbers", weighted: bool = True) -> Batch:
    """A batch whose arrays say which rows they are of."""
    at = np.array(rows, np.float32)
    targets = {"numbers": np.stack([at + 0.5, -at], 1), "classes": np.array(rows, np.int32), None: None}
    return Batch(
        np.stack([at, at * 2, at * 3], 1),
        np.array(rows, np.int32).reshape(-1, 1),
        targets[target],
        at + 1 if weighted else None,
        np.array(rows, np.uint64) + np.uint64(100),
    )


def check_equal(found: Batch, expected: Batch) -> None:
    for name in ("numeric", "codes", "target", "weight", "numbers"):
        one, other = getattr(found, name), getattr(expected, name)
        if other is None:
            assert one is None, name
            continue
        assert one.dtype == other.dtype, name
        np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("target", ["numbers", "classes", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_rows_come_to_all_ranks_in_rank_order(target: Any, weighted: bool) -> None:
    rows = [range(4), range(4, 4), range(4, 11)]  # the second rank has none in this batch

    def work(collective: Collective) -> None:
        mine = batch_of(rows[collective.rank], target=target, weighted=weighted)
        shared = RowSharing(collective, [ALL] * 3).shared(mine)
        check_equal(shared.batch, batch_of(range(11), target=target, weighted=weighted))
        assert shared.counts == [4, 0, 7]
        assert not shared.flagged

    run_threads(3, work, deadline=20)


def test_each_rank_gets_what_it_needs() -> None:
    def work(collective: Collective) -> tuple[Batch, int]:
        mine = batch_of(range(5 * collective.rank, 5 * collective.rank + 5))
        sent = collective.traffic.bytes_sent  # type: ignore[attr-defined]  # of threads
        shared = RowSharing(collective, [FIRST, NONE, LAST]).shared(mine, flag=collective.rank == 1)
        assert shared.flagged
        return shared.batch, collective.traffic.bytes_sent - sent  # type: ignore[attr-defined]

    everything = batch_of(range(15))
    (first, _), (middle, _), (last, sent) = run_threads(3, work, deadline=20)
    nothing = np.empty((15, 0), np.float32), np.empty((15, 0), np.int32)
    check_equal(first, Batch(everything.numeric, everything.codes, None, everything.weight, everything.numbers))
    check_equal(middle, Batch(*nothing, None, everything.weight, everything.numbers))
    check_equal(last, Batch(*nothing, everything.target, everything.weight, everything.numbers))
    assert first.n_rows == middle.n_rows == last.n_rows == 15
    head, weight, number, numeric, code = 24, 4, 8, 12, 4
    assert sent == 2 * (head + 5 * (weight + number)) + 5 * (
        numeric + code
    )  # inputs to the first, none to the middle one


def test_weights_of_some_ranks_are_ones_on_the_others() -> None:
    def work(collective: Collective) -> Batch:
        mine = batch_of(range(3), weighted=collective.rank == 1)
        return RowSharing(collective, [ALL] * 2).shared(mine).batch

    for whole in run_threads(2, work, deadline=20):
        assert whole.weight.tolist() == [1, 1, 1, 1, 2, 3]
        assert whole.weight.dtype == np.float32


def test_a_group_of_one_shares_nothing() -> None:
    mine = batch_of(range(3))
    shared = RowSharing(SingleRank(), [ALL]).shared(mine, flag=True)
    assert (shared.batch, shared.counts, shared.flagged) == (mine, [3], True)
