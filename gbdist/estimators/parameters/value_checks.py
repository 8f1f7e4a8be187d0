"""One parameter's value against its rule: the value in a plain Python type, or an error that says what was expected."""

import math
import re
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from catboost.metrics import BuiltinMetric

from gbdist.description import name_of
from gbdist.errors import ParameterError
from gbdist.estimators.parameters.cuts import parse_cut
from gbdist.estimators.parameters.losses import Kind, kind_of, nearest, what_to_do
from gbdist.estimators.parameters.objects import checked_object, is_object
from gbdist.estimators.parameters.table import (
    CLASSIFIER_LOSSES,
    EVAL_SET_OF_GROUPS,
    RANKER_LOSSES,
    REGRESSOR_LOSSES,
    OnlyAt,
    Refused,
    Rule,
    Used,
)

_EXPECTED = {
    "bool": "True or False",
    "columns": "a list of columns of X, by name or position",
    "numbers of columns": "numbers of at least 0: a list with one for each column of X, or a dictionary {column: number}",
    "constraints of columns": "-1 (falling), 0 or 1 (rising): a list, one for each column of X, or a dictionary {column: one}",
    "statistics": "a description such as 'Borders:Prior=0.5', or a list of them",
    "statistics of columns": "a list such as ['3:Borders:Prior=0.5'], by position of the column",
    "loss": " or ".join(map(repr, CLASSIFIER_LOSSES + REGRESSOR_LOSSES + RANKER_LOSSES))
    + ", or an object (docs/custom.md)",
    "metric": "the name of a metric, or an object (docs/custom.md)",
    "metrics": "the name of a metric or a list of names",
    "cuts of columns": "a list such as ['0:border_count=1024,nan_mode=Max'], by position of the column",
    "path": "the path of a file",
    "place": "a path, or a URL that fsspec knows",
    "devices": 'numbers of GPUs, such as "0", "0:2" or "0-3"',
    "threads": "a number of threads, or -1 for all that Dask gave the worker",
    "verbose": "True, False, or every how many trees to tell",
    "weights": "weights of at least 0, not all 0: a list in the order of the classes, or a dictionary {label: weight}",
}
_DEFAULT = "Leave it out for CatBoost's default."
#: In place of those of the table: a ranker's ``fit`` has other arguments.
_FIXES_OF_RANKERS = {
    "eval_fraction": f"Set groups apart yourself: fit(..., {EVAL_SET_OF_GROUPS}).",
}


def check_value(name: str, value: object, rule: Rule, *, classifier: bool, ranker: bool = False) -> object:
    """Return ``value`` as int, float, bool, str, tuple or dict; ParameterError(``name``, …) when ``rule`` forbids it."""
    plain = plain_value(value)
    if isinstance(rule, Refused):
        raise ParameterError(name, value, "it to be left out", rule.fix)
    if isinstance(rule, OnlyAt):
        if rule.values and plain not in rule.values:
            fix = _FIXES_OF_RANKERS.get(name, rule.fix) if ranker else rule.fix
            raise ParameterError(name, value, f"{accepted_values(rule)} ({rule.why})", fix)
        return plain
    try:
        if rule.kind == "loss":
            return _loss(name, plain, kind_of(classifier=classifier, ranker=ranker))
        return _CHECKS[rule.kind](name, plain, rule)
    except ParameterError as error:
        # The error shows the value as the user wrote it.
        raise ParameterError(name, value, *error.args[2:]) from None


def accepted_values(rule: OnlyAt) -> str:
    """The values of a rule in words."""
    return " or ".join("nothing in it" if value == () else repr(value) for value in rule.values)


def plain_value(value: object) -> object:
    """NumPy's and pandas' scalars and arrays, lists and CatBoost's metric objects as Python's own types; empty ones as ()."""
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "tolist"):
        return tuple(value.tolist())
    if isinstance(value, BuiltinMetric):
        return str(value)
    if isinstance(value, (list, tuple, dict, str)) and not value:
        return ()
    return tuple(value) if isinstance(value, list) else value


