"""One round of one rank: CatBoost itself, one training at a time in a process."""

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ModelError
from gbdist.rounds.pools import RankPool, set_baseline

#: CatBoost's trainings in one process disturb each other (catboost#1898).
_one_at_a_time = threading.Lock()
#: How long a rank waits for another training, and how often it looks whether it is still wanted itself.
WAIT_SECONDS = 3600.0
_LOOK_SECONDS = 0.1


@contextmanager
def alone(options: Mapping[str, object], wanted: Callable[[], bool]) -> Iterator[None]:
    """Let one CatBoost train at a time: in this process, and on the GPU that the options name among a user's processes.

    Raises ModelError if it is not ``wanted`` any more while it waits, or has waited for ``WAIT_SECONDS``.
    """
    _wait_until(lambda: _one_at_a_time.acquire(timeout=_LOOK_SECONDS), wanted)
    try:
        if options.get("task_type") != "GPU":
            yield
            return
        named = f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}-{options.get('devices', 'all')}".replace(os.sep, "_")
        path = Path(tempfile.gettempdir()) / f"gbdist-gpu-{os.getuid()}-{named}.lock"
        with path.open("a") as file:
            _wait_until(lambda: _locked(file), wanted)  # given back when the file is closed, and when the process dies
            yield
    finally:
        _one_at_a_time.release()


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        threading.Event().wait(_LOOK_SECONDS)
        return False
    return True


def _wait_until(done: Callable[[], bool], wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not done():
        if not wanted() or time.monotonic() > end:
            raise ModelError(
                f"Another training of CatBoost in this process, or on this GPU, did not end within {WAIT_SECONDS:g} s",
                "Wait for it to end, or stop it.",
            )


class _Stopper:
    """CatBoost's callback: stops between two trees. CatBoost takes none on a GPU, where a round is stopped at its end."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted

    def after_iteration(self, info: Any) -> bool:
        """Whether to go on."""
        return self._wanted()


def grow_trees(
    pool: RankPool | None,
    baseline: NDArray[np.float64] | None,
    options: Mapping[str, object],
    wanted: Callable[[], bool],
) -> tuple[catboost.CatBoost, NDArray[np.float64]]:
    """Train CatBoost on a pool from raw predictions (float64 [dimension, n_rows], or None), while ``wanted`` says so.

    Returns the trees alone, and the value that CatBoost started from: float64 [dimension].

    Raises
    ------
    ModelError
        With CatBoost's own words.
    """
    if pool is None:  # placement makes no such rank
        raise ModelError("A rank has no rows to train on", "Train on fewer workers.")
    if baseline is not None:
        set_baseline(pool, baseline)
    callbacks = None if options.get("task_type") == "GPU" else [_Stopper(wanted)]
    try:
        with alone(options, wanted), pool.training_options() as more:
            model = catboost.CatBoost({**options, **more}).fit(pool.pool, callbacks=callbacks)
    except catboost.CatBoostError as refusal:
        problem = f"CatBoost did not train: {refusal}"
        raise ModelError(
            problem, "Change the parameter that it names; single-machine CatBoost says the same."
        ) from None
    finally:
        if baseline is not None:
            set_baseline(pool, np.zeros_like(baseline))  # predictions of a pool contain its baseline
    scale, bias = model.get_scale_and_bias()
    start = np.atleast_1d(np.asarray(bias, dtype=np.float64))
    model.set_scale_and_bias(scale, np.zeros_like(start).tolist())
    return model, start


def predict_raw(model: catboost.CatBoost, pool: RankPool, threads: int) -> NDArray[np.float64]:
    """Raw predictions of a pool without baseline, float64 [dimension, n_rows]."""
    found = model.predict(pool.pool, prediction_type="RawFormulaVal", thread_count=threads)
    values = np.asarray(found, dtype=np.float64)
    return np.atleast_2d(values.T if values.ndim == 2 else values)
