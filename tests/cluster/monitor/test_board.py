"""What messages make of the board, as a table of messages and of what is read from it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist_cluster.monitor.board import Board

from .told import CLIENT, A, B, about, began, board_of, ended, epoch, event, progress


def only(board: Board) -> dict[str, Any]:
    (run,) = board.read()
    return run


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([began(job="j1")], {"state": "preparing", "job": "j1", "label": "Trainer", "rows": 0, "ended": None}),
        ([began(), about()], {"label": "Trainer Loss", "rows": 3_000, "features": 7, "iterations": 100, "started": 1_001.0}),
        ([began(), about(), epoch()], {"state": "preparing", "epoch": 0, "trees": 0}),
        ([began(), about(), epoch(), progress(5)], {"state": "training", "trees": 5, "rate": None, "left": None}),
        ([began(), about(), epoch(), progress(5), progress(15)], {"trees": 15, "rate": 10.0, "left": 8.5}),
        ([began(), epoch(), progress(5, rank=1)], {"state": "preparing", "trees": 0}),
        ([began(), epoch(), progress(9), epoch(1, 6, workers=(B,))], {"trees": 6, "epoch": 1, "rate": None}),
        ([began(), epoch(), progress(9), epoch(1, 6, workers=(B,)), progress(12)], {"trees": 6}),  # of the epoch before
        ([began(), epoch(1, workers=(A,)), progress(12, rank=1, epoch=1)], {"trees": 0}),  # there is no such rank
        ([began(), ended()], {"state": "done", "ended": 1_002.0, "error": None, "left": None}),
        ([began(), ended("failed", "Error: no"), ended()], {"state": "failed", "ended": 1_002.0, "error": "Error: no"}),
        ([began(), epoch(), ended(), progress(7)], {"state": "done", "trees": 7}),  # last words of a rank
        ([began(), ended(), about()], {"label": "Trainer"}),
        ([began(), epoch(), progress(5, best=(3, 0.5))], {"best": [3, 0.5]}),
    ],
)  # fmt: skip
def test_what_is_read(told: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    run = only(board_of(*told))
    assert {name: run[name] for name in expected} == expected


def test_a_run_in_full_is_plain_json() -> None:
    board = board_of(began(), about(), epoch(), progress(5), progress(5, rank=1), progress(7, rank=1), progress(7))
    run = only(board)
    assert json.loads(json.dumps(run)) == run
    assert run["ranks"] == [
        {"rank": 0, "worker": A, "rows": 1_000, "spans": {"waiting": 1.75, "computing": 3.5}, "bytes": 7_000},
        {"rank": 1, "worker": B, "rows": 1_001, "spans": {"waiting": 1.75, "computing": 3.5}, "bytes": 7_000},
    ]
    assert run["curves"] == {"learn": {"Loss": [[4, 0.2], [6, 1 / 7]]}}
    assert run["traffic"] == [[7, 2_000.0]]
    assert run["events"] == [{"time": 1_003.0, "kind": "started", "text": "on 2 workers"}]


def test_what_happened_stands_on_the_time_line() -> None:
    board = board_of(
        began(), epoch(trees=4), event("lost", "A left"), epoch(1, 9, workers=(B,)), event("joined", "C"), ended("cancelled"),
    )  # fmt: skip
    assert [(one["kind"], one["text"]) for one in only(board)["events"]] == [
        ("started", "on 2 workers"),
        ("resumed", "from 4 trees"),
        ("lost", "A left"),
        ("regrouped", "epoch 1 on 1 worker, going on from 9 trees"),
        ("joined", "C"),
        ("cancelled", "the run was called off"),
    ]


def test_runs_of_a_client_that_leaves_fail_and_others_go_on() -> None:
    board = board_of(began("gone"), began("over"), ended(run="over"))
    board.take(began("other"), "Client-2", 1_010.0)
    board.remove_client(CLIENT, 1_020.0)
    assert [(run["run"], run["state"], run["ended"]) for run in board.read()] == [
        ("other", "preparing", None),
        ("over", "done", 1_003.0),
        ("gone", "failed", 1_020.0),
    ]
    assert board.read("gone")[0]["error"] == "The process that had started the run left the cluster"
    assert board.totals.ended == {"done": 1, "failed": 1}


def test_runs_of_a_job_that_is_called_off_are_cancelled_whatever_comes_after() -> None:
    board = board_of(began("mine", job="j"), began("other", job="k"))
    board.cancel("j", 1_010.0)
    board.take(ended("failed", "the client is closed", run="mine"), CLIENT, 1_011.0)
    board.remove_client(CLIENT, 1_012.0)
    assert {run["run"]: run["state"] for run in board.read()} == {"mine": "cancelled", "other": "failed"}


def test_the_last_runs_are_kept_and_those_that_go_on() -> None:
    told = [began("live")]
    for number in range(6):
        told += [began(f"r{number}"), ended(run=f"r{number}")]
    board = board_of(*told, most=3)
    assert [run["run"] for run in board.read()] == ["r5", "r4", "live"]
    crowd = board_of(*(began(f"r{number}") for number in range(5)), most=3)
    assert len(crowd.read()) == 5
    assert board.read(job="none") == []
    assert [run["run"] for run in board.read("live")] == ["live"]


def test_totals_only_grow_whatever_gangs_do() -> None:
    board = board_of(
        began(), epoch(), progress(5), progress(3, rank=1), event("lost"), epoch(1, 4), progress(2, epoch=1)
    )
    assert (board.totals.trees, board.totals.epochs, board.totals.losses) == (7, 2, 1)
    assert board.totals.bytes == 10_000
    assert board.totals.spans == {"waiting": 2.5, "computing": 5.0}


def test_messages_about_unknown_runs_are_left_alone() -> None:
    board = board_of(progress(3, run="gone"), ended(run="gone"))
    assert (board.read(), board.number) == ([], 0)


@pytest.mark.parametrize("told", [event("x") | {"kind": "other"}, ended("strange"), {"kind": "began"}])
def test_what_cannot_be_read_raises(told: dict[str, Any]) -> None:
    board = board_of(began())
    with pytest.raises((KeyError, ValueError)):
        board.take(told, CLIENT, 1.0)


MESSAGES = st.sampled_from(
    [
        began(), began("s"), about(), epoch(), epoch(1, 2), epoch(run="s"), event("lost"),
        ended(), ended("failed", "no"), ended(run="s"),
        *(progress(trees, rank, epoch=number) for trees in (1, 5, 30) for rank in (0, 1, 9) for number in (0, 1)),
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(MESSAGES, max_size=30))
def test_in_any_order_ends_are_final_totals_grow_and_the_number_tells(told: list[dict[str, Any]]) -> None:
    board = Board(3)
    for second, message in enumerate(told):
        before, number = board.read(), board.number
        trees, sent = board.totals.trees, board.totals.bytes
        board.take(message, CLIENT, float(second))
        assert board.read() == before or board.number > number
        assert board.totals.trees >= trees
        assert board.totals.bytes >= sent
        states = {run["run"]: run["state"] for run in board.read()}
        for run in before:
            if run["state"] in ("done", "failed"):
                assert states[run["run"]] == run["state"]
    json.dumps(board.read(), allow_nan=False)
