"""Callbacks that end a run, and the size of runs in tests of snapshots."""

from typing import Any

TREES, AT = 9, 4
PLAIN = {"iterations": TREES, "depth": 3, "learning_rate": 0.2}


class Interrupts:
    """A callback that raises after so many trees; remembers what it saw."""

    def __init__(self, at: int | None = None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.at, self.error = at, error
        self.seen: list[tuple[int, int]] = []

    def after_iteration(self, info: Any) -> bool:
        self.seen.append((info.iteration, max(map(len, info.metrics.get("learn", {}).values()), default=0)))
        if info.iteration == self.at:
            raise self.error("enough")
        return True


class Stops(Interrupts):
    """A callback that ends the run well after so many trees."""

    def after_iteration(self, info: Any) -> bool:
        return info.iteration != self.at
