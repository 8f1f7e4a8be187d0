"""Each check of ``gbdist doctor``: from facts to findings. Pure, so that every sick machine is a row in a test."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]

_GB = 1e9
#: Free bytes on the disk of a worker below which it is a warning.
_LEAST_DISK = 2 * _GB
#: Share of its limit above which a worker's memory is nearly full: there Dask begins to spill.
_FULL = 0.6
_LEAST_MEMORY = 1 * _GB
#: Seconds by which clocks may differ, a round between two workers may take, and bytes a second that it should carry.
_MOST_SKEW, _SLOW_ROUND, _SLOW_BYTES = 1.0, 5e-3, 50e6
#: Versions on which the trees depend, or the messages between machines.
_MUST_AGREE = ("catboost", "numba", "numpy", "dask", "distributed")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found at some places; ``fix`` says what to do, nothing where all is well."""

    check: str
    level: Level
    where: tuple[str, ...]
    text: str
    fix: str = ""


def together(findings: Sequence[Finding]) -> list[Finding]:
    """Findings with the same words become one with all their places; problems first within a check."""
    places: dict[tuple[str, Level, str, str], list[str]] = defaultdict(list)
    for one in findings:
        places[one.check, one.level, one.text, one.fix] += one.where
    return [Finding(check, level, tuple(where), text, fix) for (check, level, text, fix), where in places.items()]


