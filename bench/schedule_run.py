"""The fits of ``schedules.py``: what a seed draws, and one process that runs seeds one after the other."""

import hashlib
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

EVENTS = ("kill", "stop", "stall", "join", "retire")
"""stop: for 2 to 20 s; stall: stands still for good."""

DATA = ("lazy array", "lazy frame", "pandas")
TASKS: dict[str, dict[str, Any]] = {
    "numeric": {"iterations": 60, "depth": 6},
    "categorical": {"iterations": 25, "depth": 5, "max_ctr_complexity": 2},
    "ranking": {"iterations": 30, "depth": 5, "loss_function": "YetiRank"},
    "multiclass": {"iterations": 25, "depth": 5},
}
_ROWS, _PARTITIONS = 24_000, 8


@dataclass(frozen=True)
class Event:
    """What happens once the client hears of a tree, to the worker of which number, a fraction of a second later."""

    kind: str
    tree: int
    victim: int
    delay: float
    seconds: float

    def __str__(self) -> str:
        lasts = f" {self.seconds:.0f} s" if self.kind == "stop" else ""
        return f"{self.kind}{lasts} at tree {self.tree}"


@dataclass(frozen=True)
class Schedule:
    """What a seed draws."""

    workers: int
    data: str
    task: str
    events: tuple[Event, ...]


def draw(seed: int, kinds: list[str]) -> Schedule:
    """The schedule of a seed, the same every time; ``kinds`` of events to draw from, which change nothing else."""
    rng = random.Random(seed)
    workers, task = rng.randint(2, 4), rng.choice(list(TASKS))
    # An array has no categories, and the groups of a ranker are a column.
    data = rng.choice(DATA if task in ("numeric", "multiclass") else DATA[1:])
    trees = TASKS[task]["iterations"]
    drawn = []
    for _ in range(rng.randint(1, 4)):
        tree, victim, delay, seconds = rng.randrange(trees - 1), rng.randrange(8), rng.random() / 5, rng.uniform(2, 20)
        choice = rng.random()
        if kinds:
            drawn.append(Event(kinds[int(choice * len(kinds))], tree, victim, delay, seconds))
    return Schedule(workers, data, task, tuple(sorted(drawn, key=lambda event: event.tree)))


def make_table(task: str) -> pd.DataFrame:
    """Rows of a task; the label is ``y``, groups of a ranker are ``query``."""
    rng = np.random.default_rng(31)
    values = rng.normal(size=(_ROWS, 12)).astype(np.float32)
    signal_ = values[:, 0] + 0.7 * values[:, 1] * values[:, 2] + 0.5 * rng.normal(size=_ROWS)
    table = pd.DataFrame(values, columns=[f"x{i}" for i in range(12)])
    if task == "categorical":
        table["shop"] = [f"s{number}" for number in rng.integers(0, 300, _ROWS)]
        table["city"] = [f"c{number}" for number in rng.integers(0, 20, _ROWS)]
    if task == "ranking":
        table["query"] = np.arange(_ROWS) // 20
    cuts = [-1.0, 0.0, 1.0] if task in ("multiclass", "ranking") else [0.0]
    return table.assign(y=np.digitize(signal_, cuts).astype(np.int64))


def fit(schedule: Schedule, client: Any, callbacks: list[Any]) -> str:
    """Fit, and return a digest of the model's bytes without guid and time."""
    import dask.array as da
    import dask.dataframe as dd

    from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker
    from gbdist.models.catboost_format import fixed_cbm_bytes

    table = make_table(schedule.task)
    if schedule.task == "ranking":
        ranker = DaskCatBoostRanker(client=client, verbose=False, **TASKS[schedule.task])
        data = table if schedule.data == "pandas" else dd.from_pandas(table, npartitions=_PARTITIONS, sort=False)
        model = ranker.fit(data, "y", group_id="query", callbacks=callbacks)
    else:
        classifier = DaskCatBoostClassifier(client=client, verbose=False, **TASKS[schedule.task])
        if schedule.data == "lazy array":
            features = table.drop(columns="y").to_numpy()
            chunk = _ROWS // _PARTITIONS
            x = da.from_array(features, chunks=(chunk, -1))
            y = da.from_array(table["y"].to_numpy(), chunks=chunk)
            model = classifier.fit(x, y, callbacks=callbacks)
        else:
            data = table if schedule.data == "pandas" else dd.from_pandas(table, npartitions=_PARTITIONS, sort=False)
            model = classifier.fit(data, "y", callbacks=callbacks)
    return hashlib.sha256(fixed_cbm_bytes(model.model_)).hexdigest()


