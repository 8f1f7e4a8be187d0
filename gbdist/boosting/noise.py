"""How much of the score noise is left when a model has grown: CatBoost's random_strength fades out."""

import numpy as np

from gbdist.kernels.elementary import exp_array, log_array


def noise_left(n_rows: int, trees: int, learning_rate: float) -> float:
    """L / (1 + L) with L = exp(ln n − trees × learning rate) (CatBoost's greedy_tensor_search.cpp, CalcScoreStDev)."""
    left = float(exp_array(log_array(np.float64(n_rows)) - trees * learning_rate))
    return left / (1.0 + left)
