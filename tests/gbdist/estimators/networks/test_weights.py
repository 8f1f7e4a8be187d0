"""Rounded weights: how far from what they were, which of them stay, and that nothing is lost on the way back."""

import numpy as np
import pytest

from gbdist.estimators.networks.weights import KINDS, rounded_weights
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec

SPEC = NetworkSpec(
    n_numeric=2,
    hidden=(5,),
    n_outputs=2,
    loss="squared_error",
    categories=(4,),
    category_sizes=(3,),
    numeric_embedding="piecewise",
    embedding_size=3,
    edges=((-1.0, 0.0, 0.5, 2.0), (0.0, 1.0)),
)


def flat_of(dtype: type, spec: NetworkSpec = SPEC) -> np.ndarray:
    flat = Network(spec).initial(1).astype(dtype)
    slots = {slot.name: slot for slot in Network(spec).slots}
    slots["coef_0"].of(flat)[:, 2] = 0.0  # a unit without weights has a step too
    slots["coef_0"].of(flat)[:, 3] *= 1e-30
    slots["coef_0"].of(flat)[:, 4] *= 1e30 if dtype is np.float64 else 1.0
    return flat


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_int8_is_off_by_half_a_step(dtype):
    flat = flat_of(dtype)
    small = rounded_weights(SPEC, flat, "int8")
    back = small.flat(SPEC)
    assert back.dtype == dtype
    assert small.codes.dtype == np.int8
    for slot in Network(SPEC).slots:
        ours, theirs = slot.of(back).astype(np.float64), slot.of(flat).astype(np.float64)
        if slot.name.startswith(("intercept", "numeric_intercept")):
            np.testing.assert_array_equal(ours, theirs)
        elif slot.name != "numeric_coef":
            assert (np.abs(ours - theirs) <= slot.of(small.errors(SPEC))).all()
            assert (slot.of(small.errors(SPEC)) <= np.maximum(np.abs(theirs).max(axis=0) / 250, 1e-38)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_sums_over_bins_are_off_by_half_a_step_however_many_there_are(kind):
    spec = NetworkSpec(
        1, (2,), 1, "squared_error", numeric_embedding="piecewise", embedding_size=4, edges=(tuple(range(100)),)
    )
    flat = Network(spec).initial(3).astype(np.float32)
    small = rounded_weights(spec, flat, kind)
    slot = next(slot for slot in Network(spec).slots if slot.name == "numeric_coef")
    off = np.cumsum(slot.of(small.flat(spec)).astype(np.float64) - slot.of(flat), axis=1)
    largest = np.abs(slot.of(flat)).max(axis=1)
    step = largest / 126.5 if kind == "int8" else 2.0 ** np.floor(np.log2(largest) - 10 + 0.01)
    assert (np.abs(off) <= 0.501 * step[:, None, :]).all()
    np.testing.assert_allclose(slot.of(small.errors(spec))[:, 0], 0.5 * step, rtol=0.01)


def test_fp16_is_the_nearest_half():
    flat = flat_of(np.float32)
    small = rounded_weights(SPEC, flat, "fp16")
    for slot in Network(SPEC).slots:
        expected = slot.of(flat)
        if slot.name == "numeric_coef":
            continue
        if "intercept" not in slot.name:
            expected = expected.astype(np.float16).astype(np.float32)
            assert (np.abs(expected - slot.of(flat)) <= slot.of(small.errors(SPEC))).all()
        np.testing.assert_array_equal(slot.of(small.flat(SPEC)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_lost_is_the_largest_singular_value(kind):
    flat = flat_of(np.float32)
    small = rounded_weights(SPEC, flat, kind)
    change = small.flat(SPEC).astype(np.float64) - flat
    expected = [np.linalg.norm(matrix, 2) for matrix in Network(SPEC).coefs(change)]
    np.testing.assert_allclose(small.lost, expected)
    assert (small.lost > 0.0).all()
