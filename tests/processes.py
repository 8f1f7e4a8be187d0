"""Processes of tests: those that are started as a user does, and where worker processes are forked from.

Those that a user would start are ended whatever happens, and their output is shown where something fails.
"""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

_BIN = Path(sys.executable).parent

_LOADED = (
    "dask.dataframe",
    "gbdist.estimators.classifier",
    "gbdist.estimators.networks.on_cluster",
    "gbdist.estimators.ranker",
    "gbdist.estimators.regressor",
    "gbdist.estimators.rounds_run",
    "gbdist.estimators.training_gang",
    "gbdist_cluster.plugin",
    "gbdist_cluster.ranks",
    "tests.loaded_kernels",
    # What numba loads before it runs the first kernel; names that a version has not are passed over.
    "numba.core.typing.cffi_utils",
    "numba.experimental.jitclass.base",
    "numba.misc.cffiimpl",
    "numba.np.linalg",
    "numba.np.npyimpl",
    "numba.np.polynomial",
    "numba.np.random.generator_methods",
    "numba.np.unsafe.ndarray",
    "numba.typed.typeddict",
)


def fork_workers() -> None:
    """Let Dask fork worker processes from one that has no threads and has loaded what tests need.

    As users have them they are started anew, load all that again and clean it up in the end: seconds of a core for each.
    Workers of commands that tests run are started so, and those of tests of how local clusters start.
    """
    import dask.config
    from distributed.utils import get_mp_context

    from . import loaded_kernels  # noqa: F401 - compiled here the first time, and not while a cluster waits for workers to start

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context()  # says what is to be loaded the first time
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(_LOADED))


class Processes:
    """Processes with a log each in one folder; a context manager that ends them with all that they started."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self.environment = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", **environment}
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(self, *command: object) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own; what it writes goes into a file."""
        log = self._folder / f"{len(self._started)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self._folder,
                start_new_session=True,
            )
        self._started.append((process, log))
        return process

    def output(self) -> str:
        """What all of them have written."""
        return "\n".join(f"{process.args}:\n{log.read_text(errors='replace')}" for process, log in self._started)

    def wait_for_text(self, path: Path, seconds: float = 60) -> str:
        """What a file holds, as soon as it is there and not empty."""
        end = time.monotonic() + seconds
        while not (path.exists() and path.stat().st_size):
            if time.monotonic() > end or any(process.poll() for process, _ in self._started):
                raise AssertionError(f"{path} was not written.\n{self.output()}")
            time.sleep(0.02)
        return path.read_text()

    def finish(self, process: subprocess.Popen[bytes], seconds: float = 240) -> None:
        """Wait for a process that has to succeed."""
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            raise AssertionError(f"exit code {code}.\n{self.output()}")

    def __enter__(self) -> "Processes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process, _ in reversed(self._started):
            _signal(process, signal.SIGTERM)
        for process, _ in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            _signal(process, signal.SIGKILL)  # also what it has left behind
            process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
