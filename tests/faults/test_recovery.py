"""A fit that loses workers ends with the model of one that does not, whenever they leave and however they do."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskPool
from gbdist.errors import ClusterError
from gbdist_cluster import watch
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

from .conftest import TREES, Small, fit
from .injection import inject
from .moments import MOMENTS, OF_NETWORKS
from .plan import Fault, InjectedError
from .proxy import cuttable

#: Moments in the order in which a fit comes to them, several fits; a worker is killed at each, one after the other. Some moments
#: are of gangs of several ranks, and of three workers that are killed so quickly two are not replaced in time.
KILLS: dict[str, Sequence[Fault]] = {
    "preparation": [Fault("kill", at) for at in ("survey", "sample", "choice of borders", "quantize", "quantized")],
    "start": [Fault("kill", "shards made", worker=1), Fault("kill", "rank starts", rank=1)],
    "wait": [Fault("kill", "wait for go", rank=1), Fault("kill", "join", rank=1), Fault("kill", "steps agreed")],
    "begin": [Fault("kill", "joined", rank=1), Fault("kill", "begin", rank=1)],
    "trees": [
        Fault("kill", "derivatives", tree=0),
        Fault("kill", "histogram", tree=1),
        Fault("kill", "replay"),
        Fault("kill", "leaves", tree=2),
        Fault("kill", "all_reduce", tree=3),
        Fault("kill", "tree grown", tree=4),
    ],
    "rounds": [Fault("kill", "reduce_scatter"), Fault("kill", "all_gather", tree=4)],
    "messages": [Fault("kill", "send", tree=2), Fault("kill", "receive", tree=3)],
    "results": [Fault("kill", "leave", rank=1), Fault("kill", "result fetched", rank=0)],
    "end": [Fault("kill", "left", rank=1), Fault("kill", "result"), Fault("kill", "tables")],
}


def soaked(value: Any) -> Any:
    """A case that takes long beside what the others show already."""
    return pytest.param(value, marks=pytest.mark.soak)


def chain(faults: Sequence[Fault]) -> list[Fault]:
    """Each fault after the one before it."""
    return [replace(fault, after=number - 1 if number else None) for number, fault in enumerate(faults)]


def test_all_moments_before_the_end_are_among_those_that_kill() -> None:
    killed = {fault.moment for faults in KILLS.values() for fault in faults}
    assert MOMENTS.keys() - OF_NETWORKS.keys() - killed == {
        "model put together",
        "end",
    }  # where nobody needs the workers any more


@pytest.mark.parametrize("when", [when if when == "trees" else soaked(when) for when in KILLS])
def test_workers_killed_one_after_the_other(three: Client, small: Small, when: str) -> None:
    plan = chain(KILLS[when])
    with inject(three, *plan) as injected:
        assert small.fit(three) == small.model
        assert [fault.moment for number, fault in enumerate(plan) if injected.fired(number) is None] == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("exit", "tree grown", rank=0, tree=3),
        soaked(Fault("drop", "join", rank=1)),
        Fault("drop", "all_reduce", rank=1, tree=2),
        soaked(Fault("retire", "quantize", worker=1)),
        Fault("retire", "all_reduce", rank=1, tree=2),
        soaked(Fault("retire", "result", rank=0)),
        Fault("join", "all_reduce", rank=1, tree=1),
    ],
    ids=lambda fault: f"{fault.what} at {fault.moment}",
)
def test_workers_that_leave_otherwise_or_come(fragile: Client, small: Small, fault: Fault) -> None:
    with inject(fragile, fault) as injected:
        assert small.fit(fragile) == small.model
        injected.wait()


def test_all_workers_killed_at_once(fragile: Client, small: Small) -> None:
    # Nobody is left who knows a tree but the client.
    with inject(fragile, *(Fault("kill", "tree grown", rank=rank, tree=4) for rank in (0, 1))):
        assert small.fit(fragile) == small.model


def test_rows_of_the_clients_memory_are_sent_again(fragile: Client, small: Small) -> None:
    table = pd.concat([small.table] * 3, ignore_index=True)  # too large to be trained on in this process
    expected = fit(fragile, table)
    plan = chain([Fault("kill", "survey"), Fault("kill", "quantized"), Fault("kill", "all_reduce", tree=2)])
    with inject(fragile, *plan) as injected:
        assert fit(fragile, table) == expected
        assert injected.fired(2)


def test_shards_of_a_pool_are_made_again(fragile: Client, small: Small) -> None:
    with DaskPool(small.frame(), "y", client=fragile) as pool:
        for _ in range(2):
            with inject(fragile, Fault("kill", "all_reduce", rank=0, tree=2)) as injected:
                assert fit(fragile, pool, y=None) == small.model
                assert injected.fired(0)


def test_worker_stopped_for_good_while_trees_grow(
    fragile: Client, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)  # the scheduler is in this process
    with inject(fragile, Fault("stop", "all_reduce", rank=1, tree=2)) as injected:
        assert small.fit(fragile) == small.model
        gone = injected.wait().address
        assert gone not in fragile.scheduler_info(n_workers=-1)["workers"]
        fragile.wait_for_workers(2, timeout=60)  # its nanny has killed it, and started another one


@pytest.mark.soak
def test_the_only_worker_stopped(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    # There is no peer that would miss it.
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)
    with start_local(workers=1, dashboard=False) as local:
        prepare(local.client)
        with inject(local.client, Fault("stop", "histogram", tree=2)):
            assert small.fit(local.client) == small.model


def test_worker_stopped_while_it_prepares_data(fragile: Client, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 1.0)
    with inject(fragile, Fault("stop", "quantize", worker=1)):
        assert small.fit(fragile) == small.model


@pytest.mark.parametrize(
    "swallow",
    [pytest.param(False, marks=pytest.mark.soak, id="connections end"), pytest.param(True, id="nothing arrives")],
)
def test_network_of_a_worker_cut_while_trees_grow(small: Small, swallow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)
    with cuttable(2) as cluster:
        prepare(cluster.client)
        with inject(cluster.client, Fault("stop", "tree grown", rank=1, tree=2, seconds=0.5)) as injected:
            cut = threading.Thread(target=lambda: cluster.cut(injected.wait().address, swallow=swallow))
            cut.start()
            assert small.fit(cluster.client) == small.model
            cut.join()
            cluster.heal(injected.wait().address)


class Heard:
    """A callback that remembers what it was told."""

    def __init__(self, stops_at: int = TREES) -> None:
        self.iterations: list[int] = []
        self._stops_at = stops_at

    def after_iteration(self, info: Any) -> bool:
        self.iterations.append(info.iteration)
        return bool(info.iteration < self._stops_at)


@pytest.mark.parametrize("stops_at", [soaked(TREES), 3])
def test_callbacks_hear_of_every_tree_once_and_stop_where_they_want_to(
    fragile: Client, small: Small, stops_at: int
) -> None:
    expected = Heard(stops_at)
    model = small.fit(fragile, callbacks=[expected])
    heard = Heard(stops_at)
    with inject(
        fragile, *chain([Fault("kill", "tree grown", rank=0, tree=1), Fault("kill", "tree grown", rank=0, tree=2)])
    ):
        assert small.fit(fragile, callbacks=[heard]) == model
    assert heard.iterations == expected.iterations == list(range(1, stops_at + 1))


def test_an_error_of_a_ranks_own_ends_the_run(fragile: Client, small: Small) -> None:
    plan = chain([Fault("kill", "all_reduce", tree=1), Fault("raise", "all_reduce", tree=3)])
    with inject(fragile, *plan), pytest.raises(InjectedError):
        small.fit(fragile)
    assert small.fit(fragile) == small.model  # nothing of it is left


def test_scattered_rows_that_are_lost(fragile: Client, small: Small) -> None:
    # By hand: Dask cannot compute them again, and this process does not know them.
    import dask.dataframe as dd

    pieces = fragile.scatter([small.table[:2_000], small.table[2_000:]])
    frame = dd.from_delayed(pieces, meta=small.table.iloc[:0], verify_meta=False)
    with inject(fragile, Fault("kill", "all_reduce", rank=1, tree=2)) as injected:
        with pytest.raises(ClusterError) as raised:
            fit(fragile, frame)
        gone = injected.wait().address
    told = str(raised.value)
    assert "cannot" in told or "nobody can compute them again" in told
    assert f"The run had lost worker {gone} with rows of partitions " in told
    assert told.endswith("With snapshot_file set, fit could go on from there.")
