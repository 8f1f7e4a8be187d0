"""Clients of a cluster that are killed while their fit trains: the next one goes on, and the model is that of one fit."""

import multiprocessing
import os
import random
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client

from gbdist import DaskCatBoostRegressor
from gbdist.models.catboost_format import fixed_cbm_bytes

TREES, KILLS = 100, 10


def fit(client: Client, callbacks: Any = None, **more: Any) -> bytes:
    rows = np.random.default_rng(6).normal(size=(6_000, 5)).astype(np.float32)
    X, y = da.from_array(rows, chunks=(1_000, 5)), da.from_array(rows[:, 0] * rows[:, 1], chunks=1_000)
    model = DaskCatBoostRegressor(iterations=TREES, depth=4, learning_rate=0.1, client=client, **more)
    return fixed_cbm_bytes(model.fit(X, y, callbacks=callbacks).model_)


class Says:
    """A callback that says each tree, and waits for the answer."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def after_iteration(self, info: Any) -> bool:
        self._pipe.send(info.iteration)
        self._pipe.recv()
        return True


def train(pipe: Connection, scheduler: str, path: str) -> None:
    """A process with a client of its own."""
    with Client(scheduler, set_as_default=False) as client:
        pipe.send(fit(client, [Says(pipe)], save_snapshot=True, snapshot_file=path, snapshot_interval=0))


def watched(context: Any, scheduler: str, path: str, last: int) -> tuple[int, bytes | None]:
    """Let a client grow up to ``last`` trees and kill it; the first tree that it grew, and the model if it came so far."""
    ours, theirs = context.Pipe()
    process = context.Process(target=train, args=(theirs, scheduler, path))
    process.start()
    first, told = 0, ours.recv()
    while isinstance(told, int):
        first = first or told
        if told - first == last:
            os.kill(process.pid, signal.SIGKILL)
            break
        ours.send(None)
        told = ours.recv()
    process.join(timeout=30)
    return first, told if isinstance(told, bytes) else None


@pytest.mark.soak
def test_clients_killed_at_random_moments(client: Client, tmp_path: Path) -> None:
    expected = fit(client)
    context = multiprocessing.get_context("forkserver")  # which has everything loaded: see fork_workers
    draw = random.Random(2)
    firsts = []
    for _ in range(KILLS):
        first, model = watched(context, client.scheduler.address, f"{tmp_path}/run", draw.randrange(8))
        assert model is None
        firsts.append(first)
    first, model = watched(context, client.scheduler.address, f"{tmp_path}/run", TREES)
    assert model == expected
    assert firsts == sorted(firsts)
    assert first > 1  # none of them began anew
