"""Borders of every feature, chosen by CatBoost's own border selection from a sample of the rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
