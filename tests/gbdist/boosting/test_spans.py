"""Time by stage adds up, spans lie in each other, and nobody pays who does not look."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.control import FREE, Free
from gbdist.boosting.loop import boost
from gbdist.boosting.spans import NETWORK, OTHER, WAITING, SpanLog, SpansTaken, SpanSums, WatchedCollective
from gbdist.boosting.watch import UNWATCHED, Stage
from gbdist_cluster.collective.channel import Traffic
from gbdist_cluster.collective.threads import run_threads

from .conftest import MakeTable
from .test_replay import params_of
from .test_replay_categorical import prepared


class Clock:
    """A clock that is told how time goes."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def on(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Hears:
    """A watch that writes down which stage lies in which."""

    paths: set[tuple[str, ...]] = field(default_factory=set)
    numbers: list[tuple[str, int]] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)

    def stage(self, name: str, number: int = -1) -> Stage:
        self.numbers.append((name, number))
        self._next = name
        return self

    def __enter__(self) -> None:
        self.inside.append(self._next)
        self.paths.add(tuple(self.inside))

    def __exit__(self, *_: object) -> None:
        self.inside.pop()


def spans_in(told: Sequence[SpansTaken]) -> list[tuple[str, int, int, int]]:
    """Name, number, start and end of each span in milliseconds since the clock began."""
    found = []
    for each in told:
        for name, start, end, number, _ in each.records().tolist():
            found.append((each.names[name], number, round(start / 1e6) - 100_000, round(end / 1e6) - 100_000))
    return found


def test_each_moment_belongs_to_the_innermost_stage() -> None:
    clock = Clock()
    sums = SpanSums(clock)
    clock.on(1)
    with sums.stage("tree", 0):
        clock.on(2)
        with sums.stage("leaves"):
            clock.on(4)
            with sums.stage("rows"):
                clock.on(8)
            clock.on(16)
        clock.on(32)
    assert sums.seconds == {OTHER: 1 + 2 + 32, "leaves": 4 + 16, "rows": 8}


