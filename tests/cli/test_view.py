"""What a live view shows follows from events, or from a row of the board, and is the same."""

from typing import Any

import pytest

from gbdist.boosting.events import Happened, IterationDone, RunFinished, RunStarted
from gbdist_cli.live import plain_line
from gbdist_cli.view import EventView, RankView, view_of


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def grown(number: int, learn: float, test: float, best: int = -1, best_value: float = 0.0) -> IterationDone:
    return IterationDone(number, {"learn": {"RMSE": learn}, "validation": {"RMSE": test}}, best, best_value)


ROW: dict[str, Any] = {
    "run": "9f",
    "job": None,
    "label": "DaskCatBoostRegressor RMSE",
    "state": "training",
    "started": 1_000.0,
    "ended": None,
    "trees": 40,
    "iterations": 100,
    "counted": "trees",
    "rate": 8.0,
    "left": 7.5,
    "rows": 1_000,
    "features": 5,
    "epoch": 1,
    "curves": {"learn": {"RMSE": [[0, 0.9], [20, 0.5]]}, "eval_set": {"RMSE": [[0, 1.0], [20, 0.75]]}},
    "best": [20, 0.75],
    "ranks": [
        {"rank": 0, "worker": "tcp://a:1", "rows": 600, "spans": {"histograms": 3.0, "waiting": 1.0}, "bytes": 7}
    ],
    "events": [{"time": 1_004.0, "kind": "lost", "text": "worker tcp://b:1 was lost"}],
    "error": None,
}


def test_a_row_of_the_board_is_a_view() -> None:
    view = view_of(ROW, now=1_010.0)
    assert (view.title, view.state, view.trees, view.iterations) == ("DaskCatBoostRegressor RMSE", "training", 40, 100)
    assert (view.seconds, view.rate, view.left, view.workers) == (10.0, 8.0, 7.5, 1)
    assert view.curves["eval_set"] == {"RMSE": [(0, 1.0), (20, 0.75)]}
    assert view.best == (20, 0.75)
    assert view.ranks == [RankView(0, "tcp://a:1", 600, {"histograms": 3.0, "waiting": 1.0})]
    assert list(view.events) == [(4.0, "worker tcp://b:1 was lost")]
    assert plain_line(view) == (
        "training  40/100  40%  0:00:08 left  8.0 trees/s  learn RMSE 0.5  eval_set RMSE 0.75  best 0.75 (20)"
    )


def test_a_network_has_epochs() -> None:
    assert "8.0 epochs/s" in plain_line(view_of({**ROW, "counted": "epochs"}, now=1_010.0))
    slow = {**ROW, "counted": "epochs", "rate": 0.25}
    assert "4.0 s/epoch" in plain_line(view_of(slow, now=1_010.0))
    told = EventView("a network")
    told.take(RunStarted(10, 1_000, 5, 3, counted="epochs"))
    assert told.view.counted == "epochs"


def test_a_run_that_has_ended_took_as_long_as_it_took() -> None:
    row = {**ROW, "state": "failed", "ended": 1_003.0, "best": None, "rate": None, "left": None, "error": "no room"}
    view = view_of(row, now=9_000.0)
    assert (view.seconds, view.best, view.error) == (3.0, None, "no room")
    assert plain_line(view) == "failed  40/100  40%  0:00:03  learn RMSE 0.5  eval_set RMSE 0.75"


def test_events_fill_a_view() -> None:
    clock = Clock()
    told = EventView("price.cbm", clock)
    assert plain_line(told.now()) == "preparing  0:00:00"
    clock.now += 2
    told.take(RunStarted(10, 1_000, 5, 3))
    for number in range(4):
        clock.now += 0.5
        told.take(grown(number, 0.9 - number / 10, 0.95 - number / 10, best=number, best_value=0.95 - number / 10))
    view = told.now()
    assert (view.state, view.trees, view.iterations, view.rows, view.workers) == ("training", 4, 10, 1_000, 3)
    assert view.rate == pytest.approx(2.0)
    assert view.left == pytest.approx(3.0)
    assert view.seconds == pytest.approx(4.0)
    assert view.curves["learn"]["RMSE"] == [(number, pytest.approx(0.9 - number / 10)) for number in range(4)]
    clock.now += 1
    told.take(Happened("lost", "worker tcp://b:1 was lost"))
    told.take(Happened("regrouped", "going on with 2 worker(s) from tree 4", 2))
    told.take(RunFinished(5, "overfitting"))
    clock.now += 100
    view = told.now()
    assert (view.state, view.trees, view.workers, view.left, view.seconds) == ("done", 5, 2, None, 5.0)
    assert list(view.events) == [
        (5.0, "worker tcp://b:1 was lost"),
        (5.0, "going on with 2 worker(s) from tree 4"),
        (5.0, "stopped by overfitting"),
    ]
    told.fail()
    assert view.state == "done"


def test_a_run_that_goes_on_from_a_snapshot_is_not_faster_for_it() -> None:
    clock = Clock()
    told = EventView("m", clock)
    told.take(RunStarted(1_000, 10, 5, 1, resumed=900))
    clock.now += 1
    told.take(grown(900, 1, 1))
    assert (told.now().rate, told.now().left) == (1.0, 99.0)


def test_the_rate_is_that_of_late() -> None:
    clock = Clock()
    told = EventView("m", clock)
    told.take(RunStarted(1_000, 10, 5, 1))
    for number in range(100):
        clock.now += 0.1 if number < 50 else 1.0
        told.take(grown(number, 1, 1))
    assert told.now().rate == pytest.approx(1.0)


def test_a_run_that_ends_early_has_failed() -> None:
    told = EventView("m", Clock())
    told.take(RunStarted(10, 10, 5, 1))
    told.fail()
    assert told.now().state == "failed"


def test_a_run_that_ends_by_ctrl_c_was_stopped() -> None:
    told = EventView("m", Clock())
    told.take(RunStarted(10, 10, 5, 1))
    told.fail(KeyboardInterrupt())
    assert told.now().state == "stopped"
    told.fail()
    assert told.now().state == "stopped"


def test_curves_of_many_trees_keep_their_ends_and_stay_short() -> None:
    told = EventView("m", Clock())
    told.take(RunStarted(100_000, 10, 5, 1))
    for number in range(5_000):
        told.take(grown(number, float(number), 1.0))
    points = told.now().curves["learn"]["RMSE"]
    assert len(points) <= 800
    assert (points[0], points[-1]) == ((0, 0.0), (4_999, 4_999.0))
    assert [tree for tree, _ in points] == sorted(tree for tree, _ in points)
