"""A client that is killed while it trains leaves a whole snapshot, whatever it was doing."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gbdist import DaskCatBoostClassifier
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.snapshots.files import LocalFolder
from gbdist.snapshots.store import Store

TREES = 80  # more than ten processes come to
POINTS = ["open", "fsync", "replace", "replaced", "unlink", "unlinked"]


def data() -> tuple[Any, Any]:
    X = np.random.default_rng(0).normal(size=(300, 4))
    return X, X[:, 0] + X[:, 1] * X[:, 2] > 0


def fit(callbacks: Any = None, **more: Any) -> bytes:
    model = DaskCatBoostClassifier(**{"iterations": TREES, "depth": 3, "learning_rate": 0.1, **more})
    return fixed_cbm_bytes(model.fit(*data(), callbacks=callbacks).model_)


class Says:
    """A callback that says each tree to whoever watches, and hears its word before it goes on."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def after_iteration(self, info: Any) -> bool:
        self.pipe.send(info.iteration)
        self.pipe.recv()
        return True


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train(pipe: Connection, path: str, point: str | None, number: int) -> None:
    """A process that trains; it kills itself at the ``number``-th time that it comes to a point, if there is one."""
    if point is not None:
        _die_at(point, number)
    pipe.send(fit([Says(pipe)], save_snapshot=True, snapshot_file=path, snapshot_interval=0))


def _die_at(point: str, number: int) -> None:
    place, name = (LocalFolder, "write") if point == "open" else (Path, "unlink") if "unlink" in point else (os, point)
    name = {"unlinked": "unlink", "replaced": "replace"}.get(point, name)
    real, calls = getattr(place, name), iter(range(1, 10**6))

    def counted(*args: Any, **more: Any) -> Any:
        last = next(calls) == number
        if last and not point.endswith("d"):
            die()
        found = real(*args, **more)
        if last:
            die()
        return found

    setattr(place, name, counted)


@pytest.fixture(scope="module")
def start() -> Iterator[Any]:
    """Start ``train`` in a process of its own, which has everything imported already."""
    context = multiprocessing.get_context("forkserver")  # which has everything loaded: see fork_workers
    started = []

    def run(path: str, point: str | None = None, number: int = 0) -> tuple[Any, Connection]:
        mine, theirs = context.Pipe()
        process = context.Process(target=train, args=(theirs, path, point, number))
        process.start()
        theirs.close()
        started.append(process)
        return process, mine

    yield run
    for process in started:
        process.kill()
        process.join()
        process.close()


@pytest.fixture(scope="module")
def whole() -> bytes:
    return fit()


def next_word(pipe: Connection) -> Any:
    assert pipe.poll(120)
    return pipe.recv()


@pytest.mark.soak
def test_killed_at_ten_random_moments(start: Any, tmp_path: Path, whole: bytes) -> None:
    path, rng, there = str(tmp_path / "runs" / "a"), np.random.default_rng(), 0
    for _ in range(10):
        process, pipe = start(path)
        for _ in range(rng.integers(0, 5)):
            tree = next_word(pipe)
            assert isinstance(tree, int)
            assert tree > there
            pipe.send("on")
        process.kill()  # while a tree is grown, and most times while the one before is written
        process.join()
        found = Store(path).load()
        # Whatever was written last may be lost, and what was there before is not.
        assert found is None if there == 0 and found is None else len(found.content.records) >= there
        there = 0 if found is None else len(found.content.records)
    process, pipe = start(path)
    while isinstance(word := next_word(pipe), int):
        pipe.send("on")
    process.join()
    assert word == whole
    # Some of the killed processes had not come to delete older ones.
    assert len([name for name in os.listdir(Path(path).parent) if not name.startswith(".")]) == 2
    assert fit(save_snapshot=True, snapshot_file=path) == whole


@pytest.mark.parametrize("point", POINTS)
def test_killed_while_a_snapshot_is_written(start: Any, tmp_path: Path, whole: bytes, point: str) -> None:
    path = str(tmp_path / "a")
    # Two are there, so that the first write of the process deletes one.
    for trees in (2, 3):
        fit(save_snapshot=True, snapshot_file=path, iterations=trees)
    process, pipe = start(path, point, 1)
    try:
        while process.is_alive() or pipe.poll():
            if pipe.poll(0.05):
                trees = pipe.recv()
                pipe.send("on")
    except (EOFError, ConnectionError):
        pass
    process.join()
    assert process.exitcode == -signal.SIGKILL
    found = Store(path).load()  # and warns of nothing
    assert found is not None
    assert 3 <= len(found.content.records) <= trees + 1
    assert fit(save_snapshot=True, snapshot_file=path) == whole
    left = [name for name in os.listdir(tmp_path) if not name.startswith(".")]
    # The third one if the killed process had written the last tree, and had not come to delete it.
    assert len(left) in (2, 3)


def test_killed_before_the_first_snapshot(start: Any, tmp_path: Path, whole: bytes) -> None:
    path = str(tmp_path / "a")
    process, pipe = start(path, "replace", 1)
    try:
        while process.is_alive():
            next_word(pipe)
            pipe.send("on")
    except (EOFError, ConnectionError):
        pass
    process.join()
    assert Store(path).load() is None
    assert fit(save_snapshot=True, snapshot_file=path) == whole
