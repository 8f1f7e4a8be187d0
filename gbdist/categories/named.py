"""Categories as ranks name them to each other: names, counts, and the union of what several ranks named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.categories.coding import Names, slots_for
from gbdist.categories.limit import beyond_limits
from gbdist.categories.message import Reader, write
from gbdist.kernels.cpu_categories import put_counts, sum_counts, take_counts
from gbdist.kernels.cpu_coding import match_names


@dataclass(frozen=True, eq=False)
class Counted:
    """What one rank counted of some projections.

    Parameters
    ----------
    names : tuple of Names
        Of each projection's categories; of places all ranks have the same number. They and the counts lie where the crew
        counted until they are ``fetched``; all else wants them in the host's memory.
    edges : int64 [n_projections + 1]
        Categories ``edges[i] … edges[i + 1] − 1`` are those of projection i.
    counts : int32 [n_own_runs, n_categories, n_classes]
    limits : tuple of (int or None)
        How many categories of each projection are told apart: the most frequent ones, of equals those of lower keys. None: all;
        names are keys otherwise.
    n_trained : int
        How many of the classes, the first ones, are those of training rows.
    """

    names: tuple[Names, ...]
    edges: NDArray[np.int64]
    counts: Any
    limits: tuple[int | None, ...]
    n_trained: int

    def fetched(self, crew: Crew) -> "Counted":
        """The same in the host's memory."""
        names = tuple(replace(one, values=crew.fetch(one.values)) for one in self.names)
        return replace(self, names=names, counts=crew.fetch(self.counts))

    def joined_names(self) -> NDArray[np.uint64]:
        """Values of all names, uint64, those of one projection after those of another."""
        return np.concatenate([one.values for one in self.names])

    def with_keys(self) -> "Counted":
        """The same with keys for names."""
        sizes = np.diff(self.edges).tolist()
        keys = tuple(Names(one.keys(size)) for one, size in zip(self.names, sizes, strict=True))
        return replace(self, names=keys)

    def some(self, which: NDArray[np.int64]) -> "Counted":
        """Some of the categories, by ascending numbers; names must be keys."""
        edges = np.searchsorted(which, self.edges)
        names = tuple(
            Names(one.values[which[start:stop] - first])
            for one, first, (start, stop) in zip(self.names, self.edges, pairwise(edges.tolist()), strict=False)
        )
        counts = np.empty((self.counts.shape[0], which.shape[0], self.counts.shape[2]), np.int32)
        for of_run, out in zip(self.counts, counts, strict=True):
            take_counts(of_run, which, out)
        return replace(self, names=names, edges=edges, counts=counts)


def message_of(counted: Counted) -> bytes:
    """What a rank tells others of its categories."""
    return write(counted.edges.tolist(), counted.joined_names(), [counted.counts])


def read_message(data: bytes, n_runs: int, like: Counted) -> Counted:
    """What another rank, of so many runs, told of the same projections as ``like``."""
    reader = Reader(data)
    edges = np.array(reader.numbers, np.int64)
    lengths = [one.length(size) for one, size in zip(like.names, np.diff(edges).tolist(), strict=True)]
    values = np.split(reader.keys, np.cumsum(lengths)[:-1])
    names = tuple(Names(each, one.are_places) for each, one in zip(values, like.names, strict=False))
    counts = reader.counts((n_runs, int(edges[-1]), like.counts.shape[2]))
    return replace(like, names=names, edges=edges, counts=counts)


def are_limited(counted: Counted) -> bool:
    """Whether any projection has a limit."""
    return any(limit is not None for limit in counted.limits)


