"""What a job does: its kind, and options as a command has them. The same in JSON, in a job file and on the command line."""

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gbdist.errors import ParameterError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job: ``kind`` is one of ``kinds.KINDS``; ``options`` are JSON's."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def as_text(self, folder: str) -> str:
        """As the scheduler keeps it: jobs of different folders are different jobs."""
        return json.dumps({"kind": self.kind, "jobs-dir": folder, **self.options}, sort_keys=True)

    def digest(self, folder: str) -> str:
        """Equal for equal jobs alone."""
        return hashlib.sha256(self.as_text(folder).encode()).hexdigest()


def differences(here: str, there: str) -> list[str]:
    """What differs between two jobs that ``as_text`` wrote, in words."""
    ours, theirs = json.loads(here), json.loads(there)
    words = []
    for name in dict.fromkeys([*ours, *theirs]):
        if name == "params" and name in ours and name in theirs:
            words += _differing(ours[name], theirs[name], "parameter ")
        else:
            words += _differing({name: ours.get(name)}, {name: theirs.get(name)}, "")
    return words


def _differing(ours: Mapping[str, Any], theirs: Mapping[str, Any], what: str) -> list[str]:
    return [
        f"{what}{name} is {_shown(theirs.get(name))} there, {_shown(ours.get(name))} here"
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]


def _shown(value: Any) -> str:
    text = "not given" if value is None else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def require_json(options: Mapping[str, Any]) -> None:
    """ParameterError for a value that no file could hold, such as an object as ``loss_function``."""
    flat = {name: value for name, value in options.items() if name != "params"} | dict(options.get("params", {}))
    for name, value in flat.items():
        try:
            same = json.loads(json.dumps(value)) == value
        except (TypeError, ValueError):
            same = False
        if not same:
            expected = "a number, a text, a list of these, or a table: a job is kept as JSON"
            raise ParameterError(name, value, expected, "Train with fit and a client for objects of your own.")


def is_valid_id(job_id: str) -> bool:
    """Whether an id could be the name of a folder everywhere."""
    return _ID.fullmatch(job_id) is not None


def require_valid_id(job_id: str) -> None:
    """ParameterError for an id that could not be the name of a folder everywhere."""
    if not is_valid_id(job_id):
        expected = "letters, digits, dots, hyphens and underscores, at most 64, the first a letter or a digit"
        raise ParameterError("--id", job_id, expected, "For example: --id churn-2024")


def new_id(kind: str, taken: Collection[str]) -> str:
    """An id that can be said and typed, such as ``train-kavobe``."""
    while True:
        job_id = f"{kind}-{''.join(secrets.choice(_SYLLABLES) for _ in range(3))}"
        if job_id not in taken:
            return job_id
