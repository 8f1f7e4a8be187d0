"""Job files in TOML, as ``gbdist`` writes them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gbdist.whole_file import whole_file


def write_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Write keys and values; a mapping among them becomes a table, which stands at the end.

    Raises
    ------
    TypeError
        A value that TOML does not have, such as an object.
    """
    plain = [f"{_key(name)} = {_value(value)}" for name, value in settings.items() if not isinstance(value, Mapping)]
    tables = [
        "\n".join(["", f"[{_key(name)}]", *(f"{_key(key)} = {_value(one)}" for key, one in value.items())])
        for name, value in settings.items()
        if isinstance(value, Mapping)
    ]
    with whole_file(path) as unfinished:
        unfinished.write_text("\n".join([*plain, *tables]) + "\n")


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _value(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():  # of TOML as of JSON, but for the sign that deletes
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case Mapping():
            return f"{{ {', '.join(f'{_key(str(key))} = {_value(one)}' for key, one in value.items())} }}"
    raise TypeError(f"TOML has no {type(value).__name__}")
