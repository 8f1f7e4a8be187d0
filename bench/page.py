"""What looking at a run costs the scheduler: CPU for the sessions of the page, with a run that goes on and with none.

usage: python bench/page.py [--sessions 0,20] [--seconds 30] [--repeats 3]

The scheduler is a process of its own, without workers. A client tells its board what a run of eight ranks would: twice a second a
message a rank, 20 trees in each, two metrics of two sets, beside 49 runs that are over. Each session is a websocket, as a browser
opens it, whose messages are read and thrown away by another process. The CPU of the scheduler's process is read before and after;
the rounds with and without sessions take turns. Reported: share of one core, of wall time.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from distributed import Client

from gbdist_cluster.monitor.board import STREAM
from gbdist_cluster.plugin import prepare

RANKS, TREES, BEAT = 8, 20, 0.5
#: Seconds after which Bokeh has taken closed sessions apart, which is no cost of open ones (and the same for Dask's own pages).
FORGOTTEN = 50.0


def look(page: str, sessions: int, opened: Any, ends: Any, counted: Any) -> None:
    """Open sessions, read what comes, and count it: number of messages and bytes."""
    import asyncio

    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    async def one(seen: list[int]) -> None:
        with urllib.request.urlopen(page, timeout=30) as answer:
            token = re.search(r'"token":"([^"]+)"', answer.read().decode())
        assert token is not None, "the page has no session"
        request = HTTPRequest(f"{page.replace('http', 'ws')}/ws?bokeh-protocol-version=1.0&bokeh-session-id=x")
        channel = await websocket_connect(request, subprotocols=["bokeh", token.group(1)])
        await channel.read_message()  # ACK: header, metadata, content in three pieces
        seen.append(0)
        while True:
            piece = await channel.read_message()
            if piece is None:
                return
            seen[0] += 1
            seen[1] += len(piece)

    async def all_of_them() -> None:
        seen = [0, 0]
        tasks = []
        for _ in range(sessions):
            known = len(seen)
            tasks.append(asyncio.create_task(one(seen)))
            while len(seen) == known and not tasks[-1].done():
                await asyncio.sleep(0.01)
        opened.set()
        while not ends.is_set():
            await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        counted.put((seen[0], seen[1], sum(task.done() and not task.cancelled() for task in tasks)))

    asyncio.run(all_of_them())


def tell_old_runs(client: Client) -> None:
    """49 runs that are over."""
    for number in range(49):
        run = {"op": STREAM, "run": f"{number:032x}"}
        client._send_to_scheduler({**run, "kind": "began", "label": "DaskCatBoostClassifier Logloss", "job": None})
        client._send_to_scheduler({**run, "kind": "ended", "state": "done", "error": None})


class Run:
    """A run as its client and ranks tell of it."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self._run, self._trees = client, {"op": STREAM, "run": name}, 0
        about = {"label": "DaskCatBoostClassifier Logloss", "rows": 10**8, "features": 100, "iterations": 100_000}
        members = [(f"tcp://10.0.0.{rank}:1234", 10**7) for rank in range(RANKS)]
        for told in (
            {"kind": "began", "label": "", "job": None},
            {"kind": "about", **about},
            {"kind": "epoch", "epoch": 0, "members": members, "trees": 0},
        ):
            client._send_to_scheduler({**self._run, **told})

    def beat(self) -> None:
        """Half a second of it."""
        numbers = range(self._trees, self._trees + TREES)
        self._trees += TREES
        for rank in range(RANKS):
            points = [
                (data_set, name, number, 1.0 / (number + 1))
                for data_set in ("learn", "validation") for name in ("Logloss", "AUC") for number in numbers
            ]  # fmt: skip
            spans = dict.fromkeys(("histograms", "waiting", "network", "leaves", "scores"), 0.1 * self._trees)
            told = {"kind": "progress", "epoch": 0, "rank": rank, "grown": self._trees, "bytes": 10**6 * self._trees}
            told |= {"spans": spans, "trees": self._trees, "points": points if rank == 0 else [], "best": None}
            self._client._send_to_scheduler({**self._run, **told})

    def end(self) -> None:
        """It is done."""
        self._client._send_to_scheduler({**self._run, "kind": "ended", "state": "done", "error": None})


def measure(
    client: Client, page: str, process: psutil.Process, sessions: int, seconds: float, run: Run | None
) -> tuple[float, int, int]:
    """Share of a core that the scheduler takes; messages and bytes that sessions got."""
    context = multiprocessing.get_context("spawn")
    opened, ends, counted = context.Event(), context.Event(), context.Queue()
    looking = context.Process(target=look, args=(page, sessions, opened, ends, counted))
    looking.start()
    try:
        if not opened.wait(120):
            raise TimeoutError("the sessions were not opened within two minutes")
        time.sleep(2.0)
        before, began = process.cpu_times(), time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            if run is not None:
                run.beat()
            time.sleep(min(BEAT, left))
        after, wall = process.cpu_times(), time.monotonic() - began
    finally:
        ends.set()
        looking.join(60)
    messages, size, ended = counted.get(timeout=60)
    time.sleep(FORGOTTEN if sessions else 0.0)
    assert ended == 0, f"{ended} sessions were ended by the scheduler"
    return (after.user + after.system - before.user - before.system) / wall, messages, size


def main() -> None:
    """Measure in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", default="0,20")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    counts = [int(one) for one in given.sessions.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scheduler.json"
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(file), "--port", "0"]
        started = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0"],
            env=os.environ,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not file.exists():
                time.sleep(0.1)
            with Client(scheduler_file=str(file), set_as_default=False) as client:
                prepare(client)
                port = client.scheduler_info()["services"]["dashboard"]
                compare(client, f"http://127.0.0.1:{port}/gbdist", psutil.Process(started.pid), counts, given)
        finally:
            started.terminate()
            started.wait(30)


def compare(client: Client, page: str, process: psutil.Process, counts: list[int], given: Any) -> None:
    """All numbers of sessions in turns, with a run and without; print the table."""
    tell_old_runs(client)
    shares: dict[tuple[bool, int], list[float]] = {}
    print(f"{'run':>6} {'sessions':>9} {'CPU, % of a core':>17} {'messages':>9} {'kB':>9}")
    for repeat in range(given.repeats):
        for live in (True, False):
            for count in counts:
                run = Run(client, f"run {repeat} {count}") if live else None
                share, messages, size = measure(client, page, process, count, given.seconds, run)
                if run is not None:
                    run.end()
                shares.setdefault((live, count), []).append(share)
                print(
                    f"{'live' if live else 'none':>6} {count:>9} {100 * share:>17.2f} {messages:>9} {size / 1e3:>9.0f}",
                    flush=True,
                )
    for live in (True, False):
        base = median(shares[live, counts[0]])
        for count in counts[1:]:
            more = 100 * (median(shares[live, count]) - base)
            print(
                f"{count} sessions, {'with a run' if live else 'without a run'}: {more:.2f} % of wall time more than {counts[0]}"
            )


if __name__ == "__main__":
    main()
