"""What the client's side of a gang remembers: which rows were lost, and what to say in the end."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gbdist.boosting.events import Event, Happened, IterationDone
from gbdist.boosting.params import BoostParams
from gbdist.errors import ClusterError
from gbdist.estimators import run_gang
from gbdist.estimators.keeper import DataLooked, StepsGrown
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.parameters.resolve_rounds import ResolvedRounds
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.stored import Stored
from gbdist.estimators.profile import Profile
from gbdist.estimators.setup import Setup
from gbdist.estimators.tempo import TreesWorked
from gbdist.estimators.training_gang import GangOrder, TrainingGang
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist_cluster.errors import WorkersMissing
from gbdist_cluster.gang import Loss, Member
from gbdist_cluster.versions import WorkerFacts

from .test_keeper import RECORDS, step

A, B, C = "tcp://10.0.0.1:1", "tcp://10.0.0.2:1", "tcp://10.0.0.3:1"


def grown(number: int) -> IterationDone:
    return IterationDone(number, {}, -1, 0.0)


def stored(*spans: tuple[int, int], parts: tuple[int, ...] = ()) -> Stored:
    future: Any = SimpleNamespace(status="finished", release=lambda: None)
    return Stored(future, spans, parts)


RESOLVED = Resolved(
    params=BoostParams(make_objective("RMSE", 1), make_metrics("RMSE", 1, "RMSE")),
    options={},
    class_weights=None,
    all_threads=False,
    task_type="CPU",
    devices=None,
)
FULL = [Loss(A, silent=False, full=True)]


def set_on(members: dict[str, Sequence[Stored]]) -> QuantizedSet:
    survey: Any = SimpleNamespace(n_rows=sum(one.n_rows for of_rank in members.values() for one in of_rank))
    return QuantizedSet(tuple(members), tuple(map(tuple, members.values())), (), survey, 0)


THREE = {
    A: [stored((0, 1_000), parts=(0, 1)), stored((3_000, 3_500), parts=(3,))],
    B: [stored((1_000, 2_000), (3_500, 4_000), parts=(1, 3))],
    C: [stored((2_000, 3_000), parts=(2,))],
}


def gang_on(members: dict[str, Sequence[Stored]] = THREE, **order: Any) -> TrainingGang:
    given = {"listener": None, "asks": False, "pairs": (), **order}
    client: Any = None
    return TrainingGang(client, [set_on(members)], GangOrder(Setup(RESOLVED, None, (None,)), **given))


def move(gang: TrainingGang, members: dict[str, Sequence[Stored]]) -> None:
    """What putting the gang together again does to its training set."""
    gang._sets = [set_on(members)]


class Kept:
    """A checkpoint, as far as it is asked here."""

    path = "/snapshots/run"

    def __init__(self, trees: int = 0) -> None:
        self.steps = [step(number) for number in range(trees)]
        self.taken: list[bytes] = []
        self.digests: list[Any] = []

    def take(self, record: bytes) -> None:
        self.taken.append(record)

    def begin(self, digest: object) -> None:
        self.digests.append(digest)


def test_rounds_of_models_have_no_such_gang() -> None:
    rounds = ResolvedRounds.__new__(ResolvedRounds)
    client: Any = None
    with pytest.raises(TypeError, match="histograms were not asked for"):
        TrainingGang(client, [set_on(THREE)], GangOrder(Setup(rounds, None, ()), None, False, ()))


def test_messages_of_ranks_go_where_they_belong() -> None:
    heard: list[Event] = []
    kept = Kept(trees=1)
    digest: Any = object()

    def listen(event: Event) -> bool:
        heard.append(event)
        return event == grown(1)

    gang = gang_on(listener=listen, checkpoint=kept)
    assert gang.done == 1
    assert gang.hear(DataLooked(digest)) is False
    assert gang.hear(StepsGrown(1, tuple(RECORDS[1:3]))) is False
    assert gang.hear(grown(1)) is True
    assert (gang.done, kept.taken, heard) == (3, RECORDS[1:3], [grown(1)])
    assert [one is digest for one in kept.digests] == [True]


def test_looks_at_data_are_nobodys_business_without_a_checkpoint() -> None:
    digest: Any = None
    gang = gang_on()
    assert gang.hear(DataLooked(digest)) is False
    assert gang.done == 0


def test_the_listener_and_the_profile_hear_who_was_lost(tmp_path: Path) -> None:
    heard: list[Event] = []
    profile = Profile(tmp_path, "fit")
    gang = gang_on(listener=heard.append, profile=profile)
    gang.lost([Loss(A, silent=True, full=False), Loss("tcp://10.0.0.9:1", silent=False, full=False)])
    gang.lost([Loss(B, silent=False, full=False), *[Loss(C, silent=False, full=True)]])
    words = [
        f"worker {A} stopped answering",
        f"worker {B} left the cluster",
        f"worker {C} was killed, as its memory was full",
    ]
    assert heard == [Happened("lost", text) for text in words]
    profile.write()
    found = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert [one["name"] for one in found if one["ph"] == "i"] == words


def test_a_worker_may_run_out_of_memory_once() -> None:
    gang = gang_on()
    gang.lost(FULL)
    gang.lost([Loss(B, silent=False, full=True), Loss(C, silent=False, full=True)])  # with other rows


def test_a_worker_that_runs_out_of_memory_with_the_same_rows_ends_the_run() -> None:
    gang = gang_on()
    gang.lost(FULL)
    rows = stored((3_499, 3_500), (9_000, 9_100), parts=(3, 9))
    move(gang, {B: [stored((0, 900), parts=(0,))], C: [rows]})
    gang.lost([Loss(B, silent=False, full=False)])  # it left for another reason
    with pytest.raises(ClusterError) as caught:
        gang.lost([Loss(C, silent=True, full=True)])
    assert str(caught.value) == (
        f"Workers ran out of memory twice with the same rows, the last time worker {C} with rows of partitions 3, 9. "
        "Give workers more memory, or use more of them."
    )


def test_rows_that_were_lost_long_ago_are_remembered() -> None:
    gang = gang_on()
    gang.lost([*FULL, Loss(B, silent=False, full=True)])
    move(gang, {C: [stored((3_200, 3_300), parts=(3,))]})
    with pytest.raises(ClusterError, match="twice with the same rows"):
        gang.lost([Loss(C, silent=False, full=True)])


def test_rows_beside_those_that_were_lost_are_others() -> None:
    # The second worker's rows lie before, between and behind the first one's.
    gang = gang_on({A: [stored((100, 200), (300, 400))], B: [stored((0, 100), (200, 300), (400, 500))]})
    gang.lost(FULL)
    gang.lost([Loss(B, silent=False, full=True)])


def test_workers_of_others_are_none_of_ours() -> None:
    gang = gang_on()
    gang.lost([Loss("tcp://10.9.9.9:1", silent=True, full=True)] * 2)
    error = ClusterError("The cluster has no workers", "Start some.")
    assert gang.ended(error) is error


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((), f"worker {A}"),
        ((4,), f"worker {A} with rows of partitions 4"),
        (tuple(range(11, 0, -1)), f"worker {A} with rows of partitions 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and others"),
    ],
)
@pytest.mark.parametrize("trees", [0, 2])
def test_what_a_run_that_cannot_go_on_says(parts: tuple[int, ...], words: str, trees: int) -> None:
    gang = gang_on({A: [stored((0, 10), parts=parts)], B: [stored((10, 20))]})
    gang.hear(StepsGrown(0, tuple(RECORDS[:trees])))
    gang.lost([Loss(B, silent=True, full=False)])
    gang.lost([Loss(A, silent=True, full=False)])  # the last one is named
    error = gang.ended(ClusterError("The cluster has no workers", "Start some."))
    assert type(error) is ClusterError
    assert str(error) == (
        f"The cluster has no workers. The run had lost {words} and had {trees} trees. Start some. With snapshot_file set, fit "
        "could go on from there."
    )


def test_a_run_with_a_checkpoint_says_where_its_trees_are() -> None:
    gang = gang_on(checkpoint=Kept(trees=2))
    gang.lost([Loss(C, silent=True, full=False)])
    assert str(gang.ended(WorkersMissing("No room", "Add workers."))) == (
        f"No room. The run had lost worker {C} with rows of partitions 2 and had 2 trees. Add workers. Call fit again to go on "
        "from /snapshots/run."
    )


@pytest.fixture
def put_together(monkeypatch: pytest.MonkeyPatch) -> Callable[[TrainingGang], list[Member]]:
    """Put a gang together again on all its workers, as far as it needs no cluster for that."""

    def nothing_told(gang: TrainingGang, speeds: object) -> tuple[list[Member], None]:
        return [Member(address) for address in gang._sets[0].members], None

    facts = [WorkerFacts(address, 1, 1 << 30, address) for address in (A, B, C)]
    monkeypatch.setattr(run_gang, "usable_workers", lambda client, seconds: facts)
    monkeypatch.setattr(run_gang, "require_room_again", lambda sets, resolved, workers: None)
    monkeypatch.setattr(run_gang, "regroup", lambda client, sets, workers, scope, speeds: sets)
    monkeypatch.setattr(TrainingGang, "_spec", nothing_told)
    return lambda gang: gang.gang([A, B, C])[0]


def test_gangs_that_grow_nothing_end_the_run(put_together: Callable[[TrainingGang], list[Member]]) -> None:
    gang = gang_on()
    for _ in range(19):
        put_together(gang)
    gang.hear(StepsGrown(0, (RECORDS[0],)))  # one that did
    for _ in range(21):
        assert [member.address for member in put_together(gang)] == [A, B, C]
    with pytest.raises(ClusterError) as caught:
        put_together(gang)
    assert str(caught.value) == (
        "20 gangs in a row ended before they had grown a tree. Look for the cause in the workers' logs."
    )


def test_workers_that_left_since_they_were_reserved(put_together: Callable[[TrainingGang], list[Member]]) -> None:
    with pytest.raises(WorkersMissing) as caught:
        gang_on().gang(["tcp://10.9.9.9:1", "tcp://10.9.9.9:2"])
    assert str(caught.value) == (
        "The run was to go on with tcp://10.9.9.9:1, tcp://10.9.9.9:2, which left. Add workers."
    )


def test_rows_that_do_not_fit_need_more_workers(
    put_together: Callable[[TrainingGang], list[Member]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def refuse(sets: object, resolved: object, workers: Sequence[WorkerFacts]) -> None:
        asked.append([worker.address for worker in workers])
        raise ClusterError("They do not fit", "Add workers.")

    monkeypatch.setattr(run_gang, "require_room_again", refuse)
    with pytest.raises(WorkersMissing) as caught:
        gang_on().gang([B, C])  # there is another worker, but somebody else holds it
    assert str(caught.value) == "They do not fit. Add workers."
    assert asked == [[B, C]]


# ---- slow workers

LARGE = {A: [stored((0, 100_000))], B: [stored((100_000, 200_000))]}


class Run:
    """A gang of two whose second worker takes three times as long for a tree; and which rows room was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: bool = True) -> None:
        self.now = 1_000.0
        self.asked: list[dict[str, int]] = []
        self.gang = gang_on(LARGE)
        facts: Any = SimpleNamespace(n_rows=200_000, hashed=(), weight=None, targets=(), names=(), folded=False)
        self.gang._sets = [replace(self.gang._sets[0], survey=facts)]
        self.gang._tempo.begin(self.gang._sets[0].rows_by_worker, [A, B])
        monkeypatch.setattr(run_gang.time, "monotonic", lambda: self.now)

        def room_for(sets: object, rows: list[dict[str, int]], *others: object) -> bool:
            self.asked += rows
            return room

        monkeypatch.setattr(run_gang, "room_for", room_for)

    def grow(self, trees: int, seconds: Sequence[float] = (1.0, 3.0)) -> None:
        """Grow trees; with each of them comes a message of each rank, of two trees that it worked for."""
        for _ in range(trees):
            self.gang.hear(StepsGrown(self.gang.done, (RECORDS[0],)))
            self.now += 3.0
            for rank, each in enumerate(seconds):
                self.gang.hear(TreesWorked(rank, 2, each))


