"""Search spaces: what the user wrote, in Optuna's notation, in scikit-learn's or from TOML, as Optuna's distributions."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import product
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from gbdist.errors import ParameterError

#: What a range may say in TOML.
_RANGE = ("low", "high", "log", "step")
_WAYS = (
    "a list of values, a distribution of Optuna's, a frozen distribution of scipy.stats, or a table {low, high, log, step} "
    "or {values}"
)
_EXAMPLE = 'Write {"depth": [4, 6, 8]} or {"depth": {"low": 4, "high": 8}}, for example.'
#: Values that Optuna's storages keep as they are.
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True, eq=False)
class Dimension:
    """One parameter of a space.

    Parameters
    ----------
    distribution : what Optuna knows of it
    values : tuple or None
        The values behind the choices of a categorical distribution, in its order. Others than Optuna can store are texts there.
    drawn : frozen distribution of scipy.stats, or None
        Where values have to be drawn by it, because Optuna has none like it; ``distribution`` then only says where they lie.
    """

    distribution: BaseDistribution
    values: tuple[Any, ...] | None = None
    drawn: Any = None

    @property
    def numeric(self) -> bool:
        """Whether it is a range of numbers."""
        return not isinstance(self.distribution, CategoricalDistribution)

    def stored(self, value: Any) -> Any:
        """What Optuna stores for a value; ValueError for one that is not in the space."""
        if self.values is None:
            if not self.distribution._contains(self.distribution.to_internal_repr(value)):
                raise ValueError(f"{value!r} is not in {self.distribution}")
            return value
        return self.distribution.choices[position_of(value, self.values)]  # type: ignore[attr-defined]

    def meant(self, stored: Any) -> Any:
        """The value behind what Optuna stored."""
        if self.values is None:
            return stored
        return self.values[self.distribution.choices.index(stored)]  # type: ignore[attr-defined]

    def ends(self) -> list[Any]:
        """Values that show whether the estimator can use all: every one that is listed, or both ends of a range."""
        if self.values is not None:
            return list(self.values)
        if self.drawn is not None:
            whole = isinstance(self.distribution, IntDistribution)
            return [int(end) if whole else float(end) for end in self.drawn.support() if isfinite(end)]
        return [self.distribution.low, self.distribution.high]  # type: ignore[attr-defined]

    def in_words(self) -> str:
        """As in "4 to 10", "0.01 to 0.3, log", "2 to 10 by 2", "one of 4, 6, 8": the same for the same values, in any process."""
        found = self.distribution
        if isinstance(found, CategoricalDistribution):
            return f"one of {', '.join(map(repr, found.choices))}"
        if self.drawn is not None:
            return _law(self.drawn)
        if not isinstance(found, IntDistribution | FloatDistribution):
            return repr(found)
        by = "" if found.step in (None, 1) and not isinstance(found.step, float) else f" by {found.step!r}"
        return f"{found.low!r} to {found.high!r}{by}{', log' if found.log else ''}"

    def listed(self, name: str) -> list[Any]:
        """All values, of a grid; ParameterError where there is no end of them."""
        if self.values is not None:
            return list(self.values)
        found = self.distribution
        step = getattr(found, "step", None)
        if self.drawn is not None or step is None or found.log:  # type: ignore[attr-defined]
            fix = "List the values, or search at random."
            raise ParameterError(f"space: {name}", self.drawn or found, "a list of values with search='grid'", fix)
        low, high = found.low, found.high  # type: ignore[attr-defined]
        return [low + step * at for at in range(round((high - low) / step) + 1)]


@dataclass(frozen=True, eq=False)
class Space:
    """The values of each parameter; several tables of them only for a grid, as in scikit-learn's ParameterGrid."""

    tables: tuple[Mapping[str, Dimension], ...]

    @cached_property
    def dimensions(self) -> Mapping[str, Dimension]:
        """Those of the only table, in the user's order; of several, with the values of all."""
        if len(self.tables) == 1:
            return self.tables[0]
        joined: dict[str, list[Any]] = {}
        for table in self.tables:
            for name, dimension in table.items():
                known = joined.setdefault(name, [])
                known += [one for one in dimension.listed(name) if not any(same(one, other) for other in known)]
        return {name: _choices(name, values) for name, values in joined.items()}

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What Optuna's samplers are told."""
        return {name: dimension.distribution for name, dimension in self.dimensions.items()}

    def grid(self) -> list[dict[str, Any]]:
        """All combinations, in the order of scikit-learn's ParameterGrid. ParameterError for what cannot be listed."""
        found: list[dict[str, Any]] = []
        for table in self.tables:
            names = sorted(table)
            found += [
                dict(zip(names, values, strict=True))
                for values in product(*(table[name].listed(name) for name in names))
            ]
        return found

    def stored(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters as Optuna stores them; ValueError for a value or a name that the space does not have."""
        dimensions = self.dimensions
        unknown = [name for name in params if name not in dimensions]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is not in the space")
        return {name: dimensions[name].stored(value) for name, value in params.items()}

    def meant(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters behind what Optuna stored."""
        dimensions = self.dimensions
        return {name: dimensions[name].meant(value) for name, value in stored.items()}

    def in_words(self) -> list[str]:
        """One text a parameter, the same for the same space, in any process."""
        return [f"{name}: {dimension.in_words()}" for name, dimension in sorted(self.dimensions.items())]


def read_space(given: Any) -> Space:
    """A space as the user wrote it.

    Parameters
    ----------
    given : mapping, or a list of mappings whose grids follow one another
        Name of a parameter → list of values; or a distribution of Optuna's; or a frozen distribution of scipy.stats, of which
        ``uniform``, ``loguniform`` and ``randint`` become Optuna's, and others are for random search; or, from TOML, a table
        ``{low, high, log, step}`` (integers if both ends are) or ``{values}``.

    Raises
    ------
    ParameterError
        For no parameters, an empty list or range, and what is none of these.
    """
    tables = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not tables or not all(isinstance(table, Mapping) and table for table in tables):
        raise ParameterError(
            "space", given, f"a dictionary from names of parameters to what they may be: {_WAYS}", _EXAMPLE
        )
    read = []
    for table in tables:
        for name in table:
            if not isinstance(name, str):
                raise ParameterError("space", name, "names of parameters", _EXAMPLE)
        read.append({name: _dimension(name, value) for name, value in table.items()})
    space = Space(tuple(read))
    if len(read) > 1:
        space.grid()  # which several tables are for
    return space


def same(one: Any, other: Any) -> bool:
    """Whether two values of a list are one: equal, and not of kinds that only happen to be, as 1 and True are."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    try:
        return bool(one == other)
    except ValueError:  # arrays
        return repr(one) == repr(other)


def position_of(value: Any, values: Sequence[Any]) -> int:
    """Where a value is; ValueError if it is not there."""
    for at, one in enumerate(values):
        if same(value, one):
            return at
    raise ValueError(f"{value!r} is none of {list(values)}")


def _dimension(name: str, given: Any) -> Dimension:
    if isinstance(given, CategoricalDistribution):
        return _choices(name, given.choices)
    if isinstance(given, BaseDistribution):
        return Dimension(given)
    if hasattr(given, "rvs"):
        return _frozen(name, given)
    if isinstance(given, Mapping):
        return _table(name, given)
    if isinstance(given, Iterable) and not isinstance(given, str | bytes):
        return _choices(name, given.tolist() if isinstance(given, np.ndarray) else given)
    fix = f"Write [{given!r}] for one value." if isinstance(given, _PLAIN) else _EXAMPLE
    raise ParameterError(f"space: {name}", given, _WAYS, fix)


def _choices(name: str, given: Iterable[Any]) -> Dimension:
    values = tuple(one.item() if isinstance(one, np.generic) else one for one in given)
    if not values:
        raise ParameterError(f"space: {name}", list(values), "at least one value", "List the values to try.")
    for at, value in enumerate(values):
        if any(same(value, one) for one in values[:at]):
            raise ParameterError(f"space: {name}", list(values), f"each value once, not {value!r} again", "Drop it.")
    return Dimension(CategoricalDistribution(_labels(values)), values)


def _labels(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values themselves where Optuna can store and tell them apart, else numbered texts."""
    if all(isinstance(value, _PLAIN) for value in values) and len(set(values)) == len(values):
        return values
    return tuple(f"{at}: {as_text(value)}" for at, value in enumerate(values))


def as_text(value: Any) -> str:
    """A value as ``repr`` has it, without where it lies in memory: any process is to say the same."""
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


def _table(name: str, given: Mapping[str, Any]) -> Dimension:
    where = f"space: {name}"
    if set(given) == {"values"}:
        if isinstance(given["values"], str) or not isinstance(given["values"], Iterable):
            raise ParameterError(where, given, "a list of values", f"Write [{given['values']!r}] for one value.")
        return _choices(name, given["values"])
    unknown = [key for key in given if key not in _RANGE]
    if unknown or "low" not in given or "high" not in given:
        expected = (
            f"values alone, or low and high, with log and step if wanted{f'; not {unknown[0]!r}' if unknown else ''}"
        )
        raise ParameterError(where, dict(given), expected, 'Write {"low": 4, "high": 8}, for example.')
    low, high, log, step = given["low"], given["high"], given.get("log", False), given.get("step")
    numbers = [low, high] if step is None else [low, high, step]
    if not all(isinstance(one, Real) and not isinstance(one, bool) and isfinite(float(one)) for one in numbers):
        raise ParameterError(where, dict(given), "finite numbers", "Change them.")
    if not isinstance(log, bool):
        raise ParameterError(where, dict(given), "log to be true or false", "Change it.")
    if low > high:
        raise ParameterError(where, dict(given), f"a range that is not empty, low={low!r} up to high", "Swap them.")
    if log and low <= 0:
        raise ParameterError(where, dict(given), "low above 0 with log", "Raise it, or leave log out.")
    if step is not None and (step <= 0 or log):
        raise ParameterError(where, dict(given), "a step above 0, and none with log", "Leave it out.")
    return Dimension(_range(low, high, log, step))


def _range(low: Any, high: Any, log: bool, step: Any) -> BaseDistribution:
    """Integers if all are; the last step is the last one that is in the range."""
    if step is not None:
        low_, high_, step_ = (Decimal(str(one)) for one in (low, high, step))  # as written: 0.3 is three steps of 0.1
        last = low_ + step_ * ((high_ - low_) // step_)
        high = int(last) if all(isinstance(one, Integral) for one in (low, high, step)) else float(last)
    if all(isinstance(one, Integral) for one in (low, high, 1 if step is None else step)):
        return IntDistribution(int(low), int(high), log=log, step=1 if step is None else int(step))
    return FloatDistribution(float(low), float(high), log=log, step=None if step is None else float(step))


def _frozen(name: str, given: Any) -> Dimension:
    """A frozen distribution of scipy.stats: Optuna's where that has the same law, else one that draws."""
    law = getattr(given, "dist", None)
    if law is None or not hasattr(given, "support"):
        raise ParameterError(f"space: {name}", given, "a frozen distribution of scipy.stats", _EXAMPLE)
    kind, whole = law.name, hasattr(law, "pmf")
    loc = given.kwds.get("loc", given.args[2] if len(given.args) > 2 else 0)  # of laws with two shapes
    low, high = (float(end) for end in given.support())
    if not low <= high:  # not a number, for parameters that the law does not have
        raise ParameterError(f"space: {name}", _law(given), "a range that is not empty", "Change its parameters.")
    if whole and kind == "randint":
        return Dimension(IntDistribution(int(low), int(high)))
    if kind == "uniform":
        return Dimension(FloatDistribution(low, high))
    if kind in ("loguniform", "reciprocal") and loc == 0 and low > 0:
        return Dimension(FloatDistribution(low, high, log=True))
    most = 2**53 if whole else sys.float_info.max
    low, high = max(low, -most), min(high, most)
    around = IntDistribution(int(low), int(high)) if whole else FloatDistribution(low, high)
    return Dimension(around, drawn=given)


def _law(frozen: Any) -> str:
    """A frozen distribution in words."""
    given = [*map(repr, frozen.args), *(f"{name}={value!r}" for name, value in sorted(frozen.kwds.items()))]
    return f"{frozen.dist.name}({', '.join(given)})"
