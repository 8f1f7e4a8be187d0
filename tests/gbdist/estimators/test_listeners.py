"""Progress and callbacks hear the events of a run in order."""

import io
import pickle
import re
from dataclasses import replace

import pytest

from gbdist import DaskCatBoostClassifier
from gbdist.boosting.events import Happened, IterationDone, RunFinished, RunStarted
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.listeners import (
    CallbackListener,
    PlainLines,
    ProgressBar,
    asked_after,
    callback_listener,
    progress_listener,
    tell_columns,
    tell_steps,
    told_to,
)

START = RunStarted(iterations=3, rows=1000, features=4, ranks=2)


def grown(iteration, learn, valid=None, best=-1):
    metrics = {"learn": {"Logloss": learn}}
    if valid is not None:
        metrics["validation"] = {"Logloss": valid, "AUC": 0.9}
    return IterationDone(iteration, metrics, best, valid if valid is not None else 0.0)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Ticks:
    """A clock that moves one second each time it is read."""

    now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


class Recorder:
    def __init__(self, stop_at=None):
        self.seen = []
        self.stop_at = stop_at

    def after_iteration(self, info):
        self.seen.append((info.iteration, {s: {m: list(v) for m, v in t.items()} for s, t in info.metrics.items()}))
        return info.iteration != self.stop_at


def test_callback_gets_iteration_from_one_and_all_metrics_so_far():
    recorder = Recorder()
    listener = CallbackListener([recorder])
    for event in (START, grown(0, 0.6, 0.7), grown(1, 0.5, 0.65), RunFinished(2, "iterations")):
        assert listener.hear(event) is False
    assert [iteration for iteration, _ in recorder.seen] == [1, 2]
    assert recorder.seen[1][1] == {
        "learn": {"Logloss": [0.6, 0.5]},
        "validation": {"Logloss": [0.7, 0.65], "AUC": [0.9, 0.9]},
    }


def test_callback_stops_the_run_and_the_others_are_still_called():
    first, second = Recorder(stop_at=2), Recorder()
    listener = CallbackListener([first, second])
    answers = [listener.hear(event) for event in (START, grown(0, 0.6), grown(1, 0.5))]
    assert answers == [False, False, True]
    assert len(second.seen) == 2


def test_answers_count_always_or_where_a_callback_that_is_alone_says_so():
    even = Recorder()
    even.asked_after = {2, 4}.__contains__
    assert CallbackListener([Recorder()]).asks is True
    assert CallbackListener([even, Recorder()]).asks is True
    asks = CallbackListener([even]).asks
    assert [asked_after(asks, done) for done in (1, 2, 3, 4)] == [False, True, False, True]
    assert asked_after(True, 3)
    assert not asked_after(False, 2)


def test_callback_that_returns_nothing_stops_as_in_catboost():
    class Silent:
        def after_iteration(self, info):
            return None

    assert CallbackListener([Silent()]).hear(grown(0, 0.6)) is True


def test_second_run_starts_with_an_empty_history():
    recorder = Recorder()
    listener = CallbackListener([recorder])
    for event in (START, grown(0, 0.6), START, grown(0, 0.4)):
        listener.hear(event)
    assert recorder.seen[-1] == (1, {"learn": {"Logloss": [0.4]}})


def test_trees_that_a_run_goes_on_from_are_in_the_history():
    recorder = Recorder()
    listener = CallbackListener([recorder])
    listener.remember([{"learn": {"Logloss": 0.9}}, {}, {"learn": {"Logloss": 0.8}}])
    # A run that takes two of them, and later another attempt that goes on after the third.
    for event in (replace(START, resumed=2), grown(2, 0.7), grown(3, 0.6), replace(START, resumed=3), grown(3, 0.6)):
        listener.hear(event)
    assert [iteration for iteration, _ in recorder.seen] == [3, 4, 4]
    assert recorder.seen[-1][1] == {"learn": {"Logloss": [0.9, 0.7, 0.6]}}


def test_a_run_that_goes_on_keeps_its_history():
    recorder = Recorder()
    listener = CallbackListener([recorder])
    for event in (START, grown(0, 0.6), replace(START, resumed=1), grown(1, 0.4)):
        listener.hear(event)
    assert recorder.seen[-1] == (2, {"learn": {"Logloss": [0.6, 0.4]}})


