"""Messages between two ranks: read as they were, or as near as the packing promises, and nothing is lost for good."""

from typing import Any

import numpy as np
import pytest

from gbdist.neural.training.packing import Halved, LargestFirst, Packing, Whole, make_packing
from gbdist.neural.training.params import COMPRESSIONS, StrategyParams

EXACT = 3


def packing_of(kind: str, dtype: Any, share: float = 0.1) -> Packing:
    return make_packing(StrategyParams(compression=kind, kept_share=share), np.dtype(dtype), EXACT)


def message_of(size: int, dtype: Any, seed: int = 0) -> np.ndarray:
    """Numbers of very different size, as layers have them."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(size + EXACT) * 10.0 ** rng.uniform(-6, 3, size + EXACT)).astype(dtype)


@pytest.mark.parametrize(("kind", "made"), [("none", Whole), ("fp16", Halved), ("top-k", LargestFirst)])
def test_the_packing_is_the_one_asked_for(kind: str, made: type) -> None:
    assert type(packing_of(kind, np.float32)) is made


@pytest.mark.parametrize("kind", COMPRESSIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_what_is_exact_arrives_as_it_is_and_a_message_is_not_changed(kind: str, dtype: Any, size: int) -> None:
    packing, message = packing_of(kind, dtype), message_of(size, dtype)
    before = message.copy()
    for item in (packing.gradient(message), packing.total(message)):
        found = packing.read(item)
        assert (found.dtype, found.shape) == (message.dtype, message.shape)
        np.testing.assert_array_equal(found[size:], message[size:])
    np.testing.assert_array_equal(message, before)


@pytest.mark.parametrize("kind", COMPRESSIONS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_arrives_as_one_that_is_not(kind: str, bad: float) -> None:
    packing, message = packing_of(kind, np.float32), message_of(40, np.float32)
    message[5] = bad
    assert not np.isfinite(packing.read(packing.gradient(message))[:40]).all()
    assert not np.isfinite(packing.read(packing.total(message))[:40]).all()


@pytest.mark.parametrize("size", [1e-38, 1e-20, 1.0, 1e30, 3e38])
def test_halves_neither_overflow_nor_vanish(size: float) -> None:
    packing, message = packing_of("fp16", np.float32), np.float32([size, -size / 2, size / 8, 1.0, 2.0, 3.0])
    found = packing.read(packing.gradient(message))
    np.testing.assert_allclose(found, message, rtol=2.0**-11)
    assert len(packing.gradient(message)) == 2 * 3 + 8 + 4 * EXACT


def test_the_largest_go_first_and_the_rest_with_the_next_gradient() -> None:
    packing = packing_of("top-k", np.float64, share=0.25)
    first = np.array([1.0, -4.0, 3.0, 0.5, 9.0, 9.0, 9.0])
    assert packing.read(packing.gradient(first)).tolist() == [0.0, -4.0, 0.0, 0.0, 9.0, 9.0, 9.0]
    still = np.array([0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0])
    sent = [packing.read(packing.gradient(still))[:4].tolist() for _ in range(4)]
    assert sent == [[0.0, 0.0, 3.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5], [0.0] * 4]


def test_a_gradient_that_is_not_finite_leaves_what_is_held_back() -> None:
    packing = packing_of("top-k", np.float64, share=0.5)
    packing.gradient(np.array([1.0, 2.0, 9.0, 9.0, 9.0]))
    packing.gradient(np.array([np.inf, 0.0, 9.0, 9.0, 9.0]))
    assert packing.read(packing.gradient(np.array([0.0, 0.0, 9.0, 9.0, 9.0])))[:2].tolist() == [1.0, 0.0]


def test_of_a_sum_of_the_largest_nothing_is_left_out() -> None:
    packing = packing_of("top-k", np.float32)
    total = sum(
        packing_of("top-k", np.float32).read(packing.gradient(message_of(50, np.float32, seed))) for seed in range(3)
    )
    item = packing.total(total)
    np.testing.assert_array_equal(packing.read(item), total)
    assert len(item) == 4 * EXACT + 4 + 8 * np.count_nonzero(total[:50])
