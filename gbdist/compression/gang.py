"""The gang that works on a part of the rows (``work``): what every rank of it runs, and what the client hears."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from distributed import Client
from numpy.typing import NDArray

from gbdist.boosting.events import Event, IterationDone
from gbdist.boosting.rows import Rows
from gbdist.compression.passes.base import PassData
from gbdist.compression.passes.columns import columns_of, rows_on_columns
from gbdist.compression.passes.memo import Memo
from gbdist.compression.work import Course, Work
from gbdist.counted import PASSES
from gbdist.elimination.losses import Measure
from gbdist.estimators.gang_run import gang_of, label_layouts
from gbdist.estimators.memory import kept_memory
from gbdist.estimators.needs import RunShape
from gbdist.estimators.on_board import BoardListener
from gbdist.estimators.preparation.quantized import QuantizedSet, SetLayout, shards_of_rank
from gbdist.estimators.preparation.shard import Arena
from gbdist.estimators.run_gang import Audience, RunFacts, RunGang
from gbdist.models.ensemble import Ensemble
from gbdist_cluster.gang import Member, RankContext
from gbdist_cluster.monitor.reporting import RankPlace


@dataclass(frozen=True, eq=False)
class _Known:
    """Rows of a rank and what passes know of them, with the arenas that they were made of; it holds none of these."""

    arenas: list[ref[Arena]]
    rows: Rows
    memo: Memo


#: Of the ranks of this process, by the first arena: it goes with the shards, when the client lets go of them.
_known: WeakKeyDictionary[Arena, _Known] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Subject:
    """What all work of a compression is about.

    Parameters
    ----------
    ensemble : the model as it was given, without trees: rows lie in the bins of its features
    measure : of its loss
    seed : of all that is random
    """

    ensemble: Ensemble
    measure: Measure
    seed: int


@dataclass(frozen=True, eq=False)
class WorkSpec:
    """What every rank is told; ``layout`` is of the one part that is worked on; they report under ``place``, if any."""

    layout: SetLayout
    subject: Subject
    work: Work[Any]
    place: RankPlace | None


def work_rank(context: RankContext) -> Any:
    """One rank: put its rows together and do the work; rank 0 returns the answer."""
    spec: WorkSpec = context.shared
    subject = spec.subject
    rows, memo = _rows_of(context, spec)
    data = PassData(
        rows=rows,
        columns=columns_of(subject.ensemble),
        collective=context.collective,
        measure=subject.measure,
        seed=subject.seed,
        threads=context.threads,
        memo=memo,
        check=context.check_cancelled,
    )
    board = None if spec.place is None else BoardListener(spec.place, context)

    def hear(event: Event) -> None:
        if board is not None:
            board.hear(event)
        if context.rank == 0:
            context.emit(event)

    with kept_memory():
        found = spec.work.on_rank(data, Course(hear, context.leave, context.left))
    return found if context.rank == 0 else None


def _rows_of(context: RankContext, spec: WorkSpec) -> tuple[Rows, Memo]:
    """The rank's rows on all columns, and what passes know of them: those of the work before, if it has the same shards still."""
    (shards,) = shards_of_rank((spec.layout,), context.shards, context.rank)
    arenas = [ref(shard.arena) for shard in shards]
    if not arenas:
        return rows_on_columns(spec.subject.ensemble, spec.layout.rows_of(shards)), Memo()
    first = shards[0].arena
    known = _known.get(first)
    if known is None or known.arenas != arenas:
        rows = rows_on_columns(spec.subject.ensemble, spec.layout.rows_of(shards))
        known = _known[first] = _Known(arenas, rows, Memo())
    return known.rows, known.memo


class CompressionGang(RunGang):
    """A gang that does one piece of work; when workers leave, the next one goes on after the last step that any rank has kept."""

    def __init__(
        self,
        client: Client,
        data: QuantizedSet,
        label_of_code: NDArray[np.float32] | None,
        class_weights: NDArray[np.float64] | None,
        subject: Subject,
        work: Work[Any],
        audience: Audience,
    ) -> None:
        self._done = 0
        self._meanings, self._subject, self._work = (label_of_code, class_weights), subject, work
        facts = RunFacts(
            iterations=work.count,
            counted=PASSES,
            fruit="done a pass",
            timed=1,
            replay=0.0,
            task_type="CPU",
            devices=None,
            room=room_of(subject),
        )
        super().__init__(client, [data], facts, audience)

    @property
    def reached(self) -> tuple[int, int]:
        """See ``RunGang``."""
        return self._done, 0

    def pays(self, newcomers: Sequence[str]) -> bool:
        """Never: steps differ too much for what one took to say anything of the next."""
        return False

    @property
    def _kept(self) -> str:
        """See ``RunGang``."""
        return "The model stays as it was given; run the compression again once there are workers."

    def _take(self, message: Any) -> bool:
        """See ``RunGang``."""
        if isinstance(message, IterationDone):
            self._done = max(self._done, message.iteration + 1)
        return False

    def _spec(self, speeds: Mapping[str, float] | None) -> tuple[list[Member], WorkSpec]:
        """See ``RunGang``."""
        label_of_code, class_weights = self._meanings
        (layout,) = label_layouts(self._sets, [label_of_code], class_weights)
        place = self._audience.report.begin_epoch(self._sets[0].rows_by_worker, self.done)
        return gang_of(self._sets), WorkSpec(layout, self._subject, self._work, place)


def room_of(subject: Subject) -> RunShape:
    """What work takes beside the rows' values: predictions and derivatives, and all columns as bins beside those of numbers."""
    copies = 2 if len(subject.ensemble.features) > len(subject.ensemble.borders) else 1
    return RunShape(values=subject.ensemble.dimension, copies=copies)
