"""Counts of categories over all ranks: how often each class was met before each run of rows, and in all.

Any number of projections is counted together, the categories of one after those of another. Where there are few rows, each rank
tells all others of its categories: one round. Otherwise every category has one rank that owns it, by its key; ranks send their
counts to the owners and get back what they need: two rounds, and no rank holds all categories. Counts are integers, so sums do
not depend on who adds them up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.categories.coding import keys_of, slots_for
from gbdist.categories.limit import beyond_limits
from gbdist.categories.message import Reader, write
from gbdist.categories.order import Passes
from gbdist.kernels.cpu_categories import (
    add_counts,
    describe_counts,
    match_labels,
    put_counts,
    sum_counts,
    take_counts,
)

#: Rows that the others may have at most, times their number, for all ranks to hear of all categories.
_FEW_ROWS = 1 << 18


@dataclass(frozen=True, eq=False)
class Labels:
    """By what ranks know the categories of a projection: keys, uint64 [n], or bits of ``places``, uint64 [places / 64]."""

    values: NDArray[np.uint64]
    places: int | None = None

    def length(self, n_categories: int) -> int:
        """How many there are for so many categories of another rank."""
        return n_categories if self.places is None else self.values.shape[0]

    def keys(self, n_categories: int) -> NDArray[np.uint64]:
        """Keys of all categories."""
        return self.values if self.places is None else keys_of(self.values, n_categories)


@dataclass(frozen=True, eq=False)
class Counted:
    """What one rank counted of some projections.

    Parameters
    ----------
    labels : tuple of Labels
        Of each projection's categories; of places all ranks have the same number.
    edges : int64 [n_projections + 1]
        Categories ``edges[i] … edges[i + 1] − 1`` are those of projection i.
    counts : int32 [n_own_runs, n_categories, n_classes]
    limits : tuple of (int or None)
        How many categories of each projection are told apart: the most frequent ones, of equals those of lower keys. None: all;
        labels are keys otherwise.
    n_trained : int
        How many of the classes, the first ones, are those of training rows.
    """

    labels: tuple[Labels, ...]
    edges: NDArray[np.int64]
    counts: NDArray[np.int32]
    limits: tuple[int | None, ...]
    n_trained: int

    def with_keys(self) -> "Counted":
        """The same with keys for labels."""
        sizes = np.diff(self.edges).tolist()
        keys = tuple(Labels(one.keys(size)) for one, size in zip(self.labels, sizes, strict=True))
        return Counted(keys, self.edges, self.counts, self.limits, self.n_trained)

    def some(self, which: NDArray[np.int64]) -> "Counted":
        """Some of the categories, by ascending numbers; labels must be keys."""
        edges = np.searchsorted(which, self.edges)
        labels = tuple(
            Labels(one.values[which[start:stop] - first])
            for one, first, (start, stop) in zip(self.labels, self.edges, pairwise(edges.tolist()), strict=False)
        )
        counts = np.empty((self.counts.shape[0], which.shape[0], self.counts.shape[2]), np.int32)
        for of_run, out in zip(self.counts, counts, strict=True):
            take_counts(of_run, which, out)
        return Counted(labels, edges, counts, self.limits, self.n_trained)


@dataclass(frozen=True, eq=False)
class Answer:
    """What all ranks counted, for the categories of one rank.

    Parameters
    ----------
    earlier : int32 [n_visits, n_own_runs, n_categories, n_classes]
        Rows of the runs that a permutation visits before.
    totals : int32 [n_categories, n_classes]
    facts : int64 [n_projections, 3]
        How many different categories the training rows of all ranks have; how many with the rows of eval sets, if these are
        counted; rows of the most frequent one, counted alike.
    dropped : bool [n_categories] or None
        Categories beyond the limits: they count as never met, before and in all. None without limits.
    """

    earlier: NDArray[np.int32]
    totals: NDArray[np.int32]
    facts: NDArray[np.int64]
    dropped: NDArray[np.bool_] | None = None


def add_up(counted: Counted, passes: Passes, n_rows: int, collective: Collective) -> Answer:
    """Add up counts over the ranks, which have so many rows together; the same projections on every rank."""
    if n_rows * (collective.size - 1) <= _FEW_ROWS:
        return _tell_all(counted, passes, collective)
    return _ask_owners(counted, passes, collective)


def _tell_all(counted: Counted, passes: Passes, collective: Collective) -> Answer:
    parts = [counted]
    if collective.size > 1:
        told = collective.all_gather(_message(counted))
        parts = [_read(Reader(data), len(passes.runs_of(rank)), counted) for rank, data in enumerate(told)]
        parts[collective.rank] = counted
    return _Sums(parts, passes, [collective.rank], SingleRank()).answer(collective.rank)


def _ask_owners(counted: Counted, passes: Passes, collective: Collective) -> Answer:
    keyed = counted.with_keys()
    owned = _by_owner(keyed, collective.size)
    ranks = range(collective.size)
    parts = _told(keyed, owned, [len(passes.runs_of(rank)) for rank in ranks], collective)
    sums = _Sums(parts, passes, ranks, collective)
    replies = collective.all_to_all([_reply(sums.answer(rank)) for rank in ranks])
    n_runs, n_categories, n_classes = counted.counts.shape
    earlier = np.empty((len(passes.visits), n_runs, n_categories, n_classes), np.int32)
    totals = np.empty((n_categories, n_classes), np.int32)
    dropped = np.empty(n_categories, np.bool_) if _are_limited(counted) else None
    facts = np.zeros((len(counted.limits), 3), np.int64)
    for which, data in zip(owned, replies, strict=True):
        reader = Reader(data)
        of_owner = np.array(reader.numbers, np.int64).reshape(facts.shape)
        facts[:, :2] += of_owner[:, :2]
        facts[:, 2] = np.maximum(facts[:, 2], of_owner[:, 2])
        for of_visit in earlier:
            for before in of_visit:
                put_counts(reader.counts((which.shape[0], n_classes)), which, before)
        put_counts(reader.counts((which.shape[0], n_classes)), which, totals)
        if dropped is not None:
            dropped[which] = reader.counts(which.shape) > 0
    return Answer(earlier, totals, _within(facts, counted), dropped)


def gather_totals(counted: Counted, collective: Collective) -> Counted | None:
    """Counts of all ranks in one run, keys of a projection ascending; on rank 0, to which owners send their shares, else None.

    Labels must be keys.
    """
    totals = counted.counts.sum(axis=0, keepdims=True, dtype=np.int32)
    whole = Counted(counted.labels, counted.edges, totals, counted.limits, counted.n_trained)
    told = _told(whole, _by_owner(whole, collective.size), [1] * collective.size, collective)
    share = _Union(told).summed(collective)
    arrived = collective.all_to_all([_message(share), *([b""] * (collective.size - 1))])
    if collective.rank != 0:
        return None
    return _Union([_read(Reader(data), 1, whole) for data in arrived]).sorted()


def agree_on_numbers(
    keys: Sequence[NDArray[np.uint64]], collective: Collective
) -> list[tuple[NDArray[np.uint32], int]]:
    """Numbers of keys of several columns that are the same on all ranks, uint32 like each of them; and how many there are.

    Each owner numbers its own, after those of the owners before it.
    """
    edges, limits = np.cumsum([0, *(each.shape[0] for each in keys)]), (None,) * len(keys)
    named = Counted(tuple(map(Labels, keys)), edges, np.empty((0, int(edges[-1]), 1), np.int32), limits, 1)
    owned = _by_owner(named, collective.size)
    union = _Union(_told(named, owned, [0] * collective.size, collective))
    sizes = np.frombuffer(b"".join(collective.all_gather(np.diff(union.edges).tobytes())), np.int64)
    sizes = sizes.reshape(collective.size, len(keys))
    shift = sizes[: collective.rank].sum(axis=0) - union.edges[:-1]
    answers = []
    for part, codes in zip(union.parts, union.codes, strict=True):
        answers.append((codes + np.repeat(shift, np.diff(part.edges))).astype(np.uint32).tobytes())
    numbers = np.empty(int(edges[-1]), np.uint32)
    for which, data in zip(owned, collective.all_to_all(answers), strict=True):
        numbers[which] = np.frombuffer(data, np.uint32)
    totals = sizes.sum(axis=0).tolist()
    return [(numbers[start:stop], size) for (start, stop), size in zip(pairwise(edges.tolist()), totals, strict=True)]


def _by_owner(counted: Counted, n_owners: int) -> list[NDArray[np.int64]]:
    """Which categories each rank owns, ascending, by their keys."""
    keys = np.concatenate([np.empty(0, np.uint64), *(labels.values for labels in counted.labels)])
    owner = (keys >> np.uint64(32)) % np.uint64(n_owners)
    return [np.flatnonzero(owner == np.uint64(rank)) for rank in range(n_owners)]


def _told(
    counted: Counted, owned: Sequence[NDArray[np.int64]], n_runs: Sequence[int], collective: Collective
) -> list[Counted]:
    """What each rank, of so many runs, counted of the categories that this rank owns."""
    told = collective.all_to_all([_message(counted.some(which)) for which in owned])
    return [_read(Reader(data), runs, counted) for data, runs in zip(told, n_runs, strict=True)]


def _message(counted: Counted) -> bytes:
    labels = np.concatenate([np.empty(0, np.uint64), *(one.values for one in counted.labels)])
    return write(counted.edges.tolist(), labels, [counted.counts])


def _read(reader: Reader, n_runs: int, like: Counted) -> Counted:
    edges = np.array(reader.numbers, np.int64)
    lengths = [one.length(size) for one, size in zip(like.labels, np.diff(edges).tolist(), strict=True)]
    values = np.split(reader.keys, np.cumsum(lengths)[:-1])
    labels = tuple(Labels(each, one.places) for each, one in zip(values, like.labels, strict=False))
    counts = reader.counts((n_runs, int(edges[-1]), like.counts.shape[2]))
    return Counted(labels, edges, counts, like.limits, like.n_trained)


def _reply(answer: Answer) -> bytes:
    dropped = [] if answer.dropped is None else [answer.dropped.astype(np.int32)]
    return write(answer.facts.ravel().tolist(), np.empty(0, np.uint64), [answer.earlier, answer.totals, *dropped])


def _are_limited(counted: Counted) -> bool:
    return any(limit is not None for limit in counted.limits)


def _within(facts: NDArray[np.int64], counted: Counted) -> NDArray[np.int64]:
    """Facts with no more categories than are told apart."""
    most = np.array([np.iinfo(np.int64).max if limit is None else limit for limit in counted.limits], np.int64)
    return np.column_stack([np.minimum(facts[:, :2], most[:, None]), facts[:, 2]])


class _Union:
    """The different categories that some ranks named, those of one projection after those of another.

    ``codes`` are uint32 [n_categories] of each part, their numbers here; ``edges`` as in ``Counted``.
    """

    def __init__(self, parts: Sequence[Counted]) -> None:
        self.parts, n_projections = parts, len(parts[0].labels)
        if len(parts) == 1:
            self.codes = [np.arange(parts[0].edges[-1], dtype=np.uint32)]
            self.edges = parts[0].edges
            return
        labels = [one.values for part in parts for one in part.labels]
        lengths = np.array([len(each) for each in labels]).reshape(len(parts), n_projections)
        sizes = np.array([part.edges[-1] for part in parts])
        starts = np.cumsum([0, *sizes.tolist()])
        edges = np.zeros((2, len(parts), n_projections + 1), np.int64)
        edges[0, :, 1:] = np.cumsum(lengths, axis=1)
        edges[0] += np.cumsum([0, *lengths.sum(axis=1)[:-1].tolist()])[:, None]
        edges[1] = np.stack([part.edges for part in parts]) + starts[:-1, None]
        are_places = np.array([one.places is not None for one in parts[0].labels], np.bool_)
        codes, self.edges = np.empty(int(starts[-1]), np.uint32), np.zeros(n_projections + 1, np.int64)
        slots = slots_for(int(lengths.sum(axis=0).max(initial=0)))
        joined = np.concatenate([np.empty(0, np.uint64), *labels])
        match_labels(joined, (edges[0], edges[1]), are_places, slots, codes, self.edges)
        self.codes = [codes[start:stop] for start, stop in pairwise(starts)]

    def keys(self, number: int) -> NDArray[np.uint64]:
        """Keys of a projection's categories, uint64 [n]; labels must be keys."""
        first, stop = self.edges[number : number + 2].tolist()
        keys = np.empty(stop - first, np.uint64)
        for part, codes in zip(self.parts, self.codes, strict=True):
            keys[codes[part.edges[number] : part.edges[number + 1]] - np.uint32(first)] = part.labels[number].values
        return keys

    def empty_counts(self) -> NDArray[np.int32]:
        """No rows of any category, int32 [n_categories, n_classes]."""
        return np.zeros((int(self.edges[-1]), self.parts[0].counts.shape[2]), np.int32)

    def dropped(self, totals: NDArray[np.int32], collective: Collective) -> NDArray[np.bool_] | None:
        """Which ones are beyond a limit, bool [n_categories]; None without one. The other ranks own other categories."""
        first = self.parts[0]
        if not _are_limited(first):
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
        labels = []
        for one, (start, stop) in zip(whole.labels, pairwise(self.edges.tolist()), strict=True):
            order = np.argsort(one.values)
            labels.append(Labels(one.values[order]))
            counts[start:stop] = counts[start:stop][order]
        return replace(whole, labels=tuple(labels), counts=counts[None])

    def _as_one(self, counts: NDArray[np.int32]) -> Counted:
        """Them in one part and one run."""
        first = self.parts[0]
        labels = tuple(Labels(self.keys(number)) for number in range(len(first.labels)))
        return Counted(labels, self.edges, counts[None], first.limits, first.n_trained)


