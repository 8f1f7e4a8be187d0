"""What columns cost: gains are weighed, first uses paid once, and ranks do not change a run."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting import fixed_point, histogram
from gbdist.boosting.params import BoostParams, Bootstrap
from gbdist.boosting.penalties import Costs, Penalties
from gbdist.metrics import make_metrics
from gbdist.objectives import make_objective

from .conftest import MakeTable

SOME = Penalties((0.3, 1.0, 2.0, 1.0, 1.0, 0.5), (0.0, 4.0, 0.0, 1.0, 0.0, 0.0))


def test_gains_are_weighed_and_first_uses_paid_once() -> None:
    costs = Costs(Penalties((0.5, 1.0, 3.0), (0.0, 4.0, 1.0)))
    splits, scores = [[0], [1], [0, 2], [2, 2]], np.array([10.0, 10.0, 10.0, 10.0])
    assert costs.change
    assert costs.first_uses(splits).tolist() == [0.0, 4.0, 1.0, 2.0]
    assert costs.gains(scores, 2.0, splits).tolist() == [4.0, 8.0, 12.0, 72.0]
    costs.note([2, 1])
    assert costs.first_uses(splits).tolist() == [0.0, 0.0, 0.0, 0.0]
    assert not Costs(None).change


def params_of(loss: str, classes: int, **more: Any) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, classes),
        metrics=make_metrics(loss, classes, loss),
        **{"iterations": 8, "depth": 4, "learning_rate": 0.2, "penalties": SOME, **more},
    )


@pytest.mark.parametrize(("loss", "classes"), [("RMSE", 0), ("MultiClass", 3)])
@pytest.mark.parametrize("wide", [False, True])
def test_ranks_and_threads_do_not_change_a_run(
    make_table: MakeTable, loss: str, classes: int, wide: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With tables that ranks share out, and noise."""
    if wide:
        monkeypatch.setattr(fixed_point, "PACKED_ROWS_LIMIT", 10)
    monkeypatch.setattr(histogram, "ALL_REDUCE_BYTES", 100)
    table = make_table(n_rows=1_200, classes=classes, weighted=True)
    params = params_of(loss, classes, bootstrap=Bootstrap("MVS", 0.8), rsm=0.8)
    alone = table.boost(params)
    assert alone.trees != table.boost(replace(params, penalties=None)).trees
    for result in (*table.boost_on_ranks(params, 3), table.boost(replace(params, threads=2))):
        assert result.trees == alone.trees


def test_ignored_columns_are_not_split(make_table: MakeTable) -> None:
    table = make_table(n_rows=800)
    found = table.boost(params_of("RMSE", 0, penalties=None, ignored=frozenset({0, 1})))
    used = {split.feature for tree in found.trees for split in tree.splits}
    assert used
    assert not used & {0, 1}
