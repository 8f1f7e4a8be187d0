"""Training ahead of the merge, in a thread of its own, with a bound on how far."""

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType

from gbdist.rounds.merged import MergedModel
from gbdist.rounds.spec import RoundsSpec
from gbdist.rounds.training import Grown, Trainer


class Ahead:
    """The schedule "async": from ``with`` on a thread trains, while the routine's own thread merges.

    A round begins once all but ``max_staleness`` of the rounds before it are merged. The thread touches nothing but the trainer
    and its pool, never a collective. It ends with its rounds, with an error, which ``grow`` raises when the failed round's turn
    comes (as "sync" would), or with the ``with`` block: between two trees, on a GPU at the round's end.
    """

    def __init__(self, trainer: Trainer, spec: RoundsSpec, wanted: Callable[[], bool]) -> None:
        self._trainer, self._spec, self._wanted = trainer, spec, wanted
        self._changed = threading.Condition()
        self._grown: deque[Grown] = deque()
        self._merged = 0
        self._error: BaseException | None = None
        self._over = False
        self._thread = threading.Thread(target=self._work, name="gbdist-trainer", daemon=True)

    def grow(self, number: int) -> Grown:
        """Wait for the next round's trees."""
        with self._changed:
            self._changed.wait_for(lambda: self._grown or self._error is not None)
            if not self._grown and self._error is not None:
                raise self._error
            return self._grown.popleft()

    def met(self, model: MergedModel) -> None:
        """Let the trainer begin one round more, with "best" from this model."""
        with self._changed:
            self._merged += 1
            if self._spec.merge == "best":
                self._trainer.go_on_from(model.sets[0].predictions)
            self._changed.notify_all()

    def _work(self) -> None:
        try:
            for number in range(self._spec.rounds):
                if not self._may_begin(number):
                    return
                grown = self._trainer.grow(number, self._still_wanted)
                with self._changed:
                    self._grown.append(grown)
                    self._changed.notify_all()
        except BaseException as error:  # raised in the routine's thread
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _may_begin(self, number: int) -> bool:
        """Wait for a round's turn; whether it is still wanted then."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or number <= self._furthest())
            return not self._over

    def _furthest(self) -> int:
        """Number of the last round that may begin now."""
        if self._spec.merge == "best" and self._merged == 0:
            return 0  # there is no model to go on from
        return self._merged + self._spec.max_staleness

    def _still_wanted(self) -> bool:
        return not self._over and self._wanted()

    def __enter__(self) -> "Ahead":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()
        self._error = None  # its frames hold this object: the pool would stay until the garbage collector comes by
