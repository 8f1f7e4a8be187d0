"""Futures that belong to one piece of work: released when it ends, however it ends."""

from collections.abc import Iterable
from types import TracebackType
from typing import Any


class FutureScope:
    """Holds futures and releases them on exit.

    Dropping the last reference would do, but an exception's traceback keeps references for as long as somebody looks at it,
    and the cluster would keep the data for as long.
    """

    def __init__(self) -> None:
        self._held: dict[int, Any] = {}

    def hold(self, futures: Iterable[Any]) -> list[Any]:
        """Hold the futures (anything else in between is passed through) and return them as a list."""
        listed = list(futures)
        self._held.update((id(future), future) for future in listed if hasattr(future, "release"))
        return listed

    @property
    def held(self) -> list[Any]:
        """All that is held."""
        return list(self._held.values())

    def drop_others(self, futures: Iterable[Any]) -> None:
        """Release all but these."""
        wanted = {id(future) for future in futures}
        self.drop([future for key, future in self._held.items() if key not in wanted])

    def keep(self, futures: Iterable[Any]) -> None:
        """Let these futures outlive the scope."""
        for future in futures:
            self._held.pop(id(future), None)

    def drop(self, futures: Iterable[Any]) -> None:
        """Release those of the futures that the scope holds; the others belong to somebody else."""
        for future in futures:
            if self._held.pop(id(future), None) is not None:
                future.release()

    def __enter__(self) -> "FutureScope":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop(list(self._held.values()))
