"""Settings in TOML files: read and checked key by key, with file and line in every error.

``read_toml`` is the one reader; ``read_config`` reads with it a job: the options of ``gbdist train``, ``cv`` or ``tune`` under
their names, and a table ``[params]``.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gbdist.errors import GbdistError


class Rule(Protocol):
    """What a key takes."""

    def takes(self, value: object) -> bool:
        """Whether a value can be used."""
        ...

    def expectation(self) -> str:
        """What it must be, in words."""
        ...


@dataclass(frozen=True, slots=True)
class OfType:
    """Takes values of some types, and no truth values."""

    types: tuple[type, ...]

    def takes(self, value: object) -> bool:
        """Whether the value is of one of the types."""
        return isinstance(value, self.types) and not isinstance(value, bool)

    def expectation(self) -> str:
        """The types in words."""
        words = {str: "a text", list: "a list of texts", int: "a whole number", float: "a number", dict: "a table"}
        return " or ".join(words[kind] for kind in self.types)


@dataclass(frozen=True, slots=True)
class TrueOrFalse:
    """Takes truth values."""

    def takes(self, value: object) -> bool:
        """Whether the value is one."""
        return isinstance(value, bool)

    def expectation(self) -> str:
        """What it must be, in words."""
        return "true or false"


FLAG = TrueOrFalse()
_TEXT, _TEXTS, _NUMBER, _TABLE = OfType((str,)), OfType((str, list)), OfType((int,)), OfType((dict,))

LEARNING: dict[str, Rule] = {
    "data": _TEXTS,
    "target": _TEXTS,
    "weight": _TEXT,
    "group": _TEXT,
    "ignore": _TEXTS,
    "cat": _TEXTS,
    "cat-nan": _TEXT,
    "task": _TEXT,
    "workers": _NUMBER,
    "threads": _NUMBER,
    "scheduler": _TEXT,
    "tls": _TEXT,
    "params": _TABLE,
}
"""Of every job that learns from rows."""
TRAIN = LEARNING | {"eval": _TEXTS, "output": _TEXT, "snapshot": _TEXT, "profile": _TEXT}
_FOLDS = LEARNING | {
    "folds": _NUMBER,
    "stratified": FLAG,
    "shuffle": FLAG,
    "time-series": FLAG,
    "time": _TEXT,
    "seed": _NUMBER,
}
CV = _FOLDS | {"inverted": FLAG, "out": _TEXT, "return-models": _TEXT, "plot": _TEXT}
TUNE = _FOLDS | {
    "space": OfType((str, dict)),
    "search": _TEXT,
    "trials": _NUMBER,
    "jobs": _NUMBER,
    "trial-workers": _TEXT,
    "scoring": _TEXT,
    "pruner": _TEXT,
    "timeout": OfType((int, float)),
    "study": _TEXT,
    "storage": _TEXT,
    "output": _TEXT,
    "out": _TEXT,
    "params-out": _TEXT,
    "plot": _TEXT,
}


class ConfigError(GbdistError):
    """A file of settings cannot be used; ``place`` is "file" or "file:line"."""

    def __init__(self, place: str, problem: str, fix: str) -> None:
        super().__init__(place, problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        place, problem, fix = self.args
        return f"{place}: {problem}. {fix}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What a file says: the values by their keys, and where each stands, as "file:line"."""

    values: dict[str, Any]
    places: dict[str, str]


def read_config(path: Path, keys: Mapping[str, Rule]) -> dict[str, Any]:
    """The keys and values of a job file, checked; ``data``, ``target``, ``eval``, ``ignore`` and ``cat`` are lists.

    Paths in it are relative to the folder that the command runs in, as on the command line.
    """
    values = read_toml(path, keys, remark="; CatBoost's parameters go under [params]").values
    for key in ("data", "target", "eval", "ignore", "cat"):
        if isinstance(values.get(key), str):
            values[key] = [values[key]]
    return values


def merge(config: dict[str, Any], typed: dict[str, Any]) -> dict[str, Any]:
    """Options of a job file with what was typed over them; parameters are merged one by one."""
    given = {name: value for name, value in typed.items() if value is not None and value != []}
    return {**config, **given, "params": {**config.get("params", {}), **typed["params"]}}


def read_toml(path: Path, keys: Mapping[str, Rule], remark: str = "") -> Settings:
    """The keys and values of a file, each taken by its rule; ``remark`` ends the list of keys in the error for another one.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not TOML, or for the first key that is unknown or whose value is refused.
    """
    text, values = _loaded(path, "--config")
    places = {key: _place(path, text, key) for key in values}
    for key, value in values.items():
        if key not in keys:
            raise ConfigError(places[key], f"unknown key {key!r}", _nearest_key(key, keys, remark))
        if not keys[key].takes(value):
            raise ConfigError(places[key], f"{key} = {value!r} cannot be used", f"Expected {keys[key].expectation()}.")
    return Settings(values, places)


def read_space(path: Path) -> dict[str, Any]:
    """A search space: for each parameter a list of values, or a table ``low``, ``high``, ``log``, ``step`` or ``values``.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not TOML, says nothing, or has something else for a parameter.
    """
    text, values = _loaded(path, "--space")
    if not values:
        fix = "Say for each parameter what it may be, for example: depth = [4, 6, 8]"
        raise ConfigError(str(path), "is empty", fix)
    for name, value in values.items():
        if not isinstance(value, dict | list):
            fix = f"For example: {name} = [{value!r}], or a table [{name}] with low and high."
            raise ConfigError(_place(path, text, name), f"{name} = {value!r} cannot be used", fix)
    return values


def _loaded(path: Path, option: str) -> tuple[str, dict[str, Any]]:
    """A TOML file that was named after an option: its text, and what it says."""
    try:
        text = path.read_text()
        return text, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})", f"Check the name after {option}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), "is not text in UTF-8", f"Check the name after {option}.") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        place = f"{path}:{line[1]}" if line else str(path)
        raise ConfigError(place, f"is not TOML ({error})", 'Texts are quoted: target = "price".') from error


def _place(path: Path, text: str, key: str) -> str:
    """``file:line`` of a key; the file alone where it is not at the beginning of a line."""
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]", line):
            return f"{path}:{number}"
    return str(path)


def _nearest_key(key: str, keys: Mapping[str, Rule], remark: str) -> str:
    near = difflib.get_close_matches(key, keys, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known keys: {', '.join(keys)}{remark}."
