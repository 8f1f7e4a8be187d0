"""``--param name=value`` and the values in it, and lists of columns."""

import json
from collections.abc import Iterable
from typing import Any

from gbdist.errors import ParameterError


def parse_params(pairs: Iterable[str]) -> dict[str, Any]:
    """Names and values of ``name=value`` pairs; the last one of a name wins.

    A value is JSON where it reads as such (``8``, ``true``, ``[1, 2]``), ``True``, ``False`` and ``None`` as in
    Python, and text otherwise (``loss_function=RMSE``).
    """
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ParameterError("--param", pair, "name=value", "For example: --param depth=8")
        found[name.strip()] = parse_value(value.strip())
    return found


def parse_value(text: str) -> Any:
    """One value; see ``parse_params``."""
    python = {"True": True, "False": False, "None": None}
    if text in python:
        return python[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse_columns(lists: Iterable[str]) -> list[str]:
    """Names in lists with commas between; a name with a comma in it can be given in a job file or as a parameter."""
    found: list[str] = []
    for listed in lists:
        names = [name.strip() for name in listed.split(",")]
        if not all(names):
            raise ParameterError(
                "--cat", listed, "names of columns with commas between", "For example: --cat shop,city"
            )
        found += names
    return list(dict.fromkeys(found))