@dataclass(eq=False)
class Disturber:
    """A callback that sets events off when their tree is heard of, and notes when trees come again."""

    client: Any
    schedule: Schedule
    struck: list[tuple[float, int]] = field(default_factory=list)
    recovery: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _stopped: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def after_iteration(self, info: Any) -> bool:
        """Hear of a tree."""
        now = time.monotonic()
        with self._lock:
            # The first tree after an event may have been on its way when it struck.
            self.recovery += [round(now - at, 2) for at, heard in self.struck if heard]
            self.struck = [(at, heard + 1) for at, heard in self.struck if not heard]
        for event in self.schedule.events:
            if event.tree == info.iteration - 1:
                thread = threading.Thread(target=self._strike, args=[event])
                self._threads.append(thread)
                thread.start()
        return True

    def _strike(self, event: Event) -> None:
        # Not at once: the client has not let the gang go on yet.
        time.sleep(event.delay)
        try:
            self._do(event)
        except Exception as error:  # told with the seed
            self.problems.append(f"{event}: {error!r}")

    def _do(self, event: Event) -> None:
        cluster = self.client.cluster
        nannies = [nanny for _, nanny in sorted(cluster.workers.items(), key=lambda pair: str(pair[0])) if nanny.pid]
        victim = nannies[event.victim % len(nannies)] if nannies else None
        if victim is None or (event.kind == "retire" and len(nannies) == 1):
            return  # all workers are on their way back; or there would be none left
        with self._lock:
            self.struck.append((time.monotonic(), 0))
        match event.kind:
            case "join":
                cluster.scale(len(cluster.workers) + 1)
            case "retire":
                self.client.retire_workers([victim.worker_address])
            case "kill":
                os.kill(victim.pid, signal.SIGKILL)
            case "stop" | "stall":
                pid = victim.pid
                self._stopped.append(pid)
                os.kill(pid, signal.SIGSTOP)
                if event.kind == "stop":
                    threading.Timer(event.seconds, _let_go, [pid]).start()

    def end(self) -> None:
        """Wait for what is under way, and let what stands still go on, so that the cluster can be closed."""
        for thread in self._threads:
            thread.join(timeout=30)
        for pid in self._stopped:
            _let_go(pid)


def _let_go(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def undisturbed(schedule: Schedule, folder: pathlib.Path) -> str:
    """Digest of the undisturbed model, fitted once for each task; data of every kind give the same one."""
    from gbdist_cluster.launch.local import start_local

    kept = folder / f"{schedule.task} {schedule.data == 'lazy array'}"
    if not kept.exists():
        with start_local(workers=1, dashboard=False) as local:
            kept.write_text(fit(schedule, local.client, []))
    return kept.read_text()


def run(seed: int, kinds: list[str], limit: float, folder: pathlib.Path) -> dict[str, Any]:
    """One seed on a cluster of its own."""
    from gbdist_cluster.launch.local import start_local

    schedule = draw(seed, kinds)
    expected = undisturbed(schedule, folder)
    found: list[str] = []
    with start_local(workers=schedule.workers, dashboard=False, memory_limit=0) as local:
        disturber = Disturber(local.client, schedule)

        def work() -> None:
            try:
                found.append(fit(schedule, local.client, [disturber]))
            except BaseException as error:
                found.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")

        begun = time.monotonic()
        fitting = threading.Thread(target=work, daemon=True)
        fitting.start()
        fitting.join(timeout=limit)
        seconds = time.monotonic() - begun
        disturber.recovery += [round(time.monotonic() - at, 2) for at, _ in disturber.struck]
        told = {"seed": seed, "seconds": round(seconds, 1), "recovery": disturber.recovery, "hangs": not found}
        if not found:
            print(json.dumps({**told, "ok": False, "end": f"no end within {limit:g} s"}), flush=True)
            os.killpg(0, signal.SIGKILL)  # nobody can be waited for; the next seed gets another process
        end = "" if found[0] == expected else "another model" if " " not in found[0] else found[0]
        disturber.end()
    return {**told, "ok": not end and not disturber.problems, "end": "; ".join([end, *disturber.problems]).strip("; ")}


def main() -> None:
    """``schedule_run.py SEEDS KINDS LIMIT FOLDER``: a line of JSON for each seed."""
    seeds, kinds, limit, folder = sys.argv[1:]
    for seed in map(int, seeds.split(",")):
        told = run(seed, [kind for kind in kinds.split(",") if kind], float(limit), pathlib.Path(folder))
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
