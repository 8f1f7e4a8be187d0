"""Kernels of exact quantiles equal their twins, and keys are in the order of the numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.kernels import cpu_quantiles, reference_quantiles

BOTH = pytest.mark.parametrize("module", [cpu_quantiles, reference_quantiles])


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_keys_are_in_the_order_of_residuals(values: list[float]) -> None:
    prediction = -np.array(values, np.float64)
    label = np.zeros(len(values), np.float32)
    keys = np.empty(len(values), np.uint64)
    cpu_quantiles.residual_keys(label, prediction, keys)
    again = np.empty_like(keys)
    reference_quantiles.residual_keys(label, prediction, again)
    assert keys.tolist() == again.tolist()
    order = np.argsort(np.array(values), kind="stable")
    assert (np.diff(keys[order].astype(object)) >= 0).all()
    same = np.equal.outer(np.array(values), np.array(values))
    assert np.array_equal(np.equal.outer(keys, keys), same)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.sampled_from([0, 1, 200]),
    shift=st.sampled_from([56, 48, 0]),
    weighted=st.booleans(),
    relative=st.booleans(),
)
def test_digits_are_added_like_the_twin(seed: int, n_rows: int, shift: int, weighted: bool, relative: bool) -> None:
    rng = np.random.default_rng(seed)
    keys = rng.integers(0, 2**64, 3, dtype=np.uint64)[rng.integers(0, 3, n_rows)] ^ rng.integers(0, 4, n_rows).astype(
        np.uint64
    )
    leaf_of_row = rng.integers(0, 4, n_rows).astype(np.uint16)
    prefixes = np.zeros(4, np.uint64)
    if shift < 56 and n_rows:
        prefixes[:] = (keys[rng.integers(0, n_rows, 4)] >> np.uint64(shift)) >> np.uint64(8)
    weight = rng.random(n_rows if weighted else 0).astype(np.float32)
    weights = (weight, (rng.normal(size=n_rows) * 3).astype(np.float32), relative)
    found = []
    for module in (cpu_quantiles, reference_quantiles):
        sums = np.ones((4, 256), np.int64)
        module.add_key_digits(keys, leaf_of_row, weights, prefixes, shift, 2.0**30, sums)
        found.append(sums.tolist())
    assert found[0] == found[1]
    if shift == 56 and not weighted and not relative:
        assert int(np.array(found[0]).sum()) - 4 * 256 == n_rows * 2**30


@BOTH
def test_only_rows_with_the_prefix_of_their_leaf_are_added(module) -> None:
    keys = np.array([0x0102, 0x0103, 0x0202, 0x0102], np.uint64)
    leaf_of_row, none = np.array([0, 0, 0, 1], np.uint16), np.empty(0, np.float32)
    sums = np.zeros((2, 256), np.int64)
    weights = (none, np.zeros(4, np.float32), False)
    module.add_key_digits(keys, leaf_of_row, weights, np.array([1, 2], np.uint64), 0, 1.0, sums)
    assert sums[0, :4].tolist() == [0, 0, 1, 1]
    assert sums.sum() == 2
