"""A method of a user's object: called so that whatever goes wrong names the object, the method and the row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.custom.blocks import Block
from gbdist.errors import ParameterError

#: How much of an exception's text is told.
_MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Method:
    """Method ``name`` of ``given``, which is the user's ``parameter``, "loss_function" or "eval_metric"."""

    parameter: str
    given: Any
    name: str

    def refused(self, expected: str, fix: str) -> ParameterError:
        """The error that names the method."""
        return ParameterError(self.parameter, f"{type(self.given).__name__}.{self.name}", expected, fix)

    def on_row(self, row: int, *arguments: Any) -> Any:
        """Call it for one row; ParameterError where it fails."""
        try:
            return getattr(self.given, self.name)(*arguments)
        except Exception as error:
            raise self._failed(f"row {row}", error) from error

    def on_sums(self, *arguments: Any) -> Any:
        """Call it for what is true of all rows; ParameterError where it fails."""
        try:
            return getattr(self.given, self.name)(*arguments)
        except Exception as error:
            raise self._failed(f"{arguments}", error) from error

    def on_block(self, block: Block, make_arguments: Callable[[Block], tuple[Any, ...]]) -> Any:
        """Call it for a block, whose arrays ``make_arguments`` makes; ParameterError where it fails."""
        try:
            return getattr(self.given, self.name)(*make_arguments(block))
        except Exception as error:
            raise self._failed(self._first_to_fail(block, make_arguments), error) from error

    def _first_to_fail(self, block: Block, make_arguments: Callable[[Block], tuple[Any, ...]]) -> str:
        """The first row of a block that the method fails for, in words, found by halves; all rows, if it fails for none alone."""

        def fails(low: int, high: int) -> bool:
            try:
                getattr(self.given, self.name)(*make_arguments(block.part(low, high)))
            except Exception:
                return True
            return False

        low, high = 0, block.stop - block.start
        first, last = block.first_row, block.first_row + high - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fails(low, middle) else (middle, high)
        return f"row {first + low}" if fails(low, high) else f"rows {first} to {last}"

    def _failed(self, where: str, error: Exception) -> ParameterError:
        told = f"{type(error).__name__}: {error}"[:_MOST_WORDS]
        return self.refused(f"no exception for {where}, which raised {told}", "Correct the method.")

    def numbers(self, answer: Any, shapes: tuple[tuple[int, ...], ...], what: str) -> NDArray[np.float64]:
        """An answer as float64 of the first of the shapes that it has; ParameterError, which says ``what`` it is, for another."""
        try:
            found = np.asarray(answer, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self.refused(f"{what} as numbers of the shape {shapes[0]} ({error})", "Correct the method.") from None
        if found.shape not in shapes:
            words = " or ".join(map(str, shapes))
            raise self.refused(f"{what} of the shape {words}, not {found.shape}", "Correct the method.")
        return found

    def check_finite(self, values: NDArray[np.float64], first_row: int, what: str) -> None:
        """ParameterError, which names the row, for a value [..., n] that is no finite number; rows begin at ``first_row``."""
        wrong = ~np.isfinite(values)
        if wrong.any():
            at = int(np.flatnonzero(wrong.reshape(-1, values.shape[-1]).any(axis=0))[0])
            found = values[..., at][wrong[..., at]].flat[0]
            raise self.refused(f"{what} that is a finite number for row {first_row + at}, not {found}", "Correct it.")
