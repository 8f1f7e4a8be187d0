"""``bins_on_disk``: the same model, nothing left on any disk, and clear words where it cannot be."""

import asyncio
import errno
import gc
import os
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool, file_matrix
from gbdist.errors import ClusterError, DataError, ParameterError
from gbdist.estimators import gang_run, local_run, needs
from gbdist.estimators.placing import decide
from gbdist.estimators.preparation import pipeline
from gbdist.estimators.preparation.on_disk import LocalMatrix
from gbdist.estimators.preparation.pace import PROCESS_AT_WORK
from gbdist.estimators.preparation.shard import ArenaSpec, RowShape, Shard, arena_of, assemble
from gbdist.models.catboost_format import cbm_bytes
from gbdist.quantize.cells import WIDE_BINS
from gbdist_cluster.plugin import prepare
from gbdist_cluster.versions import WorkerFacts, check_workers

MB = 1 << 20
FEATURES = list("abcdef")


def files_open() -> list[str]:
    """Files of bins that this process, and with it its workers, has open."""
    links = []
    for number in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # closed meanwhile
            continue
    return [link for link in links if "gbdist-" in link and ".bins" in link]


@pytest.fixture(autouse=True)
def no_file_is_left(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(local_run, "ROWS_BELOW", 0)
    assert files_open() == []
    yield
    assert files_left(client) == []


def files_left(client: Client) -> list[str]:
    """Files that are still open when the workers have heard of all that was let go, within 20 s."""
    end = time.monotonic() + 20
    while files_open() and time.monotonic() < end:
        gc.collect()  # what a run leaves in cycles is let go when the collector comes by
        # Dask's messages about what is let go travel on their own.
        client.run_on_scheduler(lambda: None)
        client.run(lambda: None)
    return files_open()


@pytest.fixture
def arrays(table: pd.DataFrame) -> tuple[Any, Any]:
    X = da.from_array(table[FEATURES].to_numpy(), chunks=(700, 6))
    return X, da.from_array(table["y"].to_numpy(), chunks=700)


def model(client: Client | None, X: Any, y: Any = None, eval_set: Any = None, **given: Any) -> bytes:
    """Bytes of a trained model."""
    estimator = DaskCatBoostClassifier(iterations=4, depth=4, verbose=False, client=client, **given)
    return cbm_bytes(estimator.fit(X, y, eval_set=eval_set).model_)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="symmetric"),
        pytest.param({"grow_policy": "Depthwise"}, id="Depthwise", marks=pytest.mark.soak),
        pytest.param({"grow_policy": "Lossguide"}, id="Lossguide"),
        pytest.param({"border_count": 400}, id="uint16"),
        pytest.param({"rsm": 0.5}, id="rsm", marks=pytest.mark.soak),
    ],
)
def test_same_model_on_any_number_of_workers(client: Client, arrays: tuple[Any, Any], given: dict[str, Any]) -> None:
    X, y = arrays
    evals = [(X[:1_400], y[:1_400])]
    expected = model(client, X, y, evals, bins_on_disk=False, **given)
    assert model(client, X, y, evals, bins_on_disk=True, **given) == expected
    assert model(client, X, y, evals, **given) == expected
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", memory_limit=0) as one,
        Client(one, set_as_default=False) as alone,
    ):
        assert model(alone, X, y, evals, bins_on_disk=True, **given) == expected
        # Before it closes: Dask never frees the object of a worker that closed in this process, nor what it still had.
        assert files_left(alone) == []


def test_categorical_columns_weights_and_split_sets(client: Client, table: pd.DataFrame) -> None:
    colors = np.array(["red", "green", "blue", "none"])[np.arange(5_000) % 4]
    table = table.assign(g=colors, h=(np.arange(5_000) % 2).astype(str))
    columns = [*FEATURES, "g", "h"]

    def trained(on_disk: bool) -> bytes:
        estimator = DaskCatBoostClassifier(iterations=4, depth=3, verbose=False, client=client, bins_on_disk=on_disk)
        estimator.fit(table[[*columns, "y", "w"]], "y", sample_weight="w", eval_fraction=0.2)
        return cbm_bytes(estimator.model_)

    assert trained(True) == trained(False)


def test_bins_lie_where_the_worker_has_its_folder(client: Client, arrays: tuple[Any, Any]) -> None:
    with DaskPool(*arrays, client=client, bins_on_disk=True) as pool:
        folders = {facts["local_directory"] for facts in client.scheduler_info()["workers"].values()}
        assert {os.path.dirname(path) for path in files_open()} == folders
        assert pool.data.on_disk
        expected = model(client, *arrays)
        assert model(client, pool) == expected
        assert model(client, pool, bins_on_disk=False) == expected  # a pool keeps its decision
        evals = (arrays[0][:1_400], arrays[1][:1_400])
        with DaskPool(*evals, client=client, borders_of=pool) as held_out:
            assert held_out.data.on_disk
            assert model(client, pool, eval_set=[held_out]) == model(client, *arrays, eval_set=[evals])


