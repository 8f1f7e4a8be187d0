"""Workers that a test may break, a small table that goes through every stage of a fit, and what a fit under faults ends with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier
from gbdist.errors import ClusterError
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

TREES = 6


@pytest.fixture
def fragile() -> Iterator[Client]:
    """Two workers that a test may break; each is replaced if it dies."""
    with start_local(workers=2, dashboard=False) as local:
        prepare(local.client)
        yield local.client


@pytest.fixture
def three() -> Iterator[Client]:
    """Three workers that a test may break; each is replaced if it dies."""
    with start_local(workers=3, dashboard=False) as local:
        prepare(local.client)
        yield local.client


@pytest.fixture(scope="module")
def sturdy() -> Iterator[Client]:
    """Two workers for faults that leave them alive."""
    with start_local(workers=2, dashboard=False) as local:
        prepare(local.client)
        yield local.client


@dataclass(frozen=True)
class Small:
    """A data set of 20 numbers and a category, and the model that it gives."""

    table: pd.DataFrame
    model: bytes

    def frame(self) -> Any:
        """The table as a lazy collection, which is trained on by the cluster."""
        return dd.from_pandas(self.table, npartitions=4, sort=False)

    def fit(self, client: Client, **more: Any) -> bytes:
        """Train on the cluster."""
        return fit(client, self.frame(), **more)

    def same_or_named(self, client: Client, address: Callable[[], str] | None = None) -> None:
        """A fit that loses a worker ends with the same model, or with an error that names it (``address`` says whom)."""
        problem = ""
        try:
            found = self.fit(client)
        except ClusterError as error:
            problem = str(error)
        if problem:
            assert address is None or address() in problem
        else:
            assert found == self.model


def fit(client: Client | None, data: Any, y: str | None = "y", **more: Any) -> bytes:
    """The fixed bytes of a model of a table whose label is ``y``, or of a pool; ``more`` is for ``fit``."""
    model = DaskCatBoostClassifier(iterations=TREES, depth=6, client=client)
    return fixed_cbm_bytes(model.fit(data, y, **more).model_)


@pytest.fixture(scope="session")
def small() -> Small:
    rng = np.random.default_rng(11)
    values = rng.normal(size=(4_000, 20)).astype(np.float32)
    table = pd.DataFrame(values, columns=[f"x{i}" for i in range(20)])
    table["shop"] = [f"shop {number}" for number in rng.integers(0, 30, 4_000)]
    table["y"] = (values[:, 0] + 0.3 * values[:, 1] * values[:, 2] > 0).astype(np.int64)
    return Small(table, fit(None, table))
