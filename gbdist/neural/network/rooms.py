"""Memory of the passes through a block, used again: a step sets no memory aside once there is enough for its rows."""

from collections.abc import Callable

from gbdist.neural.network.blocks import Array

#: How much more rows are made room for than are there: a rank's share of a batch varies by some rows.
_SPARE = 8


class Room:
    """Arrays of one forward pass, each [n_rows, …]. They are another pass's when nobody holds the room any more."""

    __slots__ = ("_back", "_whole", "arrays")

    def __init__(self, whole: tuple[Array, ...], n_rows: int, back: list[tuple[Array, ...]]) -> None:
        self._whole, self._back = whole, back
        self.arrays = tuple(each[:n_rows] for each in whole)

    def __del__(self) -> None:
        self._back.append(self._whole)


class Rooms:
    """As many rooms as there are passes whose results are still held: one, or one for each piece of a batch under way."""

    def __init__(self, make: Callable[[int], tuple[Array, ...]]) -> None:
        """``make`` sets aside arrays for a number of rows."""
        self._make = make
        self._free: list[tuple[Array, ...]] = []

    def take(self, n_rows: int) -> Room:
        """A room for some rows, with whatever values it has."""
        while self._free:
            whole = self._free.pop()
            if whole[0].shape[0] >= n_rows:
                return Room(whole, n_rows, self._free)
        return Room(self._make(n_rows + n_rows // _SPARE), n_rows, self._free)
