"""Raw partitions that do not fit are computed twice, few at a time; what comes out is the same."""

import functools
import threading
import weakref
from collections import Counter
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist.errors import DataError
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.pace import Room
from gbdist.estimators.training import train
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.quantize import sample

N_PARTS = 40


class Watch:
    """Counts how often each partition is computed, and how many of them are alive at once."""

    def __init__(self) -> None:
        self.computed: Counter[float] = Counter()
        self.alive = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, part: pd.DataFrame) -> pd.DataFrame:
        made = part.copy()
        with self._lock:
            self.computed[float(part["a"].iloc[0])] += 1
            self.alive += 1
            self.most = max(self.most, self.alive)
        weakref.finalize(made, self._gone)
        return made

    def _gone(self) -> None:
        with self._lock:
            self.alive -= 1

    def __reduce__(self) -> str:
        return "WATCH"  # workers are threads here, and the graph carries a name


WATCH = Watch()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setitem(globals(), "WATCH", Watch())
    return WATCH


@pytest.fixture
def watched(table: pd.DataFrame, watch: Watch) -> dd.DataFrame:
    made = dd.from_pandas(table, npartitions=N_PARTS, sort=False)
    return made.map_partitions(lambda part: WATCH(part), meta=table.iloc[:0])


@pytest.fixture
def small(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers with room for five raw partitions beside the bins."""
    part_bytes = table[list("abcdef")].memory_usage(index=False).sum() / N_PARTS
    bins = len(table) * (6 + 4)
    room = Room(3, int((bins + 5 * part_bytes) / 0.35))
    monkeypatch.setattr(Room, "of", classmethod(lambda cls, workers, on_disk, cell_bytes: room))


@pytest.mark.usefixtures("small")
def test_partitions_without_room_are_computed_twice_and_few_are_alive(
    client: Client, watched: dd.DataFrame, watch: Watch
) -> None:
    with DaskPool(watched, "y", sample_weight="w", client=client):
        pass
    assert len(watch.computed) == N_PARTS
    assert max(watch.computed.values()) == 2
    assert sum(times == 1 for times in watch.computed.values()) in range(4, 8)
    assert watch.most <= 5 + 2 * 6 + 1  # those that stay, two waves, and one of which the result is on its way


def test_partitions_with_room_are_computed_once(client: Client, watched: dd.DataFrame, watch: Watch) -> None:
    with DaskPool(watched, "y", sample_weight="w", client=client):
        pass
    assert set(watch.computed.values()) == {1}


@pytest.mark.usefixtures("small")
def test_partitions_that_share_work_are_computed_once(client: Client, watched: dd.DataFrame, watch: Watch) -> None:
    with DaskPool(watched - watched.mean() * 0, "y", client=client):
        pass
    assert max(watch.computed.values()) == 1


@pytest.mark.parametrize("options", [{}, {"eval_fraction": 0.2}], ids=["plain", "eval_fraction"])
def test_memory_does_not_change_the_model(
    client: Client, watched: dd.DataFrame, watch: Watch, request: Any, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer rows are sampled than there are, so that it matters which.
    monkeypatch.setattr(tasks, "sample_rows", functools.partial(sample.sample_rows, limit=1_000))
    monkeypatch.setattr(tasks, "join_samples", functools.partial(sample.join_samples, limit=1_000))
    parameters = canonical({"iterations": 5, "depth": 3}, classifier=True)

    def fit() -> bytes:
        fitted = train(
            watched, "y", sample_weight="w", parameters=parameters, classifier=True, client=client, **options
        )
        return fixed_cbm_bytes(fitted.model)

    roomy = fit()
    request.getfixturevalue("small")
    watch.computed.clear()
    assert fit() == roomy
    assert max(watch.computed.values()) == 2  # both sides of a split are made in one go


@pytest.mark.usefixtures("small")
def test_bad_row_in_the_first_wave_is_told_before_the_last_one_is_computed(
    client: Client, table: pd.DataFrame, watch: Watch
) -> None:
    odd = table.astype({"a": object})
    odd.iloc[3, 0] = "x"
    made = dd.from_pandas(odd, npartitions=N_PARTS, sort=False).map_partitions(
        lambda part: _seen(part), meta=odd.iloc[:0]
    )
    with pytest.raises(DataError, match="partition 0"):
        DaskPool(made, "y", client=client)
    assert sum(watch.computed.values()) < N_PARTS // 2


def _seen(part: pd.DataFrame) -> pd.DataFrame:
    WATCH(part.assign(a=part["b"]))
    return part


def test_array_that_is_shorter_than_its_chunks_say(client: Client) -> None:
    # The first waves are drawn from by the announced number of rows, so it must not be too large.
    parts = [dask.delayed(np.ones)((rows, 2), np.float32) for rows in (3_000, 2_000)]
    X = da.concatenate([da.from_delayed(part, (3_000, 2), np.float32) for part in parts])
    with pytest.raises(DataError) as error:
        DaskPool(X, client=client)
    assert str(error.value) == (
        "X: found 5000 rows, expected 6000 rows, as its chunks announce. Make the chunks of X as long as its partitions."
    )
