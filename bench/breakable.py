"""A Dask cluster whose workers can be killed, stopped and cut off: each is a process of its own, also in a network of its own.

Workers are started as ``dask worker`` does it, so that nothing here depends on who uses them.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, LocalCluster, Scheduler, SpecCluster

ROOT = pathlib.Path(__file__).parents[1]
NAMESPACE = "gbdist-faults"
_HOST, _GUEST = "10.77.31.1", "10.77.31.2"
_START_SECONDS = 60


@dataclass(eq=False)
class Breakable:
    """A scheduler here and workers beside; ``network`` is "none", "proxy" or "netns": how the last worker can be cut off."""

    network: str = "none"
    nanny: bool = True
    address: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    proxies: Any = None
    own_port: int = 0

    @property
    def host(self) -> str:
        return _HOST if self.network == "netns" else "127.0.0.1"

    def pids(self) -> dict[str, int]:
        """Process of each worker, by address, the one that can be cut off last."""
        with Client(self.address, set_as_default=False) as client:
            found: dict[str, int] = client.run(os.getpid)
        return dict(sorted(found.items(), key=lambda pair: (_GUEST in pair[0] or f":{self.own_port}" in pair[0], pair)))

    def add_worker(self, *, cuttable: bool = False) -> None:
        """Start one more worker of one thread."""
        command = [
            sys.executable,
            "-m",
            "distributed.cli.dask_worker",
            self.address,
            "--nthreads",
            "1",
            "--no-dashboard",
        ]
        command += ["--memory-limit", "0", "--nanny" if self.nanny else "--no-nanny"]
        if self.network == "proxy":  # all of them, or what the last one connects to itself would pass
            from tests.faults.proxy import free_port

            listens = free_port()
            contact = self.proxies.add(listens)
            command += ["--listen-address", f"tcp://127.0.0.1:{listens}"]
            command += ["--contact-address", f"tcp://127.0.0.1:{contact}"]
            self.own_port = contact if cuttable else self.own_port
        elif cuttable and self.network == "netns":
            command = ["ip", "netns", "exec", NAMESPACE, *command, "--host", _GUEST]
        else:
            command += ["--host", self.host]
        sources = [str(ROOT / "bench"), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources)}
        self.processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))

    def wait_for(self, workers: int) -> None:
        """Wait until so many workers have come."""
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=_START_SECONDS)

    def cut(self, pid: int) -> None:
        """Cut the last worker off: it lives on, but nothing of it arrives, and nothing arrives there."""
        if self.network == "netns":
            # The far end goes down, so that here everything looks as before.
            _ip("-n", NAMESPACE, "link", "set", "gbdist-guest", "down")
        else:
            self.proxies.cut(self.own_port, lambda: pid, swallow=True)


@contextlib.contextmanager
def breakable(workers: int, *, nanny: bool = True, network: str = "none") -> Iterator[Breakable]:
    """Start workers; all that was started is gone afterwards, whatever state it is in."""
    made = Breakable(network, nanny)
    with contextlib.ExitStack() as stack:
        if network == "netns":
            stack.enter_context(_namespace())
        if network == "proxy":
            from tests.faults.proxy import Proxies

            made.proxies = stack.enter_context(Proxies())
        cluster = stack.enter_context(_scheduler(made))
        made.address = getattr(cluster.scheduler, "contact_address", None) or cluster.scheduler_address
        stack.callback(_kill, made.processes)
        for number in range(workers):
            made.add_worker(cuttable=number == workers - 1)
        made.wait_for(workers)
        yield made


def _scheduler(made: Breakable) -> Any:
    if made.network != "proxy":
        return LocalCluster(n_workers=0, host=made.host, dashboard_address=None, silence_logs=50)
    from tests.faults.proxy import free_port

    behind = free_port()
    contact = f"tcp://127.0.0.1:{made.proxies.add(behind)}"
    options: dict[str, Any] = {"host": "127.0.0.1", "port": behind, "contact_address": contact, "dashboard": False}
    options["dashboard_address"] = "127.0.0.1:0"
    return SpecCluster(workers={}, scheduler={"cls": Scheduler, "options": options}, silence_logs=50)


def _kill(processes: list[subprocess.Popen[bytes]]) -> None:
    import psutil

    for process in processes:
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(process.pid)
            for member in [*family.children(recursive=True), family]:
                with contextlib.suppress(psutil.Error):
                    member.send_signal(signal.SIGKILL)
        process.wait()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def why_no_namespace() -> str | None:
    """The reason why there can be no network namespace here; None if there can be."""
    try:
        _ip("netns", "add", f"{NAMESPACE}-try")
        _ip("netns", "del", f"{NAMESPACE}-try")
    except FileNotFoundError:
        return "there is no `ip` command"
    except subprocess.CalledProcessError as refused:
        return f"not permitted: {refused.stderr.decode().strip()}"
    return None


@contextlib.contextmanager
def _namespace() -> Iterator[None]:
    """A network namespace with a cable to this one."""
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)  # of a run that was killed
    _ip("netns", "add", NAMESPACE)
    try:
        _ip("link", "add", "gbdist-host", "type", "veth", "peer", "name", "gbdist-guest")
        _ip("link", "set", "gbdist-guest", "netns", NAMESPACE)
        _ip("addr", "add", f"{_HOST}/24", "dev", "gbdist-host")
        _ip("link", "set", "gbdist-host", "up")
        _ip("-n", NAMESPACE, "addr", "add", f"{_GUEST}/24", "dev", "gbdist-guest")
        _ip("-n", NAMESPACE, "link", "set", "gbdist-guest", "up")
        _ip("-n", NAMESPACE, "link", "set", "lo", "up")
        yield
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)
        time.sleep(0.2)  # the cable goes with it, a little later
