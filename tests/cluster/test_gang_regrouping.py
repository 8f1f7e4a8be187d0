"""Gangs that are put together again: what goes on, what waits, what ends the run. No worker is harmed here."""

import operator
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import dask.config
import pytest
from distributed import Client

from gbdist_cluster import attempt, gang, post
from gbdist_cluster.errors import ClusterError, ShardsGone, WorkersMissing
from gbdist_cluster.gang import LeftOff, Loss, Member, RankContext, run_on_gang
from gbdist_cluster.lease import lease
from gbdist_cluster.plugin import prepare
from gbdist_cluster.post import Inbox
from gbdist_cluster.shards import ShardHandle, keep

from .test_gang import assert_nothing_left

STEPS = 12
PAUSE_AT = 5
GONE = "tcp://127.0.0.1:9"


class Again:
    """Puts a gang together of all workers that it is given, and notes what it is asked."""

    def __init__(self) -> None:
        self.losses: list[list[Loss]] = []
        self.gangs: list[list[str]] = []
        self.newcomers: list[str] = []
        self.wants_pause = False

    def hear(self, step: int) -> None:
        """Listen to the ranks: it would pay to put the gang together anew when they have made some steps."""
        self.wants_pause = step == PAUSE_AT

    def lost(self, losses: Sequence[Loss]) -> None:
        self.losses.append(list(losses))

    def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
        self.gangs.append(list(workers))
        return [Member(address) for address in workers], f"gang {len(self.gangs)}"

    def pays(self, newcomers: Sequence[str]) -> bool:
        self.newcomers = list(newcomers)
        return self.wants_pause


def count(context: RankContext) -> LeftOff | tuple[object, list[int]]:
    """Make steps until there are enough, or the ranks leave off together; each step is the epoch that it was made in."""
    made: list[int] = context.left or []
    context.leave(made)
    while len(made) < STEPS:
        # In the first epoch they wait for the word after some steps.
        full = context.epoch == 0 and len(made) == PAUSE_AT
        if any(context.collective.all_gather(b"x" if context.wants_pause else b"")):
            return LeftOff()
        if not full:
            made.append(context.epoch)
            context.emit(len(made))
    return context.shared, made


def inbox() -> Inbox:
    """The inbox of the run that goes on."""
    ((run_id, letters),) = post._inboxes.items()
    made = Inbox(run_id)
    made._queue = letters
    return made


def run(
    client: Client, workers: Sequence[str], again: Again, routine: Callable[[RankContext], Any] = count
) -> list[Any]:
    members = [Member(address) for address in workers]
    return run_on_gang(client, routine, members=members, shared="gang 0", listener=again.hear, regrouping=again)


def test_a_gang_that_is_not_broken_is_asked_for_nothing(client: Client, workers: list[str]) -> None:
    again = Again()
    assert run(client, workers, again, lambda context: (context.rank, context.epoch)) == [(0, 0), (1, 0)]
    assert (again.losses, again.gangs) == ([], [])


def test_ranks_leave_off_when_it_pays_and_go_on_with_what_they_left(client: Client, workers: list[str]) -> None:
    again = Again()
    made = [0] * PAUSE_AT + [1] * (STEPS - PAUSE_AT)
    assert run(client, workers, again) == [("gang 1", made)] * 2
    assert again.gangs == [workers]
    assert again.losses == [[]]
    assert_nothing_left(client)