def test_pool_is_saved_from_disk_and_loaded_onto_it(client: Client, arrays: tuple[Any, Any], tmp_path: Any) -> None:
    with DaskPool(*arrays, client=client, bins_on_disk=True) as pool:
        pool.save(str(tmp_path / "pool"))
        expected = model(client, pool)
    for on_disk in (True, False):
        with DaskPool.load(str(tmp_path / "pool"), client, bins_on_disk=on_disk) as loaded:
            assert loaded.data.on_disk == on_disk
            assert bool(files_open()) == on_disk
            assert model(client, loaded) == expected


def shard_on_disk(n_rows: int = 50) -> Shard:
    arena = arena_of(ArenaSpec("moves", n_rows, RowShape(7, WIDE_BINS), on_disk=True))
    arena.cells[...] = np.arange(7 * n_rows, dtype=np.uint16).reshape(7, n_rows)
    return Shard(arena, 10, 20, 100)


def test_shard_moves_in_bounded_pieces_and_lies_on_disk_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(client)
    monkeypatch.setattr(file_matrix, "BLOCK_BYTES", 100)
    shard = shard_on_disk()
    frames: list[pickle.PickleBuffer] = []
    parcel = pickle.dumps(shard, protocol=5, buffer_callback=frames.append)
    assert max(frame.raw().nbytes for frame in frames) <= 100
    assert len(parcel) < 4_000
    moved = pickle.loads(parcel, buffers=frames)
    assert isinstance(moved.arena.cells, LocalMatrix)
    assert np.array_equal(moved.cells, shard.cells)
    rows = assemble([moved, Shard(shard.arena, 30, 20, 120)], RowShape(7, WIDE_BINS))
    assert isinstance(rows.bins, LocalMatrix)
    assert np.array_equal(rows.bins, shard.arena.cells[:, 10:])