def answered(facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Those who gave facts; a problem for each of the others."""
    good, findings = {}, []
    for where, one in facts.items():
        if not isinstance(one, BaseException):
            good[where] = one
            continue
        if isinstance(one, ModuleNotFoundError):
            text, fix = "gbdist is not installed", "Install the gbdist of this machine there, and restart it."
        else:
            words = str(one).splitlines()
            text = f"does not answer: {type(one).__name__}" + (f": {words[0]}" if words else "")
            fix = "Look whether it is alive; restart it, or take it out of the cluster."
        findings.append(Finding("answers", "problem", (where,), text, fix))
    return good, findings


def versions(facts: Mapping[str, Any], here: Any) -> list[Finding]:
    """Everybody has this machine's gbdist, and what trees and messages depend on."""
    findings = []
    for where, one in facts.items():
        bad = []
        wanted = here.versions["gbdist"]
        if one.versions["gbdist"] != wanted:
            fix = f"Install gbdist=={wanted} there, and restart it."
            text = f"gbdist {one.versions['gbdist'] or 'is not installed'}, here {wanted}"
            bad.append(Finding("versions", "problem", (where,), text, fix))
        for name in _MUST_AGREE:
            if one.versions[name] != here.versions[name]:
                text = f"{name} {one.versions[name] or 'is not installed'}, here {here.versions[name]}"
                fix = f"Install {name}=={here.versions[name]} there: other versions may give other trees, or fail."
                bad.append(Finding("versions", "warning", (where,), text, fix))
        if one.python.split(".")[:2] != here.python.split(".")[:2]:
            fix = "Use one Python everywhere: functions do not travel between versions."
            bad.append(Finding("versions", "warning", (where,), f"Python {one.python}, here {here.python}", fix))
        good = f"gbdist {wanted}, catboost {one.versions['catboost']}, Python {one.python}"
        findings += bad or [Finding("versions", "ok", (where,), good)]
    return findings


def memory(facts: Mapping[str, Any]) -> list[Finding]:
    """Workers have a limit, which is not nearly reached, and their limits fit into their machines."""
    findings = []
    for where, one in facts.items():
        if one.threads and not one.limit:
            fix = "Start it with --memory-limit, so that Dask restarts it rather than the system killing it."
            findings.append(Finding("memory", "warning", (where,), f"no limit, of {_gb(one.memory)}", fix))
            continue
        size = one.limit or one.memory
        if one.used > _FULL * size:
            fix = "Free what other jobs hold there (client.restart()), or give it more memory."
            text = f"{one.used / size:.0%} of {_gb(size)} in use: Dask begins to spill"
            findings.append(Finding("memory", "warning", (where,), text, fix))
        elif size < _LEAST_MEMORY:
            fix = "Give it 2 GB or more, or use fewer workers with more memory each."
            findings.append(Finding("memory", "warning", (where,), f"only {_gb(size)}", fix))
        else:
            findings.append(Finding("memory", "ok", (where,), _gb(size)))
    for host, of_host in _by_host(facts).items():
        total, there = sum(one.limit for one in of_host), of_host[0].memory
        if total > there * 1.02:
            fix = "Lower the workers' memory limits, or start fewer: else the system kills one of them."
            text = f"limits of its workers add up to {_gb(total)}, of {_gb(there)}"
            findings.append(Finding("memory", "warning", (host,), text, fix))
    return findings


def threads(facts: Mapping[str, Any]) -> list[Finding]:
    """The workers of a machine have no more threads than it has cores."""
    findings = []
    for host, of_host in _by_host(facts).items():
        used, cores = sum(one.threads for one in of_host), max(one.cores for one in of_host)
        text = f"{used or cores} threads on {cores} cores"
        if used > cores:
            fix = "Start fewer workers, or fewer threads each: a rank that waits for a core makes all others wait."
            findings.append(Finding("threads", "warning", (host,), text, fix))
        else:
            findings.append(Finding("threads", "ok", (host,), text))
    return findings


def disk(facts: Mapping[str, Any]) -> list[Finding]:
    """There is room for what is spilled, and for bins on disk."""
    findings = []
    for where, one in facts.items():
        text = f"{_gb(one.disk_free)} free in {one.folder}"
        if one.disk_free < _LEAST_DISK:
            fix = "Free some, or start the worker with --local-directory on another disk."
            findings.append(Finding("disk", "warning", (where,), text, fix))
        else:
            findings.append(Finding("disk", "ok", (where,), f"{_gb(one.disk_free)} free"))
    return findings


def clocks(skews: Mapping[str, float]) -> list[Finding]:
    """Clocks agree, as far as logs and timelines need it."""
    findings = []
    for where, skew in skews.items():
        if abs(skew) > _MOST_SKEW:
            text = f"the clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
            fix = "Let NTP set the clocks: times in logs do not fit together."
            findings.append(Finding("clocks", "warning", (where,), text, fix))
        else:
            findings.append(Finding("clocks", "ok", (where,), "within a second of this machine's"))
    return findings


def links(measured: Sequence[Any]) -> list[Finding]:
    """Workers reach each other quickly."""
    if not measured:
        return []
    slow = []
    for one in measured:
        where = (f"{one.first} and {one.second}",)
        if one.round_seconds > _SLOW_ROUND:
            fix = "A tree needs about eight rounds: use workers that are near each other, or fewer of them."
            text = f"a round takes {one.round_seconds * 1e3:.1f} ms"
            slow.append(Finding("network", "warning", where, text, fix))
        if one.bytes_per_second < _SLOW_BYTES:
            fix = "Look which network they use (dask worker --interface), or use fewer workers with more threads."
            text = f"{one.bytes_per_second / 1e6:.0f} MB a second each way"
            slow.append(Finding("network", "warning", where, text, fix))
    worst = max(one.round_seconds for one in measured), min(one.bytes_per_second for one in measured)
    text = f"at worst a round takes {worst[0] * 1e3:.2f} ms, and {worst[1] / 1e6:,.0f} MB a second go each way"
    return slow or [Finding("network", "ok", (f"{len(measured) + 1} workers, each with the next",), text)]


def kernels(states: Mapping[str, Any]) -> list[Finding]:
    """Compiled kernels can be kept; ``states`` are (folder or None, why nothing can be written there or None)."""
    findings = []
    for where, (folder, reason) in states.items():
        if folder is None or reason is not None:
            text = "compiled kernels cannot be kept" + (
                f" in {folder} ({reason})" if folder else ": no folder for them"
            )
            fix = "Set NUMBA_CACHE_DIR to a folder that can be written; else each process compiles for half a minute."
            findings.append(Finding("kernels", "problem", (where,), text, fix))
        else:
            findings.append(Finding("kernels", "ok", (where,), f"kept in {folder}"))
    return findings


def gpus(seen: Mapping[str, Any]) -> list[Finding]:
    """GPUs that our kernels can use; ``seen`` are (their facts, how many NVIDIA's driver has)."""
    findings = []
    for where, (facts, in_driver) in seen.items():
        if facts.count:
            findings.append(Finding("GPU", "ok", (where,), f"{facts.count} that can be used"))
        elif in_driver:
            fix = 'pip install "gbdist[cuda]" there, and look whether its driver is new enough (nvidia-smi).'
            text = f"the driver has {in_driver}, but they cannot be used: {facts.why_none}"
            findings.append(Finding("GPU", "warning", (where,), text, fix))
        else:
            findings.append(Finding("GPU", "ok", (where,), f"none, so CPUs are used ({facts.why_none})"))
    return findings


def _by_host(facts: Mapping[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for one in facts.values():
        found[one.host].append(one)
    return found


def _gb(size: float) -> str:
    return f"{size / _GB:.1f} GB"
