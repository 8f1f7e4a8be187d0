"""Compression on a cluster: the same bits on one, two and three workers as in this process, also when a worker is lost."""

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskPool
from gbdist.boosting.events import Happened, IterationDone
from gbdist.compression import data as of_data
from gbdist.compression import gang as of_gang
from gbdist.compression.data import CompressionData, DataOnGang, compression_data
from gbdist.compression.passes.base import Pass, PassData, measure_of
from gbdist.compression.pipeline import Compressed, CompressionPipeline, RunPasses, losses
from gbdist.compression.shares import PARTS, Shares
from gbdist.errors import ClusterError, DataError
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.stored import Stored
from gbdist.estimators.run_gang import Audience
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist_cluster.gang import Loss
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.monitor.reporting import labelled, read_board
from gbdist_cluster.plugin import prepare

from ..estimators import conftest as of_estimators
from .tables import Prefix, Recount, classes_of, fitted, make_frame, same_bits

three_workers = of_estimators.three_workers
client = of_estimators.client
tasks_left = of_estimators.tasks_left

SHARES = Shares(0.3, 0.2)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """So many rows that three workers have some of each part that passes see."""
    return make_frame(7_000)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> Any:
    return fitted(frame)


@dataclass(frozen=True)
class Found:
    """What a pipeline leaves, and losses on all parts before and after it."""

    compressed: Compressed
    scores: list[list[float]]


PASSES = (Prefix(8), Recount(), Recount())


def work(data: CompressionData, passes: Any = PASSES, listener: Any = None) -> Found:
    compressed = CompressionPipeline(passes).apply(data.ensemble, data, listener)
    ensembles = [data.ensemble, compressed.ensemble]
    return Found(compressed, [losses(ensembles, data, part).tolist() for part in PARTS])


def same(one: Found, other: Found) -> bool:
    return same_bits(one.compressed.ensemble, other.compressed.ensemble) and one.scores == other.scores


@pytest.fixture(scope="module")
def expected(frame: pd.DataFrame, model: Any) -> Found:
    """Of this process."""
    with compression_data(frame, "y", "w", model=model, shares=SHARES, seed=3) as data:
        return work(data)