def test_object_without_after_iteration_is_refused():
    with pytest.raises(ParameterError) as caught:
        callback_listener([print])
    assert str(caught.value) == (
        "callbacks=<built-in function print> cannot be used: expected objects with a method after_iteration(info) that "
        "returns True to go on. Give CatBoost-style callback objects, as in callbacks=[MyCallback()]."
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_no_callbacks_no_listener():
    assert callback_listener(None) is None
    assert callback_listener([]) is None


@pytest.mark.parametrize(
    ("verbose", "stream", "kind"),
    [
        (None, Terminal, ProgressBar),
        (True, Terminal, ProgressBar),
        (10, Terminal, ProgressBar),
        (False, Terminal, type(None)),
        (0, Terminal, type(None)),
        (None, io.StringIO, type(None)),
        (False, io.StringIO, type(None)),
        (True, io.StringIO, PlainLines),
        (10, io.StringIO, PlainLines),
    ],
)
def test_verbose_chooses_bar_lines_or_silence(verbose, stream, kind):
    assert type(progress_listener(verbose, 1, stream())) is kind


def test_plain_lines_word_by_word():
    stream = io.StringIO()
    lines = PlainLines(stream, period=1, clock=Ticks())
    for event in (START, grown(0, 0.6, 0.7, best=0), grown(1, 0.5, 0.75, best=0), RunFinished(2, "overfitting")):
        assert lines.hear(event) is False
    assert stream.getvalue().splitlines() == [
        "training on 1,000 rows × 4 features, ranks: 2",
        "0:  learn Logloss 0.6  validation Logloss 0.7  validation AUC 0.9  best 0.7 (0)  1.0 trees/s  2 s left",
        "1:  learn Logloss 0.5  validation Logloss 0.75  validation AUC 0.9  best 0.75 (0)  1.0 trees/s  1 s left",
        "done: 2 trees in 3.0 s (overfitting)",
    ]


def test_the_pace_of_a_run_that_goes_on_is_that_of_its_new_trees(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    start, lines, bar = RunStarted(100, rows=1000, features=4, ranks=2, resumed=60), io.StringIO(), Terminal()
    for listener in (PlainLines(lines, clock=Ticks()), ProgressBar(bar, clock=Ticks())):
        listener.hear(start)
        for tree in (60, 61):
            listener.hear(grown(tree, 0.5))
        listener.hear(RunFinished(62, "overfitting"))
    assert lines.getvalue().splitlines() == [
        "training on 1,000 rows × 4 features, ranks: 2, after 60 trees",
        "60:  learn Logloss 0.5  1.0 trees/s  39 s left",
        "61:  learn Logloss 0.5  1.0 trees/s  38 s left",
        "done: 62 trees in 3.0 s (overfitting)",
    ]
    assert "62/100" in bar.getvalue()
    assert "1.0 trees/s" in bar.getvalue()


@pytest.mark.parametrize("kind", [PlainLines, ProgressBar])
def test_columns_found_to_be_categorical_are_named(kind):
    stream = Terminal()
    tell_columns(kind(stream), ["color", "shop"])
    tell_columns(kind(stream), [f"c{i}" for i in range(12)])
    tell_columns(kind(stream), [])
    named = ", ".join(repr(f"c{i}") for i in range(10))
    assert stream.getvalue().splitlines() == [
        "categorical by their types (cat_features says otherwise): 'color', 'shop'",
        f"categorical by their types (cat_features says otherwise): {named} and 2 more",
    ]


def test_nobody_need_hear_of_columns():
    for listener in (None, CallbackListener([Recorder()])):
        tell_columns(listener, ["color"])


def test_pace_counts_the_trees_of_this_run_alone():
    stream = io.StringIO()
    lines = PlainLines(stream, period=1, clock=Ticks())
    tell_steps(lines, 1_200, "runs/a")
    for event in (replace(START, iterations=1_203, resumed=1_200), grown(1_200, 0.6), grown(1_201, 0.5)):
        lines.hear(event)
    assert stream.getvalue().splitlines() == [
        "going on from 1,200 trees of runs/a",
        "training on 1,000 rows × 4 features, ranks: 2, after 1200 trees",
        "1200:  learn Logloss 0.6  1.0 trees/s  2 s left",
        "1201:  learn Logloss 0.5  1.0 trees/s  1 s left",
    ]
    tell_steps(None, 3, "runs/a")


def test_bar_begins_where_the_run_does(monkeypatch):
    bar = ProgressBar(Terminal(), clock=Ticks())
    bar.hear(replace(START, resumed=1))
    assert bar._bar.tasks[0].completed == 1
    bar.hear(grown(1, 0.5))
    assert bar._bar.tasks[0].fields["text"].startswith("1.0 trees/s")
    bar.close()


@pytest.mark.parametrize(("verbose", "metric_period", "shown"), [(True, 1, 5), (True, 2, 3), (3, 1, 3), (4, 1, 2)])
def test_lines_come_every_period_and_for_the_last_tree(verbose, metric_period, shown):
    stream = io.StringIO()
    lines = progress_listener(verbose, metric_period, stream)
    lines.hear(RunStarted(iterations=5, rows=1, features=1, ranks=1))
    for i in range(5):
        lines.hear(grown(i, 0.5))
    assert len(stream.getvalue().splitlines()) == 1 + shown


def test_bar_shows_trees_metric_best_and_pace(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    stream = Terminal()
    bar = ProgressBar(stream, clock=Ticks())
    for event in (START, grown(0, 0.6, 0.7, best=0), grown(2, 0.5, 0.65, best=2), RunFinished(3, "iterations")):
        assert bar.hear(event) is False
    shown = stream.getvalue()
    for words in ("3/3", "validation Logloss 0.65", "best 0.65 (2)", "trees/s"):
        assert words in shown


def test_bar_in_a_narrow_terminal_keeps_trees_and_time(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    bar = ProgressBar(stream, clock=Ticks())
    bar.hear(RunStarted(iterations=20_000, rows=1, features=1, ranks=1))
    bar.hear(grown(149, 0.6, 0.7, best=0))
    bar.close()
    line = stream.getvalue().rpartition("\r")[2]
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).strip()
    assert plain == "150/20000 -:--:-- 150.0 trees/s  learn Logloss 0.6  valida"


def test_a_network_has_epochs():
    start, lines, bar = replace(START, resumed=1, counted="epochs"), io.StringIO(), Terminal()
    for listener in (PlainLines(lines, clock=Ticks()), ProgressBar(bar, clock=Ticks())):
        for event in (start, grown(1, 0.6), RunFinished(2, "converged")):
            listener.hear(event)
    assert "ranks: 2, after 1 epochs" in lines.getvalue()
    assert "1:  learn Logloss 0.6  1.0 epochs/s" in lines.getvalue()
    assert "done: 2 epochs in" in lines.getvalue()
    assert "epochs/s" in bar.getvalue()


def test_bar_is_closed_after_an_error():
    stream = Terminal()
    bar = ProgressBar(stream)
    bar.hear(START)
    bar.close()
    bar.close()
    # The cursor, hidden while the bar was live, is shown again.
    assert stream.getvalue().rstrip().endswith("\x1b[?25h")


def test_what_happens_is_told_between_the_trees(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    lines, bar = io.StringIO(), Terminal()
    lost = Happened("lost", "worker tcp://10.0.0.2:1 was lost")
    for listener in (PlainLines(lines, clock=Ticks()), ProgressBar(bar, clock=Ticks())):
        for event in (lost, START, grown(0, 0.6), lost, grown(1, 0.5), RunFinished(2, "iterations")):
            assert listener.hear(event) is False
    assert lines.getvalue().splitlines()[3] == "worker tcp://10.0.0.2:1 was lost"
    assert "worker tcp://10.0.0.2:1 was lost" in bar.getvalue()
    recorder = Recorder()
    assert CallbackListener([recorder]).hear(lost) is False
    assert recorder.seen == []


class Shows:
    """A reporter of somebody else's."""

    def __init__(self):
        self.heard, self.said, self.closed = [], [], 0

    def hear(self, event):
        self.heard.append(event)
        return False

    def say(self, line):
        self.said.append(line)

    def close(self):
        self.closed += 1


def test_a_reporter_takes_the_place_of_bar_and_lines():
    shows, stream = Shows(), io.StringIO()
    with told_to(shows):
        assert progress_listener(50, stream=stream) is shows
        assert progress_listener(None, stream=Terminal()) is shows
        assert progress_listener(False, stream=stream) is None
        with told_to(None):
            assert isinstance(progress_listener(50, stream=stream), PlainLines)
        tell_steps(shows, 3, "runs/a")
        tell_columns(shows, ["color"])
    assert isinstance(progress_listener(50, stream=stream), PlainLines)
    assert shows.said == [
        "going on from 3 trees of runs/a",
        "categorical by their types (cat_features says otherwise): 'color'",
    ]


def test_a_reporter_hears_a_fit_and_is_closed_however_it_ends():
    shows = Shows()
    x = [[float(number)] for number in range(20)]
    with told_to(shows):
        DaskCatBoostClassifier(iterations=2).fit(x, [0, 1] * 10)
        assert [type(event) for event in shows.heard] == [RunStarted, IterationDone, IterationDone, RunFinished]
        assert shows.closed == 1
        with pytest.raises(DataError):
            DaskCatBoostClassifier(iterations=2).fit(x, [0, 1] * 9)
    assert shows.closed == 2
