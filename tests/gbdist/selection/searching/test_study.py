"""A study: every trial once, whichever client asks; one that was cut off is run again; a study of something else is refused."""

from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from gbdist.errors import ClusterError, ParameterError
from gbdist.selection.searching import claim
from gbdist.selection.searching.opening import Where
from gbdist.selection.searching.samplers import make_search
from gbdist.selection.searching.spaces import read_space
from gbdist.selection.searching.study import Ledger, earlier_trials

RANDOM = {"x": {"low": 0.0, "high": 1.0}, "n": [1, (2, 3)]}
GRID = {"a": [1, 2], "b": ["x", "y", "z"]}
PARTS = {
    "version": 1,
    "estimator": "e",
    "space": ["depth: 2 to 6", "rate: 0.1 to 0.2", "x: 0.5 to 1.0"],
    "folds": "5",
    "scoring": ["score"],
    "data": "d",
    "digest": "0" * 64,
}


def ledger(
    storage: Any = None, within: Any = RANDOM, search: Any = "random", n_trials: int | None = 5, **parts: Any
) -> Ledger:
    read = read_space(within)
    made = make_search(search, None, read, seed=1, iterations=10)
    return Ledger(Where(storage), made, read, n_trials, {**PARTS, **parts})


def finish(book: Ledger, most: int | None = None) -> list[dict[str, Any]]:
    """Run the trials that are left, or some of them; their parameters."""
    params: list[dict[str, Any]] = []
    while (most is None or len(params) < most) and (drawn := book.next()):
        params.append(dict(drawn.params))
        book.complete(drawn, float(len(str(drawn.params))), {"iterations": 3})
    return params


@pytest.fixture
def kept() -> Any:
    """A storage that outlives a ledger."""
    return InMemoryStorage()


def test_trials_are_numbered_and_their_values_are_the_users() -> None:
    book = ledger()
    params = finish(book)
    records = book.records()
    assert [one.number for one in records] == [0, 1, 2, 3, 4]
    assert [one.params for one in records] == params
    assert {type(one["n"]) for one in params} == {int, tuple}
    assert book.best == max(one.score for one in records if one.score is not None)
    assert {one.state for one in records} == {"complete"}


def test_several_asked_for_at_once_are_those_asked_for_one_by_one() -> None:
    one_by_one, at_once = finish(ledger()), ledger()
    drawn = [at_once.next() for _ in range(5)]
    assert [dict(one.params) for one in drawn if one] == one_by_one
    assert at_once.next() is None


def test_grids_have_every_combination_once() -> None:
    book = ledger(within=GRID, search="grid", n_trials=None)
    params = finish(book)
    assert params == read_space(GRID).grid()
    assert book.n_trials == 6


