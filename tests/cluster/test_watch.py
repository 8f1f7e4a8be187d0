"""The scheduler's eye on workers at work, on a scheduler and a clock that are made up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from distributed.core import Status

from gbdist_cluster import watch as watch_module
from gbdist_cluster.lease_table import Lease
from gbdist_cluster.watch import PATIENCE_SECONDS, RANK_PREFIX, SILENCE_SECONDS, Watch

TICK = 0.5
A, B = "tcp://10.0.0.1:1", "tcp://10.0.0.2:1"
NANNY = "tcp://10.0.0.1:2"


@dataclass
class Worker:
    """What the scheduler knows of a worker."""

    last_seen: float = 0.0
    status: Status = Status.running
    nanny: str | None = None
    processing: list[Any] = field(default_factory=list)


class Scene:
    """A scheduler with workers and leases, its watch, and time that passes when it is told to."""

    def __init__(self) -> None:
        self.workers = {A: Worker(), B: Worker()}
        self.connection_args: dict[str, Any] = {}
        self.leases: list[Lease] = []
        self.letters: list[tuple[str, dict[str, Any]]] = []
        self.removed: list[tuple[str, bool]] = []
        self.killed: list[tuple[str, dict[str, Any]]] = []
        self.now = 100.0

    def look(self) -> None:
        """Begin to watch."""
        self.watch = Watch(self, lambda: self.leases)

    # ---- what Dask's scheduler has

    def log_event(self, topic: str, letters: list[dict[str, Any]]) -> None:
        self.letters += [(topic, letter) for letter in letters]

    async def remove_worker(self, address: str, *, stimulus_id: str, close: bool) -> None:
        self.removed.append((address, close))
        del self.workers[address]
        self.watch.left(address, [lease for lease in self.leases if address in lease.workers])

    # ---- what happens

    def hold(self, *workers: str, run: str = "run", client: str = "client", ranks: bool = True) -> None:
        self.leases.append(Lease(run, client, frozenset(workers), "somebody"))
        if ranks:
            for rank, address in enumerate(workers):
                self.workers[address].processing.append(SimpleNamespace(key=f"{RANK_PREFIX}{run}-0-{rank}"))

    def beat(self, *workers: str) -> None:
        for address in workers:
            self.workers[address].last_seen = self.now

    def passes(self, seconds: float, *, beats: tuple[str, ...] = (), step: float = TICK) -> None:
        """Let time pass in steps of the watch; some workers beat in each."""

        async def tick() -> None:
            for _ in range(round(seconds / step)):
                self.now += step
                self.beat(*beats)
                await self.watch.tick()
            await asyncio.gather(*self.watch._kills)

        asyncio.run(tick())

    @property
    def told(self) -> list[dict[str, Any]]:
        """All letters, without their topics."""
        return [letter for _, letter in self.letters]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene()

    class Caller:
        """Stands for the connection to a nanny."""

        def __init__(self, address: str, connection_args: dict[str, Any]) -> None:
            assert connection_args is made.connection_args
            self._address = address

        async def __aenter__(self) -> "Caller":
            return self

        async def __aexit__(self, *exc: object) -> None:
            pass

        async def kill(self, **fields: Any) -> None:
            made.killed.append((self._address, fields))

    monkeypatch.setattr(watch_module, "time", SimpleNamespace(monotonic=lambda: made.now, time=lambda: made.now))
    monkeypatch.setattr(watch_module, "rpc", Caller)
    made.look()
    return made


def test_worker_of_a_run_that_goes_silent_is_taken_out_and_the_others_are_not(scene: Scene) -> None:
    scene.hold(A, B)
    scene.passes(SILENCE_SECONDS, beats=(B,))
    assert scene.removed == []
    scene.passes(TICK, beats=(B,))
    assert [address for address, _ in scene.removed] == [A]
    scene.passes(2 * SILENCE_SECONDS, beats=(B,))
    assert [address for address, _ in scene.removed] == [A]


def test_a_beat_ends_a_silence(scene: Scene) -> None:
    scene.hold(A)
    for _ in range(3):
        scene.passes(SILENCE_SECONDS)
        scene.beat(A)
        scene.passes(TICK)
    assert scene.removed == []


def test_a_worker_of_a_run_may_be_silent_longer_while_no_rank_runs_there(scene: Scene) -> None:
    # It makes lost rows again, say, with code of the user's.
    scene.hold(A, ranks=False)
    scene.workers[A].processing = [SimpleNamespace(key=("gbdist-quantize", 1)), SimpleNamespace(key="my-gbdist-rank-1")]
    scene.passes(PATIENCE_SECONDS)
    assert scene.removed == []
    scene.passes(TICK)
    assert [address for address, _ in scene.removed] == [A]


def test_workers_that_nobody_uses_are_not_watched(scene: Scene) -> None:
    scene.hold(A)
    scene.passes(2 * PATIENCE_SECONDS, beats=(A,))
    assert scene.removed == []


def test_all_workers_are_watched_more_patiently_while_something_is_attended(scene: Scene) -> None:
    scene.hold(A)
    scene.watch.attend("preparation", "client", begins=True)
    scene.passes(PATIENCE_SECONDS, beats=(A,))
    assert scene.removed == []
    scene.passes(TICK, beats=(A,))
    assert [address for address, _ in scene.removed] == [B]
    scene.passes(SILENCE_SECONDS + TICK)  # a rank runs there
    assert [address for address, _ in scene.removed] == [B, A]


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda watch: watch.attend("one", "client", begins=False), id="its end"),
        pytest.param(lambda watch: watch.remove_client("client"), id="its client's end"),
    ],
)
def test_the_end_of_what_is_attended_ends_the_watch(scene: Scene, end: Callable[[Watch], None]) -> None:
    scene.watch.attend("one", "client", begins=True)
    scene.passes(PATIENCE_SECONDS - 10)
    end(scene.watch)
    scene.passes(2 * PATIENCE_SECONDS)
    assert scene.removed == []
    scene.watch.attend("another", "client", begins=True)  # nobody looked in between, so nothing is known of a silence
    scene.passes(PATIENCE_SECONDS)
    assert scene.removed == []
    scene.passes(TICK)
    assert len(scene.removed) == 2


def test_another_client_attends_on(scene: Scene) -> None:
    scene.watch.attend("one", "client", begins=True)
    scene.watch.attend("two", "other client", begins=True)
    scene.watch.remove_client("client")
    scene.watch.attend("one", "client", begins=False)  # once more, by a client that was slow
    scene.passes(PATIENCE_SECONDS + TICK)
    assert len(scene.removed) == 2


def test_a_loop_that_stood_still_blames_nobody(scene: Scene) -> None:
    scene.hold(A, B)
    scene.passes(600, step=600)
    assert scene.removed == []
    scene.passes(SILENCE_SECONDS - 2 * TICK)  # the step that took so long counts as two
    assert scene.removed == []
    scene.passes(TICK)
    assert len(scene.removed) == 2


def test_workers_of_a_large_cluster_beat_more_seldom(scene: Scene) -> None:
    scene.workers |= {f"tcp://10.1.0.1:{port}": Worker() for port in range(998)}  # they beat every 6 s, by Dask's rule
    scene.hold(A)
    scene.passes(30)
    assert scene.removed == []
    scene.passes(TICK)
    assert [address for address, _ in scene.removed] == [A]


def test_that_a_worker_is_being_retired_is_told_once_to_each_of_its_runs(scene: Scene) -> None:
    scene.hold(A, B, run="one")
    scene.hold(B, run="two", client="other")
    scene.hold(A, run="three")
    scene.passes(1, beats=(A, B))
    assert scene.letters == []
    scene.workers[B].status = Status.closing_gracefully
    scene.passes(3, beats=(A, B))
    assert scene.letters == [
        ("gbdist-client", {"run": "one", "kind": "leaving", "worker": B}),
        ("gbdist-other", {"run": "two", "kind": "leaving", "worker": B}),
    ]


def test_that_a_worker_has_come_is_told_to_all_runs(scene: Scene) -> None:
    scene.hold(A, run="one")
    scene.hold(B, run="two")
    scene.watch.joined("tcp://10.0.0.3:1")
    assert scene.told == [
        {"run": "one", "kind": "joined", "worker": "tcp://10.0.0.3:1"},
        {"run": "two", "kind": "joined", "worker": "tcp://10.0.0.3:1"},
    ]


def test_that_a_worker_has_left_is_told_with_what_is_known_of_the_reason(scene: Scene) -> None:
    scene.hold(A, B)
    (lease,) = scene.leases
    scene.watch.is_full(A)
    for _ in range(2):  # the second time it is another worker, at the same address
        scene.watch.left(A, [lease])
    scene.watch.left(B, [])
    scene.passes(SILENCE_SECONDS + TICK, beats=(A,))
    scene.watch.left(B, [lease])
    assert scene.told == [
        {"run": "run", "kind": "lost", "worker": A, "silent": False, "full": True},
        {"run": "run", "kind": "lost", "worker": A, "silent": False, "full": False},
        {"run": "run", "kind": "lost", "worker": B, "silent": True, "full": False},
        {"run": "run", "kind": "lost", "worker": B, "silent": False, "full": False},
    ]


def test_a_worker_with_a_nanny_is_killed_by_it_and_one_without_is_told_to_close(scene: Scene) -> None:
    scene.workers[A].nanny = NANNY
    scene.hold(A, B)
    scene.passes(SILENCE_SECONDS + TICK)
    assert sorted(scene.removed) == [(A, False), (B, True)]
    assert scene.killed == [(NANNY, {"reason": "gbdist-silent", "timeout": 2.0})]


def test_a_worker_that_is_gone_already_is_not_removed_again(scene: Scene) -> None:
    asyncio.run(scene.watch.remove(["tcp://10.0.0.9:1"]))
    assert (scene.removed, scene.killed) == ([], [])


def test_a_nanny_that_does_not_answer_is_no_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("cut off")

    monkeypatch.setattr(watch_module, "rpc", refuse)
    scene.workers[A].nanny = NANNY
    scene.hold(A)
    scene.passes(SILENCE_SECONDS + TICK)
    assert scene.removed == [(A, False)]


def test_watching_does_not_grow_with_workers_that_come_and_go(scene: Scene) -> None:
    scene.watch.attend("one", "client", begins=True)
    for port in range(50):
        address = f"tcp://10.0.0.3:{port}"
        scene.workers[address] = Worker(status=Status.closing_gracefully)
        scene.leases = [Lease("run", "client", frozenset([address]), "somebody")]
        scene.passes(TICK, beats=(A, B, address))
        del scene.workers[address]
        scene.watch.left(address, scene.leases)
    scene.leases = []
    scene.passes(TICK, beats=(A, B))
    assert set(scene.watch._silent) == {A, B}
    assert (scene.watch._told, scene.watch._removed, scene.watch._full) == (set(), set(), set())
