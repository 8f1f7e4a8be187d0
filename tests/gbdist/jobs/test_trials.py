"""How a search stands, by its events."""

from gbdist.jobs.trials import Trials
from gbdist.selection.searching.events import SearchStarted, TrialAdvanced, TrialEnded, TrialStarted


def ended(number: int, score: float | None, best: float | None, state: str = "complete") -> TrialEnded:
    error = "no such tree" if state == "failed" else ""
    return TrialEnded(number, {"depth": number}, 10 * number, score, state, best, 1.5, error)


def test_a_search_from_its_start() -> None:
    trials = Trials()
    assert trials.take(SearchStarted("s", 6, 0, 2)) is None
    for number in range(2):
        trials.take(TrialStarted(number, {"depth": number}))
    trials.take(TrialAdvanced(1, {"depth": 1}, 7, 0.25))
    row = trials.take(ended(0, 0.5, 0.5))
    assert row is not None
    assert (row.number, row.state, row.score, row.trees, row.seconds) == (0, "complete", 0.5, 0, 1.5)
    found = trials.summary(5)
    assert {name: found[name] for name in found if name != "rows"} == {
        "study": "s",
        "trials": 6,
        "earlier": 0,
        "ended": 1,
        "running": 1,
        "pruned": 0,
        "failed": 0,
        "best": 0.5,
        "best_trial": 0,
    }
    assert [(one["number"], one["state"], one["score"], one["trees"]) for one in found["rows"]] == [
        (0, "complete", 0.5, 0),
        (1, "running", 0.25, 7),
    ]
    trials.take(ended(1, 0.4, 0.5, "pruned"))
    trials.take(TrialStarted(2, {}, 0.5))
    trials.take(ended(2, None, 0.5, "failed"))
    found = trials.summary(5)
    assert (found["ended"], found["pruned"], found["failed"], found["best_trial"]) == (3, 1, 1, 0)


def test_few_rows_are_the_best_those_that_run_and_those_that_ended_last() -> None:
    trials = Trials()
    trials.take(SearchStarted("s", None, 0, 1))
    for number, score in enumerate((0.1, 0.9, 0.2, 0.3, 0.4)):
        trials.take(TrialStarted(number, {}))
        trials.take(ended(number, score, 0.1 if number == 0 else 0.9))
    trials.take(TrialStarted(5, {}))
    assert [row["number"] for row in trials.summary(4)["rows"]] == [1, 3, 4, 5]
    assert trials.summary(0)["rows"] == []


def test_the_best_may_be_told_before_the_trial_that_has_it() -> None:
    trials = Trials()
    for number in range(2):
        trials.take(TrialStarted(number, {}))
    trials.take(ended(0, 0.5, 0.7))  # when this was told, the other one had its score already
    assert trials.best_trial is None
    trials.take(ended(1, 0.7, 0.7))
    assert (trials.best, trials.best_trial) == (0.7, 1)
    trials.take(ended(2, 0.7, 0.7))
    assert trials.best_trial == 1  # the first of equal ones, by number


def test_of_equal_trials_the_best_is_that_of_the_lowest_number() -> None:
    trials = Trials()
    for number in (0, 1):
        trials.take(TrialStarted(number, {}))
    trials.take(ended(1, 0.7, 0.7))
    trials.take(ended(0, 0.7, 0.7))
    assert trials.best_trial == 0
    later = Trials()
    later.take(SearchStarted("s", 6, 4, 1, 0.7, 3))
    later.take(TrialStarted(4, {}, 0.7))
    later.take(ended(4, 0.7, 0.7))
    assert (later.best_trial, [row["number"] for row in later.summary(3)["rows"]]) == (3, [4])


def test_what_ran_when_a_search_was_ended_is_stopped() -> None:
    trials = Trials()
    for number in (0, 1):
        trials.take(TrialStarted(number, {}))
    trials.take(ended(0, 0.5, 0.5))
    assert trials.stop()
    found = trials.summary(5)
    assert (found["running"], [row["state"] for row in found["rows"]]) == (0, ["complete", "stopped"])
    assert not trials.stop()


def test_a_study_that_is_gone_on_with() -> None:
    trials = Trials()
    trials.take(SearchStarted("s", 6, 4, 1))
    trials.take(TrialStarted(4, {}, 0.9))
    trials.take(ended(4, 0.5, 0.9))
    assert (trials.ended, trials.best, trials.best_trial) == (5, 0.9, None)
    assert trials.summary(0)["earlier"] == 4
