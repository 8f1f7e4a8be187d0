"""When ranks train, and when they meet.

"sync": all ranks meet after every round. "groups": neighbouring ranks do, and go on from what their group has merged; the groups
meet every ``group_rounds`` rounds, and wait for nobody outside between. "async": a rank trains ahead of the merge (``ahead.py``).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Protocol

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.boosting.population import survey_population
from gbdist.rounds.ahead import Ahead
from gbdist.rounds.merged import MergedModel
from gbdist.rounds.sets import RoundSet
from gbdist.rounds.spec import RoundsSpec
from gbdist.rounds.training import Grown, Trainer


class Schedule(Protocol):
    """What a rank does between two meetings of all ranks. The routine's thread calls both methods in turn."""

    def grow(self, number: int) -> Grown:
        """Train from round ``number`` on until the ranks meet; what this rank brings. Raises what the training raises."""
        ...

    def met(self, model: MergedModel) -> None:
        """The ranks have met, and this is their model now: go on from it, or from one's own."""
        ...


class Sync:
    """Every round ends with a meeting. With "best" all ranks go on from the merged model, else each from its own."""

    def __init__(self, trainer: Trainer, spec: RoundsSpec, wanted: Callable[[], bool]) -> None:
        self._trainer, self._spec, self._wanted = trainer, spec, wanted

    def grow(self, number: int) -> Grown:
        """Train one round."""
        return self._trainer.grow(number, self._wanted)

    def met(self, model: MergedModel) -> None:
        """Go on from the merged model, if it is the best one."""
        if self._spec.merge == "best":
            self._trainer.go_on_from(model.sets[0].predictions)


class Groups:
    """A group acts as one rank of "sync" does: it goes on from its own model, with "best" from that of all."""

    def __init__(self, trainer: Trainer, group: MergedModel, first: bool, spec: RoundsSpec, wanted: Callable[[], bool]):
        self._trainer, self._group, self._first = trainer, group, first
        self._spec, self._wanted = spec, wanted

    def grow(self, number: int) -> Grown:
        """Train and merge in the group; of what a group has chosen its first rank brings all."""
        every: list[Grown] = []
        models: list[bytes] = []
        for each in range(number, number + self._spec.rounds_to_meeting(number)):
            every.append(self._trainer.grow(each, self._wanted))
            (merged,) = self._group.merge(every[-1])
            self._trainer.go_on_from(self._group.sets[0].predictions)
            if self._spec.merge != "best":
                models += every[-1].models
            elif self._first:
                models += [model for model, _ in merged]
        return Grown(tuple(models), every[0].start)

    def met(self, model: MergedModel) -> None:
        """Go on from the merged model, if it is the best one."""
        if self._spec.merge == "best":
            self._group.go_on_from(model)
            self._trainer.go_on_from(model.sets[0].predictions)


def make_schedule(
    trainer: Trainer,
    sets: Sequence[RoundSet],
    spec: RoundsSpec,
    collective: Collective,
    crew: Crew,
    wanted: Callable[[], bool],
) -> AbstractContextManager[Schedule]:
    """The schedule that ``spec`` names; it runs as long as the context. ``sets`` are IN: groups have predictions of their own."""
    if spec.schedule == "async":
        return Ahead(trainer, spec, wanted)
    if spec.schedule == "sync":
        return nullcontext(Sync(trainer, spec, wanted))
    ranks = spec.group_of(collective.rank, collective.size)
    of_group = collective.subset(ranks)
    # Only "best" has to be scored in the group; leaf values are those of training rows.
    group_sets = [
        replace(one, population=survey_population(one.rows, of_group), predictions=one.predictions.copy())
        for one in (sets if spec.merge == "best" else sets[:1])
    ]
    group = MergedModel(group_sets, spec, of_group, crew)
    return nullcontext(Groups(trainer, group, collective.rank == ranks[0], spec, wanted))
