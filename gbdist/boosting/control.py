"""What a rank has to do with who started it: how its run is ended before it is finished, and who is told of its stages."""

from typing import Protocol

from gbdist.boosting.watch import UNWATCHED, Watch


class Control(Protocol):
    """What a rank asks while it works; the answers may differ between ranks."""

    def check(self) -> None:
        """Raise if the run is not wanted any more. Asked between pieces of work of at most a second or so, from any thread."""
        ...

    @property
    def wants_pause(self) -> bool:
        """Whether the run is to end after the tree in hand, to be gone on with from its steps; one rank's yes counts for all."""
        ...

    @property
    def watch(self) -> Watch:
        """Who is told of the stages of this rank."""
        ...


class Free:
    """Nobody ends the run; nobody is told of its stages, unless ``watch`` is."""

    wants_pause = False

    def __init__(self, watch: Watch = UNWATCHED) -> None:
        self.watch = watch

    def check(self) -> None:
        """Go on."""


#: For who has nobody to ask.
FREE: Control = Free()
