"""Steps of a gang come to the client in batches, each once and in order."""

import threading
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.events import IterationDone, RunStarted
from gbdist.boosting.progress import Step
from gbdist.estimators.keeper import Keeper, StepSender, StepsGrown
from gbdist.models.tree import ObliviousTree, TreeSplit
from gbdist.snapshots.steps import encode_iteration, encode_step


def step(number: int) -> Step:
    tree = ObliviousTree((TreeSplit(0, number),), np.zeros((2, 1)), np.ones(2))
    return Step(tree, {}, tree.splits)


RECORDS = [encode_step(step(number)) for number in range(9)]


def grown(number: int) -> IterationDone:
    return IterationDone(number, {}, -1, 0.0, step(number))


class Sent:
    """What was sent, and when something was."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.came = threading.Semaphore(0)

    def __call__(self, message: object) -> None:
        self.messages.append(message)
        self.came.release()


def test_the_first_step_goes_at_once_and_others_wait_for_a_batch() -> None:
    sent = Sent()
    sender = StepSender(sent, period=600)
    assert sender.hear(RunStarted(9, 1, 1, 1)) is False
    for number in range(4):
        assert sender.hear(grown(number)) is False
    assert sent.messages == [StepsGrown(0, (RECORDS[0],))]
    sender.flush()
    sender.flush()
    assert sent.messages[1:] == [StepsGrown(1, tuple(RECORDS[1:4]))]


def test_a_step_waits_for_a_period_and_not_for_the_next_tree() -> None:
    sent = Sent()
    sender = StepSender(sent, period=0.05)
    sender.hear(grown(0))
    sender.hear(grown(1))  # and no tree after it
    assert sent.came.acquire(timeout=30)
    assert sent.came.acquire(timeout=30)
    assert sent.messages == [StepsGrown(0, (RECORDS[0],)), StepsGrown(1, (RECORDS[1],))]


def test_numbers_go_on_from_what_the_client_has() -> None:
    sent = Sent()
    StepSender(sent, [step(number) for number in range(5)], known=5).hear(grown(5))
    assert sent.messages == [StepsGrown(5, (RECORDS[5],))]


def test_what_the_ranks_have_and_the_client_has_not_goes_first() -> None:
    sent = Sent()
    StepSender(sent, [step(number) for number in range(5)], known=3).hear(grown(5))
    assert sent.messages == [StepsGrown(3, tuple(RECORDS[3:6]))]
    # A gang that was told to begin with fewer steps than the client has.
    StepSender(sent, [step(number) for number in range(2)], known=4).hear(grown(2))
    assert sent.messages[1:] == [StepsGrown(2, (RECORDS[2],))]


def test_the_steps_of_folds_go_and_are_kept_together() -> None:
    sent, folds = Sent(), [(step(number), step(number + 1)) for number in range(3)]
    sender = StepSender(sent, folds[:1], period=600)
    sender.hear(IterationDone(1, {}, -1, 0.0, folds[1]))
    sender.hear(IterationDone(2, {}, -1, 0.0, folds[2]))
    sender.flush()
    records = tuple(encode_iteration(each) for each in folds)
    assert sent.messages == [StepsGrown(0, records[:2]), StepsGrown(2, records[2:])]
    keeper = Keeper()
    for message in sent.messages:
        keeper.take(message)
    assert keeper.records == records
    assert [encode_iteration(each) for each in keeper.steps] == list(records)


def test_the_keeper_takes_each_step_once() -> None:
    heard: list[bytes] = []
    keeper = Keeper([step(0)], heard.append)
    keeper.take(StepsGrown(1, tuple(RECORDS[1:3])))
    keeper.take(StepsGrown(1, tuple(RECORDS[1:4])))  # of another attempt, which sends two of them again
    keeper.take(StepsGrown(0, tuple(RECORDS[:2])))
    keeper.take(StepsGrown(7, tuple(RECORDS[7:])))  # one before it never came
    keeper.take(StepsGrown(4, ()))
    assert keeper.records == tuple(RECORDS[:4])
    assert [encode_step(each) for each in keeper.steps] == RECORDS[:4]
    assert heard == RECORDS[1:4]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_the_listener_is_raised_in_the_thread_that_hears(error: type[BaseException]) -> None:
    def refuse(_: bytes) -> None:
        raise error

    with pytest.raises(error):
        Keeper(heard=refuse).take(StepsGrown(0, (RECORDS[0],)))
