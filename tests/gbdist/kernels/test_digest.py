"""Digests of columns: the fast kernel equals its NumPy twin, and parts add up to the whole."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike

from gbdist.kernels import cpu_digest, reference_digest
from gbdist.kernels.hashing import stream_key


def values(dtype: DTypeLike, n: int = 1_000) -> Any:
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, n, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("first_row", [0, 12_345, 2**63 + 1])
def test_column_digest(dtype: DTypeLike, first_row: int) -> None:
    arguments = (stream_key(1, 2), np.uint64(first_row), values(dtype))
    assert int(cpu_digest.column_digest(*arguments)) == int(reference_digest.column_digest(*arguments))


def test_parts_add_up_to_the_whole() -> None:
    column, key = values(np.uint8), stream_key(1)
    parts = [cpu_digest.column_digest(key, np.uint64(a), column[a:b]) for a, b in ((0, 300), (300, 301), (301, 1_000))]
    whole = cpu_digest.column_digest(key, np.uint64(0), column)
    assert sum(map(int, parts)) % 2**64 == int(whole)


def test_rows_that_change_places_change_it() -> None:
    column, key = values(np.uint8), stream_key(1)
    turned = column.copy()
    turned[[10, 20]] = turned[[20, 10]]
    assert column[10] != column[20]
    assert cpu_digest.column_digest(key, np.uint64(0), column) != cpu_digest.column_digest(key, np.uint64(0), turned)
