"""How the numbers of a column are scaled for a network: decided from the sample that borders of trees are chosen from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gbdist.errors import DataError
from gbdist.quantize.borders import choose_borders

SCALINGS: Final = ("none", "standard", "robust", "quantile")
#: scikit-learn's ``n_quantiles``, and how near to 0 and 1 it lets a rank come before that becomes a normal score.
MOST_QUANTILES: Final = 1_000
_NEAREST_RANK = 1e-7 - np.spacing(1.0)
_LOWEST_SCORE, _HIGHEST_SCORE = float(ndtri(_NEAREST_RANK)), float(ndtri(1.0 - _NEAREST_RANK))
#: Borders inside a piecewise linear embedding, at most: those of the trees, which also cut a column well where most rows have one
#: value. Quantiles, as Gorishniy et al. 2022 have them, are all that value then (decision 0041 has what it measured).
_EDGE_BORDERS, _BORDER_TYPE = 128, "GreedyLogSum"
#: Columns of fewer distinct values are not cut by quantiles: two values would become the two ends of the normal scores.
_FEWEST_FOR_QUANTILES = 3
#: Quartiles nearer than this, in standard deviations, are no unit: others would become numbers that float32 cannot hold.
_NARROWEST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class ColumnScale:
    """What a raw number of one column becomes for a network.

    Parameters
    ----------
    fill : float
        What stands for a missing value, in the column's own unit; NaN: there may be none.
    center, scale : float
        Without ``quantiles`` a value becomes (value − center) / scale.
    quantiles : float64 [n], ascending, or [0]
        A value becomes the normal score of its place among them, as QuantileTransformer(output_distribution="normal") has it.
    edges : tuple of float
        Where bins of a piecewise linear embedding begin and end, among scaled values: ascending, at least two.
    """

    fill: float
    center: float
    scale: float
    quantiles: NDArray[np.float64]
    edges: tuple[float, ...]

    def encode(self, values: NDArray[np.float32], place: str) -> NDArray[np.float32]:
        """Scaled values, float32 [n], from raw ones (IN), float32 [n].

        Computed in float64 and rounded once. DataError, which calls the column ``place``, for infinite numbers, for missing ones
        where nothing stands for them, and for numbers so far off the others that float32 cannot hold them.
        """
        missing = np.isnan(values)
        wide = values.astype(np.float64)
        if missing.any():
            if np.isnan(self.fill):
                raise _missing(place)
            wide[missing] = self.fill
        require_finite(wide, place)
        if self.quantiles.size:
            return _normal_scores(wide, self.quantiles).astype(np.float32)
        with np.errstate(over="ignore"):
            scaled = ((wide - self.center) / self.scale).astype(np.float32)
        if not np.isfinite(scaled).all():
            farthest = float(wide[np.argmax(np.abs(wide - self.center))])
            raise DataError(
                place, f"{farthest:g}", "numbers of the order of the others", "Correct it, or leave that row out."
            )
        return scaled


@dataclass(frozen=True, slots=True)
class ScaleRules:
    """How columns are scaled.

    Parameters
    ----------
    scaling : one of SCALINGS
        "none": not at all; "standard": mean and standard deviation, as scikit-learn's StandardScaler; "robust": median and
        distance of the quartiles, as RobustScaler; "quantile": normal scores, as QuantileTransformer.
    fill_missing : bool
        Whether the median stands for missing values; else there may be none.
    known : by name, the columns that were scaled before, as they were scaled
    """

    scaling: str
    fill_missing: bool = True
    known: Mapping[str, ColumnScale] = field(default_factory=dict)

    @property
    def cells(self) -> np.dtype[Any]:
        """Type of the scaled numbers."""
        return np.dtype(np.float32)

    def choose(self, values: NDArray[np.float32], has_nan: bool, name: str) -> ColumnScale:
        """The scale of a column, from sampled values in any order, float32 [n_sampled].

        ``has_nan`` says whether any value of the whole column is missing. DataError for what ``ColumnScale.encode`` refuses.
        """
        if name in self.known:
            return self.known[name]
        place = f"column {name!r}"
        if has_nan and not self.fill_missing:
            raise _missing(place)
        # In order, so that sums do not depend on how rows are partitioned.
        ascending = np.sort(values[~np.isnan(values)]).astype(np.float64)
        require_finite(ascending, place)
        fill = (float(np.median(ascending)) if ascending.size else 0.0) if self.fill_missing else np.nan
        center, scale, quantiles = _fitted(ascending, self.scaling)
        return ColumnScale(fill, center, scale, quantiles, _edges(ascending, (fill, center, scale, quantiles)))


def require_finite(values: NDArray[np.float64], place: str) -> None:
    """DataError at ``place`` for infinite values."""
    n_infinite = values.size - int(np.isfinite(values).sum())
    if n_infinite:
        fix = "Clip them, or leave those rows out."
        raise DataError(place, f"{n_infinite} value(s) that are infinite or too large for float32", "finite ones", fix)


def _missing(place: str) -> DataError:
    fix = 'Fill them first, or set scaling to "standard", "robust" or "quantile", which put the median there.'
    return DataError(place, "missing values (NaN)", 'none with scaling="none"', fix)


def _fitted(ascending: NDArray[np.float64], scaling: str) -> tuple[float, float, NDArray[np.float64]]:
    """Center, scale and quantiles; a column of one value alone becomes 0, if it is scaled at all."""
    nothing = np.empty(0)
    if scaling == "none" or not ascending.size:
        return 0.0, 1.0, nothing
    if ascending[0] == ascending[-1]:
        return float(ascending[0]), 1.0, nothing
    deviation = float(np.std(ascending))
    if scaling == "robust":
        low, middle, high = np.percentile(ascending, [25.0, 50.0, 75.0]).tolist()
        # Where most rows have one value, or nearly, what is between them says nothing of the others.
        return middle, high - low if high - low > _NARROWEST * deviation else deviation, nothing
    if scaling == "quantile" and np.unique(ascending).size >= _FEWEST_FOR_QUANTILES:
        count = min(MOST_QUANTILES, ascending.size)
        quantiles = np.percentile(ascending, np.linspace(0.0, 1.0, count) * 100)
        return 0.0, 1.0, np.maximum.accumulate(quantiles)  # rounding may have made one smaller than the one before
    return float(np.mean(ascending)), deviation, nothing


def _edges(
    ascending: NDArray[np.float64], fitted: tuple[float, float, float, NDArray[np.float64]]
) -> tuple[float, ...]:
    """The lowest value, borders of trees, and the highest, scaled; of a column of one value, that and one unit above."""
    if ascending.size:
        inner = choose_borders(ascending.astype(np.float32), _EDGE_BORDERS, _BORDER_TYPE, "Forbidden", False).values
        raw = np.array([ascending[0], *inner, ascending[-1]], dtype=np.float32)
    else:
        raw = np.zeros(1, dtype=np.float32)
    scaled = ColumnScale(*fitted, ()).encode(raw, "edges")
    edges = np.unique(scaled).tolist()
    return (edges[0], edges[0] + 1.0) if len(edges) == 1 else tuple(edges)


def _normal_scores(values: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal scores of ranks among quantiles (QuantileTransformer._transform_col).

    Values at the ends are found by comparison, not by scikit-learn's distance of 1e-7, which would depend on the column's unit.
    """
    references = np.linspace(0.0, 1.0, quantiles.shape[0])
    ranks = np.interp(values, quantiles, references)
    if (quantiles[1:] == quantiles[:-1]).any():  # of equal quantiles the middle
        ranks = 0.5 * (ranks - np.interp(-values, -quantiles[::-1], -references[::-1]))
    ranks[values >= quantiles[-1]] = 1.0
    ranks[values <= quantiles[0]] = 0.0
    scores: NDArray[np.float64] = np.clip(ndtri(ranks), _LOWEST_SCORE, _HIGHEST_SCORE)
    return scores
