"""Copies of a pool on one worker: the same rows, for runs that use that worker alone."""

from collections.abc import Callable
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier
from gbdist.boosting.events import RunStarted
from gbdist.estimators.listeners import told_to
from gbdist.estimators.pool import DaskPool
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.selection.searching.hearing import Hearer
from gbdist_cluster.errors import WorkersGone


@pytest.fixture
def pool(client: Client, table: pd.DataFrame) -> Any:
    frame = dd.from_pandas(table[:600], npartitions=5)
    with DaskPool(frame, "y", sample_weight="w", client=client) as pool:
        yield pool


def test_a_copy_has_all_rows_on_one_worker_in_one_piece(pool: DaskPool, held_by: Callable[[DaskPool], Any]) -> None:
    address = next(one for one in pool.client.scheduler_info()["workers"] if one not in pool.data.members)
    with pool.copied_to(address) as copy:
        assert copy.data.members == (address,)
        assert [len(held) for held in copy.data.shards] == [1]
        assert held_by(copy) == held_by(pool)
        assert copy.feature_names == pool.feature_names
    assert held_by(pool).bins.shape[1] == 600  # the pool is as it was


def test_a_fit_on_a_copy_is_that_on_the_pool_and_uses_its_worker_alone(pool: DaskPool) -> None:
    class Ranks(Hearer):
        ranks: int = 0

        def hear(self, event: Any) -> bool:
            if isinstance(event, RunStarted):
                self.ranks = event.ranks
            return super().hear(event)

    model = DaskCatBoostClassifier(iterations=3, depth=3)
    expected = fixed_cbm_bytes(model.fit(pool).model_)
    ranks = Ranks()
    with pool.copied_to(pool.data.members[0]) as copy, told_to(ranks):
        assert fixed_cbm_bytes(model.fit(copy).model_) == expected
    assert ranks.ranks == 1


def test_a_copy_whose_worker_is_gone_is_no_use(pool: DaskPool) -> None:
    with pool.copied_to("inproc://127.0.0.1/1/1") as copy, pytest.raises(WorkersGone, match="has left"):
        copy.settle()
