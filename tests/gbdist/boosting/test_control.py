"""A run is ended from outside: after a tree, at no cost, or before the next piece of work."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting import crew as crew_module
from gbdist.boosting.collective import SingleRank
from gbdist.boosting.loop import boost
from gbdist.boosting.shrinkage import Shrinkage
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable
from .resumed import Ear, PauseAfter, Training, assert_same
from .test_replay import CASES, RANKINGS, of_case, of_ranking, params_of, training_of


class CountingRank(SingleRank):
    """Counts the rounds of a rank."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def all_reduce(self, array: np.ndarray, *, halves: bool = False) -> np.ndarray:
        self.sizes.append(array.size)
        return array

    def all_gather(self, item: bytes) -> list[bytes]:
        self.sizes.append(-len(item))
        return [item]


@pytest.mark.parametrize(
    ("more", "n_rounds"), [({}, 2), ({"metric_period": 4}, 2), ({"shrinkage": Shrinkage(0.3)}, 3)], ids=str
)
def test_a_pause_costs_no_round(make_table: MakeTable, more: dict[str, Any], n_rounds: int) -> None:
    """A tree has a round for its leaves and one for what comes after them; the gradients of a shrunk model have their own."""
    table = make_table(300)
    params = params_of("RMSE", iterations=6, **more)

    def rounds(control: PauseAfter) -> tuple[list[int], int]:
        collective, ear = CountingRank(), Ear()
        boost(table.rows, [], table.n_bins, params, collective, [ear], control=control)
        return collective.sizes, len(ear.steps)

    usual, all_trees = rounds(PauseAfter(0))
    paused, some_trees = rounds(PauseAfter(3))
    assert (all_trees, some_trees) == (6, 3)
    assert paused == usual[: len(paused)]
    before = 3  # two for the facts of the rows, one for the first gradients
    assert len(paused) == before + 3 * n_rounds
    assert len(usual) == before + 6 * n_rounds - (n_rounds - 2)  # after the last tree nobody needs gradients


def test_ranks_send_as_many_messages_whoever_may_pause_them(make_table: MakeTable) -> None:
    training = training_of([make_table(600)], params_of("RMSE"))
    parts = training.cut(3)

    def messages(control: Callable[[], PauseAfter]) -> list[int]:
        def work(collective: Any) -> int:
            boost(*parts[collective.rank], [], training.n_bins, training.params, collective, control=control())
            return int(collective.traffic.messages)

        return run_threads(3, work)

    assert messages(lambda: PauseAfter(0)) == messages(lambda: PauseAfter(7))


class _Unwanted(Exception):
    pass


class StopAt(PauseAfter):
    """Does not want the run any more when it is asked for the n-th time."""

    def __init__(self, n: int) -> None:
        super().__init__(0)
        self.n = n

    def check(self) -> None:
        super().check()
        if self.checks >= self.n:
            raise _Unwanted


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("n", [1, 2, 50, 200])
def test_a_run_that_is_not_wanted_ends_before_the_next_piece_of_work(
    make_table: MakeTable, monkeypatch: pytest.MonkeyPatch, threads: int, n: int
) -> None:
    table, begun = make_table(300, classes=2), [0]
    usual = crew_module.Crew.each

    def counted(self: crew_module.Crew, work: Callable[[Any], Any], items: Any) -> list[Any]:
        def count(item: Any) -> Any:
            begun[0] += 1
            return work(item)

        return usual(self, count, items)

    monkeypatch.setattr(crew_module.Crew, "each", counted)
    params, control = params_of("Logloss", 2, threads=threads, iterations=30), StopAt(n)
    with pytest.raises(_Unwanted):
        boost(table.rows, [], table.n_bins, params, SingleRank(), control=control)
    assert begun[0] < n
    assert control.checks <= n - 1 + threads


def check_pieces(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run of one thread is when it is asked many times while it works on all rows: sums of integers do not change."""
    (expected,) = training.on(1).ended
    monkeypatch.setattr(crew_module, "_MOST_ROWS", 30)
    monkeypatch.setattr(crew_module, "_MIN_ROWS", 10)
    assert len(crew_module.Crew(1).row_slices(70)) == 3
    assert len(crew_module.Crew(2).row_slices(70)) == 4
    assert_same(training.on(1).ended, expected)
    assert_same(training.on(2).ended, expected)


@pytest.mark.parametrize("name", CASES)
def test_very_many_rows_are_cut_into_more_pieces(make_table: MakeTable, name: str, monkeypatch) -> None:
    training = of_case(name, make_table)
    check_pieces(replace(training, params=replace(training.params, iterations=3)), monkeypatch)


@pytest.mark.parametrize(("loss", "pairs"), RANKINGS)
def test_very_many_rows_of_groups_are_cut_into_more_pieces(loss: str, pairs: bool, monkeypatch) -> None:
    check_pieces(of_ranking(loss, pairs), monkeypatch)
