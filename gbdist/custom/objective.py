"""A loss that is an object of the user's: derivatives of rows, by its own methods.

An object has one of two forms. The one to prefer is vectorised:

* ``derivatives(predictions, label) -> (first, second)``: float64 [dimension, n] and float32 [n] to the first and second
  derivative of **minus** the loss of each row by its predictions, both [dimension, n] (of one dimension [n] will do). Weights are
  none of its business: they multiply what it returns;
* ``dimension``, left out: 1, or the number of classes where ``eval_metric`` is MultiClass or MultiClassOneVsAll;
* ``hessian = "full"`` where ``second`` is [dimension, dimension, n]; left out: "diagonal".

The other one is CatBoost's: ``calc_ders_range(approxes, targets, weights)`` for one raw value a row, which returns a pair for
each row, and ``calc_ders_multi(approxes, target, weight)`` for several, which is called row by row and returns K derivatives
and K × K second ones. Both return them times the weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Segment
from gbdist.custom.blocks import BLOCK, Block, blocks_of
from gbdist.custom.methods import Method
from gbdist.errors import ParameterError
from gbdist.objectives.base import LARGEST_PREDICTION, Exponent, no_start_value

VECTORISED, RANGE, MULTI = "derivatives", "calc_ders_range", "calc_ders_multi"
#: CatBoost's word for a loss or a metric that is an object, in the options of a model.
OBJECT = "PythonUserDefinedPerObject"
_WHAT = "a derivative"


@dataclass(frozen=True, slots=True)
class CustomObjective:
    """The trainer's view of the object; no bounds of the derivatives are known, so they are measured (``boosting.measured``)."""

    given: Any
    dimension: int
    second_order: str

    name: ClassVar[str] = OBJECT
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse, as CatBoost does."""
        raise no_start_value(self.name)

    @property
    def n_values(self) -> int:
        """How many first and second derivatives a row has; of a whole Hessian the upper triangle, row by row."""
        k = self.dimension
        return k + (k if self.second_order == "diagonal" else k * (k + 1) // 2)

    def derivatives(
        self,
        predictions: NDArray[np.float64],
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
        segments: Sequence[Segment],
    ) -> NDArray[np.float64]:
        """First, then second derivatives times the weights, float64 [n_values, n]; predictions are float64 [dimension, n].

        Raises ParameterError, which names the object, the method and the row in the whole data set.
        """
        out = np.empty((self.n_values, predictions.shape[1]))
        method = Method("loss_function", self.given, self._method_name())
        ask = {VECTORISED: self._vectorised, RANGE: self._by_range, MULTI: self._by_row}[method.name]
        with np.errstate(all="ignore"):  # the user's own business, as long as numbers come out
            for block in blocks_of(segments, predictions.shape[1]):
                values = ask(method, block, predictions, label, weight)
                method.check_finite(values, block.first_row, _WHAT)
                out[:, block.rows] = values
        return out

    def _method_name(self) -> str:
        if callable(getattr(self.given, VECTORISED, None)):
            return VECTORISED
        return RANGE if self.dimension == 1 else MULTI

    def _vectorised(
        self,
        method: Method,
        block: Block,
        predictions: NDArray[np.float64],
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
    ) -> NDArray[np.float64]:
        answer = method.on_block(block, lambda rows: (rows.filled(predictions), rows.filled(label)))
        first, second = _two(method, answer)
        k = self.dimension
        flat: tuple[tuple[int, ...], ...] = ((k, BLOCK), (BLOCK,)) if k == 1 else ((k, BLOCK),)
        whole = ((k, k, BLOCK),) if self.second_order == "full" else flat
        first = method.numbers(first, flat, "first derivatives").reshape(k, BLOCK)
        second = method.numbers(second, whole, "second derivatives")
        if self.second_order == "full":
            second = second[np.triu_indices(k)]
        found = np.concatenate([first, second.reshape(-1, BLOCK)])[:, block.places]
        return found if weight is None else found * weight[block.rows]

    def _by_range(
        self,
        method: Method,
        block: Block,
        predictions: NDArray[np.float64],
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
    ) -> NDArray[np.float64]:
        def arguments(rows: Block) -> tuple[Any, ...]:
            return rows.filled(predictions[0]), rows.filled(label), None if weight is None else rows.filled(weight)

        answer = method.on_block(block, arguments)
        pairs = answer if isinstance(answer, np.ndarray) else list(answer)
        return method.numbers(pairs, ((BLOCK, 2),), "a pair of derivatives for each row")[block.places].T

    def _by_row(
        self,
        method: Method,
        block: Block,
        predictions: NDArray[np.float64],
        label: NDArray[np.float32],
        weight: NDArray[np.float32] | None,
    ) -> NDArray[np.float64]:
        k, n_rows = self.dimension, block.stop - block.start
        upper, found = np.triu_indices(k), np.empty((n_rows, self.n_values))
        for number in range(n_rows):
            row = block.start + number
            own = 1.0 if weight is None else float(weight[row])
            answer = method.on_row(
                block.first_row + number, np.ascontiguousarray(predictions[:, row]), float(label[row]), own
            )
            first, second = _two(method, answer)
            found[number, :k] = method.numbers(first, ((k,),), "first derivatives")
            found[number, k:] = method.numbers(second, ((k, k),), "second derivatives")[upper]
        return found.T


def custom_objective(given: Any, dimension: int) -> CustomObjective:
    """The objective of an object for so many raw values a row.

    Raises ParameterError where it lacks the method that they need, or says another dimension.
    """
    second_order = getattr(given, "hessian", "diagonal")
    if not callable(getattr(given, VECTORISED, None)):
        needed = RANGE if dimension == 1 else MULTI
        if not callable(getattr(given, needed, None)):
            expected = (
                f"an object with a method {VECTORISED}, or CatBoost's {needed} for {dimension} raw value(s) a row"
            )
            raise ParameterError("loss_function", type(given).__name__, expected, f"Give it a method {VECTORISED}.")
        second_order = "diagonal" if dimension == 1 else "full"
    if second_order not in ("diagonal", "full"):
        name = f"{type(given).__name__}.hessian={second_order!r}"
        raise ParameterError("loss_function", name, "'diagonal' or 'full'", "Leave it out for a diagonal.")
    return CustomObjective(given, dimension, second_order)


def _two(method: Method, answer: Any) -> tuple[Any, Any]:
    try:
        first, second = answer
    except (TypeError, ValueError):
        raise method.refused("first and second derivatives as its answer", "Return a pair.") from None
    return first, second