def test_a_worker_that_left_before_its_rank_was_sent_anything_is_done_without(
    client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scatter, asked = Client._scatter, []

    async def unknown_at_first(*args: Any, **how: Any) -> Any:
        asked.append(how["workers"])
        if len(asked) == 1:
            raise KeyError(workers[0])  # as Dask's scheduler does
        return await scatter(*args, **how)

    # Of the class: put back on the client itself, it would keep that alive.
    monkeypatch.setattr(Client, "_scatter", unknown_at_first)
    monkeypatch.setattr(attempt, "_INLINE_BYTES", 0)
    again = Again()
    assert run(client, workers, again, lambda context: (context.rank, context.epoch)) == [(0, 1), (1, 1)]
    assert len(asked) == 2
    assert_nothing_left(client)


class OnOne(Again):
    """The second gang has the second worker alone: its rank 1 becomes rank 0, and it has left something there."""

    def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
        return super().gang(workers)[0][1:], "one"


def test_the_next_gang_may_have_fewer_members(client: Client, workers: list[str]) -> None:
    assert run(client, workers, OnOne()) == [("one", [0] * PAUSE_AT + [1] * (STEPS - PAUSE_AT))]


def test_others_may_have_the_workers_that_a_gang_does_without(client: Client, workers: list[str]) -> None:
    with Client(client.scheduler.address, set_as_default=False) as other:
        prepare(other)
        found: list[list[tuple[int, int]]] = []

        class Listening(OnOne):
            def hear(self, step: int) -> None:
                super().hear(step)
                if step == STEPS:
                    routine = [Member(workers[0])]
                    found.append(run_on_gang(other, lambda context: (context.rank, context.size), members=routine))

        run(client, workers, Listening())
    assert found == [[(0, 1)]]


def test_letters_of_old_epochs_are_ignored(client: Client, workers: list[str]) -> None:
    class Slow(Again):
        """Letters of the first gang come while the second one begins."""

        def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
            letters = inbox()
            letters.put({"kind": "started", "rank": 1, "epoch": 0})
            letters.put({"kind": "left off", "rank": 0, "epoch": 0})
            letters.put({"kind": "done", "rank": 0, "epoch": 0})
            letters.put({"kind": "failed", "rank": 0, "epoch": 0})  # one that is read would miss its error
            letters.put({"kind": "message", "rank": 0, "epoch": 0})
            return super().gang(workers)

    again = Slow()
    assert run(client, workers, again) == [("gang 1", [0] * PAUSE_AT + [1] * (STEPS - PAUSE_AT))] * 2
    assert len(again.gangs) == 1


def test_workers_that_come_are_told_to_whoever_decides_what_pays(client: Client, workers: list[str]) -> None:
    seen: list[list[str]] = []

    class Waiting(OnOne):
        """Regroups when somebody has come."""

        def pays(self, newcomers: Sequence[str]) -> bool:
            if newcomers:
                seen.append(list(newcomers))
            return bool(newcomers)

        def hear(self, step: int) -> None:
            if step == PAUSE_AT:
                for address in (GONE, workers[0]):
                    inbox().put({"kind": "joined", "worker": address})

    again = Waiting()
    assert run(client, workers[1:], again) == [("one", [0] * PAUSE_AT + [1] * (STEPS - PAUSE_AT))]
    assert again.gangs == [workers]
    assert seen == [[workers[0]]]  # once, and not of the one that has left again


@pytest.mark.parametrize("asked", ["lost", "gang"])
@pytest.mark.parametrize("error", [ValueError("rows are gone"), ClusterError("No", "More."), KeyboardInterrupt()])
def test_what_cannot_be_recovered_from_ends_the_run(
    client: Client, workers: list[str], asked: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise error

    again = Again()
    monkeypatch.setattr(again, asked, refuse)
    with pytest.raises(type(error)) as caught:
        run(client, workers, again)
    assert caught.value is error
    assert_nothing_left(client)


def test_an_error_after_a_loss_is_taken_for_its_echo(client: Client, workers: list[str]) -> None:
    class Struck(Again):
        """A worker leaves while the gang is put together."""

        def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
            made = super().gang(workers)
            if len(self.gangs) == 1:
                inbox().put({"kind": "lost", "worker": GONE, "silent": False, "full": True})
                raise ShardsGone("They went with a worker", "Begin anew.")
            return made

    again = Struck()
    assert run(client, workers, again)[0][0] == "gang 2"
    assert again.losses == [[], [Loss(GONE, silent=False, full=True)]]


def test_a_gang_whose_workers_have_left_before_it_begins_is_put_together_anew(
    client: Client, workers: list[str]
) -> None:
    again = Again()
    assert (
        run(client, [workers[0], GONE], again, lambda context: (context.epoch, context.shared)) == [(0, "gang 1")] * 2
    )
    assert again.gangs == [workers]


def test_a_gang_whose_shards_are_gone_before_it_begins_is_put_together_anew(client: Client, workers: list[str]) -> None:
    def make() -> ShardHandle:
        return keep(memoryview(b"rows"))

    lost, made = (client.submit(make, workers=workers[:1], pure=False) for _ in range(2))
    client.cancel([lost])

    class Remade(Again):
        def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
            super().gang(workers)
            return [Member(workers[0], (made,))], None

    found = run_on_gang(
        client,
        lambda context: [bytes(shard) for shard in context.shards],
        members=[Member(workers[0], (lost,))],
        regrouping=Remade(),
    )
    assert found == [[b"rows"]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the run says to whoever reads its log."""
    words: list[str] = []
    monkeypatch.setattr(gang.logger, "warning", lambda text, *more: words.append(text % more if more else text))
    monkeypatch.setattr(gang, "_PAUSE_SECONDS", 0.01)
    return words


class Short(Again):
    """Needs more workers than there are, some times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
        made = super().gang(workers)
        if len(self.gangs) <= self._times:
            raise WorkersMissing("Two workers have no room for the rows", "Add workers.")
        return made


def test_a_gang_that_needs_more_workers_waits_for_them(client: Client, workers: list[str], said: list[str]) -> None:
    again = Short(3)
    assert run(client, workers, again)[0][0] == "gang 4"
    assert said == ["waiting for workers: Two workers have no room for the rows"] * 3


def test_a_gang_waits_for_workers_no_longer_than_it_is_told(
    client: Client, workers: list[str], said: list[str]
) -> None:
    again = Short(1_000_000)
    with dask.config.set({"gbdist.wait-for-replacement": "50ms"}), pytest.raises(WorkersMissing) as caught:
        run(client, workers, again)
    assert str(caught.value) == "Two workers have no room for the rows. Add workers."
    assert said
    assert len(again.gangs) == len(said) + 1
    assert_nothing_left(client)


def test_who_leaves_while_a_gang_waits_for_workers_is_told(client: Client, workers: list[str], said: list[str]) -> None:
    class Leaving(Short):
        def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
            if len(self.gangs) < self._times:
                inbox().put({"kind": "lost", "worker": f"tcp://{len(self.gangs)}:1", "silent": True, "full": False})
            return super().gang(workers)

    again = Leaving(2)
    run(client, workers, again)
    # Each once: a worker that was told of twice would have left twice.
    assert again.losses == [[], *([Loss(f"tcp://{number}:1", silent=True, full=False)] for number in range(2))]


def test_the_next_gang_gets_those_workers_that_others_do_not_hold(client: Client, workers: list[str]) -> None:
    again = Again()
    with Client(client.scheduler.address, set_as_default=False) as other:
        prepare(other)
        with lease(other, workers[1:], timeout=0.0):
            # The gang cannot begin on a worker that is gone, and holds nothing then.
            assert run(client, [GONE], again, lambda context: context.size) == [1]
    assert again.gangs == [workers[:1]]


def test_a_gang_without_any_worker_waits_for_those_that_others_hold(
    client: Client, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Again()
    with Client(client.scheduler.address, set_as_default=False) as other, ExitStack() as held:
        prepare(other)
        held.enter_context(lease(other, workers, timeout=0.0, label="the other run"))
        said: list[str] = []

        def let_go(text: str) -> None:
            said.append(text)
            held.close()

        monkeypatch.setattr(gang.logger, "warning", let_go)
        assert run(client, [GONE], again, lambda context: context.size) == [2, 2]
    assert said == [f"waiting for workers: the other run has {', '.join(workers)}"]
    assert again.gangs == [workers]


def test_an_error_of_a_rank_is_not_recovered_from(client: Client, workers: list[str]) -> None:
    again = Again()
    with pytest.raises(ZeroDivisionError):
        run(client, workers, again, lambda context: operator.floordiv(1, context.rank))
    assert again.gangs == []
    assert_nothing_left(client)
