"""The gang of one run on shards, on the client, whatever is trained: who hears of it, who left it, and when other workers pay.

What a run is gone on with comes here a moment after it was made. So a gang that has lost all its workers goes on too.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from distributed import Client

from gbdist.boosting.events import Happened
from gbdist.boosting.spans import SpansTaken
from gbdist.counted import one_of
from gbdist.errors import ClusterError
from gbdist.estimators.devices import cards_of
from gbdist.estimators.elastic import Pace, pays, speeds_of
from gbdist.estimators.keeper import DataCheck, DataLooked
from gbdist.estimators.listeners import Asks
from gbdist.estimators.needs import RunShape
from gbdist.estimators.placing import require_room_again, room_for
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.regroup import planned, regroup
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.stored import futures_of
from gbdist.estimators.profile import Profile
from gbdist.estimators.tempo import Tempo, TreesWorked
from gbdist.estimators.told import Hear, Told
from gbdist.snapshots.digest import DataDigest
from gbdist_cluster.errors import WorkersMissing
from gbdist_cluster.gang import Loss, Member, RankContext, run_on_gang
from gbdist_cluster.monitor.reporting import UNREPORTED, RunReport
from gbdist_cluster.versions import WorkerFacts, check_workers, usable_workers

#: Gangs in a row that may end without an iteration.
_FRUITLESS = 20
#: How long workers that come are waited for to be joined by others.
_SETTLE_SECONDS = 1.0
_LISTED_PARTS = 10


class Snapshots(Protocol):
    """The snapshots of a run, as far as its gang knows of them."""

    @property
    def path(self) -> str:
        """Where they are."""
        ...

    @property
    def data_check(self) -> DataCheck:
        """What the ranks are to compare their data with."""
        ...

    def begin(self, data: DataDigest) -> None:
        """The ranks have looked at their data."""
        ...


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run before its first gang.

    ``iterations`` is how many it may have, ``counted`` what they are, ``fruit`` the least that a gang must do to be of use,
    in words. ``timed`` is how many are timed at least before other workers can pay; ``replay`` says what doing one again on
    another gang takes, as a share of doing it. ``room`` is what the run takes beside its rows.
    """

    iterations: int
    counted: str
    fruit: str
    timed: int
    replay: float
    task_type: str
    devices: tuple[int, ...] | None
    room: RunShape


@dataclass(frozen=True, eq=False)
class Audience:
    """Who hears of a run: the user's listener, the files that its snapshots go to, the board, and a profile.

    ``asks``: whether the listener's answers count.
    """

    listener: Hear | None
    asks: Asks
    snapshots: Snapshots | None = None
    report: RunReport = UNREPORTED
    profile: Profile | None = None