def test_a_stage_that_fails_ends() -> None:
    clock = Clock()
    sums = SpanSums(clock)

    def fail() -> None:
        with sums.stage("tree"), sums.stage("leaves"):
            clock.on(1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with sums.stage("rows"):
        clock.on(2)
    assert sums.seconds == {OTHER: 0, "leaves": 1, "rows": 2}


def test_a_call_is_waiting_and_network_and_no_part_of_its_stage() -> None:
    clock, traffic = Clock(), Traffic()
    sums = SpanSums(clock)
    with sums.stage("leaves"):
        clock.on(1)
        with sums.call("all_reduce", traffic):
            clock.on(2)
            traffic.bytes_sent += 40
            traffic.waited(clock.now, clock.now + 4)
            clock.on(5)
        clock.on(8)
    assert sums.seconds == {OTHER: 0, "leaves": 9, WAITING: 4, NETWORK: 3}
    assert sums.bytes_sent == 40
    assert traffic.waits is None  # single waits are kept only for who asks for them


def test_a_log_tells_of_spans_between_trees() -> None:
    clock, told, traffic = Clock(), list[SpansTaken](), Traffic()
    log = SpanLog(3, told.append, 5.0, 1_000, clock)
    with log.stage("tree", 7):
        clock.on(1.5)
        with log.stage("level", 2), log.call("all_gather", traffic):
            traffic.bytes_sent += 12
            traffic.waited(clock.now, clock.now + 0.25)
            clock.on(0.5)
        assert told == []
        clock.on(1)
    (first,) = told
    assert (first.rank, first.offset, first.bytes_sent, first.cut) == (3, 5.0, 12, False)
    assert first.seconds == {OTHER: 2.5, WAITING: 0.25, NETWORK: 0.25}
    assert spans_in(told) == [
        ("waiting", -1, 1500, 1750),
        ("all_gather", -1, 1500, 2000),
        ("level", 2, 1500, 2000),
        ("tree", 7, 0, 3000),
    ]
    assert first.records()["bytes"].tolist() == [0, 12, 0, 0]
    with log.stage("tree", 8):
        clock.on(0.5)
    assert len(told) == 1  # two seconds have not gone
    log.flush()
    assert spans_in(told)[4:] == [("tree", 8, 3000, 3500)]


def test_a_log_that_is_full_keeps_whole_trees_and_all_sums() -> None:
    clock, told = Clock(), list[SpansTaken]()
    log = SpanLog(0, told.append, 0.0, 4, clock)
    for number in range(4):
        with log.stage("tree", number):
            with log.stage("leaves"):
                clock.on(1)
            clock.on(1)
    log.flush()
    names = [(name, number) for name, number, _, _ in spans_in(told)]
    assert names == [("leaves", -1), ("tree", 0), ("leaves", -1), ("tree", 1), ("tree", 2), ("tree", 3)]
    assert told[-1].cut
    assert told[-1].seconds == {OTHER: 4, "leaves": 4}


def test_spans_are_told_of_before_there_are_too_many() -> None:
    clock, told = Clock(), list[SpansTaken]()
    log = SpanLog(0, told.append, 0.0, 1_000_000, clock)
    for number in range(5_000):
        with log.stage("tree", number):
            pass
    assert [len(each.records()) for each in told] == [1, 4096]


def test_a_collective_that_is_watched_answers_the_same() -> None:
    def work(collective: Any) -> tuple[list[Any], float, int, int]:
        clock_sums = SpanSums()
        watched = WatchedCollective(collective, clock_sums)
        rank, size = watched.rank, watched.size
        mine = np.arange(6) + rank
        answers = [
            watched.all_reduce(mine).tolist(),
            watched.reduce_scatter(mine, [0, 2, 4, 6]).tolist(),
            watched.all_gather(bytes([rank])),
            watched.sum_floats(mine / 4).tolist(),
            watched.all_to_all([bytes([rank, to]) for to in range(size)]),
        ]
        watched.send((rank + 1) % size, bytes([rank]))
        assert watched.receive((rank - 1) % size) == bytes([(rank - 1) % size])
        watched.send((rank + 1) % size, b"more")
        while (more := watched.receive_now((rank - 1) % size)) is None:
            pass
        assert more == b"more"
        if rank < 2:
            answers.append(watched.subset([0, 1]).all_reduce(mine).tolist())
        seconds = clock_sums.seconds
        return answers, seconds[WAITING] + seconds[NETWORK], clock_sums.bytes_sent, collective.traffic.bytes_sent

    for rank, (answers, seconds, counted, sent) in enumerate(run_threads(3, work)):
        total = [3, 6, 9, 12, 15, 18]
        assert answers[:3] == [total, total[2 * rank : 2 * rank + 2], [b"\0", b"\1", b"\2"]]
        assert answers[3] == [each / 4 for each in total]
        assert answers[4] == [bytes([source, rank]) for source in range(3)]
        assert answers[5:] == ([[1, 3, 5, 7, 9, 11]] if rank < 2 else [])
        assert seconds > 0
        assert counted == sent > 0


TREE = {
    ("start",),
    ("replay",),
    ("derivatives",),
    ("callbacks",),
    ("tree",),
    ("tree", "sampling"),
    ("tree", "level"),
    ("tree", "level", "histograms"),
    ("tree", "level", "scores"),
    ("tree", "level", "rows"),
    ("tree", "leaves"),
    ("tree", "predictions"),
    ("tree", "derivatives"),
    ("tree", "metrics"),
}


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_a_run_names_its_stages(make_table: MakeTable, policy: str) -> None:
    table, hears = make_table(400), Hears()
    params = params_of("RMSE", grow_policy=policy, iterations=3)
    boost(table.rows, [table.rows], table.n_bins, params, SingleRank(), control=Free(hears))
    # The rows of leaves that were accepted last move when the tree is finished.
    assert hears.paths - {("tree", "rows")} == TREE
    assert [number for name, number in hears.numbers if name == "tree"] == [0, 1, 2]
    levels = [number for name, number in hears.numbers if name == "level"]
    assert levels[:2] == [0, 1]
    assert hears.inside == []


def test_a_run_names_the_work_for_categories() -> None:
    (table, *_), params = prepared("binary, MVS, combinations", iterations=3)
    hears = Hears()
    boost(table.rows, [], table.n_bins, params, SingleRank(), control=Free(hears))
    assert {("tree", "categories"), ("tree", "level", "categories")} <= hears.paths


def test_who_looks_does_not_change_the_trees(make_table: MakeTable) -> None:
    table, told = make_table(400), list[SpansTaken]()
    params = params_of("RMSE", iterations=4)
    log = SpanLog(0, told.append, 0.0, 1_000)
    seen = boost(table.rows, [], table.n_bins, params, SingleRank(), control=Free(log))
    log.flush()
    unseen = boost(table.rows, [], table.n_bins, params, SingleRank(), control=FREE)
    assert seen is not None
    assert unseen is not None
    assert seen.trees == unseen.trees
    records = np.concatenate([each.records() for each in told])
    assert np.count_nonzero(records["name"] == told[-1].names.index("tree")) == 4
    assert records["start"].min() > 0
    assert (records["end"] >= records["start"]).all()


def test_nobody_is_told_at_the_cost_of_nothing() -> None:
    assert UNWATCHED.stage("tree", 1) is UNWATCHED.stage("level", 2)