def test_process_without_workers_gets_an_array(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    prepare(client)
    parcel = pickle.dumps(shard_on_disk())
    monkeypatch.setattr("gbdist.estimators.preparation.on_disk.local_folder", lambda: None)
    moved = pickle.loads(parcel)
    assert isinstance(moved.cells, np.ndarray)
    with pytest.raises(RuntimeError, match="a worker's disk was asked for where there is no worker"):
        LocalMatrix.here((1, 1), np.uint8)


def test_full_disk_names_worker_folder_and_bytes(
    client: Client, arrays: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, tasks_left: Callable[[], list[str]]
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(ClusterError) as error:
            model(client, *arrays, bins_on_disk=True)
        # A sample waits on disk as bins do.
        words = r"Worker inproc://\S+: the disk is full. Bins take [\d,]+ bytes in /\S+, where [\d,]+ bytes are free. Free space"
        assert error.match(words)
        assert tasks_left() == []
    assert model(client, *arrays, bins_on_disk=True) == model(client, *arrays)


def test_error_and_interrupt_leave_no_file(
    client: Client, arrays: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Breaks:
        def after_iteration(self, info: Any) -> bool:
            raise KeyboardInterrupt

    estimator = DaskCatBoostClassifier(iterations=4, verbose=False, client=client, bins_on_disk=True)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(*arrays, callbacks=[Breaks()])

    def broken(*_: object) -> None:
        raise DataError("X", "nothing", "something", "Try again.")

    monkeypatch.setattr(gang_run, "rows_of_rank", broken)
    with pytest.raises(DataError, match="found nothing"):
        estimator.fit(*arrays)


def with_limit(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    def limited(client: Client) -> tuple[WorkerFacts, ...]:
        return tuple(WorkerFacts(one.address, one.threads, limit, one.name) for one in check_workers(client))

    monkeypatch.setattr(pipeline, "check_workers", limited)


def test_bins_go_to_disk_by_themselves_with_a_warning(
    client: Client, arrays: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = model(client, *arrays)
    # Any process that trains is above this.
    with_limit(monkeypatch, PROCESS_AT_WORK)
    with pytest.warns(
        UserWarning, match=r"^Bins go to the workers' disks, and are read for every level of a tree: worker inproc"
    ):
        assert model(client, *arrays) == expected
    with pytest.warns(UserWarning, match="Bins go to the workers' disks"), DaskPool(*arrays, client=client) as pool:
        assert pool.data.on_disk
    assert model(client, *arrays, bins_on_disk=False) == expected
    assert model(client, *arrays, aggregate="models")  # which is never on disk


def test_rows_that_fit_nowhere_are_refused_before_they_are_quantized(
    client: Client, arrays: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, tasks_left: Callable[[], list[str]]
) -> None:
    with_limit(monkeypatch, 10 * MB)
    for on_disk in ("auto", True, False):
        with pytest.raises(ClusterError, match=r"X: worker inproc://\S+ would need 300\.\d+ MiB for its 1,\d+ rows"):
            model(client, *arrays, bins_on_disk=on_disk)
    assert tasks_left() == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"bins_on_disk": "yes"},
            "bins_on_disk='yes' cannot be used: expected 'auto', True or False. Leave it out: bins go to disk where memory has "
            "no room for them.",
        ),
        (
            {"bins_on_disk": True, "task_type": "GPU"},
            "bins_on_disk=True cannot be used: expected False or 'auto' with task_type='GPU': a GPU is fed from memory. Leave it "
            "out, or set task_type='CPU'.",
        ),
        (
            {"bins_on_disk": True, "aggregate": "models"},
            "bins_on_disk=True cannot be used: expected False or 'auto' with aggregate='models': CatBoost's own pools are in "
            "memory. Leave it out, or leave aggregate out.",
        ),
    ],
)
def test_what_cannot_be_on_disk(arrays: tuple[Any, Any], given: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError) as error:
        DaskCatBoostRegressor(**given).fit(*arrays)
    assert str(error.value) == words


def test_what_cannot_read_a_pool_on_disk(client: Client, arrays: tuple[Any, Any]) -> None:
    with DaskPool(*arrays, client=client, bins_on_disk=True) as pool:
        for given, words in (
            (
                {"task_type": "GPU"},
                "task_type='GPU' cannot be used: expected 'CPU' with a DaskPool whose bins are on disk.",
            ),
            (
                {"aggregate": "models"},
                "aggregate='models' cannot be used: expected 'histograms' with a DaskPool whose bins are on disk.",
            ),
        ):
            with pytest.raises(ParameterError) as error:
                model(client, pool, **given)
            assert str(error.value) == f"{words} Make the DaskPool with bins_on_disk=False."
    with pytest.raises(ParameterError, match="bins_on_disk=3 cannot be used: expected 'auto', True or False"):
        DaskPool(*arrays, client=client, bins_on_disk=3)  # type: ignore[arg-type]


def test_data_of_this_process_stay_in_memory(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_run, "ROWS_BELOW", 10_000)
    X, y = table[FEATURES], table["y"]
    assert model(None, X, y, bins_on_disk=True) == model(None, X, y)


def need_of(bins: int, limit: int, training: int = 0) -> needs.WorkerNeed:
    return needs.WorkerNeed("tcp://10.0.0.1:1", 1_000, bins * MB, 3 * MB, training * MB, 20 * MB, 64 * MB, limit * MB)


@pytest.mark.parametrize(
    ("found", "on_disk"),
    [
        ([need_of(100, 2_000)], False),
        ([need_of(10_000, 0)], False),  # no limit
        ([need_of(10_000, 2_000)], True),
        ([need_of(100, 2_000), need_of(10_000, 2_000)], True),
        ([need_of(10_000, 2_000, training=5_000)], False),  # fits nowhere
    ],
)
def test_bins_go_to_disk_where_only_that_fits(found: Sequence[needs.WorkerNeed], on_disk: bool) -> None:
    assert decide(None, found, told=False) == on_disk
    assert decide(None, found, may_be_on_disk=False, told=False) is False
    assert decide(True, found) is True
    assert decide(False, found) is False


def test_pool_moves_with_a_worker_that_is_retired(arrays: tuple[Any, Any]) -> None:
    # Processes, between which bins really travel.
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0) as two,
        Client(two, set_as_default=False) as client,
    ):
        expected = model(client, *arrays)
        with DaskPool(*arrays, client=client, bins_on_disk=True) as pool:
            client.retire_workers([pool.data.members[1]])
            assert model(client, pool) == expected
            (found,) = client.run(files_open).values()
            assert len(pool.data.members) == 1
            assert len(found) >= 2  # its own, and what has arrived
        assert list(client.run(files_left_here).values()) == [[]]


async def files_left_here() -> list[str]:
    """What is still open a little after the pool was closed."""
    for _ in range(100):
        if not files_open():
            break
        await asyncio.sleep(0.05)  # the scheduler's word travels
    return files_open()