def _in_words(rule: Used, noun: str) -> str:
    """The range of a number in words."""
    if rule.low is None:
        return noun
    if rule.high is None:
        return f"{noun} above {rule.low}" if rule.above_low else f"{noun} of at least {rule.low}"
    return f"{noun} above {rule.low}, up to {rule.high}" if rule.above_low else f"{noun} from {rule.low} to {rule.high}"


def used_values(rule: Used) -> str:
    """What a parameter may be, in words; errors say the same."""
    match rule.kind:
        case "int":
            return _in_words(rule, "an integer")
        case "float":
            return _in_words(rule, "a number")
        case "choice":
            return "one of " + ", ".join(map(repr, rule.choices))
        case kind:
            return _EXPECTED[kind]


def _within(number: int | float, rule: Used) -> bool:
    if rule.low is not None and (number < rule.low or (rule.above_low and number == rule.low)):
        return False
    return rule.high is None or number <= rule.high


def _is_integer(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())


def _integer(name: str, value: object, rule: Used) -> int:
    # CatBoost takes 6.0 for 6, and neither True nor "6".
    if _is_integer(value):
        number = int(value)  # type: ignore[call-overload]
        if _within(number, rule):
            return int(number)
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _number(name: str, value: object, rule: Used) -> float:
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and _within(number, rule):
            return number
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _truth(name: str, value: object, rule: Used) -> bool:
    if isinstance(value, bool):
        return value
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _choice(name: str, value: object, rule: Used) -> str:
    if isinstance(value, str) and value in rule.choices:
        return value
    near = nearest(value, rule.choices) if isinstance(value, str) else ""
    raise ParameterError(name, value, used_values(rule), near or _DEFAULT)


def _loss(name: str, value: object, kind: Kind) -> object:
    if isinstance(value, str) and name_of(value) in kind.losses:
        from gbdist.objectives import make_objective  # loads Numba's kernels

        make_objective(value, 2)  # which checks the options
        return value
    if is_object(value) and kind.losses != RANKER_LOSSES:  # an object's rows have no groups
        return checked_object("loss_function", value)
    raise ParameterError(name, value, " or ".join(map(repr, kind.losses)), what_to_do(value, kind))


def _threads(name: str, value: object, rule: Used) -> int:
    if _is_integer(value):
        number = int(value)  # type: ignore[call-overload]
        if number == -1 or number >= 1:
            return int(number)
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _verbose(name: str, value: object, rule: Used) -> int:
    """Progress is told every so many trees; True is 1, False is 0."""
    if isinstance(value, bool) or (_is_integer(value) and value >= 0):  # type: ignore[operator]
        return int(value)  # type: ignore[call-overload, no-any-return]
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _metric(name: str, value: object, rule: Used) -> object:
    return checked_object("eval_metric", value) if is_object(value) else value


def _metrics(name: str, value: object, rule: Used) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple):
        names = tuple(plain_value(one) for one in value)
        if all(isinstance(one, str) for one in names):
            return tuple(map(str, names))
    raise ParameterError(name, value, used_values(rule), "An object can be the eval_metric alone.")


def _columns(name: str, value: object, rule: Used) -> tuple[str | int, ...]:
    """Names and positions; whether X has them is seen beside X."""
    columns = tuple(plain_value(one) for one in value) if isinstance(value, tuple) else (None,)
    if all(isinstance(one, str | int) and not isinstance(one, bool) for one in columns):
        return columns  # type: ignore[return-value]
    raise ParameterError(name, value, used_values(rule), f'Write {name}=["color"], for example.')


def _numbers_of_columns(name: str, value: object, rule: Used) -> object:
    """Numbers by position, or by name or position in a dictionary; whether X has them is seen beside X."""
    return _of_columns(name, value, rule, lambda number: 0.0 <= float(number) < math.inf)


