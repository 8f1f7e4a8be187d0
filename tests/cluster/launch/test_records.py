"""Records of clusters: one of a name at a time, found again, and stale ones told from those that run."""

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gbdist_cluster.errors import ClusterError, SettingError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.records import ClusterRecord


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GBDIST_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def record(name: str = "one", scheduler: str = "tcp://127.0.0.1:1234") -> ClusterRecord:
    host, pid, started = records.this_process()
    return ClusterRecord(name, "local", host, pid, started, workers=2, scheduler=scheduler)


def ended(name: str = "one") -> ClusterRecord:
    """A record of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return replace(record(name), pid=process.pid)


def test_record_is_found_by_its_name_and_read_by_nobody_else(state: Path) -> None:
    assert records.claim(record()) is None
    assert records.find("one") == record()
    assert records.all_records() == [record()]
    assert stat.S_IMODE((state / "clusters/one.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((state / "clusters").stat().st_mode) == 0o700


def test_name_is_taken_while_its_cluster_runs_or_starts() -> None:
    records.claim(record(scheduler=""))
    with pytest.raises(ClusterError) as caught:
        records.claim(record())
    assert str(caught.value) == (
        "A cluster 'one' is being started. "
        "Stop it with: gbdist cluster down one, or give another name: gbdist cluster up NAME."
    )
    records.save(record())
    with pytest.raises(ClusterError, match=r"'one' runs at tcp://127\.0\.0\.1:1234"):
        records.claim(record())


def test_stale_record_is_replaced() -> None:
    stale = ended()
    records.claim(stale)
    assert not records.is_alive(stale)
    assert records.claim(record()) == stale
    records.remove(stale)  # whoever noticed late removes nothing of the new one's
    assert records.find("one") == record()
    records.remove(record())
    assert records.all_records() == []


def test_process_of_the_same_number_that_began_later_is_another() -> None:
    assert records.is_alive(record())
    assert not records.is_alive(replace(record(), started=record().started - 60))


def test_zombie_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its number is kept
        assert not records.is_alive(replace(record(), pid=process.pid))
    finally:
        process.wait()


def test_keeper_of_another_machine_is_left_alone() -> None:
    far = replace(ended(), host="far-away")
    assert records.is_alive(far)
    records.claim(far)
    with pytest.raises(ClusterError, match="'one' runs on far-away at tcp"):
        records.claim(record())


def test_only_running_cluster_needs_no_name() -> None:
    with pytest.raises(ClusterError, match=r"^No cluster runs\. Start one with: gbdist cluster up"):
        records.only_running()
    records.claim(record("one"))
    records.claim(ended("two"))
    records.claim(record("three", scheduler=""))
    assert records.only_running() == record("one")
    records.claim(record("four"))
    with pytest.raises(ClusterError) as caught:
        records.only_running()
    assert str(caught.value) == "Several clusters run: four, one. Say which one: --scheduler NAME."


def test_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(ClusterError) as caught:
        records.find("none")
    assert str(caught.value) == (
        "No cluster is named 'none'. There are no clusters. Start one with: gbdist cluster up none"
    )
    records.claim(record())
    with pytest.raises(ClusterError, match=r"Clusters: one\. See: gbdist cluster status$"):
        records.find("none")


@pytest.mark.parametrize("name", ["", "../one", "One", "-a", "a-", "a b", "a" * 53])
def test_name_that_is_no_name(name: str) -> None:
    with pytest.raises(SettingError, match="expected 1 to 52 lower-case letters, digits and hyphens"):
        records.find(name)


def test_file_that_is_no_record_is_passed_over(state: Path) -> None:
    records.claim(record("two"))
    (state / "clusters/one.json").write_text("{")
    (state / "clusters/three.json").write_text('{"name": "three"}')
    assert [one.name for one in records.all_records()] == ["two"]
    assert records.claim(record("one")) is None


def test_folder_that_cannot_be_made(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.write_text("a file")
    with pytest.raises(
        ClusterError, match=f"^The folder {state}/clusters for what is known of clusters cannot be made"
    ):
        records.all_records()


def test_folder_is_the_users_own_where_none_is_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GBDIST_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert records.home() == tmp_path / "gbdist"
