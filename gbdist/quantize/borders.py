"""Borders of every feature, chosen by CatBoost's own border selection from a sample of the rows."""

from dataclasses import dataclass

import numpy as np
from catboost.utils import calculate_quantization_grid
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.kernels.cpu_borders import greedy_log_sum

_FLOAT_MAX = np.finfo(np.float32).max
_TREATMENT = {"Min": "AsFalse", "Max": "AsTrue"}


@dataclass(frozen=True, eq=False)
class FeatureBorders:
    """How one feature is cut into bins: ``bin = number of borders < value`` in float32.

    Parameters
    ----------
    values : float32 [n_borders], ascending
        With NaNs in the data and ``nan_mode="Min"`` the first border is −FLT_MAX, with "Max" the last one is +FLT_MAX
        (CatBoost's quantization.cpp), so that NaNs have a bin of their own.
    nan_treatment : "AsIs", "AsFalse" or "AsTrue"
        CatBoost's word in the model file: no NaN seen, NaN is below everything, NaN is above everything.
    """

    values: NDArray[np.float32]
    nan_treatment: str


def choose_borders(
    values: NDArray[np.float32], border_count: int, border_type: str, nan_mode: str, has_nan: bool, name: str = ""
) -> FeatureBorders:
    """Choose the borders of one feature as CatBoost does (quantization.cpp, CalcQuantizationAndNanMode).

    Parameters
    ----------
    values : float32 [n_sampled], IN
        Sampled values in any order, NaNs among them or not.
    border_count : int
        Most borders; one of them goes to the NaNs where there are any.
    border_type : str
        CatBoost's ``feature_border_type``.
    nan_mode : "Min", "Max" or "Forbidden"
    has_nan : bool
        Whether any row of the whole data is NaN, sampled or not.
    name : str
        The feature, for the message.

    A constant feature has no borders. A border at −inf, which CatBoost may choose for data with −inf, becomes −FLT_MAX and
    one at +inf is left out: they tell the same rows apart, and a model file can hold them.
    """
    return borders_with_nan(_grid(values, border_count - int(has_nan), border_type), nan_mode, has_nan, name)


def borders_with_nan(borders: NDArray[np.float32], nan_mode: str, has_nan: bool, name: str) -> FeatureBorders:
    """Borders, float32 [n_borders] in any order, and one more for NaNs where there are any; see ``choose_borders``."""
    if has_nan and nan_mode == "Forbidden":
        raise DataError(
            f"column {name!r}",
            "missing values (NaN)",
            'none, as nan_mode="Forbidden" asks',
            'Use nan_mode="Min" or "Max".',
        )
    borders = np.maximum(borders[borders <= _FLOAT_MAX], -_FLOAT_MAX)
    if not has_nan:
        return FeatureBorders(np.unique(borders), "AsIs")
    edge = -_FLOAT_MAX if nan_mode == "Min" else _FLOAT_MAX
    return FeatureBorders(np.unique(np.append(borders, edge)).astype(np.float32), _TREATMENT[nan_mode])


def _grid(values: NDArray[np.float32], border_count: int, border_type: str) -> NDArray[np.float32]:
    """CatBoost's borders of the values that are not NaN: its default type by our own kernel, the others by its function."""
    ascending = np.sort(values + np.float32(0.0))  # −0.0 becomes 0.0, NaN goes to the end
    numbers = ascending[: ascending.shape[0] - int(np.isnan(ascending).sum())]
    if border_count <= 0 or numbers.shape[0] == 0:
        return np.empty(0, dtype=np.float32)
    if border_type == "GreedyLogSum":
        return greedy_log_sum(numbers, border_count)
    return np.asarray(calculate_quantization_grid(numbers, border_count, border_type), dtype=np.float32)
