"""Who gets which GPU, and what is said where there is none."""

import subprocess
import sys
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostRegressor
from gbdist.boosting.params import Card
from gbdist.errors import ClusterError
from gbdist.estimators import devices
from gbdist.estimators.devices import Chosen, GpuFacts, card_here, choose_gpus, gpus_of_catboost, gpus_of_numba
from gbdist.estimators.parameters.table import TABLE
from gbdist.estimators.parameters.value_checks import check_value


@pytest.mark.parametrize(
    ("given", "numbers"),
    [("0", (0,)), ("0:2", (0, 2)), ("1-3", (1, 2, 3)), ("0:2-3", (0, 2, 3)), (1, (1,)), ([0, 2], (0, 2))],
)
def test_devices_in_catboosts_notation(given: Any, numbers: tuple[int, ...]) -> None:
    assert check_value("devices", given, TABLE["devices"], classifier=True) == numbers


@pytest.mark.parametrize(
    ("found", "devices", "chosen"),
    [
        ([("h", None, 1)], None, [(0, 1)]),
        ([("h", "0", 1), ("h", "1", 1)], None, [(0, 1), (0, 1)]),  # each worker sees its own alone
        ([("h", None, 2), ("h", None, 2), ("h", None, 2)], None, [(0, 2), (1, 1), (0, 2)]),
        ([("h", None, 2), ("g", None, 2)], None, [(0, 1), (0, 1)]),
        ([("h", None, 4), ("h", None, 4)], (2, 3), [(2, 1), (3, 1)]),
        ([("h", None, 1), ("g", None, 0)], None, [(0, 1), None]),
    ],
)
def test_workers_of_a_host_take_turns(found: list[Any], devices: tuple[int, ...] | None, chosen: list[Any]) -> None:
    ranks = [(f"tcp://{i}", GpuFacts(*facts)) for i, facts in enumerate(found)]
    wanted = [None if one is None else Chosen(*one) for one in chosen]
    assert choose_gpus(ranks, "auto", devices, "") == wanted


def test_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(ClusterError) as caught:
        choose_gpus([("tcp://a", GpuFacts("h", None, 2))], "GPU", (0, 5), "")
    assert str(caught.value) == "Worker tcp://a on h has no GPU 5: it sees 2. Choose devices from 0 to 1."


def test_worker_without_a_gpu_is_named_and_the_fix() -> None:
    with pytest.raises(ClusterError) as caught:
        choose_gpus([("tcp://a", GpuFacts("h", "3", 0, "no driver"))], "GPU", None, "Use another.")
    assert str(caught.value) == (
        "Worker tcp://a on h has no GPU that can be used (CUDA_VISIBLE_DEVICES=3: no driver). Use another."
    )


def test_the_simulator_counts_as_a_gpu_for_our_kernels_only() -> None:
    assert gpus_of_numba().count >= 1
    assert card_here("GPU", None) == card_here("auto", (0,)) == Card(0)
    assert card_here("CPU", None) is None
    found = gpus_of_catboost()
    assert found.why_none == ("" if found.count else "CatBoost sees none")


ALONE = """
import os, sys
os.environ.pop("NUMBA_ENABLE_CUDASIM", None)
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import gbdist
X = np.random.default_rng(0).normal(size=(60, 2))
for task_type in ("CPU", "auto", "GPU"):
    model = gbdist.DaskCatBoostRegressor(iterations=2, depth=2, verbose=False, task_type=task_type)
    try:
        model.fit(X, X[:, 0])
    except gbdist.ClusterError as error:
        print(error)
    print(task_type, "cupy" in sys.modules, "gbdist.kernels.cuda" in sys.modules)
"""


def test_without_a_gpu_one_line_says_so_and_nothing_of_cuda_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True, timeout=120)
    cpu, auto, said, gpu = done.stdout.splitlines()
    assert [cpu, auto, gpu] == ["CPU False False", "auto False False", "GPU False False"]
    assert "has no GPU that can be used (CUDA_VISIBLE_DEVICES=" in said
    assert said.endswith(
        'On a machine with a GPU: pip install "gbdist[cuda]"; else set task_type="auto" to use the CPU.'
    )


@pytest.mark.parametrize("aggregate", ["histograms", "models"])
@pytest.mark.parametrize("lazy", [True, False])
def test_missing_gpu_is_told_before_data_are_touched(
    client: Client, monkeypatch: pytest.MonkeyPatch, aggregate: str, lazy: bool
) -> None:
    for look in ("gpus_of_numba", "gpus_of_catboost"):
        monkeypatch.setattr(devices, look, lambda: GpuFacts("h", None, 0, "none"))

    def read(_: int) -> pd.DataFrame:
        raise AssertionError("computed")

    unusable = pd.DataFrame({"a": ["text"], "y": [1.0]})  # an error of its own, were it looked at
    data = dd.from_map(read, [0, 1], meta=unusable.iloc[:0].astype({"a": float})) if lazy else unusable
    model = DaskCatBoostRegressor(aggregate=aggregate, task_type="GPU", client=client)
    with pytest.raises(ClusterError, match="on h has no GPU that can be used"):
        model.fit(data, "y")
