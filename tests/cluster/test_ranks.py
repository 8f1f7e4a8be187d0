"""Letters to a rank and from it, that are about leaving off."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import Client

from gbdist_cluster import legacy, post, ranks
from gbdist_cluster.gang import LeftOff, Member, RankContext, run_on_gang
from gbdist_cluster.ranks import RankOrder, deliver


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A rank of this process, as far as letters go."""
    order = RankOrder("run", 3, 0, ("tcp://a:1",), "client", "key", True, 1.0)
    made = ranks._Run(order, SimpleNamespace(address="tcp://a:1", loop=None))
    monkeypatch.setitem(ranks._runs, "key", made)
    yield made
    legacy.forget("run")


def context_of(run: Any) -> RankContext:
    return RankContext(0, 1, None, (), None, 1, run)


def test_a_rank_that_is_asked_to_pause_can_see_it(run: Any) -> None:
    context = context_of(run)
    assert not context.wants_pause
    deliver("another key", "pause")
    assert not context.wants_pause
    deliver("key", "pause")
    assert context.wants_pause
    context.check_cancelled()  # it may go on for as long as it likes
    assert context.epoch == 3


def test_a_run_that_is_forgotten_leaves_nothing_behind(run: Any) -> None:
    context = context_of(run)
    context.leave("something")
    deliver("another run", "forget")
    assert context.left == "something"
    deliver("run", "forget")
    assert context.left is None
    assert not context.wants_pause


def heard_of(client: Client, monkeypatch: pytest.MonkeyPatch, workers: list[str], answer: object) -> list[str]:
    """Kinds of the letters of a gang whose ranks return ``answer``, in their order."""
    heard: list[str] = []
    get = post.Inbox.get

    def noted(inbox: post.Inbox, timeout: float) -> dict[str, Any] | None:
        letter = get(inbox, timeout)
        if letter is not None and "rank" in letter:
            heard.append(f"{letter['kind']} {letter['rank']} of epoch {letter['epoch']}")
        return letter

    monkeypatch.setattr(post.Inbox, "get", noted)
    # A gang that is not put together again has nothing to leave off for.
    assert run_on_gang(client, lambda context: answer, members=[Member(workers[0])]) == [
        None if isinstance(answer, LeftOff) else answer
    ]
    return heard


def test_a_rank_that_leaves_off_says_so_before_its_task_ends(
    client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Read the other way around, the end of the last rank would be the end of the run.
    heard = heard_of(client, monkeypatch, workers, LeftOff())
    assert heard == ["started 0 of epoch 0", "left off 0 of epoch 0", "done 0 of epoch 0"]


def test_a_rank_that_is_through_does_not(client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard_of(client, monkeypatch, workers, 7) == ["started 0 of epoch 0", "done 0 of epoch 0"]


def test_workers_forget_what_ranks_have_left_when_the_run_ends(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> int:
        context.leave([1, 2, 3])
        return len(context.left)

    def remembered() -> int:
        from gbdist_cluster import legacy

        return len(legacy._left)

    assert run_on_gang(client, routine, members=[Member(address) for address in workers]) == [3, 3]
    # The word to forget has been sent over the same streams by now.
    while any(client.run(remembered).values()):
        pass
