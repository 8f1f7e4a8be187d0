"""A training job in a TOML file: the options of ``gbdist train`` under their names, and a table ``[params]``."""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from gbdist.errors import GbdistError

KEYS: dict[str, type | tuple[type, ...]] = {
    "data": (str, list),
    "target": (str, list),
    "eval": (str, list),
    "weight": str,
    "group": str,
    "ignore": (str, list),
    "cat": (str, list),
    "cat-nan": str,
    "task": str,
    "workers": int,
    "threads": int,
    "scheduler": str,
    "output": str,
    "params": dict,
}


class ConfigError(GbdistError):
    """A job file cannot be used; ``place`` is "file" or "file:line"."""

    def __init__(self, place: str, problem: str, fix: str) -> None:
        super().__init__(place, problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        place, problem, fix = self.args
        return f"{place}: {problem}. {fix}"


def read_config(path: Path) -> dict[str, Any]:
    """The keys and values of a job file, checked; ``data``, ``target``, ``eval``, ``ignore`` and ``cat`` are lists.

    Paths in it are relative to the folder that the command runs in, as on the command line.
    """
    try:
        text = path.read_text()
        values = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(str(path), f"cannot be read ({error.strerror})", "Check the name after --config.") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        place = f"{path}:{line[1]}" if line else str(path)
        raise ConfigError(place, f"is not TOML ({error})", 'Texts are quoted: target = "price".') from error
    for key, value in values.items():
        if key not in KEYS:
            raise ConfigError(_place(path, text, key), f"unknown key {key!r}", _nearest_key(key))
        if not isinstance(value, KEYS[key]) or isinstance(value, bool):
            raise ConfigError(
                _place(path, text, key), f"{key} = {value!r} has the wrong type", f"Expected {_names(KEYS[key])}."
            )
    for key in ("data", "target", "eval", "ignore", "cat"):
        if isinstance(values.get(key), str):
            values[key] = [values[key]]
    return values


def _place(path: Path, text: str, key: str) -> str:
    """``file:line`` of a key; the file alone where it is not at the beginning of a line."""
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]", line):
            return f"{path}:{number}"
    return str(path)


def _nearest_key(key: str) -> str:
    near = difflib.get_close_matches(key, KEYS, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known keys: {', '.join(KEYS)}; CatBoost's parameters go under [params]."


def _names(types: type | tuple[type, ...]) -> str:
    words = {str: "a text", list: "a list of texts", int: "a whole number", dict: "a table"}
    return " or ".join(words[kind] for kind in (types if isinstance(types, tuple) else (types,)))
