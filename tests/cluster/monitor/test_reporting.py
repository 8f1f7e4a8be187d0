"""What clients and ranks tell arrives on the board; nothing that goes wrong on the way ends a run."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from distributed import Client

from gbdist_cluster.errors import GangCancelled
from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.monitor.reporting import (
    PERIOD,
    UNREPORTED,
    RankPlace,
    RankReport,
    RunReport,
    labelled,
    part_of_run,
    read_board,
    reported,
)


def read_until(client: Client, run_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The run, once something holds of it: messages arrive after those who sent them have gone on."""
    end = time.monotonic() + 20.0
    while True:
        found = read_board(client, run_id)
        if found and holds(found[0]):
            return found[0]
        assert time.monotonic() < end, found
        time.sleep(0.01)


def in_state(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda run: bool(run["state"] == state)


# ---- a rank by itself


class Sent:
    """What a rank sends, and its clock."""

    def __init__(self, rank: int = 0) -> None:
        self.now, self.messages = 100.0, list[dict[str, Any]]()
        self.report = RankReport(RankPlace("r", 2), rank, self.messages.append, lambda: self.now)


def test_a_rank_may_speak_at_once_and_then_once_a_period() -> None:
    sent = Sent()
    assert sent.report.due
    sent.report.send({}, 0)
    assert not sent.report.due
    sent.now += PERIOD - 0.01
    assert not sent.report.due
    sent.now += 0.01
    assert sent.report.due


def test_a_message_of_rank_0() -> None:
    sent = Sent()
    sent.report.add(0, {"learn": {"Loss": 0.5}}, None)
    sent.report.add(3, {}, (2, 0.25), steps=3)
    sent.report.send({"waiting": 1.5}, 640)
    assert sent.messages == [
        {
            "op": "gbdist-board", "kind": "progress", "run": "r", "epoch": 2, "rank": 0, "grown": 4, "trees": 4, "bytes": 640,
            "spans": {"waiting": 1.5}, "points": [("learn", "Loss", 0, 0.5)], "best": (2, 0.25),
        }
    ]  # fmt: skip
    sent.report.send({}, 0)
    assert sent.messages[1]["points"] == []


def test_other_ranks_send_no_values() -> None:
    sent = Sent(rank=1)
    sent.report.add(0, {"learn": {"Loss": 0.5}}, (0, 0.5))
    sent.report.send({}, 0)
    (told,) = sent.messages
    assert (told["grown"], told["trees"], told["points"], told["best"]) == (1, 0, [], None)


def test_a_thousand_steps_in_a_period_are_a_short_message() -> None:
    sent = Sent()
    for number in range(1_000):
        sent.report.add(number, {"learn": {"Loss": 0.5, "AUC": 0.5}}, None)
    sent.report.send({}, 0)
    numbers = [number for _, name, number, _ in sent.messages[0]["points"] if name == "AUC"]
    assert len(numbers) == 40
    assert numbers[-1] == 999


# ---- with a cluster


def test_a_run_from_its_beginning_to_its_end(client: Client, workers: list[str]) -> None:
    def routine(context: RankContext) -> None:
        report = RankReport(context.shared, context.rank, context.tell_scheduler, time.monotonic)
        report.add(0, {"learn": {"Loss": 0.5}}, None)
        report.send({"computing": 1.0}, 77)

    with labelled("job-1"), reported(client, "Trainer") as report:
        assert read_until(client, report.run_id, in_state("preparing"))["job"] == "job-1"
        report.about("Trainer Loss", 10, 2, 5)
        place = report.begin_epoch(dict.fromkeys(workers, 5), 0)
        run_on_gang(client, routine, members=[Member(address) for address in workers], shared=place)
        report.note("stopped", "enough")
    run = read_until(client, report.run_id, lambda run: run["state"] == "done" and run["ranks"][1]["bytes"] == 77)
    assert run["trees"] == 1
    assert run["ranks"][0] == {"rank": 0, "worker": workers[0], "rows": 5, "spans": {"computing": 1.0}, "bytes": 77}
    assert [event["kind"] for event in run["events"]] == ["started", "stopped", "done"]
    assert [run["run"] for run in read_board(client, job="job-1")] == [report.run_id]


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (ValueError("no such column"), "failed", "ValueError: no such column"),
        (KeyboardInterrupt(), "cancelled", None),
        (GangCancelled("Rank 0 was stopped", "Look."), "cancelled", None),
    ],
)
def test_how_a_run_ends_is_told(client: Client, error: BaseException, state: str, told: str | None) -> None:
    with pytest.raises(type(error)), reported(client, "Trainer") as report:
        raise error
    assert read_until(client, report.run_id, in_state(state))["error"] == told


def test_a_client_that_leaves_in_the_middle_ends_its_run(client: Client) -> None:
    with Client(client.scheduler.address, set_as_default=False) as second:
        began = reported(second, "Trainer")
        report = began.__enter__()
        read_until(client, report.run_id, in_state("preparing"))
    assert "left the cluster" in read_until(client, report.run_id, in_state("failed"))["error"]
    began.__exit__(None, None, None)  # a closed client tells nothing, and nothing is raised


def test_a_label_is_that_of_its_block_and_thread(client: Client) -> None:
    made: dict[str, str] = {}

    def run(name: str) -> None:
        with reported(client, name) as report:
            made[name] = report.run_id

    with labelled("outer"):
        other = threading.Thread(target=run, args=("beside",))
        other.start()
        other.join()
        with labelled("inner"):
            run("inside")
        run("after")
    jobs = {name: read_until(client, run_id, in_state("done"))["job"] for name, run_id in made.items()}
    assert jobs == {"beside": None, "inside": "inner", "after": "outer"}


def test_a_part_of_a_larger_run_says_so_in_its_label(client: Client) -> None:
    with part_of_run("fold 2 of 5"), reported(client, "Trainer") as report:
        pass
    assert read_until(client, report.run_id, in_state("done"))["label"] == "Trainer (fold 2 of 5)"
    with reported(client, "Trainer") as report:
        report.about("Trainer Logloss", 10, 2, 5)
    assert read_until(client, report.run_id, in_state("done"))["label"] == "Trainer Logloss"


def test_nobody_is_told_of_a_run_that_is_not_reported(client: Client) -> None:
    before = len(read_board(client))
    UNREPORTED.about("x", 1, 1, 1)
    UNREPORTED.note("lost", "x")
    assert UNREPORTED.begin_epoch({"tcp://a:1": 1}, 0) is None
    assert len(read_board(client)) == before


def test_what_the_board_cannot_read_ends_no_stream(client: Client) -> None:
    with reported(client, "Trainer") as report:
        RunReport(client, report.run_id)._tell("of a later version", strange=[1, 2])
        assert read_until(client, report.run_id, in_state("preparing"))
    read_until(client, report.run_id, in_state("done"))


def test_a_scheduler_without_a_dashboard_has_a_board(client: Client) -> None:
    def pages(dask_scheduler: Any) -> bool:
        return any(hasattr(one, "app_paths") for one in dask_scheduler.http_application.applications)

    assert client.run_on_scheduler(pages) is False
    with reported(client, "Trainer") as report:
        pass
    assert read_until(client, report.run_id, in_state("done"))["label"] == "Trainer"
