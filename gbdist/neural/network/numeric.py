"""What numbers become before the first layer: themselves, or a learned vector each.

Section numbers are those of Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning", 2022.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gbdist.neural.network.blocks import Array, Wanted
from gbdist.neural.network.numbers import Numbers


class Unembedded:
    """Numbers as they are."""

    wanted: tuple[Wanted, ...] = ()

    def __init__(self, n_numeric: int) -> None:
        self.width = n_numeric

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """Nothing."""
        return ()

    def set_aside(self, n_rows: int) -> tuple[Array, ...]:
        """Nothing."""
        return ()

    def forward(self, parameters: Sequence[Array], x: Array, room: Sequence[Array], out: Array) -> None:
        """See ``NumericPart``."""
        out[:, : self.width] = x

    def backward(
        self,
        parameters: Sequence[Array],
        x: Array,
        made: tuple[Array, Sequence[Array]],
        change: Array,
        gradients: Sequence[Array],
    ) -> None:
        """Nothing."""


class Piecewise:
    """Of each number a layer with ReLU on its piecewise linear code (sections 3.2 and 3.1).

    The code is 1 for each bin below the number, for its own bin the part of it that is below the number, 0 above; it goes on
    beyond the first and the last edge. So the layer's sum is a running sum of its rows and a part of one row, and the code
    itself is never made on a CPU.
    """

    def __init__(self, edges: Sequence[Sequence[float]], size: int, numbers: Numbers) -> None:
        self._arrays, self._dtype = numbers.arrays, numbers.held
        self._bins = [len(each) - 1 for each in edges]
        self._shape = (len(edges), max(self._bins, default=0), size)
        self.width = len(edges) * size
        n_numeric, n_bins, _ = self._shape
        inner = np.full((n_numeric, max(n_bins - 1, 0)), np.inf)
        begins, per_width = np.zeros((n_numeric, n_bins)), np.zeros((n_numeric, n_bins))
        for row, each in enumerate(edges):
            ends = np.asarray(each, self._dtype)
            inner[row, : ends.size - 2] = ends[1:-1]
            begins[row, : ends.size - 1] = ends[:-1]
            per_width[row, : ends.size - 1] = 1 / np.diff(ends)
        self._edges = tuple(self._arrays.here(each, self._dtype) for each in (inner, begins, per_width))
        self._sums = self._arrays.empty(self._shape, self._dtype)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Rows of bins that a number has not are never used."""
        n_numeric, _, size = self._shape
        return Wanted("numeric_coef", self._shape, penalized=True), Wanted("numeric_intercept", (n_numeric, size))

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """Uniform draws within ± 1 / √bins for each number."""
        n_numeric, _, size = self._shape
        bounds = np.array(self._bins, float) ** -0.5
        coef = draw.uniform(-1, 1, self._shape) * bounds[:, None, None]
        for row, n_bins in enumerate(self._bins):
            coef[row, n_bins:] = 0
        return coef, draw.uniform(-1, 1, (n_numeric, size)) * bounds[:, None]

    def set_aside(self, n_rows: int) -> tuple[Array, ...]:
        """Each number's bin and the part of it that is below the number."""
        shape = (n_rows, self._shape[0])
        return self._arrays.empty(shape, np.int32), self._arrays.empty(shape, self._dtype)

    def forward(self, parameters: Sequence[Array], x: Array, room: Sequence[Array], out: Array) -> None:
        """See ``NumericPart``."""
        self._arrays.kernels.embed_piecewise(x, self._edges, (*parameters, self._sums), tuple(room), out)

    def backward(
        self,
        parameters: Sequence[Array],
        x: Array,
        made: tuple[Array, Sequence[Array]],
        change: Array,
        gradients: Sequence[Array],
    ) -> None:
        """See ``NumericPart``."""
        out, places = made
        self._arrays.kernels.piecewise_change(tuple(places), out, change, (*gradients, self._sums))


class Periodic:
    """Of each number a layer with ReLU on sines and cosines of its learned frequencies: "PLR" (sections 3.3 and 3.1).

    sin(2π c x) and cos(2π c x) for each frequency c, drawn from a normal distribution around 0.
    """

    def __init__(self, n_numeric: int, frequencies: int, size: int, scale: float, numbers: Numbers) -> None:
        self._arrays, self._dtype = numbers.arrays, numbers.held
        self._shape = (n_numeric, 2 * frequencies, size)
        self._frequencies, self._scale = frequencies, scale
        self.width = n_numeric * size

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """Frequencies, and the layer: of its rows the first half is the sines'."""
        n_numeric, _, size = self._shape
        return (
            Wanted("frequencies", (n_numeric, self._frequencies)),
            Wanted("numeric_coef", self._shape, penalized=True),
            Wanted("numeric_intercept", (n_numeric, size)),
        )

    def initial(self, draw: np.random.RandomState) -> Sequence[NDArray[np.float64]]:
        """Frequencies by their scale; the layer by uniform draws within ± 1 / √(2 × frequencies)."""
        n_numeric, n_waves, size = self._shape
        bound = n_waves**-0.5
        return (
            draw.normal(0.0, self._scale, (n_numeric, self._frequencies)),
            draw.uniform(-bound, bound, self._shape),
            draw.uniform(-bound, bound, (n_numeric, size)),
        )

    def set_aside(self, n_rows: int) -> tuple[Array, ...]:
        """Waves and their derivatives, both of which lie number after number, and what the layer makes of them."""
        n_numeric, n_waves, _ = self._shape
        widths = (n_numeric * n_waves, n_numeric * n_waves, self.width)
        return tuple(self._arrays.empty((n_rows, width), self._dtype) for width in widths)

    def forward(self, parameters: Sequence[Array], x: Array, room: Sequence[Array], out: Array) -> None:
        """See ``NumericPart``."""
        xp, kernels = self._arrays.xp, self._arrays.kernels
        frequencies, coef, intercept = parameters
        waves, _, embedded = self._by_number(room)
        kernels.wave_phases(x, frequencies, waves)
        xp.sin(waves, out=waves)
        xp.matmul(waves, coef, out=embedded)
        kernels.add_bias_relu(room[2], intercept.reshape(-1))
        out[:, : self.width] = room[2]

    def backward(
        self,
        parameters: Sequence[Array],
        x: Array,
        made: tuple[Array, Sequence[Array]],
        change: Array,
        gradients: Sequence[Array],
    ) -> None:
        """See ``NumericPart``."""
        xp, kernels = self._arrays.xp, self._arrays.kernels
        _, room = made
        waves, by_wave, by_sum = self._by_number(room)
        xp.multiply(change[:, : self.width], room[2] > 0, out=room[2])  # what ``by_sum`` shows
        xp.matmul(waves.transpose(0, 2, 1), by_sum, out=gradients[1])
        xp.sum(by_sum, axis=1, out=gradients[2])
        xp.matmul(by_sum, parameters[1].transpose(0, 2, 1), out=by_wave)
        kernels.frequency_change(x, waves, by_wave, gradients[0])

    def _by_number(self, room: Sequence[Array]) -> tuple[Array, Array, Array]:
        """The arrays of ``set_aside`` as [n_numeric, n_rows, …]; the last one lies row after row."""
        n_numeric, n_waves, size = self._shape
        waves, by_wave, embedded = room
        n_rows = embedded.shape[0]
        shape = (n_numeric, n_rows, n_waves)
        return (
            waves.reshape(shape),
            by_wave.reshape(shape),
            embedded.reshape(n_rows, n_numeric, size).transpose(1, 0, 2),
        )
