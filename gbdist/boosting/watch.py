"""Who is told which stage of a run a rank is in. The algorithm names its stages and never times itself; ``spans`` does."""

from types import TracebackType
from typing import Protocol


class Stage(Protocol):
    """What lasts as long as a ``with`` block."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Watch(Protocol):
    """Hears of the stages of one rank, from the thread that runs it; a stage may have others within it."""

    def stage(self, name: str, number: int = -1) -> Stage:
        """A stage begins where the answer is entered, and ends where it is left.

        ``number`` is that of the tree or of the level. Nothing may be yielded from within.
        """
        ...


class _NoStage:
    """Nobody listens."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


_NO_STAGE = _NoStage()


class Unwatched:
    """Nobody is told."""

    def stage(self, name: str, number: int = -1) -> Stage:
        """Do nothing."""
        return _NO_STAGE


#: For who has nobody to tell.
UNWATCHED: Watch = Unwatched()
