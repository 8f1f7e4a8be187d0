"""Parameters that say what is shown while models train."""

from collections.abc import Mapping
from typing import Any, Final

#: All names of them.
TALK: Final = frozenset({"verbose", "silent", "logging_level", "verbose_eval"})


def without_talk(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that say nothing of this."""
    return {name: value for name, value in given.items() if name not in TALK}


def with_talk(given: Mapping[str, Any], verbose: Any, logging_level: Any) -> dict[str, Any]:
    """Parameters with what a call says of this in place of what they say; Nones say nothing."""
    said = {
        name: value for name, value in (("verbose", verbose), ("logging_level", logging_level)) if value is not None
    }
    return {**without_talk(given), **said} if said else dict(given)
