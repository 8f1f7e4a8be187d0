"""Look whether a cluster, or this machine, is fit to train: what ``gbdist doctor`` does, callable from Python."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from gbdist.errors import ClusterError
from gbdist.jobs import doctor_checks as checks
from gbdist.jobs.doctor_checks import Finding, together

HERE = "this machine"
SCHEDULER = "the scheduler"
_WARM_SECONDS = 300.0
_SEEN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, by check."""

    findings: tuple[Finding, ...]

    def count(self, level: str) -> int:
        """How many findings are of a level."""
        return sum(one.level == level for one in self.findings)


def examine(
    scheduler: str | None = None,
    tls: str | None = None,
    *,
    warm: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Examine a cluster, or without ``scheduler`` this machine alone; with ``warm`` kernels are compiled where they will run.

    Raises ClusterError if the scheduler does not answer, or refuses the certificate.
    """
    if scheduler is None:
        return Diagnosis(tuple(together(_examine_here(warm, say))))
    from gbdist.jobs.cluster import connect

    with connect(scheduler, tls) as client:
        return Diagnosis(tuple(together(_examine_cluster(client, warm, say))))


def _examine_here(warm: bool, say: Callable[[str], None]) -> list[Finding]:
    from gbdist_cluster.checkup import facts_here

    facts = {HERE: facts_here()}
    findings = [
        *checks.versions(facts, facts[HERE]),
        *checks.memory(facts),
        *checks.threads(facts),
        *checks.disk(facts),
    ]
    findings += checks.kernels({HERE: kernels_here()}) + checks.gpus({HERE: gpus_seen()})
    if warm:
        say("compiling kernels")
        findings.append(_warmed(HERE, warm_up()))
    return findings


def _examine_cluster(client: Any, warm: bool, say: Callable[[str], None]) -> list[Finding]:
    from gbdist_cluster import checkup

    scheduler, everybody = checkup.facts_of_all(client)
    good, findings = checks.answered({SCHEDULER: scheduler, **everybody})
    if not everybody:
        fix = f"Start workers with: dask worker {client.scheduler.address}, or gbdist cluster scale."
        findings.append(Finding("answers", "problem", (SCHEDULER,), "there are no workers", fix))
    here = checkup.facts_here()
    findings += checks.versions(good, here)
    facts = {where: one for where, one in good.items() if where != SCHEDULER}
    findings += checks.memory(facts) + checks.threads(facts) + checks.disk(facts)
    workers = sorted(facts)
    findings += checks.clocks(checkup.clock_skews(client, workers))
    # Only who has this gbdist can be asked for what is in it.
    same = [address for address in workers if facts[address].versions["gbdist"] == here.versions["gbdist"]]
    for look, check in ((kernels_here, checks.kernels), (gpus_seen, checks.gpus)):
        states, silent = checks.answered(checkup.on_workers(client, look, same, _SEEN_SECONDS))
        findings += silent + check(states)
    if len(same) > 1 and len(same) == len(everybody):
        findings += _links(client, same)
    if warm:
        say(f"compiling kernels on {len(same)} worker(s)")
        findings += _warm(client, same)
    return findings


def _links(client: Any, workers: Sequence[str]) -> list[Finding]:
    from gbdist_cluster.checkup import links_between

    try:
        return checks.links(links_between(client, workers))
    except ClusterError as problem:
        fix = "Try again when no run is going on; else the workers may not reach each other: look at their logs."
        return [Finding("network", "warning", ("the workers",), f"not measured: {problem.args[0]}", fix)]


def _warm(client: Any, workers: Sequence[str]) -> list[Finding]:
    """Have every worker train a tiny model, in a task, so that its event loop stays free."""
    futures = [
        client.submit(warm_up, workers=[address], allow_other_workers=False, pure=False, key=f"gbdist-warm-{address}")
        for address in workers
    ]
    findings = []
    end = perf_counter() + _WARM_SECONDS
    for address, future in zip(workers, futures, strict=True):
        try:
            findings.append(_warmed(address, future.result(timeout=max(0.1, end - perf_counter()))))
        except Exception as problem:  # whatever a worker raises while it trains, or that it is too busy
            text = f"a tiny model could not be trained: {type(problem).__name__}: {problem}".rstrip(": ")
            findings.append(Finding("warm", "problem", (address,), text, "Look at its log."))
    for future in futures:
        future.release()  # one that has not begun never will
    return findings


def _warmed(where: str, seconds: float) -> Finding:
    return Finding("warm", "ok", (where,), f"tiny models were trained in {seconds:.0f} s")


def kernels_here() -> tuple[str | None, str | None]:
    """Where this process keeps compiled kernels, and why it cannot write there."""
    from gbdist.kernels.cache import cache_folder, why_not_writable

    folder = cache_folder()
    return (None, None) if folder is None else (str(folder), why_not_writable(folder))


def gpus_seen() -> tuple[Any, int]:
    """GPUs that our kernels can use in this process, and how many the driver has."""
    from gbdist.estimators.devices import gpus_of_numba
    from gbdist_cluster.launch.gpus import gpus_here

    return gpus_of_numba(), len(gpus_here())


def warm_up() -> float:
    """Train tiny models that use what usual runs use, so that their kernels are compiled and kept; seconds that it took."""
    import numpy as np
    import pandas as pd

    from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
    from gbdist_cluster.collective import wire

    began = perf_counter()
    wire.warm_up()
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(600, 4)).astype(np.float32), columns=list("abcd"))
    weight, score = rng.random(600), table["a"] + table["b"]
    small: dict[str, Any] = {"iterations": 3, "depth": 4, "verbose": False}
    for X in (table, table.assign(shop=rng.integers(0, 9, 600).astype(str))):
        for label in (score > 0, np.digitize(score, [-1, 1])):
            model = DaskCatBoostClassifier(**small).fit(X, label, sample_weight=weight, eval_set=(X, label))
            model.predict(X)
        DaskCatBoostRegressor(**small).fit(X, score, eval_set=(X, score)).predict(X)
    return perf_counter() - began
