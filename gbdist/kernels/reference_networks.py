"""Twins of the kernels of networks, and what runs on a card: they take arrays of any memory that act as NumPy's do (CuPy's).

``np.arange(like=…)`` makes an array where the other one lies (NEP 35).
"""

from typing import Any

import numpy as np

from gbdist.kernels.hashing import GOLDEN, mixed

#: Arrays of NumPy or CuPy.
Array = Any
_S2, _S16 = np.uint64(2), np.uint64(16)
#: Rows that ``add_rows`` compares with each other at a time.
_COMPARED = 1024


def add_bias_relu(z: Array, bias: Array) -> None:
    """See ``cpu_networks.add_bias_relu``."""
    z += bias
    z[z <= 0] = 0


def relu_change(y: Array, change: Array) -> None:
    """See ``cpu_networks.relu_change``."""
    change[~(y > 0)] = 0


def round_to_half(values: Array) -> None:
    """See ``cpu_networks.round_to_half``."""
    values[...] = values.astype(np.float16)


def dropout_mask(
    key: np.uint64, numbers: Array, first_group: np.uint64, dropped: np.uint64, kept: Any, mask: Array
) -> None:
    """See ``cpu_networks.dropout_mask``."""
    row_keys = mixed(key + numbers * GOLDEN)
    units = np.arange(mask.shape[1], dtype=np.uint64, like=numbers)
    draws = mixed(row_keys[:, None] + ((units >> _S2) + first_group)[None, :] * GOLDEN)
    bits = (draws >> (_S16 * (units & np.uint64(3)))) & np.uint64(0xFFFF)
    mask[...] = (bits >= dropped) * kept


def embed_piecewise(
    x: Array,
    edges: tuple[Array, Array, Array],
    parameters: tuple[Array, Array, Array],
    places: tuple[Array, Array],
    out: Array,
) -> None:
    """See ``cpu_networks.embed_piecewise``."""
    inner, begins, per_width = edges
    coef, intercept, _ = parameters
    bins, parts = places
    n_rows, n_numeric = x.shape
    bins[...] = (x[:, :, None] >= inner[None, :, :]).sum(axis=2)
    columns = np.arange(n_numeric, like=bins)[None, :]
    parts[...] = (x - begins[columns, bins]) * per_width[columns, bins]
    embedded = np.matmul(_encoded(places, coef.shape[1]), coef).transpose(1, 0, 2) + intercept[None, :, :]
    embedded[embedded <= 0] = 0
    out[:, : n_numeric * coef.shape[2]] = embedded.reshape(n_rows, n_numeric * coef.shape[2])


def piecewise_change(
    places: tuple[Array, Array], out: Array, change: Array, gradients: tuple[Array, Array, Array]
) -> None:
    """See ``cpu_networks.piecewise_change``."""
    coef, intercept, _ = gradients
    n_numeric, n_bins, size = coef.shape
    width = n_numeric * size
    by_number = (change[:, :width] * (out[:, :width] > 0)).reshape(-1, n_numeric, size)
    coef[...] = np.matmul(_encoded(places, n_bins).transpose(0, 2, 1), by_number.transpose(1, 0, 2))
    intercept[...] = by_number.sum(axis=0)


def _encoded(places: tuple[Array, Array], n_bins: int) -> Array:
    """What each bin counts for each number: 1 below the number's own, its part there, 0 above; float [n_numeric, n, n_bins]."""
    bins, parts = (each.T[:, :, None] for each in places)
    numbers = np.arange(n_bins, like=bins)[None, None, :]
    return (numbers < bins) * parts.dtype.type(1) + (numbers == bins) * parts


def wave_phases(x: Array, frequencies: Array, phases: Array) -> None:
    """See ``cpu_networks.wave_phases``."""
    n_frequencies = frequencies.shape[1]
    phases[:, :, :n_frequencies] = 2 * np.pi * x.T[:, :, None] * frequencies[:, None, :]
    phases[:, :, n_frequencies:] = phases[:, :, :n_frequencies] + np.pi / 2


def frequency_change(x: Array, waves: Array, by_wave: Array, gradient: Array) -> None:
    """See ``cpu_networks.frequency_change``."""
    half = gradient.shape[1]
    by_phase = by_wave[:, :, :half] * waves[:, :, half:] - by_wave[:, :, half:] * waves[:, :, :half]
    gradient[...] = 2 * np.pi * (by_phase * x.T[:, :, None]).sum(axis=1)


def add_rows(codes: Array, column: int, change: Array, first: int, table: Array) -> None:
    """See ``cpu_networks.add_rows``. On a card too the same sums in the same order each time, unlike with atomic additions."""
    for begin in range(0, codes.shape[0], _COMPARED):
        some = codes[begin : begin + _COMPARED, column]
        alike = (some[:, None] == some[None, :]).astype(table.dtype)
        # Rows of one code have the same sums, so it does not matter which one is written last.
        table[some] += np.matmul(alike, change[begin : begin + _COMPARED, first : first + table.shape[1]])
