"""Parameters that are about single columns of X: which are ignored, and what they cost."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gbdist.boosting.penalties import Penalties
from gbdist.errors import ParameterError


def ignored_columns(checked: Mapping[str, Any], names: Sequence[str]) -> frozenset[int]:
    """Positions of ``ignored_features``; ParameterError for a column that is not there, or if none would be left."""
    given = checked.get("ignored_features", ())
    ignored = frozenset(_position("ignored_features", given, each, names) for each in given)
    if given and len(ignored) == len(names):
        raise ParameterError("ignored_features", list(given), "at least one column that is not", "Leave some out.")
    return ignored


def penalties(checked: Mapping[str, Any], names: Sequence[str]) -> Penalties | None:
    """What columns cost; None where nothing does. ParameterError for a column that is not there, or a list of another length."""
    weights = _by_position(checked, "feature_weights", 1.0, names)
    first_uses = _by_position(checked, "first_feature_use_penalties", 0.0, names)
    if set(weights) <= {1.0} and set(first_uses) <= {0.0}:
        return None
    coefficient = float(checked.get("penalties_coefficient", 1.0))
    return Penalties(weights, tuple(coefficient * each for each in first_uses))


def monotone_constraints(
    checked: Mapping[str, Any], names: Sequence[str], categorical: Collection[int]
) -> tuple[int, ...]:
    """Constraints of all columns, by position; empty where there are none.

    ParameterError for a column that is not there or is categorical, or a list of another length.
    """
    given = checked.get("monotone_constraints", ())
    constraints = tuple(map(int, _by_position(checked, "monotone_constraints", 0, names)))
    for position in categorical:
        if any(constraints) and constraints[position]:
            shown = dict(given) if isinstance(given, Mapping) else list(given)
            fix = f"{names[position]!r} is categorical: leave it out, or give it as numbers."
            raise ParameterError("monotone_constraints", shown, "constraints of numeric columns", fix)
    return constraints if any(constraints) else ()


def _by_position(checked: Mapping[str, Any], parameter: str, usual: float, names: Sequence[str]) -> tuple[float, ...]:
    """A number for each column; the usual one where none is given."""
    given = checked.get(parameter, ())
    found = [usual] * len(names)
    if isinstance(given, Mapping):
        for each, number in given.items():
            found[_position(parameter, given, each, names)] = number
    elif given:
        if len(given) != len(names):
            fix = "Give one for each, or a dictionary {column: number}."
            raise ParameterError(parameter, list(given), f"{len(names)} numbers, one a column of X", fix)
        found = list(given)
    return tuple(map(float, found))


def position_of(column: object, names: Sequence[str]) -> int | None:
    """Position of a column that is given by name or position; None if there is no such column."""
    return next((at for at, name in enumerate(names) if column == (at if isinstance(column, int) else name)), None)


def _position(parameter: str, given: Any, column: object, names: Sequence[str]) -> int:
    position = position_of(column, names)
    if position is None:
        shown = dict(given) if isinstance(given, Mapping) else list(given)
        expected = f"positions from 0 to {len(names) - 1}" if isinstance(column, int) else "names of columns of X"
        raise ParameterError(
            parameter, shown, expected, f"X has no column {column!r}; it has: {', '.join(names[:20])}."
        )
    return position
