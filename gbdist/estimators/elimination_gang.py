"""The gang that looks which columns a model needs least (``gbdist.elimination``), and what every rank of it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributed import Client

from gbdist.elimination.ranks import Eliminated, Question, eliminate
from gbdist.estimators.gang_run import gang_of, layouts_of
from gbdist.estimators.preparation.quantized import QuantizedSet, SetLayout, rows_of_rank
from gbdist.estimators.ranked_rows import RankedSets, ready_rows
from gbdist.estimators.setup import Setup
from gbdist.estimators.training_gang import GangOrder, TrainingGang
from gbdist.quantize.pairs import Pairs
from gbdist_cluster.gang import Member, RankContext


@dataclass(frozen=True, eq=False)
class LookSpec:
    """What every rank is told; ``layout`` and ``ranked`` are of the one data set that is looked at, ``threads`` None for all."""

    layout: SetLayout
    ranked: RankedSets | None
    question: Question
    threads: int | None


def eliminate_rank(context: RankContext) -> Eliminated | None:
    """One rank: put its rows together and look; rank 0 returns the answer."""
    spec: LookSpec = context.shared
    sets = rows_of_rank((spec.layout,), context.shards, context.rank)
    if spec.ranked is not None:
        pairs = context.shards[spec.layout.counts[context.rank] :]
        sets = ready_rows(sets, spec.ranked, pairs, context.collective)
    threads = context.threads if spec.threads is None else spec.threads
    found = eliminate(sets[0], spec.question, context.collective, threads, context.check_cancelled)
    return found if context.rank == 0 else None


class EliminationGang(TrainingGang):
    """A gang that grows nothing: if workers leave, the next one looks from the beginning."""

    def __init__(
        self, client: Client, data: QuantizedSet, setup: Setup, pairs: Sequence[Pairs], question: Question
    ) -> None:
        super().__init__(client, [data], GangOrder(setup, None, False, pairs))
        self._setup, self._question = setup, question

    def _spec(self, speeds: Mapping[str, float] | None) -> tuple[list[Member], Any]:
        """See ``RunGang``."""
        threads = None if self._resolved.all_threads else self._resolved.params.threads
        (layout,) = layouts_of(self._sets, self._setup)
        return self._with_pairs(gang_of(self._sets)), LookSpec(layout, self._setup.ranked, self._question, threads)


def eliminate_on_gang(
    client: Client, data: QuantizedSet, number: int, setup: Setup, pairs: Sequence[Pairs], question: Question
) -> Eliminated:
    """Ask the workers that hold a data set, the ``number``-th of those that ``setup`` is about; ``pairs`` are its own, if any."""
    found: Eliminated = EliminationGang(client, data, setup_of_set(setup, number), pairs, question).run(eliminate_rank)
    return found


def setup_of_set(setup: Setup, number: int) -> Setup:
    """What is known of one data set alone."""
    ranked = setup.ranked
    if ranked is not None:
        one = slice(number, number + 1)
        ranked = RankedSets(ranked.numbered[one], ranked.group_weighted[one], ranked.paired[one])
    return replace(setup, label_of_code=(setup.label_of_code[number],), ranked=ranked, rows=(setup.rows[number],))
