"""Shards as the client sees them: a task's future, how many rows it holds, and how they are made again when they are lost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from distributed import Client, Future

from gbdist.estimators.preparation.futures import names
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.tasks import cut_rows

#: Makes the rows of lost shards again, on a worker if it can, from what this process has; errors say what is gone for good.
Again = Callable[[Client, str, FutureScope], Future]


@dataclass(frozen=True, eq=False)
class Stored:
    """What one task has left on a worker: rows of one rank, all of one data set.

    Parameters
    ----------
    future : Future of a handle of ``Shards``
    spans : tuple of (int, int)
        Global numbers of their first row and of the one after their last, for each piece; ascending.
    parts : tuple of int
        Numbers of the raw partitions that they come from, for errors; none of a pool that was loaded.
    cuts : tuple of int or None
        Rows, ascending, where another rank's may begin; None for everywhere. Where they are given, rows are neighbours.
    again : how they are made again where Dask cannot by itself; None where it always can
    """

    future: Future
    spans: tuple[tuple[int, int], ...]
    parts: tuple[int, ...]
    cuts: tuple[int, ...] | None = None
    again: Again | None = None

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return sum(end - first for first, end in self.spans)

    @property
    def first_row(self) -> int:
        """Global number of the first of them."""
        return self.spans[0][0]

    @property
    def lost(self) -> bool:
        """Whether neither the rows nor a way of Dask's to make them are there any more, or this process has let go of them."""
        return self.future.status in ("cancelled", "lost") or self.future.key not in self.future.client.futures

    def cut(self, client: Client, start: int, stop: int, address: str, scope: FutureScope) -> "Stored":
        """Rows ``start … stop−1`` of these as shards of their own, on a worker if it can; they are copied."""
        how = {"workers": [address], "allow_other_workers": True}
        (future,) = scope.hold([client.submit(cut_rows, self.future, start, stop, **how, **names("part"))])

        def again(client: Client, address: str, scope: FutureScope) -> Future:
            whole = self if not self.lost else self.made_again(client, address, scope)
            return whole.cut(client, start, stop, address, scope).future

        cuts = None if self.cuts is None else tuple(row - start for row in self.cuts if start <= row < stop)
        return Stored(future, _cut_spans(self.spans, start, stop), self.parts, cuts, again)

    def made_again(self, client: Client, address: str, scope: FutureScope) -> "Stored":
        """The same rows, made anew."""
        if self.again is None:
            return self
        future = self.again(client, address, scope)
        return replace(self, future=future)


def _cut_spans(spans: Sequence[tuple[int, int]], start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """Where rows ``start … stop−1`` of those in ``spans`` are."""
    made, before = [], 0
    for first, end in spans:
        low, high = max(first, first + start - before), min(end, first + stop - before)
        if low < high:
            made.append((low, high))
        before += end - first
    return tuple(made)


def futures_of(stored: Sequence[Sequence[Stored]]) -> list[Future]:
    """The futures of some ranks' shards, one rank after the other."""
    return [one.future for of_rank in stored for one in of_rank]