def test_a_slow_worker_pays_once_it_was_slow_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    run.grow(4)
    assert not run.gang.pays([])
    run.grow(1)
    assert run.gang.pays([])
    assert [{address: round(rows, -2) for address, rows in each.items()} for each in run.asked] == [
        {A: 150_000, B: 50_000}
    ]


def test_workers_that_are_alike_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    run.grow(9, seconds=(1.0, 1.3))
    assert not run.gang.pays([])


def test_rows_stay_where_the_faster_worker_has_no_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch, room=False)
    run.grow(9)
    assert not run.gang.pays([])
    assert run.asked


def test_shares_must_promise_twice_as_much_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(monkeypatch)
    run.grow(9)
    levelled = 0
    while run.gang.pays([]):  # as if nothing had come of it
        levelled += 1
        run.now += 1.0
    # Some 990 trees that are 0.75 s shorter save 740 s; the first time they must save twice some 6 s.
    assert levelled == 6


# ---- what the board hears


class Heard:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def note(self, what: str, text: str) -> None:
        self.notes.append((what, text))


def test_losses_and_newcomers_are_told_to_the_board_once() -> None:
    report: Any = Heard()
    gang = gang_on(report=report)
    gang.lost([Loss(A, silent=False, full=True), Loss(B, silent=True, full=False), Loss("tcp://other:1", False, False)])
    gang.lost([Loss(C, silent=False, full=False)])
    assert not any(gang.pays(newcomers) for newcomers in (["d"], ["d"], ["d", "e"]))
    assert report.notes == [
        ("lost", f"{A} was killed, as its memory was full"),
        ("lost", f"{B} stopped answering"),
        ("lost", f"{C} left the cluster"),
        ("joined", "d"),
        ("joined", "e"),
    ]
