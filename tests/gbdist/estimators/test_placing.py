"""Rows of a run that goes on are refused where they fit nowhere, by the same sums as at its beginning."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.params import BoostParams
from gbdist.errors import ClusterError
from gbdist.estimators import needs
from gbdist.estimators.needs import WorkerNeed
from gbdist.estimators.parameters.resolve import Resolved
from gbdist.estimators.placing import choice, require_room_again, room_for, run_shape, shape_on
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.setup import Setup
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import bins_type
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.survey import WeightFacts
from gbdist.quantize.unbinned import HASHED, UnbinnedFacts
from gbdist_cluster.placement import place
from gbdist_cluster.versions import WorkerFacts

GB = 1 << 30
N_FEATURES = 50
A, B, C = (f"tcp://10.0.0.{number}:1" for number in (1, 2, 3))


def resolved_for(loss: str = "Logloss", classes: int = 2) -> Resolved:
    params = BoostParams(make_objective(loss, classes), make_metrics(loss, classes, loss))
    return Resolved(params, {}, None, False, "CPU", None)


def survey_of(n_rows: int, **more: Any) -> DataSurvey:
    names = tuple(f"x{number}" for number in range(N_FEATURES))
    given = {"targets": (), "weight": None, "baseline": None, **more}
    return DataSurvey((0,), (n_rows,), (8 * n_rows * N_FEATURES,), names, True, (False,) * N_FEATURES, **given)


def set_of(n_rows: int, *, borders: int = 100, dimension: int = 0, on_disk: bool = False, **facts: Any) -> QuantizedSet:
    each = FeatureBorders(np.arange(borders, dtype=np.float32), "AsIs")
    return QuantizedSet((A,), ((),), (each,) * N_FEATURES, survey_of(n_rows, **facts), dimension, on_disk)


def workers_of(*addresses: str, limit: int = GB) -> list[WorkerFacts]:
    return [WorkerFacts(address, 2, limit, address) for address in addresses]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[WorkerNeed], dict[str, bool]]]:
    """What room was asked for, and how; nothing is refused."""
    asked: list[tuple[list[WorkerNeed], dict[str, bool]]] = []
    monkeypatch.setattr(needs, "require_room", lambda each, **how: asked.append((list(each), how)))
    return asked


def test_what_fits_into_two_workers_and_not_into_one() -> None:
    sets = [set_of(10_000_000)]
    require_room_again(sets, shape_on(sets[0], resolved_for()), workers_of(A, B))
    require_room_again(sets, shape_on(sets[0], resolved_for()), workers_of(A, limit=0))
    small = set_of(6_000_000)
    require_room_again([small], shape_on(small, resolved_for()), workers_of(A))
    with pytest.raises(ClusterError) as caught:
        require_room_again(sets, shape_on(sets[0], resolved_for()), workers_of(B))
    # A row has 50 bytes of bins, 4 of a label, and 58 while it is trained on.
    assert str(caught.value) == (
        f"X: worker {B} would need 1.34 GiB for its 10,000,000 rows, and Dask ends it above 0.95 GiB (95% of its limit): "
        "476.84 MiB for bins, 38.15 MiB for labels, weights and hashes, 553.13 MiB for training, 300.00 MiB for the process. "
        "Add workers or memory, or drop rows or features."
    )


@pytest.mark.parametrize(
    ("sets", "loss"),
    [
        pytest.param([set_of(9_000)], ("Logloss", 2), id="plain"),
        pytest.param([set_of(9_000, borders=300)], ("Logloss", 2), id="wide bins"),
        pytest.param([set_of(9_000, weight=WeightFacts(9_000, 0, 0, 1, 1.0))], ("Logloss", 2), id="weights"),
        pytest.param([set_of(9_000, dimension=3)], ("MultiClass", 3), id="baselines and classes"),
        pytest.param([set_of(9_000, part_cuts=((0,),))], ("RMSE", 1), id="groups"),
        pytest.param(
            [set_of(9_000, unbinned=(UnbinnedFacts(50, "c", HASHED, 0, 36_000),))], ("RMSE", 1), id="categories"
        ),
        pytest.param([set_of(9_000), set_of(3_000), set_of(600)], ("RMSE", 1), id="eval sets"),
    ],
)
def test_the_sums_are_those_of_the_first_placement(
    found: list[tuple[list[WorkerNeed], dict[str, bool]]], sets: Sequence[QuantizedSet], loss: tuple[str, int]
) -> None:
    resolved, workers = resolved_for(*loss), workers_of(A, B, C)
    most = len(sets[0].borders[0].values)
    addresses = [worker.address for worker in workers]
    placed = []
    for data in sets:
        rows = [data.survey.n_rows // 3] * 3
        placed.append((data.survey, place(rows, addresses, addresses, min_rows_per_rank=1), data.dimension))
    setup = Setup(resolved, None, (None,))
    choice(False, lambda n_features: run_shape(setup, n_features, most), bins_type(most))(placed, workers)
    require_room_again(sets, shape_on(sets[0], resolved), workers)
    (first, _), (again, how) = found
    assert again == first
    assert how == {"on_disk": False, "may_be_on_disk": False}


def test_bins_stay_where_they_are(found: list[tuple[list[WorkerNeed], dict[str, bool]]]) -> None:
    sets = [set_of(9_000, on_disk=True), set_of(500)]
    require_room_again(sets, shape_on(sets[0], resolved_for()), workers_of(A))
    assert found[0][1] == {"on_disk": True, "may_be_on_disk": False}


def test_disks_take_what_memory_does_not() -> None:
    data = set_of(7_000_000)
    with pytest.raises(ClusterError, match="for bins"):
        require_room_again([data], shape_on(data, resolved_for()), workers_of(A))
    require_room_again([replace(data, on_disk=True)], shape_on(data, resolved_for()), workers_of(A))


def test_a_data_set_without_binned_columns(found: list[tuple[list[WorkerNeed], dict[str, bool]]]) -> None:
    data = set_of(10)
    empty = replace(data, encodings=(), survey=replace(data.survey, names=(), has_nan=()))
    require_room_again([empty], shape_on(empty, resolved_for()), workers_of(A))
    ((need,),) = (each for each, _ in found)
    assert (need.rows, need.bins, need.tables) == (10, 0, 0)


def test_room_for_other_shares() -> None:
    sets, workers = [set_of(9_000_000)], workers_of(A, B)
    run = shape_on(sets[0], resolved_for())
    assert room_for(sets, [{A: 4_500_000, B: 4_500_000}], run, workers)
    assert not room_for(sets, [{A: 8_000_000, B: 1_000_000}], run, workers)
    assert room_for(sets, [{A: 8_000_000, B: 1_000_000}], run, workers_of(B))  # nothing is known of the other one
