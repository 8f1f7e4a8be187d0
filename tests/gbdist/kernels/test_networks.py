"""Kernels of networks against their twins, which are what a card runs."""

import numpy as np
import pytest

from gbdist.kernels import cpu_networks as cpu
from gbdist.kernels import reference_networks as reference

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def draws(dtype: type, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


@FLOATS
def test_add_bias_relu(dtype: type) -> None:
    bias, z = draws(dtype, 5), draws(dtype, 7, 5, seed=1)
    z[1, 2], z[3, 3] = np.nan, np.inf
    expected = z.copy()
    reference.add_bias_relu(expected, bias)
    cpu.add_bias_relu(z, bias)
    np.testing.assert_array_equal(z, expected)
    assert np.isnan(z[1, 2])
    assert (z == 0).any()


@FLOATS
def test_relu_change(dtype: type) -> None:
    y, change = np.maximum(draws(dtype, 7, 5), 0), draws(dtype, 7, 5, seed=1)
    expected = change.copy()
    reference.relu_change(y, expected)
    cpu.relu_change(y, change)
    np.testing.assert_array_equal(change, expected)


def test_round_to_half() -> None:
    # Each float16 that is not NaN, what lies half-way to the next one, and the next float32 on both sides of these.
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[~np.isnan(halves)].astype(np.float32)
    with np.errstate(invalid="ignore"):
        between = (halves[1:] + halves[:-1]) / 2
    values = np.concatenate([halves, between, [65519.996, 65520.0, 1e30, 1e-30, np.nan]]).astype(np.float32)
    values = np.concatenate(
        [values, np.nextafter(values, np.float32(np.inf)), np.nextafter(values, np.float32(-np.inf))]
    )
    values = np.concatenate([values, -values])
    expected = values.copy()
    with np.errstate(over="ignore"):
        reference.round_to_half(expected)
    cpu.round_to_half(values)
    np.testing.assert_array_equal(values.view(np.uint32), expected.view(np.uint32))


@FLOATS
def test_dropout_mask(dtype: type) -> None:
    numbers = np.array([0, 5, 1 << 40], np.uint64)
    masks = np.empty((2, 3, 12), dtype)
    for kernels, mask in zip((cpu, reference), masks, strict=True):
        kernels.dropout_mask(np.uint64(99), numbers, np.uint64(3), np.uint64(30_000), dtype(1.5), mask)
    np.testing.assert_array_equal(*masks)
    assert set(np.unique(masks)) == {0, 1.5}


@FLOATS
def test_embed_piecewise_and_piecewise_change(dtype: type) -> None:
    # The second number has one bin only, and rows 0 and 1 lie beyond all edges.
    inner = np.array([[0.0, 0.5], [np.inf, np.inf]], dtype)
    begins, per_width = np.array([[-1, 0, 0.5], [-1, 0, 0]], dtype), np.array([[1, 2, 2], [0.5, 0, 0]], dtype)
    x = draws(dtype, 9, 2)
    x[:3] = [[-3, -3], [3, 3], [0.2, 0.2]]
    parameters = draws(dtype, 2, 3, 4), draws(dtype, 2, 4, seed=1), np.empty((2, 3, 4), dtype)
    change = draws(dtype, 9, 10, seed=2)
    results = []
    for kernels in (cpu, reference):
        places, out = (np.empty((9, 2), np.int32), np.empty((9, 2), dtype)), np.full((9, 10), 7, dtype)
        gradients = np.empty((2, 3, 4), dtype), np.empty((2, 4), dtype), np.empty((2, 3, 4), dtype)
        kernels.embed_piecewise(x, (inner, begins, per_width), parameters, places, out)
        kernels.piecewise_change(places, out, change, gradients)
        results.append((*places, out, *gradients[:2]))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert (results[0][2][:, 8:] == 7).all()  # columns that are not its own
    assert np.unique(results[0][0][:, 0]).tolist() == [0, 1, 2]
    assert 0 < (results[0][2][:, :8] == 0).sum() < 72
    assert (results[0][2] >= 0).all()


@FLOATS
def test_wave_phases_and_frequency_change(dtype: type) -> None:
    x, frequencies, by_wave = draws(dtype, 9, 2), draws(dtype, 2, 3, seed=1), draws(dtype, 2, 9, 6, seed=2)
    results = []
    for kernels in (cpu, reference):
        phases, gradient = np.empty((2, 9, 6), dtype), np.full((2, 3), 7, dtype)
        kernels.wave_phases(x, frequencies, phases)
        kernels.frequency_change(x, np.sin(phases), by_wave, gradient)
        results.append((phases, gradient))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@FLOATS
def test_add_rows(dtype: type) -> None:
    codes = np.random.default_rng(0).integers(0, 4, (3_000, 2)).astype(np.int32)
    change = draws(dtype, 3_000, 5)
    tables = np.zeros((2, 6, 3), dtype)
    for kernels, table in zip((cpu, reference), tables, strict=True):
        kernels.add_rows(codes, 1, change, 2, table)
    np.testing.assert_allclose(*tables, rtol=1e-3 if dtype is np.float32 else 1e-9)
    np.testing.assert_allclose(tables[0, 2], change[codes[:, 1] == 2, 2:].sum(axis=0), rtol=1e-3)
    assert (tables[:, 4:] == 0).all()
