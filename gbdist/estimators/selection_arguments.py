"""The arguments of ``select_features`` that say what is selected, and how, checked before anything is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from gbdist.elimination.algorithms import Algorithm
from gbdist.elimination.schedule import columns_by_step
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.columns import ignored_columns, position_of

_ALGORITHMS: tuple[str, ...] = get_args(Algorithm)
_KINDS = ("Regular", "Approximate", "Exact")
#: So many columns are named in an error.
_NAMED = 20
#: What CatBoost's method takes and this one does not, what it may be given there, and what to do instead.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "grouping": ((None, "Individual"), "Tags of columns are not read: select columns."),
    "features_tags_for_select": ((None,), "Tags of columns are not read: name the columns in features_for_select."),
    "num_features_tags_to_select": ((None,), "Tags of columns are not read: set num_features_to_select."),
    "plot": ((False,), "Draw the loss_graph of what select_features returns."),
    "plot_file": ((None,), "Draw the loss_graph of what select_features returns."),
    "log_cout": ((None,), "Leave it out; verbose says what is shown."),
    "log_cerr": ((None,), "Leave it out; verbose says what is shown."),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A selection as the user asked for it; see ``DaskCatBoost.select_features``."""

    features_for_select: Any
    num_features_to_select: Any
    algorithm: Any
    steps: Any
    shap_calc_type: Any
    train_final_model: Any

    def checked(self, names: Sequence[str], parameters: Mapping[str, Any]) -> "Selection":
        """The same, checked against the columns and parameters. Raises ParameterError."""
        ignored = ignored_columns(parameters, names)
        columns = columns_named(self.features_for_select, names, ignored)
        wanted = _count("num_features_to_select", self.num_features_to_select)
        if wanted > len(columns):
            expected = f"at most {len(columns)}, the number of columns to select from"
            fix = "Lower it, or name more columns in features_for_select."
            raise ParameterError("num_features_to_select", wanted, expected, fix)
        algorithm = _one_of("algorithm", self.algorithm, _ALGORITHMS)
        kind = _one_of("shap_calc_type", self.shap_calc_type, _KINDS)
        policy = parameters.get("grow_policy", "SymmetricTree")
        if kind == "Exact" and policy != "SymmetricTree":
            expected = f"'Regular' or 'Approximate' with grow_policy={policy!r}"
            raise ParameterError("shap_calc_type", kind, expected, "Leave it out.")
        steps = _count("steps", self.steps)
        if not isinstance(self.train_final_model, bool):
            raise ParameterError("train_final_model", self.train_final_model, "True or False", "Change it.")
        counts = columns_by_step(len(columns), wanted, steps)
        return Selection(tuple(names), columns, ignored, algorithm, counts, kind, self.train_final_model)


@dataclass(frozen=True, slots=True)
class Selection:
    """A selection, checked: positions of the columns to select from, ascending, and how many go at each step."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    ignored: frozenset[int]
    algorithm: Any
    counts: tuple[int, ...]
    kind: str
    train_final: bool


def columns_named(given: Any, names: Sequence[str], ignored: frozenset[int]) -> tuple[int, ...]:
    """Positions of ``features_for_select``, ascending; of None those that are not ``ignored``.

    As CatBoost reads them: names, positions and ranges of both, such as ``"2-4"`` with both ends, in a list or in one string.
    ParameterError for columns that are not there, that are named twice, or ignored, and for none.
    """
    if given is None:
        return tuple(position for position in range(len(names)) if position not in ignored)
    listed = [part.strip() for part in given.split(",")] if isinstance(given, str) else given
    fix = 'Write features_for_select=["color", 3, "5-9"], for example, or leave it out for all columns.'
    if not isinstance(listed, list | tuple | range | np.ndarray) or not len(listed):
        raise ParameterError("features_for_select", given, "names or positions of columns of X", fix)
    found: list[int] = []
    for one in listed:
        positions = _positions(one, names)
        if positions is None:
            has = ", ".join(names[:_NAMED])
            what = f"X has no column {one!r}; it has {len(names)}: {has}{', …' if len(names) > _NAMED else ''}."
            raise ParameterError("features_for_select", given, "names, positions or ranges of columns of X", what)
        for position in positions:
            if position in found or position in ignored:
                expected = "each column once" if position in found else "columns that are not in ignored_features"
                raise ParameterError("features_for_select", given, expected, f"Leave {names[position]!r} out.")
            found.append(position)
    return tuple(sorted(found))


def _positions(one: Any, names: Sequence[str]) -> Sequence[int] | None:
    """Positions that a name, position or range stands for; None for none."""
    position = _position(one, names)
    if position is not None or not isinstance(one, str):
        return None if position is None else [position]
    for at, character in enumerate(one):  # names may have a hyphen, too
        if character == "-":
            ends = _position(one[:at], names), _position(one[at + 1 :], names)
            if ends[0] is not None and ends[1] is not None and ends[0] <= ends[1]:
                return range(ends[0], ends[1] + 1)
    return None


def _position(one: Any, names: Sequence[str]) -> int | None:
    if isinstance(one, str):
        position = position_of(one, names)
        return position_of(int(one), names) if position is None and one.isdecimal() else position
    whole = isinstance(one, int | np.integer) and not isinstance(one, bool)
    return position_of(int(one), names) if whole else None


def refuse_others(others: Mapping[str, Any], estimator: str) -> None:
    """ParameterError for the first argument that ``select_features`` does not have."""
    for name, value in others.items():
        if name not in _REFUSED:
            fix = f"Parameters of CatBoost belong to the estimator: {estimator}({name}=...)."
            raise ParameterError(name, value, "an argument that select_features has", fix)
        allowed, fix = _REFUSED[name]
        if getattr(value, "name", value) not in allowed:
            raise ParameterError(name, value, "it to be left out", fix)


def _count(name: str, value: Any) -> int:
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise ParameterError(name, value, "a whole number of at least 1", "Change it.")
    return int(value)


def _one_of(name: str, value: Any, choices: Sequence[str]) -> str:
    """CatBoost's word for a member of one of its enumerations, or the member."""
    word = getattr(value, "name", value)
    if word not in choices:
        raise ParameterError(name, value, " or ".join(map(repr, choices)), "Choose one of these.")
    return str(word)
