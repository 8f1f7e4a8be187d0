"""Runs in two parts: paused after some trees, gone on with from their steps on other ranks, and compared with a whole run."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.control import FREE, Control
from gbdist.boosting.events import Event, IterationDone, RunFinished, RunStarted
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams
from gbdist.boosting.progress import Step
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows
from gbdist.boosting.watch import UNWATCHED
from gbdist.models.statistics import CategoricalPart
from gbdist_cluster.collective.threads import run_threads


class PauseAfter:
    """Wants a pause when it is asked for the last of so many times."""

    def __init__(self, trees: int) -> None:
        self.left = trees
        self.checks = 0
        self.watch = UNWATCHED

    def check(self) -> None:
        self.checks += 1

    @property
    def wants_pause(self) -> bool:
        self.left -= 1
        return self.left == 0


class Ear:
    """Hears the events of a rank."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def hear(self, event: Event) -> bool:
        self.heard.append(event)
        return False

    @property
    def steps(self) -> list[Step]:
        return [event.step for event in self.heard if isinstance(event, IterationDone) and event.step is not None]


@dataclass(frozen=True)
class Outcome:
    """What each rank returned, and the trees that it told of."""

    results: list[BoostResult | None]
    steps: list[Step]

    @property
    def ended(self) -> list[BoostResult]:
        return [result for result in self.results if result is not None]


@dataclass(frozen=True)
class Training:
    """A run that can be dealt to any ranks: ``cut`` gives the sets of each of so many."""

    cut: Callable[[int], Sequence[Sequence[Rows]]]
    n_bins: NDArray[np.int64]
    params: BoostParams

    def on(self, n_ranks: int, steps: Sequence[Step] = (), pause_after: int | None = None) -> Outcome:
        """Train, or go on; the last rank wants a pause. Ranks have threads of different number."""
        ears = [Ear() for _ in range(n_ranks)]
        parts = self.cut(n_ranks)

        def work(collective: Any) -> BoostResult | None:
            rank = collective.rank
            train, *evals = parts[rank]
            params = replace(self.params, threads=1 + rank % 2)
            control: Control = PauseAfter(pause_after) if pause_after and rank == n_ranks - 1 else FREE
            return boost(train, evals, self.n_bins, params, collective, [ears[rank]], steps, control)

        outcome = Outcome(run_threads(n_ranks, work), ears[0].steps)
        for ear in ears:
            check_events(ear, outcome.results[0], len(steps))
            assert_same_steps(ear.steps, outcome.steps)
        return outcome


def check_events(ear: Ear, result: BoostResult | None, resumed: int) -> None:
    """A run that is resumed says so, tells of new trees alone, and of its end only if it was not paused."""
    started, *heard = ear.heard
    assert isinstance(started, RunStarted)
    assert started.resumed == resumed
    grown = [event for event in heard if isinstance(event, IterationDone)]
    assert [event.iteration for event in grown] == list(range(resumed, resumed + len(grown)))
    assert grown == (heard if result is None else heard[:-1])
    assert result is None or isinstance(heard[-1], RunFinished)


def told(part: CategoricalPart) -> list[Any]:
    tables = [(one.projection, one.counter, one.keys.tolist(), one.counts.tolist()) for one in part.tables]
    return [part.positions, part.one_hot, part.statistics, tables]


def assert_same_steps(found: Sequence[Step], expected: Sequence[Step]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.tree == other.tree
        assert repr(one.metrics) == repr(other.metrics)  # a metric may be no number
        assert (one.chosen, one.statistics, one.left_out) == (other.chosen, other.statistics, other.left_out)
        assert [values.tobytes() for values in one.values] == [values.tobytes() for values in other.values]


def assert_same(found: Sequence[BoostResult], expected: BoostResult) -> None:
    """Ranks have what a single one has, bit for bit."""
    for result in found:
        assert result.trees == expected.trees
        assert result.bias.tobytes() == expected.bias.tobytes()
        assert repr(result.scores) == repr(expected.scores)
        assert result.best_iteration == expected.best_iteration
        assert repr(result.best_value) == repr(expected.best_value)
        assert (result.stopped, result.left_out) == (expected.stopped, expected.left_out)
        assert told(result.categories)[:3] == told(expected.categories)[:3]
    assert told(found[0].categories) == told(expected.categories)
    for mine, whole in zip(
        zip(*((result.predictions, *result.eval_predictions) for result in found), strict=True),
        (expected.predictions, *expected.eval_predictions),
        strict=True,
    ):
        assert np.concatenate(mine, axis=1).tobytes() == whole.tobytes()


def check_resumes(training: Training, cuts: Sequence[tuple[int, int]] | None = None) -> BoostResult:
    """A run that is paused and gone on with is the run that was not; ``cuts`` are trees before, and ranks after the pause.

    Returns what the whole run returned.
    """
    whole = training.on(1)
    (expected,) = whole.ended
    n_trees = len(whole.steps)
    middle = max(1, n_trees // 2)
    paused = training.on(2, pause_after=middle)
    assert paused.results == [None, None]
    assert_same_steps(paused.steps, whole.steps[:middle])
    sent: list[Step] = pickle.loads(pickle.dumps(paused.steps))
    for n_trees_before, n_ranks in cuts or [(1, 2), (middle, 3), (middle, 1), (n_trees - 1, 2), (n_trees, 2)]:
        steps = sent if n_trees_before == middle else whole.steps[:n_trees_before]
        resumed = training.on(n_ranks, steps)
        assert len(resumed.ended) == n_ranks
        assert_same_steps(resumed.steps, whole.steps[n_trees_before:])
        assert_same(resumed.ended, expected)
    return expected
