"""What a value of a network's parameter may be: it in a plain Python type, or an error that says what was expected."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.losses import nearest
from gbdist.estimators.parameters.table import Used
from gbdist.estimators.parameters.value_checks import check_value, plain_value, used_values

_FIX = "Leave it out for what the preset says."


class Rule(Protocol):
    """What one parameter may be."""

    @property
    def expected(self) -> str:
        """It in words."""
        ...

    def check(self, name: str, value: object) -> object:
        """The value in a plain type; ParameterError, which calls it ``name``, for one that it must not have."""
        ...


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number in [low, high], without its ends where it lies ``above`` or ``below``; ``whole`` ones only, if so."""

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False
    infinite: bool = False

    @property
    def expected(self) -> str:
        """The range in words."""
        noun = "an integer" if self.whole else "a number"
        low = f"{noun} above {self.low:g}" if self.above else f"{noun} of at least {self.low:g}"
        if self.high < math.inf:
            return low + (f" and below {self.high:g}" if self.below else f" and at most {self.high:g}")
        return low + (", or infinity" if self.infinite else "")

    def check(self, name: str, value: object) -> float:
        """The number: int where it is whole, else float."""
        number = plain_value(value)
        if isinstance(number, Real) and not isinstance(number, bool) and self._fits(float(number)):
            as_float = float(number)
            return int(as_float) if self.whole and math.isfinite(as_float) else as_float
        raise ParameterError(name, value, self.expected, _FIX)

    def _fits(self, number: float) -> bool:
        if math.isinf(number):
            return self.infinite and number > 0
        if math.isnan(number) or (self.whole and number != int(number)):
            return False
        low = number > self.low if self.above else number >= self.low
        return low and (number < self.high if self.below else number <= self.high)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words; ``elsewhere`` says of others why they are not among them and what to do."""

    words: tuple[str, ...]
    elsewhere: tuple[tuple[str, str], ...] = ()

    @property
    def expected(self) -> str:
        """The words."""
        return "one of " + ", ".join(map(repr, self.words))

    def check(self, name: str, value: object) -> str:
        """The word."""
        if isinstance(value, str):
            if value in self.words:
                return value
            fix = dict(self.elsewhere).get(value) or nearest(value, self.words) or _FIX
            raise ParameterError(name, value, self.expected, fix)
        raise ParameterError(name, value, self.expected, _FIX)


@dataclass(frozen=True, slots=True)
class AsTrees:
    """What the trees' parameter of that kind may be."""

    used: Used

    @property
    def expected(self) -> str:
        """As for the trees."""
        return used_values(self.used)

    def check(self, name: str, value: object) -> object:
        """As for the trees."""
        try:
            return check_value(name, value, self.used, classifier=True)
        except ParameterError as error:
            raise ParameterError(name, value, error.args[2], "Leave it out for the default.") from None


@dataclass(frozen=True, slots=True)
class Checked:
    """Whatever a function takes; it returns None for what it does not."""

    expected: str
    take: Callable[[Any], object]
    fix: str = _FIX

    def check(self, name: str, value: object) -> object:
        """What the function makes of it."""
        found = self.take(value)
        if found is None:
            raise ParameterError(name, value, self.expected, self.fix)
        return found


def _whole(value: object) -> int | None:
    """An integer, which True and False are not; None for anything else."""
    number = plain_value(value)
    return int(number) if isinstance(number, Integral) and not isinstance(number, bool) else None


def sizes(value: Any) -> tuple[int, ...] | None:
    """Units of the hidden layers: one number, or several; None for anything else."""
    plain = plain_value(value)
    listed = (plain,) if isinstance(plain, Integral) else plain
    if not isinstance(listed, tuple):
        return None
    found = [_whole(each) for each in listed]
    counts = tuple(each for each in found if each is not None and each >= 1)
    return counts if len(counts) == len(found) else None


def batch(value: Any) -> int | str | None:
    """Rows of a batch, or "auto"."""
    if plain_value(value) == "auto":
        return "auto"
    number = _whole(value)
    return number if number is not None and number >= 1 else None


def seed(value: Any) -> int | None:
    """A seed: the number itself, or one drawn from a generator."""
    if isinstance(value, np.random.RandomState):
        return int(value.randint(np.iinfo(np.int32).max))
    number = _whole(value)
    return number if number is not None and 0 <= number < 1 << 32 else None


def metrics(value: Any) -> tuple[str, ...] | None:
    """Descriptions of metrics, one or several."""
    listed = (value,) if isinstance(value, str) else plain_value(value)
    if isinstance(listed, tuple) and listed and all(isinstance(each, str) for each in listed):
        return listed
    return None


def class_weight(value: Any) -> str | dict[object, float] | None:
    """A weight for each label, or "balanced"."""
    if isinstance(value, str) and value == "balanced":
        return value
    if not isinstance(value, Mapping) or not value:
        return None
    found = {plain_value(label): plain_value(weight) for label, weight in value.items()}
    fits = all(
        isinstance(each, Real) and not isinstance(each, bool) and 0 <= float(each) < math.inf for each in found.values()
    )
    return {label: float(each) for label, each in found.items()} if fits else None  # type: ignore[arg-type]


def text(value: Any) -> str | None:
    """The text itself."""
    return value if isinstance(value, str) else None


def verbose(value: Any) -> int | None:
    """Progress is told every so many epochs; True is 1, False is 0."""
    number = plain_value(value)
    return int(number) if isinstance(number, Integral) and number >= 0 else None  # type: ignore[operator]
