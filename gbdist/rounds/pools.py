"""Quantized rows as a CatBoost pool with the borders of all ranks.

CatBoost takes no bins, so each bin is stood for by a value that lies in it; with the same borders CatBoost finds the same bins.
A pool of numeric columns is quantized at once. With text or embedding columns a quantized pool predicts nothing, or wrong values
(CatBoost 1.2), so a pool with columns that are not binned stays as it is, and CatBoost gets the borders when it trains.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.unbinned import frame_for_catboost, positions_by_parameter

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


@dataclass(frozen=True)
class RankPool:
    """A rank's rows as CatBoost takes them; ``borders`` are what a pool that is not quantized is cut by, as CatBoost's file."""

    pool: catboost.Pool
    borders: str = ""

    @contextmanager
    def training_options(self) -> Iterator[dict[str, Any]]:
        """Options with which CatBoost trains on the pool; good as long as the context is open."""
        if not self.borders:
            yield {}
            return
        with _file_of(self.borders) as path:
            yield {"input_borders": path}


def make_pool(rows: Rows, borders: Sequence[FeatureBorders], names: Sequence[str]) -> RankPool | None:
    """A pool of a rank's rows, without baseline; None without rows.

    Parameters
    ----------
    borders : one a binned column
    names : of all columns, in the user's order

    Values that stand for bins take 4 bytes a cell: for a moment, or for the run where there are columns that are not binned.
    """
    if rows.n_rows == 0:
        return None
    matrix = _values(rows, borders)
    beside = {"label": rows.label.T, "weight": rows.weight, "group_id": rows.group}
    if rows.unbinned:
        kinds = {column.position: column.kind for column in rows.unbinned}
        binned = [position for position in range(len(names)) if position not in kinds]
        frame = frame_for_catboost(names, list(matrix.T), rows.unbinned)
        pool = catboost.Pool(frame, **beside, **positions_by_parameter(kinds.items()))
        return RankPool(pool, _borders_file(borders, binned))
    pool = catboost.Pool(matrix, **beside, feature_names=list(names))
    with _file_of(_borders_file(borders, range(len(names)))) as path:
        pool.quantize(input_borders=path)
    return RankPool(pool)


def _values(rows: Rows, borders: Sequence[FeatureBorders]) -> NDArray[np.float32]:
    """Values that stand for the bins, float32 [n_rows, n_features], columns contiguous."""
    matrix = np.empty((rows.n_rows, rows.n_features), dtype=np.float32, order="F")
    for feature, each in enumerate(borders):
        values = values_of_bins(each)
        for start in range(0, rows.n_rows, _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            np.take(values, rows.bins[feature, block], out=matrix[block, feature])
    return matrix


def set_baseline(pool: RankPool, predictions: NDArray[np.float64]) -> None:
    """Let CatBoost start from raw predictions, float64 [dimension, n_rows]."""
    pool.pool.set_baseline(np.ascontiguousarray(predictions.T))


@contextmanager
def _file_of(borders: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "borders.tsv"
        path.write_text(borders, encoding="ascii")
        yield str(path)


def second_view(pool: RankPool | None) -> RankPool | None:
    """The rows of a pool as a pool with a baseline of its own, which another thread may use while the first one is trained on.

    Both share the cells; the view costs its row numbers, labels and weights (20 bytes a row, measured).
    """
    if pool is None:
        return None
    return RankPool(pool.pool.slice(np.arange(pool.pool.num_row(), dtype=np.uint32)), pool.borders)


def _borders_file(borders: Sequence[FeatureBorders], positions: Sequence[int]) -> str:
    """CatBoost's text form: position of the feature, border and, where there are missing values, nan_mode."""
    lines = []
    for feature, each in zip(positions, borders, strict=True):
        mode = _NAN_MODE.get(each.nan_treatment)
        tail = "" if mode is None else f"\t{mode}"
        lines += [f"{feature}\t{border:.9g}{tail}" for border in each.values.tolist()]
    return "".join(f"{line}\n" for line in lines)
