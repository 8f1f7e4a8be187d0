"""Counts of categories over all ranks: how often each class was met before each run of rows, and in all.

Any number of projections is counted together, the categories of one after those of another. Where there are few rows, each rank
tells all others of its categories: one round. Otherwise every category has one rank that owns it, by its key; ranks send their
counts to the owners and get back what they need: two rounds, and no rank holds all categories. Counts are integers, so sums do
not depend on who adds them up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.boosting.crew import Crew
from gbdist.categories.coding import Names
from gbdist.categories.message import Reader, write
from gbdist.categories.named import Counted, Union, are_limited, message_of, read_message
from gbdist.categories.order import Passes
from gbdist.kernels.cpu_categories import put_counts, sum_counts

#: Rows of all ranks, times how many others each has, up to which all hear of all categories.
_FEW_ROWS = 1 << 18
#: Adds up what ranks told each other.
_HOST = Crew(1)


@dataclass(frozen=True, eq=False)
class Answer:
    """What all ranks counted, for the categories of one rank; arrays of categories lie where the crew counted.

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

    earlier: Any
    totals: Any
    facts: NDArray[np.int64]
    dropped: Any = None

    def loaded(self, crew: Crew) -> "Answer":
        """The same where a crew works."""
        dropped = None if self.dropped is None else crew.load(self.dropped)
        return replace(self, earlier=crew.load(self.earlier), totals=crew.load(self.totals), dropped=dropped)


def add_up(counted: Counted, passes: Passes, n_rows: int, collective: Collective, crew: Crew) -> Answer:
    """Add up counts over the ranks, which have so many rows together; the same projections on every rank.

    The crew counted them, and is to have the answer. What one rank counted stays where it is, unless categories are limited.
    """
    if collective.size == 1 and not are_limited(counted):
        return _Sums([counted], passes, [0], SingleRank(), crew).answer(0)
    here = counted.fetched(crew)
    tells_all = n_rows * (collective.size - 1) <= _FEW_ROWS
    answer = _tell_all(here, passes, collective) if tells_all else _ask_owners(here, passes, collective)
    return answer.loaded(crew)


def _tell_all(counted: Counted, passes: Passes, collective: Collective) -> Answer:
    parts = [counted]
    if collective.size > 1:
        told = collective.all_gather(message_of(counted))
        parts = [
            counted if rank == collective.rank else read_message(data, len(passes.runs_of(rank)), counted)
            for rank, data in enumerate(told)
        ]
    return _Sums(parts, passes, [collective.rank], SingleRank(), _HOST).answer(collective.rank)


def _ask_owners(counted: Counted, passes: Passes, collective: Collective) -> Answer:
    keyed = counted.with_keys()
    owned = _by_owner(keyed, collective.size)
    ranks = range(collective.size)
    parts = _told(keyed, owned, [len(passes.runs_of(rank)) for rank in ranks], collective)
    sums = _Sums(parts, passes, ranks, collective, _HOST)
    replies = collective.all_to_all([_reply(sums.answer(rank)) for rank in ranks])
    n_runs, n_categories, n_classes = counted.counts.shape
    earlier = np.empty((len(passes.visits), n_runs, n_categories, n_classes), np.int32)
    totals = np.empty((n_categories, n_classes), np.int32)
    dropped = np.empty(n_categories, np.bool_) if are_limited(counted) else None
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

    Names must be keys.
    """
    totals = counted.counts.sum(axis=0, keepdims=True, dtype=np.int32)
    whole = replace(counted, counts=totals)
    told = _told(whole, _by_owner(whole, collective.size), [1] * collective.size, collective)
    share = Union(told).summed(collective)
    arrived = collective.all_to_all([message_of(share), *([b""] * (collective.size - 1))])
    if collective.rank != 0:
        return None
    return Union([read_message(data, 1, whole) for data in arrived]).sorted()


def agree_on_numbers(
    keys: Sequence[NDArray[np.uint64]], collective: Collective
) -> list[tuple[NDArray[np.uint32], int]]:
    """Numbers of keys of several columns that are the same on all ranks, uint32 like each of them; and how many there are.

    Each owner numbers its own, after those of the owners before it.
    """
    edges, limits = np.cumsum([0, *(each.shape[0] for each in keys)]), (None,) * len(keys)
    named = Counted(tuple(map(Names, keys)), edges, np.empty((0, int(edges[-1]), 1), np.int32), limits, 1)
    owned = _by_owner(named, collective.size)
    union = Union(_told(named, owned, [0] * collective.size, collective))
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
    owner = (counted.joined_names() >> np.uint64(32)) % np.uint64(n_owners)
    return [np.flatnonzero(owner == np.uint64(rank)) for rank in range(n_owners)]


def _told(
    counted: Counted, owned: Sequence[NDArray[np.int64]], n_runs: Sequence[int], collective: Collective
) -> list[Counted]:
    """What each rank, of so many runs, counted of the categories that this rank owns."""
    told = collective.all_to_all([message_of(counted.some(which)) for which in owned])
    return [read_message(data, runs, counted) for data, runs in zip(told, n_runs, strict=True)]


def _reply(answer: Answer) -> bytes:
    dropped = [] if answer.dropped is None else [answer.dropped.astype(np.int32)]
    return write(answer.facts.ravel().tolist(), np.empty(0, np.uint64), [answer.earlier, answer.totals, *dropped])


def _within(facts: NDArray[np.int64], counted: Counted) -> NDArray[np.int64]:
    """Facts with no more categories than are told apart."""
    most = np.array([np.iinfo(np.int64).max if limit is None else limit for limit in counted.limits], np.int64)
    return np.column_stack([np.minimum(facts[:, :2], most[:, None]), facts[:, 2]])


class _Sums:
    """What the ranks counted, added up in the order of each permutation, for the categories that some of them name.

    ``collective`` are those who own other categories, which may be nobody. Counts lie where the crew works: in the host's memory
    if there are several parts, or limits.
    """

    def __init__(
        self, parts: Sequence[Counted], passes: Passes, answered: Sequence[int], collective: Collective, crew: Crew
    ) -> None:
        self._union = Union(parts)
        n_visits = len(passes.visits)
        self._earlier = {rank: crew.empty((n_visits, *parts[rank].counts.shape), np.int32) for rank in answered}
        self._totals = crew.empty((int(self._union.edges[-1]), parts[0].counts.shape[2]), np.int32)
        codes_of = [crew.load(codes) for codes in self._union.codes]
        for number, visit in enumerate(passes.visits):
            crew.clear(self._totals)  # all visits end with the same counts
            for run in (passes.runs[i] for i in visit.runs):
                counts, codes = parts[run.rank].counts[run.place], codes_of[run.rank]
                if run.rank in self._earlier:
                    crew.kernels.add_counts(counts, codes, self._earlier[run.rank][number, run.place], self._totals)
                else:
                    sum_counts(counts, codes, self._totals)
        self._facts = np.empty((len(parts[0].limits), 3), np.int64)
        crew.kernels.describe_counts(self._totals, self._union.edges, parts[0].n_trained, self._facts)
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
