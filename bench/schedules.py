"""Random faults, many times: does every fit end, with the model of the undisturbed fit, and how long does it take to go on?

usage: python bench/schedules.py [--seeds 0-59] [--events kill,stop,stall,join,retire] [--limit 180] [--json FILE]

A seed draws 2 to 4 workers, a kind of data (lazy, or in this process' memory), parameters, and 1 to 4 events at random trees.
The fit must end within the limit with the bytes of the undisturbed model. "next tree" is the longest time from an event until the
client hears of a tree that was grown after it, or of the end. Seeds run in one process, one cluster each; one that hangs is
ended, told, and the next one goes on in another process. One line a seed, then a summary; the exit code is 1 if any seed failed.

``--events join`` or ``--events ""`` (none) draws from fewer kinds.
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import IO, Any

from schedule_run import EVENTS, Schedule, draw

START_SECONDS = 90.0
"""How long a process may take before its first seed: imports, and undisturbed fits of each kind of data."""


def run_seeds(seeds: list[int], kinds: list[str], limit: float, folder: str) -> Iterator[dict[str, Any]]:
    """Results of all seeds, in order."""
    left = list(seeds)
    while left:
        command = [sys.executable, str(pathlib.Path(__file__).with_name("schedule_run.py"))]
        command += [",".join(map(str, left)), ",".join(kinds), str(limit), folder]
        with tempfile.TemporaryFile() as log:
            yield from _run_in_a_process(command, log, left, limit)


def _run_in_a_process(command: list[str], log: IO[bytes], left: list[int], limit: float) -> Iterator[dict[str, Any]]:
    """Results of a process' seeds, which are taken from ``left``, until it hangs or dies."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    assert process.stdout is not None
    try:
        while left:
            line = _line_within(process.stdout.fileno(), limit + START_SECONDS)
            if not line.startswith(b"{"):
                log.seek(0)
                words = log.read().decode(errors="replace").strip().splitlines()[-1:]
                why = "hangs" if not line else f"its process died: {words}"
                yield {"seed": left.pop(0), "ok": False, "end": why, "seconds": limit, "recovery": []}
                break
            left.pop(0)
            told = json.loads(line)
            yield told
            if told["hangs"]:  # its process has ended itself
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _line_within(descriptor: int, seconds: float) -> bytes:
    """The next line; b"" if none comes in time, b"?" if none will ever come."""
    end, line = time.monotonic() + seconds, b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return b""
        byte = os.read(descriptor, 1)
        if not byte:
            return b"?"
        line += byte
    return line


def in_words(schedule: Schedule, told: dict[str, Any]) -> str:
    """A line for a seed."""
    events = ", ".join(str(event) for event in schedule.events) or "no event"
    recovery = f"next tree after {max(told['recovery']):.1f} s" if told["recovery"] else ""
    verdict = "ok  " if told["ok"] else "FAIL"
    facts = f"{schedule.workers} workers, {schedule.data}, {schedule.task}"
    return f"{verdict} seed {told['seed']:3}  {told['seconds']:6.1f} s  {facts}: {events}  {recovery} {told['end']}".rstrip()


def seeds_of(text: str) -> list[int]:
    """``0-59`` or ``3,5,8`` or both."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        found += range(int(first), int(last) + 1) if dash else [int(first)]
    return found


def main() -> None:
    """Run the seeds and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=seeds_of, default="0-59")
    parser.add_argument("--events", default=",".join(EVENTS), help="kinds to draw from")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds within which a disturbed fit must end")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    kinds = [kind for kind in options.events.split(",") if kind]
    if unknown := set(kinds) - set(EVENTS):
        parser.error(f"not known: {', '.join(sorted(unknown))}; events are {', '.join(EVENTS)}")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for told in run_seeds(options.seeds, kinds, options.limit, folder):
            results.append(told)
            print(in_words(draw(told["seed"], kinds), told), flush=True)
    failed = [told["seed"] for told in results if not told["ok"]]
    waits = sorted(wait for told in results for wait in told["recovery"])
    print(f"{len(results) - len(failed)} of {len(results)} schedules ended with the undisturbed model")
    if waits:
        print(
            f"event to next tree: median {waits[len(waits) // 2]:.1f} s, longest {waits[-1]:.1f} s, {len(waits)} events"
        )
    if failed:
        print(f"failed seeds: {','.join(map(str, failed))}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
