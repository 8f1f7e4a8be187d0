"""A metric that is an object of the user's: a sum over rows, by its own methods.

``is_max_optimal()`` says whether larger is better. The form to prefer is vectorised: ``row_values(predictions, label)`` gives
float64 [dimension, n] and float32 [n] to one value a row, float64 [n]; the metric is their mean by weight.

The other one is CatBoost's: ``evaluate(approxes, target, weight) -> (error, weight)``. CatBoost calls it with all rows at once;
here it is called row by row and its answers are added up, so that a metric does not depend on who owns which rows. It must be
such a sum, which is looked at.

With either form ``get_final_error(error, weight)`` makes the metric of both sums; left out of a vectorised one: their ratio.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gbdist.custom.blocks import BLOCK, Block, blocks_of
from gbdist.custom.methods import Method
from gbdist.errors import ModelError, ParameterError
from gbdist.metrics.base import Scored
from gbdist.metrics.limbs import LIMBS, exact_of, limbs_of
from gbdist.quantize.exact import exact_sums, to_float

PARAMETER, VECTORISED, EVALUATE, FINAL, DIRECTION = (
    "eval_metric",
    "row_values",
    "evaluate",
    "get_final_error",
    "is_max_optimal",
)
#: So many rows are evaluated together as well, and may differ from the sum of each by this share.
_TRIED, _SHARE = 50, 1e-6
_BITS = 32
Rounds = Generator[NDArray[np.int64], NDArray[np.int64], float]


@dataclass(frozen=True, slots=True)
class CustomMetric:
    """The trainer's view of the object; see ``Metric``."""

    given: Any
    is_max_optimal: bool
    skip_train: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """CatBoost's name of it: that of the class."""
        return type(self.given).__name__

    def rounds(self, scored: Scored) -> Rounds:
        """See ``Metric.rounds``. Sums are exact; raises ParameterError, which names the object, the method and the row."""
        here = scored.on_host()
        with np.errstate(all="ignore"):  # the user's own business, as long as numbers come out
            values, weights = self._by_row(here) if self._has(EVALUATE) else self._vectorised(here)
        mine = [limbs_of(exact_sums(each)[0] if each.size else 0) for each in (values, weights)]
        sums = yield np.concatenate(mine)
        error, weight = (to_float(exact_of(part)) for part in (sums[:LIMBS], sums[LIMBS:]))
        if not self._has(FINAL):
            return error / weight if weight > 0.0 else 0.0
        method = Method(PARAMETER, self.given, FINAL)
        final = float(method.numbers(method.on_sums(error, weight), ((), (1,)), "one number").reshape(()))
        yield from self._agree(final)
        return final

    def _has(self, name: str) -> bool:
        """Whether the object's metric is made by a method; ``row_values`` goes before ``evaluate``."""
        if name == EVALUATE and callable(getattr(self.given, VECTORISED, None)):
            return False
        return callable(getattr(self.given, name, None))

    def _vectorised(self, scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        method, values = Method(PARAMETER, self.given, VECTORISED), np.empty(scored.predictions.shape[1])
        for block in blocks_of(scored.segments, values.shape[0]):
            answer = method.on_block(block, lambda rows: (rows.filled(scored.predictions), rows.filled(scored.label)))
            found = method.numbers(answer, ((BLOCK,),), "one value for each row")[block.places]
            method.check_finite(found, block.first_row, "a value")
            values[block.rows] = found
        if scored.weight is None:
            return values, np.ones_like(values)
        return values * scored.weight, scored.weight.astype(np.float64)

    def _by_row(self, scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        method, found = Method(PARAMETER, self.given, EVALUATE), np.empty((2, scored.predictions.shape[1]))
        for block in blocks_of(scored.segments, found.shape[1]):
            for at in range(block.start, block.stop):
                number = block.first_row + at - block.start
                answer = method.on_row(number, *_arguments(scored, slice(at, at + 1)))
                found[:, at] = method.numbers(answer, ((2,),), "an error and a weight")
            method.check_finite(found[:, block.rows], block.first_row, "an error and a weight")
            self._check_sum(method, scored, block, found)
        return found[0], found[1]

    def _check_sum(self, method: Method, scored: Scored, block: Block, found: NDArray[np.float64]) -> None:
        """ParameterError for what rows do not add up to: they would be another metric with each way of dealing them out."""
        rows = slice(block.start, min(block.stop, block.start + _TRIED))
        if block.start > 0:
            return
        answer = method.numbers(
            method.on_row(block.first_row, *_arguments(scored, rows)), ((2,),), "an error and a weight"
        )
        parts = found[:, rows]
        if (np.abs(answer - parts.sum(axis=1)) > _SHARE * np.abs(parts).sum(axis=1)).any():
            expected = (
                f"a sum over rows: {tuple(answer.tolist())} for {rows.stop - rows.start} rows is not "
                f"{tuple(parts.sum(axis=1).tolist())}, the sum of what it says of each"
            )
            raise method.refused(expected, "Compute this metric from the predictions, after fit.")

    def _agree(self, value: float) -> Generator[NDArray[np.int64], NDArray[np.int64], None]:
        """ModelError unless all ranks have the same bits: they would part ways otherwise."""
        bits = int(np.float64(value).view(np.int64))
        mine = np.array([1, bits >> _BITS, bits & ((1 << _BITS) - 1)], np.int64)
        sums = yield mine
        if not np.array_equal(sums, mine * sums[0]):
            problem = f"{self.name}.{FINAL} has another answer on other workers, for the same sums"
            raise ModelError(problem, "Use the same versions everywhere, or leave it out.")


def custom_metric(given: Any) -> CustomMetric:
    """The metric of an object. Raises ParameterError where it has not the methods of one."""
    own = callable(getattr(given, VECTORISED, None))
    needed = (DIRECTION,) if own else (EVALUATE, FINAL, DIRECTION)
    missing = [name for name in needed if not callable(getattr(given, name, None))]
    if missing:
        form = f"{VECTORISED} and {DIRECTION}, or CatBoost's {EVALUATE}, {FINAL} and {DIRECTION}"
        expected = f"the name of a metric, or an object with methods {form}"
        raise ParameterError(PARAMETER, type(given).__name__, expected, f"It lacks {' and '.join(missing)}.")
    return CustomMetric(given, bool(Method(PARAMETER, given, DIRECTION).on_sums()))


def _arguments(scored: Scored, rows: slice) -> tuple[Any, ...]:
    """Some rows as CatBoost gives them to ``evaluate``: a tuple of arrays, one a raw value, then labels and weights."""
    approxes = tuple(np.ascontiguousarray(each[rows]) for each in scored.predictions)
    return approxes, scored.label[rows].copy(), None if scored.weight is None else scored.weight[rows].copy()
