"""``task_type="GPU"`` with histograms, on the simulator where there is no card: the CPU's model, whoever has a GPU."""

from functools import partial
from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask import delayed
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.boosting.params import Card
from gbdist.errors import ClusterError
from gbdist.estimators import devices, local_run, training_gang
from gbdist.estimators.preparation import stages
from gbdist.kernels import cuda_binning
from gbdist_cluster.placement import place

pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    table["y"] = (table["a"] + np.sin(table["b"]) > 0).astype(int)
    return table


def make(**more: Any) -> DaskCatBoostClassifier:
    return DaskCatBoostClassifier(
        **{"iterations": 2, "depth": 2, "border_count": 7, "leaf_estimation_iterations": 1, "verbose": False} | more
    )


def test_gpus_of_workers_give_the_cpus_model(client: Client, table: pd.DataFrame, monkeypatch: Any) -> None:
    dealt: list[Any] = []
    choose = training_gang.cards_of

    def cards_of(*asked: Any) -> Any:
        dealt.append(choose(*asked))
        return dealt[-1]

    monkeypatch.setattr(training_gang, "cards_of", cards_of)
    monkeypatch.setattr(stages, "place", partial(place, min_rows_per_rank=30))
    frame = dd.from_pandas(table, npartitions=6)
    on_cpu = make(client=client).fit(frame[list("abc")], frame["y"])
    on_gpu = make(client=client, task_type="GPU").fit(frame[list("abc")], frame["y"])
    assert on_gpu.model_ == on_cpu.model_
    assert dealt == [(None,) * 3, (Card(0, 3),) * 3]


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of what is cut into bins on GPUs, as it happens."""
    shapes: list[tuple[int, ...]] = []
    bin_tile = cuda_binning.bin_tile

    def counted(tile: Any, *rest: Any) -> None:
        shapes.append(tile.shape)
        bin_tile(tile, *rest)

    monkeypatch.setattr(cuda_binning, "bin_tile", counted)
    return shapes


def test_bins_are_made_on_the_gpu_of_their_worker(
    client: Client, table: pd.DataFrame, tiles: list[tuple[int, ...]]
) -> None:
    X = da.from_array(table[list("abc")].to_numpy(), chunks=(60, -1))
    make(client=client, task_type="auto", iterations=1).fit(X, table["y"].to_numpy())
    assert tiles == [(3, 60), (3, 60)]


def test_a_selection_makes_bins_on_gpus_and_is_that_on_cpus(
    client: Client, table: pd.DataFrame, tiles: list[tuple[int, ...]]
) -> None:
    X, y = da.from_array(table[list("abc")].to_numpy(), chunks=(60, -1)), table["y"].to_numpy()
    on_cpu = make(client=client, iterations=1)
    expected = on_cpu.select_features(X, y, num_features_to_select=2)
    assert tiles == []
    on_gpu = make(client=client, task_type="GPU", iterations=1)
    assert on_gpu.select_features(X, y, num_features_to_select=2) == expected
    assert tiles == [(3, 60), (3, 60)]
    assert on_gpu.model_ == on_cpu.model_


def test_no_worker_with_a_gpu_is_said_before_anything_is_computed(
    client: Client, table: pd.DataFrame, monkeypatch: Any
) -> None:
    monkeypatch.setattr(devices, "gpus_of_numba", lambda: devices.GpuFacts("h", None, 0, "no driver"))
    touched = delayed(pytest.fail)("the rows were computed")
    frame = dd.from_delayed([touched], meta=table[:0])
    with pytest.raises(ClusterError) as caught:
        make(client=client, task_type="GPU").fit(frame[list("abc")], frame["y"])
    assert str(caught.value).endswith(
        " on h has no GPU that can be used (CUDA_VISIBLE_DEVICES=None: no driver). "
        'On machines with GPUs: pip install "gbdist[cuda]"; else set task_type="auto" to use CPUs where there are none.'
    )


def test_a_gpu_of_this_process_gives_the_cpus_model(table: pd.DataFrame, monkeypatch: Any) -> None:
    cards = []
    monkeypatch.setattr(local_run, "card_here", lambda *asked: cards.append(asked) or Card(0))
    X, y = table[list("abc")], table["a"]
    how = {"iterations": 2, "depth": 2, "border_count": 7, "verbose": False}
    on_gpu = DaskCatBoostRegressor(**how, task_type="auto", devices="0").fit(X, y)
    assert cards == [("auto", (0,))]
    monkeypatch.undo()
    assert on_gpu.model_ == DaskCatBoostRegressor(**how).fit(X, y).model_


def test_categorical_columns_on_gpus_give_the_cpus_model(client: Client, table: pd.DataFrame, monkeypatch: Any) -> None:
    monkeypatch.setattr(stages, "place", partial(place, min_rows_per_rank=30))
    rng = np.random.default_rng(4)
    for name, size in (("shop", 15), ("color", 3)):
        table[name] = [f"{name} {number}" for number in rng.integers(0, size, len(table))]
    table["y"] = (table["a"] + table["shop"].str[-1].astype(int) / 3 + 3 * (table["color"] == "color 1") > 2.5).astype(
        int
    )
    rows = dd.from_pandas(table.drop(columns=["b", "c"]), npartitions=4)
    given = {"max_ctr_complexity": 2, "one_hot_max_size": 3, "depth": 3, "model_size_reg": 0, "iterations": 1}
    on_cpu, on_gpu = (
        make(client=client, task_type=task_type, **given).fit(
            rows, "y", eval_set=(table[["a", "shop", "color", "y"]], "y")
        )
        for task_type in ("CPU", "GPU")
    )
    assert on_gpu.model_ == on_cpu.model_
    assert on_gpu.evals_result_ == on_cpu.evals_result_
    assert min(on_gpu.feature_importances_) > 0
