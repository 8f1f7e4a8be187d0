"""What holds for every test: processes, a few threads, functions that workers can have, and no skip without a reason."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before NumPy, Numba and CatBoost load: several workers share two cores, and their own pools would fight over them.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Of Dask's own: each event loop wakes up 50 times a second to see whether it is late, and tests have many that idle.
os.environ.setdefault("DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL", "1s")

# Without a card CUDA kernels run on numba's simulator, which has to be asked for before numba loads.
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    os.environ.setdefault("NUMBA_ENABLE_CUDASIM", "1")

# Property tests try the same examples each time, so that a change is judged by what it changes; others are looked for on demand.
# None has to be quick: how long one takes says more about what else the machine does.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", derandomize=False, deadline=None)
settings.load_profile("same")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for folders; this one for files that are named, where a debugger and ``-s`` work. ``-n`` says otherwise."""
    named = all(".py" in argument for argument in config.args)
    return 0 if named else min(2, len(os.sched_getaffinity(0)))


def pytest_configure(config: pytest.Config) -> None:
    """Let worker processes import what test files define.

    They inherit ``sys.path``. The folder that goes there holds ``tests`` alone: with the root of the sources on the path they
    would take the library from there too, and not the one that is installed.
    """
    folder = tempfile.TemporaryDirectory()
    (Path(folder.name) / "tests").symlink_to(Path(__file__).parent, target_is_directory=True)
    sys.path.append(folder.name)
    os.environ["GBDIST_HOME"] = f"{folder.name}/home"  # or tests would see, and stop, the clusters of whoever runs them
    config.add_cleanup(folder.cleanup)


@pytest.hookimpl
def pytest_collection_finish(session: pytest.Session) -> None:
    """Let worker processes of tests be forked, which starts and ends them in a tenth of the time."""
    if "distributed" in sys.modules:  # or there will be none
        from .processes import fork_workers

        fork_workers()


@pytest.fixture
def quick_simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where there is no card, run CUDA kernels on numba's simulator without its polling, with threads that take turns often."""
    from numba import config

    if config.ENABLE_CUDASIM:
        from .simulator import install

        install(monkeypatch)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that skips without saying what is missing."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ").strip()
        if reason in ("", "unconditional skip"):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped without a reason: say what is missing"
    return report
