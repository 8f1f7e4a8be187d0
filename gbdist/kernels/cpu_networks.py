"""CPU kernels of networks: what would take NumPy several passes over a batch.

Their twins in ``reference_networks`` are what runs on a card.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.compile import kernel
from gbdist.kernels.hashing import hash_number

Floats = NDArray[np.floating[Any]]


@kernel
def add_bias_relu(z: Floats, bias: Floats) -> None:
    """Make z + bias of ``z`` ([n, units], IN and OUT), and 0 where that is negative; NaN stays NaN, so that it is found."""
    for i in range(np.uint64(z.shape[0])):
        for j in range(np.uint64(z.shape[1])):
            value = z[i, j] + bias[j]
            z[i, j] = bias.dtype.type(0) if value <= 0 else value


@kernel
def relu_change(y: Floats, change: Floats) -> None:
    """Keep ``change`` ([n, units], IN and OUT) where ``y`` ([n, units], IN) is positive; 0 elsewhere."""
    for i in range(np.uint64(y.shape[0])):
        for j in range(np.uint64(y.shape[1])):
            change[i, j] = change[i, j] if y[i, j] > 0 else y.dtype.type(0)


@kernel
def round_to_half(values: NDArray[np.float32]) -> None:
    """Make the nearest float16 of each value ([n], IN and OUT), ties to even: infinite from 65,520 on, NaN where it is NaN."""
    for i in range(np.uint64(values.shape[0])):
        value = values[i]
        size = np.abs(value)
        # A sum with this number has float16's smallest steps, 2^−24, as its own: right below 2^−14, where they are all there are.
        small = (size + np.float32(0.5)) - np.float32(0.5)
        # Above, 13 bits are cut off, and rounding may carry into the exponent.
        bits = np.float32(size).view(np.uint32)
        bits += np.uint32(0xFFF) + ((bits >> np.uint32(13)) & np.uint32(1))
        large = np.uint32(bits & np.uint32(0xFFFFE000)).view(np.float32)
        rounded = small if size < np.float32(2.0**-14) else large
        rounded = np.float32(np.inf) if size >= np.float32(65520.0) else rounded
        rounded = value if value != value else rounded
        values[i] = np.copysign(rounded, value)


@kernel
def dropout_mask(
    key: np.uint64, numbers: NDArray[np.uint64], first_group: np.uint64, dropped: np.uint64, kept: Any, mask: Floats
) -> None:
    """What each unit of each row is multiplied by: 0 for ``dropped`` of 65,536 draws, else ``kept``.

    Four units are a group and share a hash of (key, row number, group), 16 bits each.

    Parameters
    ----------
    key : uint64
    numbers : uint64 [n], IN
        Global row numbers.
    first_group : uint64
        Group of the first four columns.
    dropped : uint64
    kept : float, of the mask's type
    mask : float [n, 4 × groups], OUT
    """
    groups = np.uint64(mask.shape[1]) >> np.uint64(2)
    zero = mask.dtype.type(0)
    for i in range(np.uint64(mask.shape[0])):
        row_key = hash_number(key, numbers[i])
        for g in range(groups):
            draw = hash_number(row_key, first_group + g)
            for k in range(np.uint64(4)):
                bits = (draw >> (np.uint64(16) * k)) & np.uint64(0xFFFF)
                mask[i, np.uint64(4) * g + k] = kept if bits >= dropped else zero


@kernel
def embed_piecewise(
    x: Floats,
    edges: tuple[Floats, Floats, Floats],
    parameters: tuple[Floats, Floats, Floats],
    places: tuple[NDArray[np.int32], Floats],
    out: Floats,
) -> None:
    """Each number's place among its edges, times a matrix: all of the bins below it, and a part of its own; 0 for a negative one.

    Parameters
    ----------
    x : float [n, n_numeric], IN
    edges : floats, IN
        Between two bins [n_numeric, n_bins − 1], infinite behind a number's last bin; where bins begin, and one over their
        widths [n_numeric, n_bins].
    parameters : floats
        [n_numeric, n_bins, size] and [n_numeric, size], IN; and for sums something like the first, OUT.
    places : int32 and float [n, n_numeric], OUT
        Each number's bin and what part of it lies below the number; below 0 and above 1 beyond the first and last edge.
    out : float [n, ≥ n_numeric × size], OUT
        The first n_numeric × size columns are written.
    """
    inner, begins, per_width = edges
    coef, intercept, below = parameters  # the last: what all of the bins before each add up to
    bins, parts = places
    size = np.uint64(coef.shape[2])
    for f in range(np.uint64(coef.shape[0])):
        for k in range(size):
            total = intercept[f, k]
            for t in range(np.uint64(coef.shape[1])):
                below[f, t, k] = total
                total += coef[f, t, k]
    for i in range(np.uint64(x.shape[0])):
        for f in range(np.uint64(x.shape[1])):
            value = x[i, f]
            found = np.int32(0)
            for t in range(np.uint64(inner.shape[1])):
                found += np.int32(value >= inner[f, t])
            part = (value - begins[f, found]) * per_width[f, found]
            bins[i, f] = found
            parts[i, f] = part
            for k in range(size):
                total = below[f, found, k] + part * coef[f, found, k]
                out[i, f * size + k] = coef.dtype.type(0) if total <= 0 else total  # NaN stays, so that it is found


@kernel
def piecewise_change(
    places: tuple[NDArray[np.int32], Floats], out: Floats, change: Floats, gradients: tuple[Floats, Floats, Floats]
) -> None:
    """Derivatives by the parameters of ``embed_piecewise``.

    Parameters
    ----------
    places : int32 and float [n, n_numeric], IN
        As ``embed_piecewise`` has left them.
    out : float [n, ≥ n_numeric × size], IN
        What it has written.
    change : float [n, ≥ n_numeric × size], IN
    gradients : floats, OUT
        [n_numeric, n_bins, size] and [n_numeric, size]; and for sums something like the first.
    """
    bins, parts = places
    coef, intercept, above = gradients  # the last: changes of the rows whose numbers are in each bin
    size = np.uint64(coef.shape[2])
    zero = coef.dtype.type(0)
    for f in range(np.uint64(coef.shape[0])):
        for t in range(np.uint64(coef.shape[1])):
            for k in range(size):
                coef[f, t, k] = zero
                above[f, t, k] = zero
    for i in range(np.uint64(bins.shape[0])):
        for f in range(np.uint64(bins.shape[1])):
            found, part = np.uint64(bins[i, f]), parts[i, f]
            for k in range(size):
                value = change[i, f * size + k] if out[i, f * size + k] > 0 else zero
                above[f, found, k] += value
                coef[f, found, k] += part * value
    for f in range(np.uint64(coef.shape[0])):
        for k in range(size):
            total = zero
            for t in range(coef.shape[1] - 1, -1, -1):
                coef[f, t, k] += total
                total += above[f, t, k]
            intercept[f, k] = total


@kernel
def wave_phases(x: Floats, frequencies: Floats, phases: Floats) -> None:
    """What sines are taken of for each number: 2π × frequency × number, and a quarter of a turn more, for cosines.

    Parameters
    ----------
    x : float [n, n_numeric], IN
    frequencies : float [n_numeric, n_frequencies], IN
    phases : float [n_numeric, n, 2 × n_frequencies], OUT
    """
    n_frequencies = np.uint64(frequencies.shape[1])
    turn, quarter = x.dtype.type(2 * np.pi), x.dtype.type(np.pi / 2)
    for f in range(np.uint64(frequencies.shape[0])):
        for i in range(np.uint64(x.shape[0])):
            turned = turn * x[i, f]
            for k in range(n_frequencies):
                phase = turned * frequencies[f, k]
                phases[f, i, k] = phase
                phases[f, i, k + n_frequencies] = phase + quarter


@kernel
def frequency_change(x: Floats, waves: Floats, by_wave: Floats, gradient: Floats) -> None:
    """Derivatives by the frequencies of ``wave_phases``.

    Parameters
    ----------
    x : float [n, n_numeric], IN
    waves, by_wave : float [n_numeric, n, 2 × n_frequencies], IN
        Sines of the phases, and derivatives by them.
    gradient : float [n_numeric, n_frequencies], OUT
    """
    n_frequencies = np.uint64(gradient.shape[1])
    turn, zero = x.dtype.type(2 * np.pi), x.dtype.type(0)
    for f in range(np.uint64(gradient.shape[0])):
        for k in range(n_frequencies):
            gradient[f, k] = zero
        for i in range(np.uint64(x.shape[0])):
            turned = turn * x[i, f]
            for k in range(n_frequencies):
                cosine = k + n_frequencies
                # sin' = cos, cos' = −sin
                by_phase = by_wave[f, i, k] * waves[f, i, cosine] - by_wave[f, i, cosine] * waves[f, i, k]
                gradient[f, k] += turned * by_phase


@kernel
def add_rows(codes: NDArray[np.int32], column: int, change: Floats, first: int, table: Floats) -> None:
    """Add to each code's row of ``table`` the changes of the rows that have it.

    Parameters
    ----------
    codes : int32 [n, n_categorical], IN
        Only ``column`` is read; each of its codes is a row of the table.
    change : float [n, width], IN
        The columns from ``first`` on, as many as the table has.
    table : float [n_codes, size], IN and OUT
    """
    for i in range(np.uint64(codes.shape[0])):
        code = np.uint64(codes[i, column])
        for k in range(np.uint64(table.shape[1])):
            table[code, k] += change[i, np.uint64(first) + k]
