"""The crew whose kernels run on a card: what lies in the card's memory, and what is streamed through it.

A card holds what the trainer keeps for each row (labels, predictions, derivatives, cells, leaf numbers) for the whole run, and as
many of the bins as there is room for; the other bins wait in the host's memory and pass through once a level (``cuda_counting``).
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from types import TracebackType
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import DTypeLike, NDArray

from gbdist.boosting.control import FREE, Control
from gbdist.boosting.crew import Crew, Item
from gbdist.boosting.cuda_bins import CardBins
from gbdist.boosting.cuda_counting import CardCounter, CardPicker
from gbdist.boosting.params import Card
from gbdist.boosting.rows import Rows
from gbdist.errors import DataError
from gbdist.kernels import cuda as kernels
from gbdist.kernels.cuda_compile import SIMULATED, CardScratch, brought, is_on_card, work_on
from gbdist.kernels.cuda_histogram import clear_table

#: Bytes that are kept for each row beside its bins: with one raw value, and for each more.
TRAINED_ROW, TRAINED_MORE = 104, 40
SCORED_ROW, SCORED_MORE = 18, 8
#: Share of the free memory that is not ours to plan with: compiled kernels, tables of a level, fragments.
_SPARE = 0.1
#: Share of what is left that work beside the rows may set aside: more would have bins streamed at every level.
_BESIDE = 0.5


class CardCrew(Crew):
    """One thread that gives a card its work; ``host`` has the threads of the CPU."""

    kernels = kernels
    picker = CardPicker
    counter = CardCounter

    def __init__(
        self, threads: int, card: Card, dimension: int, control: Control = FREE, *, shares_tables: bool
    ) -> None:
        super().__init__(1, control)
        cuda.select_device(card.number)
        #: Whether tables are added up between ranks, in the host's memory.
        self.shares_tables = shares_tables
        self.scratch = CardScratch()
        self.work, self.copies = cuda.stream(), cuda.stream()
        work_on(self.work)
        self._host = Crew(threads, control)
        self._pinned: dict[tuple[str, np.dtype[Any]], NDArray[Any]] = {}
        self._dimension = dimension
        self._left = card.memory if card.memory is not None else free_bytes(card)

    @property
    def host(self) -> Crew:
        """The crew for what lies in the host's memory."""
        return self._host

    def load_rows(self, rows: Rows, *, trained: bool) -> Rows:
        """Bring a rank's rows to the card, bins as far as there is room; see ``Crew.load_rows``.

        Raises DataError where there is no room for what is kept of every row.
        """
        each, more = (TRAINED_ROW, TRAINED_MORE) if trained else (SCORED_ROW, SCORED_MORE)
        row_bytes = each + more * (self._dimension - 1)
        if row_bytes * rows.n_rows > self._left:
            expected = f"at most {self._left // row_bytes}, with {row_bytes} bytes a row beside the bins"
            fix = "Use more workers with GPUs, or task_type='CPU'."
            raise DataError("the GPU's memory", f"{rows.n_rows} rows on one rank", expected, fix)
        self._left -= row_bytes * rows.n_rows
        bins: Any = CardBins(rows.bins, self._left, self)
        self._left -= bins.card_bytes
        weight = None if rows.weight is None else self.load(rows.weight)
        return replace(rows, bins=bins, label=self.load(rows.label), weight=weight, baseline=None)

    def with_room(self, n_bytes: int) -> Crew:
        """This crew if so many bytes are at most ``_BESIDE`` of what is left, else the host's."""
        if n_bytes > self._left * _BESIDE:
            return self._host
        self._left -= n_bytes
        return self

    def load(self, array: Any) -> Any:
        """Bring an array to the card."""
        if is_on_card(array):
            return array
        values = np.ascontiguousarray(array)
        there = cuda.device_array(values.shape, values.dtype)
        there.copy_to_device(values, stream=self.work)
        return there

    def load_bins(self, bins: Any) -> Any:
        """Bring bins to the card, as far as there is room; those that are there already stay."""
        return CardBins(bins, self._left, self)

    def fetch(self, array: Any) -> NDArray[Any]:
        """Bring an array to the host."""
        return brought(array) if is_on_card(array) else array

    def take(self, cells: Any, features: NDArray[np.int64]) -> NDArray[np.int64]:
        """Bring some features' cells in the first dimension to the host."""
        return np.stack([self.fetch(cells[feature, 0]) for feature in features.tolist()])

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """A new array on the card."""
        return cuda.device_array(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """A new array of zeros on the card."""
        array = self.empty(shape, dtype)
        self.clear(array)
        return array

    def slots(self, size: int) -> tuple[Any, Any]:
        """See ``Crew.slots``; the card's kernels read keys from the rows."""
        return self.empty((1,), np.uint64), self.empty((size,), np.uint32)

    def clear(self, array: Any) -> None:
        """Set all values of an array on the card to 0."""
        if array.size:
            clear_table(array)

    def copied(self, array: Any) -> Any:
        """A copy of an array on the card."""
        return self.joined([array])

    def joined(self, arrays: Sequence[Any]) -> Any:
        """Arrays on the card one after the other."""
        edges = np.cumsum([0, *(array.shape[0] for array in arrays)]).tolist()
        whole = self.empty((edges[-1], *arrays[0].shape[1:]), arrays[0].dtype)
        for array, (start, stop) in zip(arrays, pairwise(edges), strict=True):
            if array.size:
                whole[start:stop].copy_to_device(array, stream=self.work)
        return whole

    def pinned(self, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Host memory that the card copies to and from by itself; valid until its name is asked for again."""
        key, size = (name, np.dtype(dtype)), math.prod(shape)
        memory = self._pinned.get(key)
        if memory is None or memory.shape[0] < size:
            memory = self._pinned[key] = cuda.pinned_array(max(size, 1), dtype)
        return memory[:size].reshape(shape)

    def each_in_turn(
        self, work: Callable[[slice, Item], object], items: Iterable[Item], slices: Sequence[slice]
    ) -> None:
        """See ``Crew.each_in_turn``; an item is asked for when the work on the one before is begun, so they may share memory."""
        for item in items:
            for piece in slices:
                self._check()
                work(piece, item)

    def row_slices(self, n_rows: int) -> list[slice]:
        """All rows in one slice: the card's threads cut them."""
        return [slice(0, n_rows)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the card's memory back; raises DataError where there was too little of it."""
        work_on(0)
        self.scratch, self._pinned = CardScratch(), {}
        self._host.__exit__(kind, error, trace)
        super().__exit__(kind, error, trace)
        if error is not None and "OUT_OF_MEMORY" in str(error):
            expected = "room for a level's tables beside the rows"
            fix = "Lower depth, border_count or max_ctr_complexity, use more workers with GPUs, or task_type='CPU'."
            raise DataError("the GPU's memory", "none left", expected, fix) from error
        if error is None:
            _free_what_waits()


def _free_what_waits() -> None:
    """Free what numba has put off freeing, up to a fifth of the card: others need it, and it would not count as free."""
    if SIMULATED:
        return
    with contextlib.suppress(IndexError):  # another rank of this process was quicker
        cuda.current_context().memory_manager.deallocations.clear()


def free_bytes(card: Card) -> int:
    """A rank's share of the card's memory, as far as it is free."""
    _free_what_waits()
    free, total = cuda.current_context().get_memory_info()
    if not math.isfinite(total):  # the simulator's
        return 1 << 34
    return int(min(free, total / card.sharers) * (1.0 - _SPARE))