class Union:
    """The different categories that some ranks named, those of one projection after those of another.

    ``codes`` are uint32 [n_categories] of each part, their numbers here; ``edges`` as in ``Counted``.
    """

    def __init__(self, parts: Sequence[Counted]) -> None:
        self.parts, n_projections = parts, len(parts[0].names)
        if len(parts) == 1:
            self.codes = [np.arange(parts[0].edges[-1], dtype=np.uint32)]
            self.edges = parts[0].edges
            return
        lengths = np.array([one.values.shape[0] for part in parts for one in part.names]).reshape(-1, n_projections)
        sizes = np.array([part.edges[-1] for part in parts])
        starts = np.cumsum([0, *sizes.tolist()])
        edges = np.zeros((2, len(parts), n_projections + 1), np.int64)
        edges[0, :, 1:] = np.cumsum(lengths, axis=1)
        edges[0] += np.cumsum([0, *lengths.sum(axis=1)[:-1].tolist()])[:, None]
        edges[1] = np.stack([part.edges for part in parts]) + starts[:-1, None]
        are_places = np.array([one.are_places for one in parts[0].names], np.bool_)
        codes, self.edges = np.empty(int(starts[-1]), np.uint32), np.zeros(n_projections + 1, np.int64)
        size = slots_for(int(lengths.sum(axis=0).max(initial=0)))
        slots = np.empty(size, np.uint64), np.empty(size, np.uint32)
        joined = np.concatenate([part.joined_names() for part in parts])
        match_names(joined, (edges[0], edges[1]), are_places, slots, codes, self.edges)
        self.codes = [codes[start:stop] for start, stop in pairwise(starts)]

    def keys(self, number: int) -> NDArray[np.uint64]:
        """Keys of a projection's categories, uint64 [n]; names must be keys."""
        first, stop = self.edges[number : number + 2].tolist()
        keys = np.empty(stop - first, np.uint64)
        for part, codes in zip(self.parts, self.codes, strict=True):
            keys[codes[part.edges[number] : part.edges[number + 1]] - np.uint32(first)] = part.names[number].values
        return keys

    def empty_counts(self) -> NDArray[np.int32]:
        """No rows of any category, int32 [n_categories, n_classes]."""
        return np.zeros((int(self.edges[-1]), self.parts[0].counts.shape[2]), np.int32)

    def dropped(self, totals: NDArray[np.int32], collective: Collective) -> NDArray[np.bool_] | None:
        """Which ones are beyond a limit, bool [n_categories]; None without one. The other ranks own other categories."""
        first = self.parts[0]
        if not are_limited(first):
            return None
        limited = [number for number, limit in enumerate(first.limits) if limit is not None]
        slices = [slice(start, stop) for start, stop in pairwise(self.edges.tolist())]
        asked = [(self.keys(i), totals[slices[i]].sum(axis=1), first.limits[i]) for i in limited]
        dropped = np.zeros(totals.shape[0], np.bool_)
        for number, found in zip(limited, beyond_limits(asked, collective), strict=True):
            dropped[slices[number]] = found
        return dropped

    def summed(self, collective: Collective) -> Counted:
        """Them in one part and one run, without those beyond limits; the other ranks own other categories."""
        totals = self.empty_counts()
        for part, codes in zip(self.parts, self.codes, strict=True):
            for of_run in part.counts:
                sum_counts(of_run, codes, totals)
        whole, dropped = self._as_one(totals), self.dropped(totals, collective)
        return whole if dropped is None else whole.some(np.flatnonzero(~dropped))

    def sorted(self) -> Counted:
        """Them in one part, keys of a projection ascending; each of them is named by one part alone, which has one run."""
        counts = self.empty_counts()
        for part, codes in zip(self.parts, self.codes, strict=True):
            put_counts(part.counts[0], codes.astype(np.int64), counts)
        whole = self._as_one(counts)
        names = []
        for one, (start, stop) in zip(whole.names, pairwise(self.edges.tolist()), strict=True):
            order = np.argsort(one.values)
            names.append(Names(one.values[order]))
            counts[start:stop] = counts[start:stop][order]
        return replace(whole, names=tuple(names), counts=counts[None])

    def _as_one(self, counts: NDArray[np.int32]) -> Counted:
        """Them in one part and one run."""
        names = tuple(Names(self.keys(number)) for number in range(len(self.parts[0].names)))
        return replace(self.parts[0], names=names, edges=self.edges, counts=counts[None])
