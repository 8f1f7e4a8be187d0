"""Putting something around functions that a name of a module or class refers to, and taking it away again."""

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

#: Called with the original and its arguments in place of it.
Around = Callable[..., Any]


def owner_of(where: str) -> tuple[Any, str]:
    """The module or class that has the function "module:name" or "module:class.name", and its name there.

    AttributeError or ImportError where there is none.
    """
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    getattr(owner, name)
    return owner, name


class Wrappings:
    """Functions that are wrapped; ``restore`` puts the originals back, in the opposite order."""

    def __init__(self) -> None:
        self._originals: list[tuple[Any, str, Any, bool]] = []

    def wrap(self, where: str, around: Around) -> None:
        """From now on calls go to ``around(original, *args, **kwargs)``."""
        owner, name = owner_of(where)
        own = name in vars(owner)  # else inherited: taken away again, not put back
        raw = inspect.getattr_static(owner, name)
        kind = type(raw) if isinstance(raw, classmethod | staticmethod) else None
        original = raw.__func__ if kind else raw

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs)

        self._originals.append((owner, name, raw, own))
        setattr(owner, name, kind(call) if kind else call)

    def restore(self) -> None:
        """Put all originals back."""
        while self._originals:
            owner, name, raw, own = self._originals.pop()
            if own:
                setattr(owner, name, raw)
            else:
                delattr(owner, name)
