"""Quantized rows as a CatBoost pool with the borders of all ranks.

CatBoost takes no bins, so each bin is stood for by a value that lies in it; with the same borders CatBoost finds the same bins.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.quantize.borders import FeatureBorders

_BLOCK_ROWS = 1 << 16
_NAN_MODE = {"AsFalse": "Min", "AsTrue": "Max"}


def values_of_bins(borders: FeatureBorders) -> NDArray[np.float32]:
    """A value inside each bin, float32 [n_borders + 1]; NaN where the bin is that of missing values.

    A value belongs to bin b if it is above b borders, so each bin but the last is stood for by its upper border.
    """
    if not borders.values.size:
        return np.zeros(1, np.float32)
    if borders.nan_treatment == "AsTrue":
        return np.append(borders.values, np.float32(np.nan))
    values = np.append(borders.values, np.nextafter(borders.values[-1], np.float32(np.inf)))
    if borders.nan_treatment == "AsFalse":
        values[0] = np.nan
    return values


def make_pool(rows: Rows, borders: Sequence[FeatureBorders], names: Sequence[str]) -> catboost.Pool | None:
    """A quantized pool of a rank's rows, without baseline; None without rows.

    Values that stand for bins are held for a moment, 4 bytes a cell.
    """
    if rows.n_rows == 0:
        return None
    matrix = np.empty((rows.n_rows, rows.n_features), dtype=np.float32, order="F")
    for feature, each in enumerate(borders):
        values = values_of_bins(each)
        for start in range(0, rows.n_rows, _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            np.take(values, rows.bins[feature, block], out=matrix[block, feature])
    pool = catboost.Pool(matrix, rows.label, weight=rows.weight, feature_names=list(names))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "borders.tsv"
        path.write_text(_borders_file(borders), encoding="ascii")
        pool.quantize(input_borders=str(path))
    return pool


def second_view(pool: catboost.Pool | None) -> catboost.Pool | None:
    """The rows of a pool as a pool with a baseline of its own, which another thread may use while the first one is trained on.

    Both share the cells; the view costs its row numbers, labels and weights (20 bytes a row, measured).
    """
    return None if pool is None else pool.slice(np.arange(pool.num_row(), dtype=np.uint32))


def set_baseline(pool: catboost.Pool, predictions: NDArray[np.float64]) -> None:
    """Let CatBoost start from raw predictions, float64 [dimension, n_rows]."""
    pool.set_baseline(np.ascontiguousarray(predictions.T))


def _borders_file(borders: Sequence[FeatureBorders]) -> str:
    """CatBoost's text form: feature, border and, where there are missing values, nan_mode."""
    lines = []
    for feature, each in enumerate(borders):
        mode = _NAN_MODE.get(each.nan_treatment)
        tail = "" if mode is None else f"\t{mode}"
        lines += [f"{feature}\t{border:.9g}{tail}" for border in each.values.tolist()]
    return "\n".join(lines) + "\n"
