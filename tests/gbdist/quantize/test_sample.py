"""The sample is a matter of global row numbers alone."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.quantize.raw import RawPart
from gbdist.quantize.sample import join_samples, sample_rows

CONTAINERS: dict[str, Any] = {
    "numpy": np.asarray,
    "numpy float64": lambda x: x.astype(np.float64),
    "fortran": np.asfortranarray,
    "pandas": pd.DataFrame,
    "arrow": lambda x: pa.table({str(f): x[:, f] for f in range(x.shape[1])}),
    "polars": pl.DataFrame,
    "sparse": sp.csr_matrix,
}


def sample(features: Any, first_row: int, total: int, **options: int) -> np.ndarray:
    return sample_rows(RawPart(features, None, None, None, 0), first_row, total, **options).values


@pytest.fixture
def features() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    values[7, 1], values[8, 1] = np.nan, -0.0
    return values


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("limit", [500, 10_000])
def test_any_container_and_partitioning_give_the_same_sample(features: np.ndarray, container: str, limit: int) -> None:
    whole = sample(features, 0, 5000, limit=limit)
    assert whole.dtype == np.float32
    wrap = CONTAINERS[container]
    cuts = [0, 0, 1, 900, 900, 3333, 5000]
    pieces = [sample(wrap(features[start:stop]), start, 5000, limit=limit) for start, stop in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000), max_size=6), limit=st.sampled_from([200, 1000, 10_000]))
def test_rows_that_are_still_to_come_are_allowed_for(cuts: list[int], limit: int) -> None:
    features = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    edges = [0, *sorted(cuts), 5000]
    pieces = [
        sample_rows(RawPart(features[a:b], None, None, None, 0), a, b, limit=limit) for a, b in pairwise(edges)
    ]  # each as if it were the last
    np.testing.assert_array_equal(join_samples(pieces, 5000, limit=limit), sample(features, 0, 5000, limit=limit))


def test_few_rows_are_all_taken(features: np.ndarray) -> None:
    np.testing.assert_array_equal(sample(features, 0, 5000, limit=5000), features.T)


def test_many_rows_are_thinned_to_about_the_limit() -> None:
    rows = np.arange(400_000, dtype=np.float32)[:, np.newaxis]
    taken = sample(rows, 0, 400_000, limit=20_000)[0]
    # Binomial with standard deviation 138; the seed is fixed, so the count never changes.
    assert abs(len(taken) - 20_000) < 500
    assert abs(float(taken.mean()) - 200_000) < 3_000
    assert not np.array_equal(taken, sample(rows, 0, 400_000, limit=20_000, seed=1)[0])
