"""What a model predicts for a rank's rows, and the share that each column has in it: CatBoost's own answers, from bins.

Shards keep no raw values. A model tells apart no more than bins and hashes do, so each is stood for by a value, or a text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import catboost
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows, UnbinnedColumn
from gbdist.categories.hashing import texts_of_hashes
from gbdist.models.catboost_format import read_cbm
from gbdist.models.splits import has_splits, is_symmetric
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.unbinned import frame_for_catboost, positions_by_parameter
from gbdist.rounds.pools import values_of_bins

#: CatBoost is asked about so many rows at a time, or fewer where their shares would take more than this number of floats: each
#: time it finds those of all leaves anew.
_BLOCK_ROWS, _BLOCK_SHARES = 1 << 16, 1 << 24


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a model.

    Parameters
    ----------
    dimension : raw values a row
    columns : positions, among all columns, of those whose shares are wanted
    kind : CatBoost's shap_calc_type
    total_rows : of all ranks; it decides how CatBoost adds up, so that a row has the same shares whoever asks
    """

    dimension: int
    columns: tuple[int, ...]
    kind: str
    total_rows: int


@dataclass(frozen=True, eq=False)
class Explained:
    """Of a rank's rows.

    Parameters
    ----------
    predictions : float64 [dimension, n_rows]
        Raw values, the baseline included.
    shares : float64 [n_columns, dimension, n_rows]
        SHAP values of the columns that were asked for.
    """

    predictions: NDArray[np.float64]
    shares: NDArray[np.float64]


class Explainer:
    """A CatBoost model, asked about quantized rows.

    Parameters
    ----------
    blob : the model, as the bytes of its ``.cbm``
    borders : one a binned column, those that the rows were cut by
    names : of all columns
    threads : how many CatBoost may use
    """

    def __init__(self, blob: bytes, borders: Sequence[FeatureBorders], names: Sequence[str], threads: int) -> None:
        self._model: Any = read_cbm(blob)
        self._values = [values_of_bins(each) for each in borders]
        self._names, self._threads = names, threads

    def explain(self, rows: Rows, asked: Asked, check: Callable[[], None]) -> Explained:
        """Predictions, and the shares of some columns; ``check`` is called between blocks of rows."""
        dimension, columns = asked.dimension, list(asked.columns)
        predictions = np.zeros((dimension, rows.n_rows))
        shares = np.zeros((len(columns), dimension, rows.n_rows))
        splits, mode = has_splits(self._model), self._mode(asked.total_rows)
        texts = []
        for column in rows.unbinned:
            check()
            texts.append(_Texts.of(column))
        at_once = max(1, min(_BLOCK_ROWS, _BLOCK_SHARES // ((len(self._names) + 1) * dimension)))
        for start in range(0, rows.n_rows, at_once):
            check()
            block = slice(start, min(start + at_once, rows.n_rows))
            pool = self._pool(rows, texts, block)
            raw = self._model.predict(pool, "RawFormulaVal", thread_count=self._threads)
            predictions[:, block] = np.asarray(raw, np.float64).reshape(-1, dimension).T
            if columns and splits:  # else CatBoost may end the process (models/splits.py), and all shares are 0
                told = self._model.get_feature_importance(
                    pool,
                    type="ShapValues",
                    shap_mode=mode,
                    shap_calc_type=asked.kind,
                    thread_count=self._threads,
                    verbose=False,
                )
                # Of RMSEWithUncertainty CatBoost explains the mean alone: columns have no share in the variance.
                of_columns = told.reshape(told.shape[0], -1, len(self._names) + 1)[:, :, columns]
                shares[:, : of_columns.shape[1], block] = of_columns.transpose(2, 1, 0)
        if rows.baseline is not None:
            predictions += rows.baseline
        return Explained(predictions, shares)

    def _mode(self, total_rows: int) -> str:
        """Whether the shares of all leaves are found first, which pays where there are fewer leaves than rows."""
        leaves = int(np.max(self._model.get_tree_leaf_counts(), initial=1))
        return "UsePreCalc" if is_symmetric(self._model) and leaves <= total_rows else "NoPreCalc"

    def _pool(self, rows: Rows, texts: Sequence["_Texts"], block: slice) -> catboost.Pool:
        matrix = np.empty((block.stop - block.start, rows.n_features), np.float32, order="F")
        for feature, values in enumerate(self._values):
            np.take(values, rows.bins[feature, block], out=matrix[:, feature])
        if not texts:
            return catboost.Pool(matrix, feature_names=list(self._names), thread_count=self._threads)
        columns = [each.column(block) for each in texts]
        frame = frame_for_catboost(self._names, list(matrix.T), columns)
        kinds = positions_by_parameter((column.position, column.kind) for column in columns)
        return catboost.Pool(frame, thread_count=self._threads, **kinds)


@dataclass(frozen=True, eq=False)
class _Texts:
    """A column of hashes as one of texts, each of which is looked for once.

    Parameters
    ----------
    position : among all columns
    distinct : Arrow array of the texts
    numbers : int32 [n_rows], which of them each row has
    """

    position: int
    distinct: Any
    numbers: NDArray[np.int32]

    @classmethod
    def of(cls, column: UnbinnedColumn) -> "_Texts":
        hashes, numbers = np.unique(column.values, return_inverse=True)
        distinct = pa.array(texts_of_hashes(hashes), pa.large_string())
        return cls(column.position, distinct, numbers.astype(np.int32))

    def column(self, block: slice) -> UnbinnedColumn:
        return UnbinnedColumn(self.position, "cat", self.distinct.take(pa.array(self.numbers[block])))
