"""Every sick machine is a row: what is found, and what to do."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gbdist.jobs import doctor_checks as checks
from gbdist.jobs.doctor_checks import Finding, together
from gbdist_cluster.checkup import PACKAGES, LinkFacts, MachineFacts

A, B = "tcp://a:1", "tcp://b:1"
HERE = MachineFacts(
    host="node1",
    python="3.11.7",
    versions={**dict.fromkeys(PACKAGES, "1.0"), "gbdist": "0.1.0"},
    cores=8,
    threads=4,
    memory=32_000_000_000,
    limit=8_000_000_000,
    used=1_000_000_000,
    folder="/scratch",
    disk_free=50_000_000_000,
)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    """Level and text of each; those that are well need no fix, the others have one."""
    assert all(bool(one.fix) == (one.level != "ok") for one in findings)
    return [(one.level, one.text) for one in findings]


def other(**versions: str | None) -> MachineFacts:
    return replace(HERE, versions={**HERE.versions, **versions})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (HERE, [("ok", "gbdist 0.1.0, catboost 1.0, Python 3.11.7")]),
        (replace(HERE, python="3.11.2"), [("ok", "gbdist 0.1.0, catboost 1.0, Python 3.11.2")]),
        (other(gbdist="0.2.0"), [("problem", "gbdist 0.2.0, here 0.1.0")]),
        (other(gbdist=None), [("problem", "gbdist is not installed, here 0.1.0")]),
        (
            other(catboost="1.3", numba=None),
            [("warning", "catboost 1.3, here 1.0"), ("warning", "numba is not installed, here 1.0")],
        ),
        (other(pandas="9"), [("ok", "gbdist 0.1.0, catboost 1.0, Python 3.11.7")]),
        (replace(HERE, python="3.12.0"), [("warning", "Python 3.12.0, here 3.11.7")]),
    ],
)
def test_versions(facts: MachineFacts, expected: list[tuple[str, str]]) -> None:
    assert told(checks.versions({A: facts}, HERE)) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (HERE, [("ok", "8.0 GB")]),
        (replace(HERE, limit=0), [("warning", "no limit, of 32.0 GB")]),
        (replace(HERE, limit=0, threads=0, used=0), [("ok", "32.0 GB")]),
        (replace(HERE, used=6_000_000_000), [("warning", "75% of 8.0 GB in use: Dask begins to spill")]),
        (replace(HERE, limit=500_000_000, used=0), [("warning", "only 0.5 GB")]),
        (
            replace(HERE, memory=6_000_000_000),
            [("ok", "8.0 GB"), ("warning", "limits of its workers add up to 8.0 GB, of 6.0 GB")],
        ),
    ],
)
def test_memory(facts: MachineFacts, expected: list[tuple[str, str]]) -> None:
    assert told(checks.memory({A: facts})) == expected


def test_threads_are_counted_by_machine() -> None:
    assert told(checks.threads({A: HERE, B: HERE})) == [("ok", "8 threads on 8 cores")]
    elsewhere = replace(HERE, host="node2", threads=12)
    found = checks.threads({A: HERE, B: elsewhere})
    assert told(found) == [("ok", "4 threads on 8 cores"), ("warning", "12 threads on 8 cores")]
    assert found[1].where == ("node2",)


def test_disk() -> None:
    assert told(checks.disk({A: HERE})) == [("ok", "50.0 GB free")]
    assert told(checks.disk({A: replace(HERE, disk_free=900_000_000)})) == [("warning", "0.9 GB free in /scratch")]


def test_clocks() -> None:
    assert told(checks.clocks({A: 0.3, B: -70.0, "C": 2.0})) == [
        ("ok", "within a second of this machine's"),
        ("warning", "the clock is 70.0 s behind this machine's"),
        ("warning", "the clock is 2.0 s ahead of this machine's"),
    ]


def test_links() -> None:
    assert checks.links([]) == []
    good = LinkFacts(A, B, 0.0004, 900e6)
    assert told(checks.links([good, LinkFacts(B, A, 0.0003, 800e6)])) == [
        ("ok", "at worst a round takes 0.40 ms, and 800 MB a second go each way")
    ]
    found = checks.links([good, LinkFacts(B, A, 0.02, 9e6)])
    assert told(found) == [("warning", "a round takes 20.0 ms"), ("warning", "9 MB a second each way")]
    assert found[0].where == (f"{B} and {A}",)


def test_kernels() -> None:
    assert told(checks.kernels({A: ("/cache", None), B: ("/cache", "Permission denied"), "C": (None, None)})) == [
        ("ok", "kept in /cache"),
        ("problem", "compiled kernels cannot be kept in /cache (Permission denied)"),
        ("problem", "compiled kernels cannot be kept: no folder for them"),
    ]


def test_gpus() -> None:
    none = SimpleNamespace(count=0, why_none="no driver")
    assert told(checks.gpus({A: (SimpleNamespace(count=2), 2), B: (none, 0), "C": (none, 4)})) == [
        ("ok", "2 that can be used"),
        ("ok", "none, so CPUs are used (no driver)"),
        ("warning", "the driver has 4, but they cannot be used: no driver"),
    ]


def test_who_does_not_answer_is_a_problem() -> None:
    facts: dict[str, Any] = {A: HERE, B: ModuleNotFoundError("No module named 'gbdist_cluster'"), "C": TimeoutError()}
    good, findings = checks.answered({**facts, "D": OSError("cut\noff")})
    assert good == {A: HERE}
    assert told(findings) == [
        ("problem", "gbdist is not installed"),
        ("problem", "does not answer: TimeoutError"),
        ("problem", "does not answer: OSError: cut"),
    ]


def test_the_same_finding_at_several_places_is_one() -> None:
    some = [Finding("disk", "ok", (A,), "9 GB free"), Finding("disk", "warning", ("C",), "0 GB free", "Free some.")]
    assert together([*some, Finding("disk", "ok", (B,), "9 GB free")]) == [
        Finding("disk", "ok", (A, B), "9 GB free"),
        some[1],
    ]