@pytest.mark.parametrize(("n_workers", "partitions"), [(1, 3), (2, 7), (3, 5)])
def test_the_cluster_does_not_change_the_result(
    client: Client,
    frame: pd.DataFrame,
    model: Any,
    expected: Found,
    n_workers: int,
    partitions: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = of_data.ready_workers
    monkeypatch.setattr(of_data, "ready_workers", lambda client: ready(client)[:n_workers])
    lazy = dd.from_pandas(frame, npartitions=partitions, sort=False)
    with compression_data(lazy, "y", "w", model=model, shares=SHARES, seed=3, client=client) as data:
        heard: list[Any] = []
        assert same(work(data, listener=heard.append), expected)
        assert [event.iteration for event in heard if isinstance(event, IterationDone)] == [0, 1, 2]
        assert heard[0].ranks == n_workers


def test_arrays_of_numbers_and_a_given_holdout(client: Client) -> None:
    generator = np.random.default_rng(2)
    X = generator.normal(size=(600, 3)).astype(np.float32)
    y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no").astype(object)
    frame = pd.DataFrame(X)
    model = fit_numbers(frame, y)
    holdout = (X[:100], y[:100])
    with compression_data(X, y, model=model, holdout=holdout) as data:
        here = work(data)
    chunks = (da.from_array(X, chunks=(150, 3)), da.from_array(y, chunks=150))
    with compression_data(*chunks, model=model, holdout=tuple(map(chunked, holdout)), client=client) as data:
        assert same(work(data), here)


def chunked(values: np.ndarray) -> Any:
    return da.from_array(values, chunks=(60, *values.shape[1:]))


def fit_numbers(X: pd.DataFrame, y: np.ndarray) -> Any:
    import catboost

    options = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
    return catboost.CatBoostClassifier(**options).fit(X.to_numpy(), y)


def test_large_data_in_memory_are_sent_where_there_is_a_client(client: Client, model: Any) -> None:
    frame = make_frame(10_500, seed=4)
    lazy = dd.from_pandas(frame, npartitions=3, sort=False)
    with compression_data(frame, "y", "w", model=model, client=client) as data:
        sent = work(data)
    for where in ({"X": lazy, "client": client}, {"X": frame}):
        with compression_data(**where, y="y", sample_weight="w", model=model) as data:
            assert isinstance(data, DataOnGang) is ("client" in where)
            assert same(work(data), sent)


def test_workers_that_are_gone_are_done_without(
    client: Client, frame: pd.DataFrame, model: Any, expected: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy = dd.from_pandas(frame, npartitions=5, sort=False)
    ready = of_data.ready_workers
    with compression_data(lazy, "y", "w", model=model, shares=SHARES, seed=3, client=client) as data:
        monkeypatch.setattr(of_data, "ready_workers", lambda client: ready(client)[1:])
        heard: list[Any] = []
        assert same(work(data, listener=heard.append), expected)
        assert heard[0].ranks == 2


def test_after_an_error_nothing_is_left_on_the_workers(
    client: Client, frame: pd.DataFrame, tasks_left: Callable[[], list[str]]
) -> None:
    y = classes_of(frame)
    classifier = fitted(frame, classifier=True)
    y[5] = "middle"
    X = frame.drop(columns=["y", "w"]).assign(label=y)
    lazy = dd.from_pandas(X, npartitions=3, sort=False)
    with pytest.raises(DataError, match="y: found label 'middle'"):  # noqa: SIM117
        with compression_data(lazy, "label", model=classifier, client=client, shares=Shares(0.0, 0.0)):
            pass
    assert tasks_left() == []


def test_a_pipeline_stands_on_the_board_and_losses_do_not(client: Client, frame: pd.DataFrame, model: Any) -> None:
    lazy = dd.from_pandas(frame, npartitions=5, sort=False)
    with (
        labelled("this test"),
        compression_data(lazy, "y", "w", model=model, shares=SHARES, client=client) as data,
    ):
        losses([data.ensemble], data, "choice")
        CompressionPipeline([Recount(), Recount()]).apply(data.ensemble, data)
    end = time.monotonic() + 20.0
    while not (run := read_board(client, job="this test"))[0]["ended"] or not all(r["spans"] for r in run[0]["ranks"]):
        assert time.monotonic() < end, run
    (told,) = run
    known = {name: told[name] for name in ("label", "state", "trees", "iterations", "counted", "rows", "features")}
    assert known == {
        "label": "compression", "state": "done", "trees": 2, "iterations": 2, "counted": "passes",
        "rows": data.rows["passes"], "features": 4,
    }  # fmt: skip
    assert len(told["ranks"]) == 3


@dataclass(frozen=True)
class Fails(Pass):
    """Raises on the last rank."""

    name: ClassVar[str] = "fails"
    needs_rows: ClassVar[bool] = True

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        assert data is not None
        if data.collective.rank == data.collective.size - 1:
            raise ValueError("no such luck")
        data.collective.all_gather(b"")
        return ensemble


def test_a_pass_that_fails_on_a_rank_raises_its_error_and_the_data_stay(
    client: Client, frame: pd.DataFrame, model: Any, expected: Found
) -> None:
    lazy = dd.from_pandas(frame, npartitions=5, sort=False)
    with compression_data(lazy, "y", "w", model=model, shares=SHARES, seed=3, client=client) as data:
        with pytest.raises(ValueError, match="no such luck"):
            CompressionPipeline([Fails()]).apply(data.ensemble, data)
        assert same(work(data), expected)


def test_a_pool_is_refused(client: Client, frame: pd.DataFrame, model: Any) -> None:
    pool = DaskPool(dd.from_pandas(frame[["a", "b", "y"]], npartitions=2, sort=False), "y", client=client)
    with (
        pytest.raises(DataError, match="X: found a DaskPool, expected a table or a Dask collection"),
        compression_data(pool, None, model=model, client=client),
    ):
        pass
    pool.close()


@dataclass(frozen=True)
class Endless(Pass):
    """Works until nobody waits for it any more."""

    name: ClassVar[str] = "endless"
    needs_rows: ClassVar[bool] = True

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        assert data is not None
        while True:
            data.check()


def interrupts(event: Any) -> None:
    """A listener of somebody who has seen enough after one pass."""
    if isinstance(event, IterationDone):
        raise KeyboardInterrupt


def test_an_interrupted_pipeline_leaves_nothing_running(
    client: Client, frame: pd.DataFrame, model: Any, expected: Found
) -> None:
    lazy = dd.from_pandas(frame, npartitions=5, sort=False)
    with compression_data(lazy, "y", "w", model=model, shares=SHARES, seed=3, client=client) as data:
        with pytest.raises(KeyboardInterrupt):
            CompressionPipeline([Recount(), Endless()]).apply(data.ensemble, data, interrupts)
        assert same(work(data), expected)


@dataclass(frozen=True)
class Counts(Pass):
    """Moves the bias by how often it has asked for something that is kept."""

    name: ClassVar[str] = "counts"
    needs_rows: ClassVar[bool] = True

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        assert data is not None
        asked = data.recall(b"asked", lambda: [0.0])
        asked[0] += 1.0
        return replace(ensemble, bias=ensemble.bias * 0.0 + asked[0])


def test_rows_and_what_passes_know_of_them_stay_from_one_pipeline_to_the_next(
    client: Client, frame: pd.DataFrame, model: Any
) -> None:
    lazy = dd.from_pandas(frame, npartitions=5, sort=False)
    before = {id(one) for one in of_gang._known.values()}  # errors of other tests may hold some

    def known() -> list[Any]:
        return [one for one in of_gang._known.values() if id(one) not in before]

    with compression_data(lazy, "y", "w", model=model, shares=SHARES, client=client) as data:
        for count in (1.0, 2.0):
            found = CompressionPipeline([Counts()]).apply(data.ensemble, data).ensemble
            assert found.bias.tolist() == [count]
        assert len(known()) == 3
        rows = [id(one.rows) for one in known()]
        losses([data.ensemble], data, "passes")
        assert [id(one.rows) for one in known()] == rows
    gone = time.monotonic() + 30.0
    while known() and time.monotonic() < gone:  # the workers are told of it by messages of their own
        gc.collect()
    assert known() == []


@dataclass(frozen=True)
class Dies(Pass):
    """Takes the process of rank 1 with it, the first time."""

    once: str
    name: ClassVar[str] = "dies"
    needs_rows: ClassVar[bool] = True

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        assert data is not None
        if data.collective.rank == 1 and not Path(self.once).exists():
            Path(self.once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        data.collective.all_gather(b"")
        return ensemble


def test_what_a_compression_that_cannot_go_on_says(model: Any) -> None:
    ensemble = from_catboost(model)
    subject = of_gang.Subject(ensemble, measure_of(ensemble), 0)
    future: Any = SimpleNamespace(status="finished", release=lambda: None)
    survey: Any = SimpleNamespace(n_rows=10)
    data = QuantizedSet(("tcp://10.0.0.1:1",), ((Stored(future, ((0, 10),), (4,)),),), (), survey, 0)
    nobody: Any = None
    gang = of_gang.CompressionGang(
        nobody, data, None, None, subject, RunPasses(ensemble, (Recount(),)), Audience(None, False)
    )
    gang.hear(IterationDone(0, {}, -1, 0.0))
    gang.lost([Loss("tcp://10.0.0.1:1", silent=True, full=False)])
    assert str(gang.ended(ClusterError("The cluster has no workers", "Start some."))) == (
        "The cluster has no workers. The run had lost worker tcp://10.0.0.1:1 with rows of partitions 4 and had 1 passes. "
        "Start some. The model stays as it was given; run the compression again once there are workers."
    )
    assert not gang.pays(["tcp://10.0.0.2:1"])


@dataclass(frozen=True)
class Tallies(Pass):
    """Adds a byte to a file on each rank, and leaves the model as it is."""

    path: str
    name: ClassVar[str] = "tallies"
    needs_rows: ClassVar[bool] = True

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        with Path(self.path).open("ab") as file:
            file.write(b"+")
        return ensemble


@pytest.fixture
def fragile() -> Iterator[Client]:
    """Two workers that a test may break."""
    with start_local(workers=2, dashboard=False) as local:
        prepare(local.client)
        yield local.client


def test_worker_killed_within_a_pass(
    fragile: Client, frame: pd.DataFrame, model: Any, expected: Found, tmp_path: Path
) -> None:
    lazy = dd.from_pandas(frame, npartitions=5, sort=False)
    tallies, dies = Tallies(str(tmp_path / "tally")), Dies(str(tmp_path / "once"))
    heard: list[Any] = []
    with compression_data(lazy, "y", "w", model=model, shares=SHARES, seed=3, client=fragile) as data:
        found = work(data, (Prefix(8), Recount(), tallies, dies, Recount()), heard.append)
    assert same(found, expected)
    assert [event.iteration for event in heard if isinstance(event, IterationDone)] == [0, 1, 2, 3, 4]
    assert [event.kind for event in heard if isinstance(event, Happened)] == ["lost", "regrouped"]
    assert (tmp_path / "tally").read_bytes() == b"++"  # by the two ranks before, and not again
