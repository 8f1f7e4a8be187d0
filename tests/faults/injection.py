"""``inject``: puts a plan of faults onto a cluster for a block, and says what has struck."""

import json
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client

from .moments import MOMENTS
from .plan import Fault, InjectedError, PlanError, check_plan
from .plugin import NAME, FaultPlugin, wrap_moments
from .state import State
from .strikes import stop
from .wrapping import Wrappings

_PLUGIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Fired:
    """A fault that has struck: when (seconds since the epoch), whom, and where that one was."""

    number: int
    at: float
    pid: int
    address: str
    rank: int | None
    epoch: int | None
    tree: int | None


class Injected:
    """What has become of a plan so far."""

    def __init__(self, client: Client, plan: tuple[Fault, ...], state: State, join: Callable[[], object]) -> None:
        self._client, self._plan, self._state, self._join = client, plan, state, join
        self._changed = threading.Condition()
        self._fired: dict[int, Fired] = {}
        self._pids: dict[str, int] = {}  # by address
        self._names: dict[Any, str] = {}  # addresses
        self._members: list[str] = []
        self._occurred: Counter[int] = Counter()
        self._beside: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def wait(self, number: int = 0, timeout: float = 60.0) -> Fired:
        """Wait until a fault has struck."""
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._fired, timeout):
                moments = {moment: count for moment in MOMENTS if (count := self.count(moment))}
                raise TimeoutError(f"{self._plan[number]} did not strike in {timeout:g} s; moments so far: {moments}")
            return self._fired[number]

    def fired(self, number: int = 0) -> Fired | None:
        """A fault that has struck, None if it has not yet."""
        with self._changed:
            return self._fired.get(number)

    def count(self, moment: str) -> int:
        """How often a moment has come, in all processes."""
        return self._state.counted(moment)

    # ---- what workers tell

    def listen(self, pipe: int) -> None:
        """Read lines until the empty one."""
        with os.fdopen(pipe) as lines:
            for line in lines:
                if line == "\n":
                    return
                told = json.loads(line)
                if told.pop("kind") == "here":
                    with self._changed:
                        self._pids[told["address"]], self._names[told["name"]] = told["pid"], told["address"]
                    continue
                told.pop("name")
                self._note(Fired(**told))

    def _note(self, fired: Fired) -> None:
        what = self._plan[fired.number].what
        if what in ("retire", "join"):
            work = (lambda: self._client.retire_workers([fired.address])) if what == "retire" else self._join
            thread = threading.Thread(target=self._do, args=[work])
            self._beside.append(thread)
            thread.start()
        with self._changed:
            self._fired[fired.number] = fired
            self._changed.notify_all()

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # raised when the plan ends
            self._errors.append(error)

    # ---- moments of the client

    def reached(self, moment: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The client has come to a moment."""
        self._state.count(moment)
        if "members" in kwargs:
            self._members = [member.address for member in kwargs["members"]]
        for number, fault in enumerate(self._plan):
            if fault.moment != moment or (fault.after is not None and not self._state.has_struck(fault.after)):
                continue
            self._occurred[number] += 1
            if self._occurred[number] >= fault.nth and self._state.take(number):
                self._strike(number, fault)

    def _strike(self, number: int, fault: Fault) -> None:
        address, pid = "", 0
        if fault.rank is not None or fault.worker is not None:
            address = self._address_of(fault)
            pid = self._pids[address]
        self._note(Fired(number, time.time(), pid, address, fault.rank, None, None))
        if fault.what == "kill":
            os.kill(pid, signal.SIGKILL)
        elif fault.what == "stop":
            stop(pid, fault.seconds)
        elif fault.what == "raise":
            raise InjectedError(number)

    def _address_of(self, fault: Fault) -> str:
        if fault.rank is not None:
            return self._members[fault.rank]
        with self._changed:
            if fault.worker in self._pids:
                return str(fault.worker)
            if fault.worker in self._names:
                return self._names[fault.worker]
        raise PlanError(f"there is no worker {fault.worker!r}, but {sorted(map(str, self._names))}")

    # ---- the end

    def end(self) -> None:
        """Let go on what stands still, and wait for what is done beside; raises what failed there."""
        for fired in self._fired.values():
            if self._plan[fired.number].what == "stop":
                with suppress(ProcessLookupError):
                    os.kill(fired.pid, signal.SIGCONT)
        for thread in self._beside:
            thread.join(timeout=60.0)
        if self._errors:
            raise self._errors[0]


@contextmanager
def inject(client: Client, *plan: Fault, join: Callable[[], object] | None = None) -> Iterator[Injected]:
    """Let faults strike while the block runs. Without any, moments are counted alone.

    ``join`` adds a worker, for faults that do; by default a LocalCluster gets one more. Workers must be processes of their own on
    this machine. At the end all that wraps anything is taken away again, and stopped workers go on.
    """
    check_plan(plan)
    with tempfile.TemporaryDirectory(prefix="gbdist-faults-") as folder:
        state = State(Path(folder) / "state")
        state.make()
        injected = Injected(client, plan, state, join or (lambda: _scale(client)))
        pipe = os.open(state.pipe, os.O_RDWR)  # for writing too: there is no end of it while workers come and go
        reader = threading.Thread(target=injected.listen, args=[pipe])
        reader.start()
        wrappings = Wrappings()
        try:
            client.register_plugin(FaultPlugin(plan, state, os.getpid()))
            wrap_moments(wrappings, {"client"}, injected.reached)
            yield injected
        finally:
            wrappings.restore()
            try:
                injected.end()
            finally:
                with suppress(Exception):  # a cluster that is broken has nothing to be taken from
                    client.sync(client._unregister_worker_plugin, name=NAME, callback_timeout=_PLUGIN_SECONDS)
                os.write(pipe, b"\n")
                reader.join()
                state.close()
                # A worker that starts at this moment finds no such folder, rather than adding to what is being removed.
                (Path(folder) / "state").rename(Path(folder) / "over")


def _scale(client: Client) -> None:
    count = len(client.cluster.workers)
    client.cluster.scale(count + 1)
    client.wait_for_workers(count + 1, timeout=60)
