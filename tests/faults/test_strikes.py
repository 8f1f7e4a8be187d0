"""Each fault does what it says, once, to whom it is meant for.

What the fit makes of it is another matter: it ends with the same model, or with an error that names the worker.
"""

import os
import threading
from pathlib import Path

import pytest
from distributed import Client

from gbdist.errors import ClusterError

from .conftest import Small
from .injection import inject
from .plan import Fault, InjectedError

pytestmark = pytest.mark.soak


def addresses(client: Client) -> set[str]:
    return set(client.scheduler_info(n_workers=-1)["workers"])


@pytest.mark.parametrize("what", ["kill", "exit"])
def test_worker_lost_in_the_survey(fragile: Client, small: Small, what: str) -> None:
    before = addresses(fragile)
    with inject(fragile, Fault(what, "survey", worker=1)) as injected:
        assert small.fit(fragile) == small.model  # who takes its place comes to the same moment, and lives
        fired = injected.wait()
        assert injected.count("survey") > 4
    assert fired.address in before
    assert (fired.rank, fired.tree) == (None, None)
    assert fired.address not in addresses(fragile)


def test_worker_lost_while_it_quantizes(fragile: Client, small: Small) -> None:
    with inject(fragile, Fault("kill", "quantize", worker=1)) as injected:
        small.same_or_named(fragile, lambda: injected.wait().address)


@pytest.mark.parametrize(
    ("moment", "tree"), [("wait for go", None), ("begin", None), ("all_reduce", 2), ("histogram", 2), ("tree grown", 2)]
)
def test_worker_killed_in_a_gang(fragile: Client, small: Small, moment: str, tree: int | None) -> None:
    with inject(fragile, Fault("kill", moment, rank=1, tree=tree)) as injected:
        small.same_or_named(fragile, lambda: injected.wait().address)
        fired = injected.wait()
    assert (fired.rank, fired.tree, fired.epoch) == (1, tree, 0)


def test_only_the_nth_occurrence_counts(sturdy: Client, small: Small) -> None:
    with inject(sturdy, Fault("raise", "tree grown", rank=0, nth=4)) as injected:
        with pytest.raises(InjectedError):
            small.fit(sturdy)
        assert injected.wait().tree == 3


def test_error_in_a_task(sturdy: Client, small: Small) -> None:
    with inject(sturdy, Fault("raise", "survey")), pytest.raises(InjectedError) as raised:
        small.fit(sturdy)
    assert raised.value.args == (0,)


def test_worker_stopped_for_a_while_costs_nothing(sturdy: Client, small: Small) -> None:
    with inject(sturdy, Fault("stop", "all_reduce", rank=1, tree=1, seconds=1.0)) as injected:
        assert small.fit(sturdy) == small.model
        assert injected.wait().tree == 1


def test_worker_that_is_stopped_goes_on_when_the_plan_ends(sturdy: Client, small: Small) -> None:
    models: list[bytes] = []
    fitting = threading.Thread(target=lambda: models.append(small.fit(sturdy)))
    with inject(sturdy, Fault("stop", "derivatives", rank=0, tree=1)) as injected:
        fitting.start()
        process = Path(f"/proc/{injected.wait().pid}/stat")
        while process.read_text().rpartition(")")[2].split()[0] != "T":
            pass
        assert fitting.is_alive()
    fitting.join(timeout=60)
    assert models == [small.model]


def test_connections_dropped(fragile: Client, small: Small) -> None:
    with inject(fragile, Fault("drop", "all_reduce", rank=1, tree=1)) as injected:
        small.same_or_named(fragile)
        assert injected.wait().rank == 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("tag", "ranks are out of step"),
        ("head", "cells where [0-9]+ were expected"),
        ("end", "bytes that are no message of cells"),
    ],
)
def test_message_damaged(sturdy: Client, small: Small, damage: str, words: str) -> None:
    with inject(sturdy, Fault("corrupt", "histogram", rank=0, tree=1, damage=damage)) as injected:
        with pytest.raises(ClusterError, match=words):
            small.fit(sturdy)
        assert injected.wait().rank == 0


@pytest.mark.parametrize("by", ["file", "descriptor"])
def test_disk_full(sturdy: Client, small: Small, tmp_path: Path, by: str) -> None:
    def write(path: Path) -> str:
        try:
            if by == "file":
                path.write_bytes(b"bins")
            else:
                number = os.open(path, os.O_RDWR | os.O_CREAT)
                try:
                    os.ftruncate(number, 4)  # takes no space
                    os.pwrite(number, b"bins", 0)
                finally:
                    os.close(number)
        except OSError as error:
            return str(error.strerror)
        return path.read_text()

    path = tmp_path / "some file"
    small.fit(sturdy)  # kernels that are compiled for the first time are written to disk
    with inject(sturdy, Fault("disk full", "quantized")) as injected:
        small.fit(sturdy)
        victim = injected.wait().address
        assert sturdy.run(write, path, workers=[victim]) == {victim: "No space left on device"}
        assert path.exists()
    assert sturdy.run(write, path, workers=[victim]) == {victim: "bins"}


def test_worker_retired(fragile: Client, small: Small) -> None:
    with inject(fragile, Fault("retire", "survey", worker=0)) as injected:
        assert small.fit(fragile) == small.model
        victim = injected.wait().address
    assert victim not in addresses(fragile)


def test_worker_joins(fragile: Client, small: Small) -> None:
    before = addresses(fragile)
    with inject(fragile, Fault("join", "tree grown", rank=0, tree=1)):
        assert small.fit(fragile) == small.model
    assert len(addresses(fragile)) == len(before) + 1


@pytest.mark.parametrize("moment", ["shards made", "result fetched"])
def test_worker_killed_while_the_client_is_at_work(fragile: Client, small: Small, moment: str) -> None:
    with inject(fragile, Fault("kill", moment, rank=1)) as injected:
        small.same_or_named(fragile, lambda: injected.wait().address)
        assert injected.wait().rank == 1


def test_error_in_the_client(sturdy: Client, small: Small) -> None:
    with inject(sturdy, Fault("raise", "model put together")), pytest.raises(InjectedError):
        small.fit(sturdy)


def test_second_fault_waits_for_the_first(fragile: Client, small: Small) -> None:
    plan = (Fault("join", "quantize", after=1), Fault("stop", "sample", seconds=0.1))
    with inject(fragile, *plan) as injected:
        assert small.fit(fragile) == small.model
        assert injected.wait(1).at < injected.wait(0).at


def test_fault_that_never_struck_is_told_with_what_happened_instead(sturdy: Client, small: Small) -> None:
    with inject(sturdy, Fault("kill", "begin", rank=7)) as injected:
        assert small.fit(sturdy) == small.model
        assert injected.fired() is None
        with pytest.raises(TimeoutError, match=r"rank=7.* did not strike in 0 s; moments so far: \{'survey': 4, "):
            injected.wait(timeout=0.0)


def test_threads_of_the_test_are_no_workers_to_break() -> None:
    with (
        Client(processes=False, n_workers=1, dashboard_address=":0", set_as_default=False) as client,
        pytest.raises(ValueError, match="start workers that are processes of their own"),
        inject(client, Fault("kill", "survey")),
    ):
        pass