class RunGang(ABC):
    """See ``gbdist_cluster.gang.Regrouping``."""

    def __init__(self, client: Client, sets: Sequence[QuantizedSet], facts: RunFacts, audience: Audience) -> None:
        self._client, self._facts, self._audience = client, facts, audience
        self._sets = list(sets)
        self._scope = FutureScope()
        self._told = Told(audience.listener, self.done)
        self._lost_full: list[tuple[int, int]] = []
        self._lost_words = ""
        self._fruitless, self._reached_before = 0, self.reached
        self._timed: tuple[float, int] | None = None
        self._newcomers: list[str] = []
        self._came = self._asked = 0.0
        self._tempo, self._levelled = Tempo(), 0
        self._workers: tuple[WorkerFacts, ...] = ()
        self._cards: dict[str, bool] = {}

    def run(self, routine: Callable[[RankContext], Any]) -> Any:
        """Have gangs do it, one after the other if workers leave or come; what rank 0 returns in the end.

        The listener runs in this thread. Raises what a rank raises, and ClusterError if the run cannot go on.
        """
        try:
            members, spec = self.first()
            regrouping = None if self._sets[0].stays else self
            results = run_on_gang(
                self._client, routine, members=members, shared=spec, listener=self.hear, regrouping=regrouping
            )
        except ClusterError as error:
            raise self.ended(error) from error.__cause__
        finally:
            self.close()
        return results[0]

    def close(self) -> None:
        """Let go of what was made for later gangs."""
        self._scope.drop(list(self._scope.held))

    # ---- what runs differ in

    @property
    @abstractmethod
    def reached(self) -> tuple[int, int]:
        """How far the run is, as far as is known here: iterations, and pieces of the next one."""

    @property
    def done(self) -> int:
        """How many iterations are known here."""
        return self.reached[0]

    @abstractmethod
    def _take(self, message: Any) -> bool:
        """Take a message of this kind of runs alone; False for one that is none, most likely an event."""

    @abstractmethod
    def _spec(self, speeds: Mapping[str, float] | None) -> tuple[list[Member], object]:
        """The members of the next gang with their shards, and what its ranks are told; the workers have these speeds, if any."""

    # ---- what ranks say

    def hear(self, message: Any) -> bool:
        """Take a message of a rank; True if the listener wants the run to stop."""
        match message:
            case TreesWorked():
                self._tempo.take(message)
            case SpansTaken():
                if self._audience.profile is not None:
                    self._audience.profile.take(message)
            case DataLooked():
                if self._audience.snapshots is not None:
                    self._audience.snapshots.begin(message.digest)
            case _:
                if not self._take(message):
                    return self._told.hear(message)
        return False

    def _heard_of_steps(self) -> None:
        """The ranks of this gang have done something: how long they take is measured from here on."""
        if self._timed is None:
            self._timed = (time.monotonic(), self.done)

    # ---- gangs

    def first(self) -> tuple[list[Member], object]:
        """The gang of the workers that hold the training set."""
        self._workers = check_workers(self._client)
        return self._told_gang(None)

    def gang(self, workers: Sequence[str]) -> tuple[list[Member], object]:
        """The next gang."""
        self._timed = None
        workers = self._with_cards(workers)
        self._look_for_room(workers)
        self._fruitless = self._fruitless + 1 if self.reached == self._reached_before else 0
        self._reached_before = self.reached
        if self._fruitless > _FRUITLESS:
            raise ClusterError(
                f"{_FRUITLESS} gangs in a row ended before they had {self._facts.fruit}",
                "Look for the cause in the workers' logs.",
            )
        speeds = self._speeds(workers)
        self._sets = regroup(self._client, self._sets, workers, self._scope, speeds)
        self._scope.drop_others(future for data in self._sets for future in futures_of(data.shards))
        told = self._told_gang(speeds)
        count, words = len(told[0]), f"{one_of(self._facts.counted)} {self.done}"
        self._note(Happened("regrouped", f"going on with {count} worker(s) from {words}", count))
        return told

    def _told_gang(self, speeds: Mapping[str, float] | None) -> tuple[list[Member], object]:
        self._tempo.begin(self._sets[0].rows_by_worker, [worker.address for worker in self._workers])
        return self._spec(speeds)

    def _note(self, event: Happened) -> None:
        """Tell the listener and the profile of something that happened."""
        self._told.hear(event)
        if self._audience.profile is not None:
            self._audience.profile.note(event.text)

    def _with_cards(self, workers: Sequence[str]) -> list[str]:
        """Those of the workers that have what the run was asked to use: a run on GPUs goes on where there are some."""
        task_type, devices = self._facts.task_type, self._facts.devices
        for address in workers if task_type == "GPU" else ():
            if address not in self._cards:
                try:
                    cards_of(self._client, [address], task_type, devices)
                except ClusterError:
                    self._cards[address] = False
                else:
                    self._cards[address] = True
        able = [address for address in workers if self._cards.get(address, True)]
        if not able:
            raise WorkersMissing(
                f"The run is on GPUs, and none of {', '.join(workers)} has one", "Add workers with GPUs."
            )
        return able

    def _look_for_room(self, workers: Sequence[str]) -> None:
        """WorkersMissing if the rows do not fit into these workers."""
        self._workers = usable_workers(self._client, _SETTLE_SECONDS)
        facts = [worker for worker in self._workers if worker.address in workers]
        if not facts:  # left since they were reserved, and others have come
            raise WorkersMissing(f"The run was to go on with {', '.join(workers)}, which left", "Add workers.")
        try:
            require_room_again(self._sets, self._facts.room, facts)
        except ClusterError as problem:
            raise WorkersMissing(*problem.args) from None

    # ---- when a run cannot go on, and when it would better go on otherwise

    def lost(self, losses: Sequence[Loss]) -> None:
        """Look at who left; raises what cannot be recovered from by beginning again."""
        members = self._sets[0].members
        for loss in losses:
            if loss.address not in members:
                continue
            self._note(Happened("lost", f"worker {loss.address} {_why(loss)}"))
            self._audience.report.note("lost", f"{loss.address} {_why(loss)}")
            stored = list(self._sets[0].shards[members.index(loss.address)])
            parts = sorted({part for one in stored for part in one.parts})
            self._lost_words = f"worker {loss.address}" + (
                f" with rows of partitions {_listed(parts)}" if parts else ""
            )
            if not loss.full:
                continue
            spans = [span for one in stored for span in one.spans]
            if any(first < end and start < last for first, last in spans for start, end in self._lost_full):
                raise ClusterError(
                    f"Workers ran out of memory twice with the same rows, the last time {self._lost_words}",
                    "Give workers more memory, or use more of them.",
                )
            self._lost_full += spans

    def ended(self, error: ClusterError) -> ClusterError:
        """What a run that cannot go on raises: also whom it lost last, how far it was, and where that is kept."""
        if not self._lost_words:
            return error
        problem, fix, *_ = error.args
        reached = f"{self.done} {self._facts.counted}"
        told = ClusterError(f"{problem}. The run had lost {self._lost_words} and had {reached}", f"{fix} {self._kept}")
        for note in getattr(error, "__notes__", ()):
            told.add_note(note)
        return told

    @property
    def _kept(self) -> str:
        """What is left of a run that cannot go on, and how it can be gone on with."""
        if self._audience.snapshots is None:
            return "With snapshot_file set, fit could go on from there."
        return f"Call fit again to go on from {self._audience.snapshots.path}."

    def pays(self, newcomers: Sequence[str]) -> bool:
        """Whether the run would end so much sooner, with workers that came or with fewer rows for slow ones, that it is worth
        putting the gang together anew."""
        now = time.monotonic()
        if list(newcomers) != self._newcomers:
            for address in sorted(set(newcomers) - set(self._newcomers)):
                self._audience.report.note("joined", address)
            self._newcomers, self._came = list(newcomers), now
        if now - max(self._came, self._asked) < _SETTLE_SECONDS or self._timed is None:
            return False
        since, done = self._timed
        if self.done - done < self._facts.timed:
            return False
        self._asked = now
        return self._gains(newcomers, (now - since) / (self.done - done))

    def _gains(self, newcomers: Sequence[str], seconds: float) -> bool:
        """The same, once it is known how long an iteration takes."""
        data = self._sets[0]
        workers = list(dict.fromkeys([*data.members, *newcomers]))
        speeds = self._speeds(workers)
        if speeds is None and not newcomers:
            return False  # all have their fair shares
        pace = Pace(
            done=self.done,
            left=self._facts.iterations - self.done,
            seconds=seconds,
            row_bytes=data.row.nbytes,
            replay=self._facts.replay,
            levelled=self._levelled,
        )
        rows, (then,) = data.rows_by_worker, planned([data], workers, speeds)
        levels = then.keys() <= rows.keys()
        if (levels and not self._tempo.heard_enough) or not pays(pace, rows, then, speeds):
            return False
        self._levelled += levels
        return True

    def _speeds(self, workers: Sequence[str]) -> dict[str, float] | None:
        """Speeds of workers; None where they are alike, or faster ones have no room for more rows."""
        speeds = speeds_of(self._tempo.speeds, workers)
        if speeds is None:
            return None
        rows = planned(self._sets, workers, speeds)
        return speeds if room_for(self._sets, rows, self._facts.room, self._workers) else None


def _why(loss: Loss) -> str:
    if loss.full:
        return "was killed, as its memory was full"
    return "stopped answering" if loss.silent else "left the cluster"


def _listed(parts: Sequence[int]) -> str:
    shown = ", ".join(str(part) for part in parts[:_LISTED_PARTS])
    return shown + (" and others" if len(parts) > _LISTED_PARTS else "")
