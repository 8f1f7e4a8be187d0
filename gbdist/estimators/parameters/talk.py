"""Parameters that say what is shown while models train."""

from collections.abc import Mapping
from typing import Any, Final

#: All names of them.
TALK: Final = frozenset({"verbose", "silent", "logging_level", "verbose_eval"})


def with_talk(given: Mapping[str, Any], verbose: Any, logging_level: Any) -> dict[str, Any]:
    """Parameters with what a call says of this in place of what they say; Nones say nothing."""
    said = {
        name: value for name, value in (("verbose", verbose), ("logging_level", logging_level)) if value is not None
    }
    return {**{name: value for name, value in given.items() if not said or name not in TALK}, **said}