def _constraints_of_columns(name: str, value: object, rule: Used) -> object:
    return _of_columns(name, value, rule, lambda number: number in (-1, 0, 1))


def _of_columns(name: str, value: object, rule: Used, takes: Callable[[Real], bool]) -> object:
    numbers = tuple(value.values()) if isinstance(value, Mapping) else value
    keys = tuple(value) if isinstance(value, Mapping) else ()
    if isinstance(numbers, tuple) and all(isinstance(key, str | int) and not isinstance(key, bool) for key in keys):
        found = [plain_value(one) for one in numbers]
        if all(isinstance(one, Real) and not isinstance(one, bool) and takes(one) for one in found):
            return dict(zip(keys, found, strict=True)) if keys else tuple(found)
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _statistics(name: str, value: object, rule: Used) -> tuple[str, ...]:
    """Descriptions, one or several; CatBoost itself fails at none of them."""
    texts = (value,) if isinstance(value, str) else value
    if isinstance(texts, tuple) and texts and all(isinstance(text, str) for text in texts):
        return texts
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _statistics_of_columns(name: str, value: object, rule: Used) -> tuple[str, ...]:
    if isinstance(value, tuple) and all(isinstance(text, str) and re.match(r"\d+:.", text) for text in value):
        return value
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _cuts_of_columns(name: str, value: object, rule: Used) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, tuple):
        raise ParameterError(name, value, used_values(rule), _DEFAULT)
    for text in texts:
        parse_cut(name, text)
    return texts


def _path(name: str, value: object, rule: Used) -> str:
    if isinstance(value, str | PathLike) and Path(value).is_file():
        return str(value)
    raise ParameterError(name, value, f"{used_values(rule)} that is there", "Check the path.")


def _place(name: str, value: object, rule: Used) -> str:
    """Where something is to be written; whether that can be done is seen when it is."""
    text = fspath(value) if isinstance(value, str | PathLike) else None
    if isinstance(text, str):
        return text
    raise ParameterError(name, value, used_values(rule), _DEFAULT)


def _is_weight(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _weights(name: str, value: object, rule: Used) -> tuple[float, ...] | dict[object, float]:
    """A weight for each class; dictionaries keep their labels."""
    found = tuple(value.values()) if isinstance(value, Mapping) else value
    if isinstance(found, tuple):
        weights = [plain_value(weight) for weight in found]
        if any(weights) and all(map(_is_weight, weights)):
            numbers = tuple(float(weight) for weight in weights)  # type: ignore[arg-type]
            return dict(zip(value, numbers, strict=True)) if isinstance(value, Mapping) else numbers
    raise ParameterError(name, value, used_values(rule), "For weights from the data use auto_class_weights='Balanced'.")


def _devices(name: str, value: object, rule: Used) -> tuple[int, ...]:
    """GPUs in CatBoost's notation, "0:2" or "0-3", a number or several numbers."""
    listed = [value] if isinstance(value, int | str) else list(value) if isinstance(value, tuple) else []
    numbers: list[int] = []
    for piece in (piece for one in listed for piece in str(one).split(":")):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", piece.strip())
        if found is None:
            numbers.clear()
            break
        numbers += range(int(found[1]), int(found[2] or found[1]) + 1)
    if not numbers:
        raise ParameterError(name, value, used_values(rule), "Leave it out to use all.")
    return tuple(numbers)


_CHECKS: dict[str, Callable[[str, object, Used], object]] = {
    "int": _integer,
    "float": _number,
    "bool": _truth,
    "columns": _columns,
    "numbers of columns": _numbers_of_columns,
    "constraints of columns": _constraints_of_columns,
    "statistics": _statistics,
    "statistics of columns": _statistics_of_columns,
    "choice": _choice,
    "cuts of columns": _cuts_of_columns,
    "path": _path,
    "place": _place,
    "threads": _threads,
    "verbose": _verbose,
    "metric": _metric,
    "metrics": _metrics,
    "weights": _weights,
    "devices": _devices,
}
