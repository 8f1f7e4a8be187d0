"""``up``: starts a keeper that outlives this process, and waits for what it tells."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread
from typing import IO, Any, cast

from gbdist_cluster.errors import ClusterError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.config import APART, LATE, ClusterConfig
from gbdist_cluster.launch.facts import ClusterFacts, facts_of
from gbdist_cluster.launch.kinds import launcher_of
from gbdist_cluster.launch.records import ClusterRecord
from gbdist_cluster.launch.stop import MARK, end_processes, mark_of

__all__ = ["up"]

_GRACE_SECONDS = 30.0
"""What a keeper may take beyond its own time, before it is taken for stuck: to load, and to end."""


def up(config: ClusterConfig, say: Callable[[str], None], *, wait: bool = True) -> ClusterFacts:
    """Start a cluster that goes on when this process ends; return when its workers are there.

    Without ``wait`` it returns as soon as the scheduler answers. ``say`` is called with a line for each step.

    Raises
    ------
    GbdistError
        If something is missing, before anything is started; or if the cluster does not start, with the reason. Nothing is
        left running then, except where workers of a queue are too late: those are still waited for, and the error says so.
    """
    launcher = launcher_of(config)
    launcher.check()
    if config.is_exposed and not config.tls:
        say("without certificates: anybody who reaches the scheduler can run code as you")
    if config.tls:
        config = replace(config, tls=str(Path(config.tls).expanduser().absolute()))
    record, process, events = _start_keeper(config, launcher.workers, say)
    stays = False
    try:
        # To start, for the plugins, and for the workers.
        _follow(_events(events, process, record, 3 * config.timeout + _GRACE_SECONDS), record, say, wait=wait)
        stays = True
    except WorkersLate:
        stays = True
        raise
    finally:
        os.close(events)
        if stays:  # or it would be a zombie where this process lives longer
            Thread(target=process.wait, daemon=True).start()
        else:
            _end(process, record)
    return facts_of(records.find(config.name))


def _start_keeper(
    config: ClusterConfig, workers: int, say: Callable[[str], None]
) -> tuple[ClusterRecord, "subprocess.Popen[bytes]", int]:
    """The record, the process, and the end of the pipe that it tells through."""
    host, pid, started = records.this_process()
    record = ClusterRecord(config.name, config.kind, host, pid, started, workers)
    record = replace(record, certificates=config.tls or "", log=str(records.folder() / f"{config.name}.log"))
    before = _claim(record)
    if before is not None:
        say(f"{before.name}: its keeper, process {before.pid}, was gone; forgotten")
        end_processes(before)
    reading, writing = os.pipe()
    command = [sys.executable, "-P", "-m", "gbdist_cluster.launch.keeper"]  # -P: no module of the current folder
    environment = {**os.environ, MARK: mark_of(record)}
    try:
        with open(os.open(record.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[writing],
                env=environment,
            )
        stdin = cast(IO[bytes], process.stdin)
        with contextlib.suppress(BrokenPipeError), stdin:  # it ended before it read; the pipe tells
            stdin.write(json.dumps({"config": order_of(config), "pipe": writing}).encode())
    except BaseException:
        os.close(reading)
        records.remove(record)
        raise
    finally:
        os.close(writing)
    return record, process, reading


def order_of(config: ClusterConfig) -> dict[str, Any]:
    """The configuration as the keeper is given it, for JSON."""
    return {name: value for name, value in asdict(config).items() if name != "given"}


def _claim(record: ClusterRecord) -> ClusterRecord | None:
    """Take the name. A cluster that goes on without its keeper is not forgotten: nothing else knows where it is."""
    for known in records.all_records():
        if known.name == record.name and known.kind in APART and known.scheduler and not records.is_alive(known):
            raise ClusterError(
                f"The keeper of the cluster {record.name!r} is gone, but its workers may go on at {known.scheduler}",
                f"End them first: gbdist cluster down {record.name}",
            )
    return records.claim(record)


def _follow(
    events: Iterable[Mapping[str, Any]], record: ClusterRecord, say: Callable[[str], None], *, wait: bool
) -> None:
    """Follow what the keeper tells until the cluster is there, or raise what is said of why it is not."""
    for event in events:
        match event["event"]:
            case "started":
                say(f"scheduler: {event['scheduler']}")
                if not wait:
                    return
            case "workers":
                say(f"workers: {event['count']} of {record.workers}")
            case "ready":
                return
            case "missing":
                raise _too_few(record, event["count"])
            case "failed":
                raise ClusterError(event["problem"], event["fix"])


def _too_few(record: ClusterRecord, count: int) -> ClusterError:
    seconds = "Give them longer: --timeout SECONDS."
    if record.kind in LATE:
        return WorkersLate(
            f"{count} of {record.workers} workers have come in time; the cluster {record.name!r} stays up and waits",
            f"See: gbdist cluster status {record.name}; or give up: gbdist cluster down {record.name}. {seconds}",
        )
    return ClusterError(
        f"{count} of {record.workers} workers have come in time", f"See {record.log} for why. {seconds}"
    )


class WorkersLate(ClusterError):
    """Workers of a queue have not come in time; the cluster waits for them."""


def _events(
    events: int, process: "subprocess.Popen[bytes]", record: ClusterRecord, seconds: float
) -> Iterator[dict[str, Any]]:
    """What the keeper tells, line by line; ClusterError where it ends, or has not come to an end in its time."""
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(events, selectors.EVENT_READ)
        waiting = b""
        while selector.select(max(0.0, end - time.monotonic())):
            read = os.read(events, 65536)
            if not read:
                raise _ended(process, record)
            *lines, waiting = (waiting + read).split(b"\n")
            yield from (json.loads(line) for line in lines)
    raise ClusterError(f"The keeper does not come to an end within {seconds:g} s", f"See {record.log} for why.")


def _ended(process: "subprocess.Popen[bytes]", record: ClusterRecord) -> ClusterError:
    code = process.wait(_GRACE_SECONDS)
    lines = Path(record.log).read_text(errors="replace").strip().splitlines()
    last = f": {lines[-1]}" if lines else ""
    return ClusterError(f"The keeper ended with code {code}{last}", f"See {record.log} for more.")


def _end(process: "subprocess.Popen[bytes]", record: ClusterRecord) -> None:
    """Leave nothing of a cluster that did not start."""
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end_processes(replace(record, pid=process.pid))
    with contextlib.suppress(ClusterError):
        left = records.find(record.name)
        if left.pid not in (record.pid, process.pid):  # the keeper has removed its own, and somebody else took the name
            return
        if not (left.kind in APART and left.scheduler):  # or nobody would know where to end what goes on
            records.remove(left)
