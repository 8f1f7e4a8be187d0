"""States of a run are written beside it: one at a time, when it is time, and at the end; a failure is told and does no more."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gbdist.snapshots.format import Content
from gbdist.snapshots.identity import Identity
from gbdist.snapshots.store import Store
from gbdist.snapshots.writer import SnapshotWriter

IDENTITY = Identity(9, {}, (), ())


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(Store):
    """A store whose writes begin when told, and that says what it has written."""

    def __init__(self) -> None:
        self.path = "a place"
        self.may = threading.Semaphore(0)
        self.began = threading.Semaphore(0)
        self.written: list[int] = []
        self.at_once = 0
        self.fault: Exception | None = None

    def save(self, content: Content) -> str:
        self.at_once += 1
        assert self.at_once == 1
        self.began.release()
        assert self.may.acquire(timeout=30)
        self.at_once -= 1
        if self.fault is not None:
            raise self.fault
        self.written.append(len(content.records))
        return self.path


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def writer_of(slow: Slow) -> Iterator[Callable[..., SnapshotWriter]]:
    made: list[SnapshotWriter] = []

    def make(**more: Any) -> SnapshotWriter:
        made.append(SnapshotWriter(slow, IDENTITY, **more))
        return made[-1]

    yield make
    slow.fault = None
    slow.may.release(100)
    for writer in made:
        writer.close()


def test_a_state_is_written_when_the_interval_has_passed(slow: Slow, writer_of: Callable[..., SnapshotWriter]) -> None:
    clock = Clock()
    writer = writer_of(interval=10, clock=clock)
    for now in (1.0, 5.0, 9.9):
        clock.now = now
        writer.add(b"x")
    assert not slow.began.acquire(blocking=False)
    clock.now = 10.0
    writer.add(b"x")
    assert slow.began.acquire(timeout=30)
    slow.may.release(2)
    writer.close()
    assert slow.written == [4]


def test_training_does_not_wait_and_there_is_one_write_at_a_time(
    slow: Slow, writer_of: Callable[..., SnapshotWriter]
) -> None:
    writer = writer_of(interval=0)
    writer.add(b"x")
    assert slow.began.acquire(timeout=30)
    for _ in range(5):
        writer.add(b"x")  # while the first one is being written
    slow.may.release(2)
    writer.close()
    assert slow.written == [1, 6]
    writer.close()
    assert slow.written == [1, 6]


def test_the_end_is_written_whatever_the_interval(slow: Slow, writer_of: Callable[..., SnapshotWriter]) -> None:
    writer = writer_of(interval=600, records=[b"x", b"y"])
    writer.add(b"z")
    slow.may.release()
    writer.close()
    assert slow.written == [3]


def test_nothing_new_is_not_written(slow: Slow, writer_of: Callable[..., SnapshotWriter]) -> None:
    writer_of(interval=0, records=[b"x", b"y"]).close()
    writer_of(interval=0).close()
    assert slow.written == []


def test_fewer_steps_are_not_written_over_more(slow: Slow, writer_of: Callable[..., SnapshotWriter]) -> None:
    # A run of two iterations goes on from a snapshot of five trees.
    writer = writer_of(interval=0, records=[b"x"], saved=5)
    writer.add(b"y")
    writer.close()
    assert slow.written == []


def test_a_write_that_fails_is_told_and_tried_again(slow: Slow, writer_of: Callable[..., SnapshotWriter]) -> None:
    clock = Clock()
    writer = writer_of(interval=10, clock=clock)
    slow.fault = OSError(28, "No space left on device")
    clock.now = 10.0
    writer.add(b"x")
    assert slow.began.acquire(timeout=30)
    slow.may.release()
    told: list[warnings.WarningMessage] = []
    clock.now = 15.0  # not due again
    while not told:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            writer.add(b"x")
    assert [str(each.message) for each in told] == [
        "a place: a snapshot could not be written: No space left on device. Training goes on; it is tried again."
    ]
    slow.fault = None
    slow.may.release()
    writer.close()
    assert len(slow.written) == 1


def test_a_last_write_that_fails_is_told(slow: Slow, writer_of: Callable[..., SnapshotWriter]) -> None:
    writer = writer_of(interval=600, records=[b"x"])
    writer.add(b"y")
    slow.fault = PermissionError(13, "Permission denied")
    slow.may.release()
    with pytest.warns(UserWarning, match="in no snapshot") as told:
        writer.close()
    assert [str(each.message) for each in told] == [
        "a place: the last 1 trees of this run are in no snapshot: Permission denied."
    ]


def test_states_are_files(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "run"))
    writer = SnapshotWriter(store, IDENTITY, interval=0)
    for n in range(20):
        writer.add(b"%d" % n)
    writer.close()
    found = store.load()
    assert found is not None
    assert found.content.records == tuple(b"%d" % n for n in range(20))
    assert 1 <= len(os.listdir(tmp_path)) <= 2


def test_a_state_that_is_whole_takes_the_place_of_the_one_before(
    slow: Slow, writer_of: Callable[..., SnapshotWriter]
) -> None:
    kept: list[tuple[bytes, ...]] = []
    save = slow.save
    slow.save = lambda content: (kept.append(content.records), save(content))[1]  # type: ignore[method-assign]
    slow.may.release(3)
    writer = writer_of(interval=1e9, records=[b"three"], saved=3, counted="epochs")
    writer.replace(b"two", 2)  # of a gang that had lost an epoch
    writer.close()
    assert kept == []
    writer.replace(b"four", 4)
    writer.replace(b"five", 5)
    writer.close()
    assert kept == [(b"five",)]
    slow.fault = OSError(28, "No space left on device")
    writer.replace(b"seven", 7)
    with pytest.warns(UserWarning, match="the last 2 epochs of this run are in no snapshot"):
        writer.close()
