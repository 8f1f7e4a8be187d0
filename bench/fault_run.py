"""One fit under one fault, in a process of its own: ``faults.py`` starts it, and ends what it leaves.

Prints one line of JSON: what the fit ended with, when, and how long after the fault.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

sys.path.append(str(pathlib.Path(__file__).parents[1]))  # for tests.faults, which cuts networks

from breakable import Breakable, breakable
from distributed import Client
from fault_tools import Work, fit

STOP_SECONDS = 20.0
SEVERAL_FITS = 3.0
"""Where a fit has to wait for another one the limit is that many times longer."""

_POLL_SECONDS = 0.02


@dataclass
class Watched:
    """A fit in a thread: what it ended with, and when."""

    begun: float = field(default_factory=time.monotonic)
    ended: float | None = None
    digest: str | None = None
    error: str | None = None

    def run(self, work: Callable[[], str]) -> "Watched":
        """Start ``work``."""

        def watch() -> None:
            try:
                self.digest = work()
            except BaseException as error:
                # XGBoost adds a stack trace of its own, with the paths of its libraries.
                self.error = f"{type(error).__name__}: {error}".partition("\nStack trace:")[0]
            self.ended = time.monotonic()

        threading.Thread(target=watch, daemon=True).start()
        return self

    def wait(self, limit: float) -> None:
        """Wait for the end until ``limit``."""
        while self.ended is None and time.monotonic() < limit:
            time.sleep(_POLL_SECONDS)

    def wait_for(self, path: pathlib.Path, limit: float) -> None:
        """Wait until a file is there, or the fit has ended."""
        while not path.exists() and self.ended is None and time.monotonic() < limit:
            time.sleep(_POLL_SECONDS)

    def told(self, struck: float | None) -> dict[str, Any]:
        """For the table."""
        end = time.monotonic() if self.ended is None else self.ended
        return {
            "end": "hangs" if self.ended is None else "error" if self.error is not None else "model",
            "digest": self.digest,
            "error": self.error,
            "seconds": round(end - self.begun, 1),
            "after": None if struck is None else round(end - struck, 1),
        }


def one_fit(tool: str, fault: str, work: Work, limit: float) -> dict[str, Any]:
    """A fit whose cluster is hurt once a third of the trees are grown."""
    network = {"cut": "proxy", "cut netns": "netns"}.get(fault, "none")
    nanny = fault not in ("killed for good", "cut", "cut netns")
    with breakable(3 if fault == "three workers" else 2, nanny=nanny, network=network) as cluster:
        pids = cluster.pids()
        with Client(cluster.address) as client:
            watched = Watched().run(lambda: fit(tool, client, work))
            struck = None
            if fault not in ("nothing", "three workers"):
                watched.wait_for(work.mark, watched.begun + limit)
                if work.mark.exists():
                    struck = time.monotonic()
                    _strike(fault, cluster, client, *list(pids.items())[-1])
                else:
                    watched.error = f"before the fault: {watched.error or 'no end'}"
            watched.wait((struck or watched.begun) + limit)
            told = watched.told(struck)
            if watched.ended is None:
                _end_now(told, cluster)
            return told


def _strike(fault: str, cluster: Breakable, client: Client, address: str, pid: int) -> None:
    match fault:
        case "killed" | "killed for good":
            os.kill(pid, signal.SIGKILL)
        case "stopped":
            os.kill(pid, signal.SIGSTOP)
            threading.Timer(STOP_SECONDS, os.kill, [pid, signal.SIGCONT]).start()
        case "stopped for good":
            os.kill(pid, signal.SIGSTOP)
        case "cut" | "cut netns":
            cluster.cut(pid)
        case "retired":
            threading.Thread(target=lambda: client.retire_workers([address]), daemon=True).start()
        case "joins":
            cluster.add_worker()


def client_killed(tool: str, work: Work, limit: float) -> dict[str, Any]:
    """A fit whose client's process is killed after a third of the trees, and the same fit by another client."""
    command = [sys.executable, __file__, "client", tool, str(work.folder), str(work.trees), str(work.rows)]
    with breakable(2) as cluster:
        first = subprocess.Popen([*command, cluster.address, "saving"], stdout=subprocess.DEVNULL)
        watched = Watched()
        while not work.mark.exists() and first.poll() is None and time.monotonic() < watched.begun + limit:
            time.sleep(_POLL_SECONDS)
        struck = time.monotonic()
        first.kill()
        first.wait()
        with Client(cluster.address) as client:
            watched.run(lambda: fit(tool, client, work, resume=True))
            watched.wait(struck + limit)
            told = watched.told(struck)
            if watched.ended is None:
                _end_now(told, cluster)
            return told


def two_at_once(tool: str, work: Work, limit: float) -> dict[str, Any]:
    """Two fits of one cluster at the same time, each by a client in a process of its own."""
    command = [sys.executable, __file__, "client", tool, str(work.folder), str(work.trees), str(work.rows)]
    with breakable(2) as cluster:

        def fit_there() -> str:
            done = subprocess.run([*command, cluster.address], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr.strip().splitlines()[-1])
            return done.stdout.split()[-1]

        both = [Watched().run(fit_there) for _ in range(2)]
        for watched in both:
            watched.wait(watched.begun + limit)
        worst = min(both, key=lambda each: (each.ended is not None, each.error is None, -(each.ended or 0.0)))
        told = worst.told(None)
        if len({each.digest for each in both}) > 1 and told["end"] == "model":
            told["digest"] = "two different models"
        if any(each.ended is None for each in both):
            _end_now(told, cluster)
        return told


def _end_now(told: dict[str, Any], cluster: Breakable) -> None:
    """End this process without waiting for what hangs; whoever started it ends what is left."""
    print(json.dumps(told), flush=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """``fault_run.py one TOOL FAULT TREES ROWS LIMIT``, or ``client …``: a client in a process of its own."""
    if sys.argv[1] == "client":
        tool, folder, trees, rows, address, *more = sys.argv[2:]
        with Client(address) as client:
            print(fit(tool, client, Work(int(rows), 28, int(trees), pathlib.Path(folder)), resume=more == ["saving"]))
        return
    tool, fault, trees, rows, limit = sys.argv[2:]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Work(int(rows), 28, int(trees), pathlib.Path(folder))
        if fault == "client killed":
            told = client_killed(tool, work, SEVERAL_FITS * float(limit))
        elif fault == "two at once":
            told = two_at_once(tool, work, SEVERAL_FITS * float(limit))
        else:
            told = one_fit(tool, fault, work, float(limit))
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