def test_a_study_is_gone_on_with_where_it_was_left(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    first = ledger(url)
    begun = finish(first, 2)
    first.close()
    second = ledger(url)
    assert second.n_ended == 2
    assert begun + finish(second) == finish(ledger())
    second.close()
    assert ledger(url).next() is None


@pytest.mark.parametrize("search", ["bayesian", "genetic", "cmaes"])
def test_searches_that_learn_do_not_draw_again_what_they_drew_at_first(kept: Any, search: str) -> None:
    numbers = {"a": {"low": 0.0, "high": 1.0}, "b": {"low": 0.0, "high": 1.0}}
    first = ledger(kept, numbers, search, n_trials=6)
    begun = finish(first, 3)
    first.close()
    after = finish(ledger(kept, numbers, search, n_trials=6))
    assert not {one["a"] for one in begun} & {one["a"] for one in after}


def test_a_trial_of_a_client_that_died_is_run_again_under_its_number(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ledger(kept)
    finish(first, 1)
    running = [first.next(), first.next()]
    monkeypatch.setattr(claim, "_born", lambda pid: None)  # the process that the study names is gone
    second = ledger(kept)
    again = finish(second)
    assert again[:2] == [dict(one.params) for one in running if one]
    records = second.records()
    assert [one.number for one in records] == [0, 1, 2, 3, 4]
    assert [one.params for one in records] == finish(ledger())
    states = [trial.state for trial in second.study.trials]
    assert states.count(TrialState.FAIL) == 2
    assert states.count(TrialState.COMPLETE) == 5


def test_a_client_that_died_between_asking_and_running_loses_nothing(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ledger(kept)
    monkeypatch.setattr(first.study, "ask", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        first.next()
    first.close()
    second = ledger(kept)
    assert finish(second) == finish(ledger())


def test_a_trial_that_is_given_up_is_free_again() -> None:
    book = ledger()
    drawn = book.next()
    assert drawn is not None
    book.cut_off(drawn)
    assert book.records() == []
    assert finish(book) == finish(ledger())


def test_trials_that_fail_are_ended_with_their_error() -> None:
    book = ledger(n_trials=2)
    for score in (None, float("nan")):
        drawn = book.next()
        assert drawn is not None
        if score is None:
            book.fail(drawn, "DataError: no rows")
        else:
            book.complete(drawn, score, {})
    assert [(one.state, one.error) for one in book.records()] == [
        ("failed", "DataError: no rows"),
        ("failed", "its score is not a number"),
    ]
    assert book.next() is None
    assert book.best is None


def test_trials_that_the_user_enqueued_come_first(kept: Any) -> None:
    book = ledger(kept)
    book.study.enqueue_trial({"x": 0.25})
    book.close()
    again = ledger(kept)
    params = finish(again)
    assert params[0]["x"] == 0.25
    assert [one.number for one in again.records()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data": "other"}, "a study of the same data. "),
        ({"folds": "KFold(3)"}, "a study of the same folds: it has 5, and this is KFold(3)"),
        ({"scoring": ["auc"]}, "a study of the same scoring: it has ['score'], and this is ['auc']"),
        (
            {"space": ["depth: 2 to 7", "rate: 0.1 to 0.2", "y: one of 1, 2"]},
            "a study of the same space: depth: 2 to 6 there, 2 to 7 here; x: 0.5 to 1.0 there, not here; "
            "y: not there, one of 1, 2 here. Give",
        ),
        ({"estimator": "f"}, "a study of the same parameters of the estimator"),
    ],
)
def test_a_study_of_something_else_is_refused(kept: Any, changed: dict[str, Any], words: str) -> None:
    ledger(kept).close()
    with pytest.raises(ParameterError) as caught:
        ledger(kept, **changed)
    assert words in str(caught.value)
    assert "warm_start_from= learns from this study" in str(caught.value)


def test_a_study_that_others_made_is_refused(kept: Any) -> None:
    name = f"gbdist-{'0' * 12}"
    optuna.create_study(storage=kept, study_name=name, direction="maximize").optimize(
        lambda trial: trial.suggest_float("x", 0, 1), n_trials=1
    )
    with pytest.raises(ParameterError, match="expected a study that gbdist has made"):
        ledger(kept)


def test_two_clients_at_once_are_refused(kept: Any) -> None:
    first = ledger(kept)
    with pytest.raises(ClusterError, match=rf"is being worked on by process {psutil.Process().pid}"):
        ledger(kept)
    first.close()
    ledger(kept).close()


def test_a_client_whose_study_was_taken_stops(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ledger(kept)
    with monkeypatch.context() as patch:
        patch.setattr(claim, "_born", lambda pid: None)
        second = ledger(kept)
    monkeypatch.setattr(claim, "BEAT_SECONDS", 0.0)
    second.beat()
    with pytest.raises(ClusterError, match="is being worked on by"):
        first.beat()
    first.close()  # which does not take the other's hold
    second.beat()


def test_a_client_of_another_machine_is_gone_after_a_minute_of_silence(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger(kept)
    monkeypatch.setattr(claim.socket, "gethostname", lambda: "another")
    with pytest.raises(ClusterError):
        ledger(kept)
    now = claim.time.time()
    monkeypatch.setattr(claim.time, "time", lambda: now + 61.0)
    ledger(kept)


def test_any_search_may_go_on_with_a_study_that_has_a_name(kept: Any) -> None:
    read, books = read_space(RANDOM), []
    for search in ("random", "bayesian"):
        made = make_search(search, None, read, seed=1, iterations=10)
        books.append(Ledger(Where(kept, "mine"), made, read, 5, {**PARTS, "search": made.in_words}))
        finish(books[-1], 2)
        books[-1].close()
    assert [book.n_ended for book in books] == [2, 4]


def test_earlier_trials_are_known_and_not_counted(kept: Any) -> None:
    space = read_space(RANDOM)
    earlier = ledger()
    finish(earlier)
    known = earlier_trials(earlier.study, space)
    assert len(known) == 5
    book = ledger(kept, search="bayesian")
    book.learn_from(known)
    book.learn_from(known)
    assert len(book.study.trials) == 5
    finish(book)
    assert len(book.records()) == 5
    assert len(book.study.trials) == 10


def test_pairs_to_learn_from_must_be_in_the_space() -> None:
    space = read_space(RANDOM)
    (trial,) = earlier_trials([({"x": 0.5, "n": (2, 3)}, 0.7)], space)
    assert trial.value == 0.7
    for bad in ([({"x": 2.0, "n": 1}, 0.7)], [({"x": 0.5}, 0.7)], [0.7], "study", ledger().study):
        with pytest.raises(ParameterError, match="warm_start_from="):
            earlier_trials(bad, space)


def test_what_is_lower_the_better_elsewhere_is_turned_round() -> None:
    study = optuna.create_study(direction="minimize")
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0) + 1.0, n_trials=3)
    known = earlier_trials(study, read_space({"x": RANDOM["x"]}))
    assert [one.value for one in known] == [-(one.params["x"] + 1.0) for one in known]
