"""Curves that never get longer than a screen is wide, however long the run."""

from collections.abc import Sequence

__all__ = ["MOST_POINTS", "Curve", "Point", "thinned"]

Point = tuple[int, float]

MOST_POINTS = 400
"""Points of a curve that are kept."""


class Curve:
    """Values by ascending numbers. Where there are too many, every second one goes, and the newest is always there."""

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most, self._stride, self._seen = most, 1, 0
        self._kept: list[Point] = []
        self._last: Point | None = None

    def add(self, number: int, value: float) -> None:
        """Append a point; numbers that are there already, or were passed, change nothing."""
        if self._last is not None and number <= self._last[0]:
            return
        self._last = (number, value)
        if self._seen % self._stride == 0:
            self._kept.append(self._last)
        self._seen += 1
        if len(self._kept) >= self._most:  # one place is the newest point's
            self._kept = self._kept[::2]
            self._stride *= 2

    @property
    def last(self) -> Point | None:
        """The newest point."""
        return self._last

    @property
    def points(self) -> list[list[float]]:
        """All that are kept, as ``[number, value]``, at most ``most`` of them."""
        kept = list(self._kept)
        if self._last is not None and kept[-1] != self._last:
            kept.append(self._last)
        return [[number, value] for number, value in kept]


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most so many of the points, evenly spaced, the last one among them."""
    step = -(-len(points) // most)
    return list(points[::-1][::step][::-1]) if step > 1 else list(points)
