"""Counts of categories over all ranks: how often each class was met before each run of rows, and in all.

Every category has one rank that owns it, by its key. Ranks send their categories' counts to the owners, and get back what they
need: two rounds for any number of projections. No rank holds all categories. Counts are integers, so sums do not depend on who
adds them up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.categories.coding import coding_of
from gbdist.categories.limit import beyond_limits
from gbdist.categories.message import Reader, write
from gbdist.categories.order import RowOrder, Visit
from gbdist.kernels.cpu_categories import add_counts, describe_counts


@dataclass(frozen=True, eq=False)
class Counted:
    """What one rank counted of a projection.

    Parameters
    ----------
    keys : uint64 [n_categories]
        By which ranks know the categories.
    counts : int32 [n_own_runs, n_categories, n_classes]
    edges : tuple of int
        Categories ``edges[r] … edges[r + 1] − 1`` are those that rank r owns.
    limit : int or None
        How many categories are told apart: the most frequent ones, of equals those of lower keys. None for all.
    n_trained : int or None
        How many of the classes, the first ones, are those of training rows; None: all.
    """

    keys: NDArray[np.uint64]
    counts: NDArray[np.int32]
    edges: tuple[int, ...]
    limit: int | None = None
    n_trained: int | None = None

    def owned_by(self, rank: int) -> slice:
        """The categories that a rank owns."""
        return slice(self.edges[rank], self.edges[rank + 1])


@dataclass(frozen=True, eq=False)
class Answer:
    """What all ranks counted of it, for the categories of one rank.

    Parameters
    ----------
    earlier : int32 [n_visits, n_own_runs, n_categories, n_classes]
        Rows of the runs that a permutation visits before.
    totals : int32 [n_categories, n_classes]
    n_categories : int
        How many different ones the training rows of all ranks have.
    n_counted : int
        The same with the rows of eval sets, if these are counted.
    largest : int
        Rows of the most frequent one, counted alike.
    dropped : bool [n_categories] or None
        Categories beyond the limit: they count as never met, before and in all. None without a limit.
    """

    earlier: NDArray[np.int32]
    totals: NDArray[np.int32]
    n_categories: int
    n_counted: int
    largest: int
    dropped: NDArray[np.bool_] | None = None

    def n_of(self, kind: str) -> int:
        """How many categories a kind of statistic knows."""
        return self.n_counted if kind == "Counter" else self.n_categories

    def limited_to(self, limit: int | None) -> "Answer":
        """No more categories than are told apart."""
        if limit is None:
            return self
        return replace(self, n_categories=min(self.n_categories, limit), n_counted=min(self.n_counted, limit))


def add_up(
    counted: Sequence[Counted], visits: Sequence[Visit], order: RowOrder, collective: Collective
) -> list[Answer]:
    """Add up the counts of several projections over the ranks; the same projections on every rank."""
    n_runs = [len(order.runs_of(rank)) for rank in range(collective.size)]
    parts = [[one] for one in counted] if collective.size == 1 else _told_to_owners(counted, n_runs, collective)
    owned = [_numbered(of_projection) for of_projection in parts]
    dropped = _dropped(parts, owned, collective)
    merged = [_merge(*each, visits, order) for each in zip(parts, owned, dropped, strict=True)]
    if collective.size == 1:
        answers = [of_projection[0] for of_projection in merged]
    else:
        replies = [_reply([answers[rank] for answers in merged]) for rank in range(collective.size)]
        readers = [Reader(data) for data in collective.all_to_all(replies)]
        answers = [_put_together(readers, number, len(visits), one) for number, one in enumerate(counted)]
    return [answer.limited_to(one.limit) for answer, one in zip(answers, counted, strict=True)]


def totals_by_owner(counted: Counted, collective: Collective) -> Counted:
    """The categories of a projection that this rank owns, keys ascending, with the counts of all ranks in one run."""
    (parts,) = _told_to_owners([counted], [1] * collective.size, collective)
    owned = _numbered(parts)
    (dropped,) = _dropped([parts], [owned], collective)
    keys, totals = owned.keys(parts), _totals(parts, owned)
    if dropped is not None:
        keys, totals = keys[~dropped], totals[~dropped]
    ascending = np.argsort(keys)
    return Counted(keys[ascending], totals[ascending][None], (0, keys.shape[0]))


def gathered(share: Counted, collective: Collective) -> Counted | None:
    """The shares of all owners in one run, by ascending key, on rank 0; None on the others."""
    arrived = collective.all_to_all([_question([share], 0), *([b""] * (collective.size - 1))])
    if collective.rank != 0:
        return None
    parts = [_read(Reader(data), 1, [share])[0] for data in arrived]
    keys = np.concatenate([part.keys for part in parts])
    ascending = np.argsort(keys)
    counts = np.concatenate([part.counts for part in parts], axis=1)[:, ascending]
    return Counted(keys[ascending], counts, (0, keys.shape[0]))


@dataclass(frozen=True, eq=False)
class _Owned:
    """The categories of a projection that a rank owns: by rank, number of each that the rank named; and how many there are."""

    codes: list[NDArray[np.uint32]]
    count: int

    def keys(self, parts: Sequence[Counted]) -> NDArray[np.uint64]:
        """Their keys, uint64 [count], of what ranks named."""
        keys = np.empty(self.count, np.uint64)
        for part, mine in zip(parts, self.codes, strict=True):
            keys[mine] = part.keys
        return keys


def _numbered(parts: Sequence[Counted]) -> _Owned:
    """Number the categories that ranks named."""
    if len(parts) == 1:
        count = parts[0].keys.shape[0]
        return _Owned([np.arange(count, dtype=np.uint32)], count)
    keys = np.concatenate([part.keys for part in parts])
    coding = coding_of(keys, np.zeros(keys.shape[0], np.uint32))
    edges = np.cumsum([part.keys.shape[0] for part in parts])[:-1]
    return _Owned(np.split(coding.codes, edges), coding.n_categories)


def _totals(parts: Sequence[Counted], owned: _Owned) -> NDArray[np.int32]:
    """Counts of all runs of all ranks, int32 [count, n_classes]."""
    totals = np.zeros((owned.count, parts[0].counts.shape[2]), np.int32)
    for part, mine in zip(parts, owned.codes, strict=True):
        for of_run in part.counts:
            add_counts(of_run, mine, np.empty_like(of_run), totals)
    return totals


def _dropped(
    parts: Sequence[Sequence[Counted]], owned: Sequence[_Owned], collective: Collective
) -> list[NDArray[np.bool_] | None]:
    """Which of the owned categories are beyond a limit, by projection; None without one."""
    limited = [number for number, of_ranks in enumerate(parts) if of_ranks[0].limit is not None]
    found: list[NDArray[np.bool_] | None] = [None] * len(parts)
    asked = [(owned[i].keys(parts[i]), _totals(parts[i], owned[i]).sum(axis=1), parts[i][0].limit) for i in limited]
    for number, dropped in zip(limited, beyond_limits(asked, collective), strict=True):
        found[number] = dropped
    return found


def _told_to_owners(counted: Sequence[Counted], n_runs: Sequence[int], collective: Collective) -> list[list[Counted]]:
    """What each rank counted of the categories that this rank owns: by projection and rank."""
    arrived = collective.all_to_all([_question(counted, rank) for rank in range(collective.size)])
    told = [_read(Reader(data), n_runs[rank], counted) for rank, data in enumerate(arrived)]
    return [[of_rank[number] for of_rank in told] for number in range(len(counted))]


def _question(counted: Sequence[Counted], owner: int) -> bytes:
    mine = [one.owned_by(owner) for one in counted]
    keys = [one.keys[some] for one, some in zip(counted, mine, strict=True)]
    return write([], keys, [one.counts[:, some] for one, some in zip(counted, mine, strict=True)])


def _read(reader: Reader, n_runs: int, like: Sequence[Counted]) -> list[Counted]:
    found = []
    for keys, one in zip(reader.keys, like, strict=True):
        counts = reader.counts((n_runs, keys.shape[0], one.counts.shape[2]))
        found.append(Counted(keys, counts, (0, keys.shape[0]), one.limit, one.n_trained))
    return found


def _reply(answers: Sequence[Answer]) -> bytes:
    numbers = [number for answer in answers for number in (answer.n_categories, answer.n_counted, answer.largest)]
    counts: list[NDArray[np.int32]] = []
    for answer in answers:
        counts += [answer.earlier, answer.totals]
        counts += [] if answer.dropped is None else [answer.dropped.astype(np.int32)]
    return write(numbers, [], counts)


def _put_together(readers: Sequence[Reader], number: int, n_visits: int, counted: Counted) -> Answer:
    """The answers of all owners about a projection, in the order in which this rank numbers its categories."""
    n_runs, n_categories, n_classes = counted.counts.shape
    earlier = np.empty((n_visits, n_runs, n_categories, n_classes), np.int32)
    totals = np.empty((n_categories, n_classes), np.int32)
    dropped = None if counted.limit is None else np.empty(n_categories, np.bool_)
    trained, known, largest = 0, 0, 0
    for rank, reader in enumerate(readers):
        mine = counted.owned_by(rank)
        count = mine.stop - mine.start
        facts = reader.numbers[3 * number : 3 * number + 3]
        trained, known, largest = trained + facts[0], known + facts[1], max(largest, facts[2])
        earlier[:, :, mine] = reader.counts((n_visits, n_runs, count, n_classes))
        totals[mine] = reader.counts((count, n_classes))
        if dropped is not None:
            dropped[mine] = reader.counts((count,)) > 0
    return Answer(earlier, totals, trained, known, largest, dropped)


def _merge(
    parts: Sequence[Counted],
    owned: _Owned,
    dropped: NDArray[np.bool_] | None,
    visits: Sequence[Visit],
    order: RowOrder,
) -> list[Answer]:
    """The answer to each rank, of the categories that it named."""
    earlier = [np.empty((len(visits), *part.counts.shape), np.int32) for part in parts]
    so_far = np.empty((owned.count, parts[0].counts.shape[2]), np.int32)
    for number, visit in enumerate(visits):
        so_far.fill(0)
        for run in (order.runs[i] for i in visit.runs):
            before = earlier[run.rank][number, run.place]
            add_counts(parts[run.rank].counts[run.place], owned.codes[run.rank], before, so_far)
    known, largest = describe_counts(so_far, np.empty(owned.count, np.int32))  # all visits end with the same counts
    n_trained = parts[0].n_trained
    trained = known if n_trained is None else int(so_far[:, :n_trained].any(axis=1).sum())
    if dropped is not None:
        so_far[dropped] = 0
    answers = []
    for before, mine in zip(earlier, owned.codes, strict=True):
        out = None if dropped is None else dropped[mine]
        if out is not None:
            before[:, :, out] = 0
        totals = so_far if len(parts) == 1 else np.take(so_far, mine, axis=0)
        answers.append(Answer(before, totals, trained, known, largest, out))
    return answers
