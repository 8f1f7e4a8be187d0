"""A model that predicts: bins of a block of rows, leaf values of all trees, and what a user asks for made of their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Rows
from .errors import PredictorError
from .trees import OtherTrees, SymmetricTrees

#: Numbers of a block, rows times raw values: bins, leaf numbers and sums stay in a core's cache, and a call of NumPy's costs
#: little beside its work.
_BLOCK = 1 << 15
#: From so many rows on, comparing with one border after the other is faster than looking each row up among all of them.
_COMPARED_ROWS, _COMPARED_BORDERS = 4096, 255


@dataclass(frozen=True, eq=False)
class Column:
    """A feature that trees test: ``bin`` = number of borders below the value.

    Parameters
    ----------
    number : int
        Among all features.
    borders : float32 [n_borders], ascending
    nan_above : bool
        Whether a missing value is above all borders; below them otherwise.
    """

    number: int
    borders: NDArray[np.float32]
    nan_above: bool

    def write_bins(self, values: NDArray[np.float32], bins: NDArray[Any]) -> None:
        """Write the bins of ``values``, float32 [n_rows], to ``bins``, uint8 or uint16 [n_rows], OUT."""
        if values.shape[0] >= _COMPARED_ROWS and self.borders.shape[0] <= _COMPARED_BORDERS:
            bins[...] = 0
            above = np.empty(values.shape[0], dtype=bool)
            for border in self.borders:
                np.greater(values, border, out=above)
                np.add(bins, above.view(np.uint8), out=bins)
        else:
            bins[...] = np.searchsorted(self.borders, values)
        missing = np.isnan(values)
        if missing.any():
            bins[missing] = self.borders.shape[0] if self.nan_above else 0


@dataclass(frozen=True, eq=False)
class Predictor:
    """Raw values, probabilities, classes and numbers of a model that ``load_predictor`` has read.

    Parameters
    ----------
    feature_names : of all columns that rows have, in their order
    classes : of a classifier, in the order of its probabilities; None for another model
    loss : what the model was trained with, "RMSE"; None where it does not say
    leaves : how leaf values are stored: "float64", "fp16", "int8", or the number of levels
    error_bound : float
        Raw values are at most so far from those of the model that the file was made of, whatever the row; 0.0 for float64,
        whose raw values equal CatBoost's bit for bit.
    n_trees, n_leaves : of all trees
    answer : what ``predict`` makes of raw values: "raw", "exponent", "variance", "binary", "softmax", "one_vs_all" or "labels"
    threshold : probability above which a row is of the second of two classes
    """

    feature_names: tuple[str, ...]
    classes: tuple[Any, ...] | None
    loss: str | None
    leaves: str
    error_bound: float
    n_trees: int
    n_leaves: int
    answer: str
    threshold: float
    _columns: Sequence[Column]
    _trees: SymmetricTrees | OtherTrees
    _bias: NDArray[np.float64]
    _bin_type: Any

    def __repr__(self) -> str:
        return (
            f"Predictor({self.n_trees} trees, {self.n_leaves} leaves as {self.leaves}, "
            f"{len(self.feature_names)} features, loss={self.loss!r}, error_bound={self.error_bound:.3g})"
        )

    def predict_raw(self, rows: Any) -> NDArray[np.float64]:
        """The start value and the leaf values of all trees added up: CatBoost's ``prediction_type="RawFormulaVal"``.

        Parameters
        ----------
        rows : array-like [n_rows, n_features], or a mapping or a frame from names to columns
            Numbers, NaN where one is missing. They are compared as float32, whatever they are.

        Returns
        -------
        float64 [n_rows], or [n_rows, dimension] where a row has several raw values

        Raises
        ------
        PredictorError
            For rows of another width, columns that are missing, and what is no number.
        """
        found = Rows(rows, self.feature_names, [column.number for column in self._columns])
        dimension = self._bias.shape[0]
        sums = np.zeros((found.n_rows, dimension))
        block = max(1, _BLOCK // dimension)
        for start in range(0, found.n_rows, block):
            stop = min(start + block, found.n_rows)
            if self._trees.by_values(stop - start):
                self._trees.add_by_values(sums[start:stop], self._values(found, start, stop))
            else:
                self._trees.add_by_bins(sums[start:stop], self._bins(found, start, stop))
        sums += self._bias
        return sums[:, 0] if dimension == 1 else sums

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Probabilities of classes, or of labels, float64 [n_rows, n_classes]; ``rows`` and errors as of ``predict_raw``."""
        if self.answer not in ("binary", "softmax", "one_vs_all", "labels"):
            raise PredictorError(
                f"the model (loss {self.loss}) has no probabilities: it predicts numbers. Use predict."
            )
        return self._probabilities(self.predict_raw(rows))

    def predict(self, rows: Any) -> NDArray[Any]:
        """What the model is for; ``rows`` and errors as of ``predict_raw``.

        Returns
        -------
        Classes [n_rows]; 0 or 1 for each label [n_rows, n_labels]; numbers [n_rows] or [n_rows, dimension], which for Poisson and
        Tweedie are e to the raw value, and for RMSEWithUncertainty mean and variance. CatBoost's own ``predict``, but for classes
        of more than two, of which it gives [n_rows, 1].
        """
        raw = self.predict_raw(rows)
        if self.answer == "raw":
            return raw
        if self.answer == "exponent":
            return np.exp(raw)
        if self.answer == "variance":
            return np.column_stack((raw[:, 0], np.exp(2.0 * raw[:, 1])))
        if self.answer == "labels":
            return (raw > 0.0).astype(np.int64)
        if self.answer == "binary":
            # As CatBoost decides: by the raw value at which the probability is the threshold.
            chosen = (raw > np.log(self.threshold / (1.0 - self.threshold))).astype(np.intp)
        else:
            chosen = raw.argmax(axis=1)
        return np.asarray(np.array(self.classes)[chosen])

    def _values(self, rows: Rows, start: int, stop: int) -> NDArray[np.float32]:
        """float32 [n_columns, n_rows]: NaN only where it is below all borders, which is what comparing makes of it."""
        values = rows.block(start, stop)
        above = [number for number, column in enumerate(self._columns) if column.nan_above]
        if above:
            values[above] = np.where(np.isnan(values[above]), np.float32(np.inf), values[above])
        return values

    def _bins(self, rows: Rows, start: int, stop: int) -> NDArray[Any]:
        """uint8 or uint16 [n_columns, n_rows]."""
        bins = np.empty((len(self._columns), stop - start), dtype=self._bin_type)
        for number, column in enumerate(self._columns):
            column.write_bins(rows.column(number, start, stop), bins[number])
        return bins

    def _probabilities(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):  # e to a large power is infinite, and one over it 0
            if self.answer == "binary":
                second = 1.0 / (1.0 + np.exp(-raw))
                return np.column_stack((1.0 - second, second))
            if self.answer in ("one_vs_all", "labels"):
                return np.asarray(1.0 / (1.0 + np.exp(-raw)))
        powers = np.exp(raw - raw.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