class _Sums:
    """What the ranks counted, added up in the order of each permutation, for the categories that some of them name.

    ``collective`` are those who own other categories, which may be nobody.
    """

    def __init__(
        self, parts: Sequence[Counted], passes: Passes, answered: Sequence[int], collective: Collective
    ) -> None:
        self._union = _Union(parts)
        n_visits = len(passes.visits)
        self._earlier = {rank: np.empty((n_visits, *parts[rank].counts.shape), np.int32) for rank in answered}
        self._totals = self._union.empty_counts()
        for number, visit in enumerate(passes.visits):
            self._totals.fill(0)  # all visits end with the same counts
            for run in (passes.runs[i] for i in visit.runs):
                counts, codes = parts[run.rank].counts[run.place], self._union.codes[run.rank]
                if run.rank in self._earlier:
                    add_counts(counts, codes, self._earlier[run.rank][number, run.place], self._totals)
                else:
                    sum_counts(counts, codes, self._totals)
        self._facts = np.empty((len(parts[0].limits), 3), np.int64)
        describe_counts(self._totals, self._union.edges, parts[0].n_trained, self._facts)
        self._dropped = self._union.dropped(self._totals, collective)
        if self._dropped is not None:
            self._totals[self._dropped] = 0

    def answer(self, rank: int) -> Answer:
        """The answer to a rank, of the categories that it named."""
        counted, codes, earlier = self._union.parts[rank], self._union.codes[rank], self._earlier[rank]
        totals = self._totals if len(self._union.parts) == 1 else np.take(self._totals, codes, axis=0)
        facts = _within(self._facts, counted)
        if self._dropped is None:
            return Answer(earlier, totals, facts)
        dropped = self._dropped[codes]
        earlier[:, :, dropped] = 0
        return Answer(earlier, totals, facts, dropped)
