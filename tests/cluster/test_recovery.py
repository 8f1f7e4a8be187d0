"""What becomes of a gang, as a table: an epoch, what happens, what is to be done."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist_cluster.recovery import (
    Action,
    Epoch,
    Event,
    RankEnded,
    RankFailed,
    RankLeftOff,
    RankStarted,
    RegroupingPays,
    WaitedLong,
    WorkerLeaving,
    WorkerLost,
    decide,
    worst_suspect,
)

STARTED = [RankStarted(0), RankStarted(1)]
STOP, PAUSE, FINISH, REGROUP, FAIL = Action.STOP, Action.PAUSE, Action.FINISH, Action.REGROUP, Action.FAIL


def follow(events: Sequence[Event], *, regroups: bool = True, members: str = "ab") -> tuple[Epoch, list[list[Action]]]:
    epoch, told = Epoch(tuple(members), regroups), []
    for event in events:
        epoch, actions = decide(epoch, event)
        told.append(actions)
    return epoch, told


@pytest.mark.parametrize(
    ("events", "last_actions"),
    [
        pytest.param([*STARTED, RankEnded(0)], [], id="one rank is through"),
        pytest.param([*STARTED, RankEnded(0), RankEnded(1)], [FINISH], id="all ranks are through"),
        pytest.param([*STARTED, WorkerLost("b")], [STOP], id="a worker is lost"),
        pytest.param([*STARTED, WorkerLost("b"), RankEnded(0)], [REGROUP], id="and the survivor ends"),
        pytest.param([*STARTED, WorkerLost("b"), WorkerLost("a")], [REGROUP], id="and the survivor too"),
        pytest.param([*STARTED, WorkerLost("b"), WaitedLong()], [REGROUP], id="and the survivor does not end"),
        pytest.param([*STARTED, WaitedLong()], [], id="nobody waits for anything"),
        pytest.param([*STARTED, WorkerLost("c")], [], id="somebody else's worker is lost"),
        pytest.param([RankStarted(0), WorkerLost("b")], [STOP], id="a worker is lost before its rank has begun"),
        pytest.param([RankStarted(0), WorkerLost("b"), RankEnded(0)], [REGROUP], id="and the rank that had ends"),
        pytest.param([WorkerLost("b")], [STOP, REGROUP], id="a worker is lost before any rank has begun"),
        pytest.param([*STARTED, RankFailed(0, echo=True, culprit=1)], [STOP], id="a rank lost a peer"),
        pytest.param(
            [*STARTED, RankFailed(0, echo=True, culprit=1), RankEnded(0), WorkerLost("b")], [REGROUP], id="that is lost"
        ),
        pytest.param(
            [*STARTED, RankFailed(0, echo=True, culprit=1), RankEnded(0), RankEnded(1)], [REGROUP], id="that ended too"
        ),
        pytest.param([*STARTED, RankFailed(0, echo=False)], [STOP], id="a rank raised an error of its own"),
        pytest.param(
            [*STARTED, RankFailed(0, echo=False), RankEnded(0), RankEnded(1)], [FAIL], id="and all have ended"
        ),
        pytest.param(
            [*STARTED, WorkerLost("b"), RankFailed(0, echo=False), RankEnded(0)], [FAIL], id="though a worker was lost"
        ),
        pytest.param([*STARTED, WorkerLeaving("b")], [PAUSE], id="a worker is being retired"),
        pytest.param([*STARTED, WorkerLeaving("c")], [], id="somebody else's worker is being retired"),
        pytest.param([*STARTED, RegroupingPays()], [PAUSE], id="others would be quicker"),
        pytest.param([*STARTED, RegroupingPays(), WorkerLeaving("b")], [], id="a pause is asked for once"),
        pytest.param(
            [RankStarted(0), WorkerLeaving("b")], [STOP], id="a worker is being retired before its rank began"
        ),
        pytest.param([*STARTED, WorkerLost("b"), WorkerLeaving("a")], [], id="a worker is being retired after a loss"),
        pytest.param(
            [*STARTED, RegroupingPays(), RankLeftOff(0), RankLeftOff(1), RankEnded(0), RankEnded(1)],
            [REGROUP],
            id="all ranks have left off",
        ),
        pytest.param(
            [*STARTED, RegroupingPays(), RankEnded(0), RankEnded(1)], [FINISH], id="they were through before that"
        ),
        pytest.param(
            [*STARTED, WorkerLeaving("b"), RankLeftOff(1), WorkerLost("b")], [], id="a worker leaves after its rank did"
        ),
        pytest.param(
            [*STARTED, WorkerLeaving("b"), RankLeftOff(1), WorkerLost("b"), RankLeftOff(0), RankEnded(0)],
            [REGROUP],
            id="and the other rank leaves off",
        ),
        pytest.param([*STARTED, WorkerLeaving("b"), WorkerLost("b")], [STOP], id="a worker leaves before its rank did"),
    ],
)
def test_what_is_done(events: list[Event], last_actions: list[Action]) -> None:
    assert follow(events)[1][-1] == last_actions


@pytest.mark.parametrize(
    ("events", "last_actions"),
    [
        pytest.param([*STARTED, WorkerLost("b"), RankEnded(0)], [FAIL], id="a loss"),
        pytest.param([*STARTED, RankFailed(0, echo=True), RankEnded(0), RankEnded(1)], [FAIL], id="an echo"),
        pytest.param([*STARTED, WorkerLeaving("b")], [], id="a worker that is being retired"),
        pytest.param([*STARTED, RegroupingPays()], [], id="others would be quicker"),
        pytest.param([*STARTED, RankEnded(0), RankEnded(1)], [FINISH], id="all are through"),
    ],
)
def test_what_is_done_with_a_gang_that_cannot_be_put_together_again(
    events: list[Event], last_actions: list[Action]
) -> None:
    assert follow(events, regroups=False)[1][-1] == last_actions


@pytest.mark.parametrize(
    ("suspects", "lost", "expected"),
    [
        ([], "", None),
        ([(0, 1)], "", 1),
        ([(0, 1), (1, 0)], "", 1),
        ([(0, 2), (1, 2), (2, 0)], "", 2),
        ([(1, 0), (2, 0), (0, 2)], "", 0),
        ([(0, 1)], "b", None),
    ],
)
def test_who_has_to_go_when_all_workers_are_there(
    suspects: list[tuple[int, int]], lost: str, expected: int | None
) -> None:
    failures = [RankFailed(accuser, echo=True, culprit=culprit) for accuser, culprit in suspects]
    events = [*(RankStarted(rank) for rank in range(3)), *failures, *(WorkerLost(address) for address in lost)]
    assert worst_suspect(follow(events, members="abc")[0]) == expected


_RANKS = st.integers(0, 2)
_EVENTS = st.one_of(
    st.builds(RankStarted, _RANKS),
    st.builds(RankLeftOff, _RANKS),
    st.builds(RankFailed, _RANKS, st.booleans(), st.integers(-1, 2)),
    st.builds(RankEnded, _RANKS),
    st.builds(WorkerLost, st.sampled_from("abcd")),
    st.builds(WorkerLeaving, st.sampled_from("abcd")),
    st.just(RegroupingPays()),
)


@given(st.lists(_EVENTS, max_size=20), st.booleans())
def test_whatever_happens_an_epoch_ends_once(events: list[Event], regroups: bool) -> None:
    # In the end all ranks have begun, and have ended or lost their worker; ranks that never do are waited for, for a while.
    finally_ = [*(RankStarted(rank) for rank in range(3)), *(RankEnded(rank) for rank in range(3)), WaitedLong()]
    epoch, told = follow([*events, *finally_], regroups=regroups, members="abc")
    ways_out = [action for actions in told for action in actions if action in (FINISH, REGROUP, FAIL)]
    assert len(ways_out) == 1
    assert epoch.stage == "over"
    assert [action for actions in told for action in actions].count(STOP) <= 1
    assert (ways_out == [REGROUP]) <= regroups
