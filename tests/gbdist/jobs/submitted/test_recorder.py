"""What a driver writes down: few parts of a log, the newest progress, and how its job ended."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gbdist.boosting.events import Happened, IterationDone, RunFinished, RunStarted
from gbdist.jobs.outputs import OutputError
from gbdist.jobs.submitted.follow import LogReader
from gbdist.jobs.submitted.recorder import Recorder, Voice
from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState
from gbdist.jobs.submitted.store import JobStore, Submission


class Told:
    """Who is told of progress."""

    def __init__(self) -> None:
        self.progress: Mapping[str, Any] = {}
        self.saved = 0

    def report(self, progress: Mapping[str, Any], saved: int = 0) -> None:
        self.progress, self.saved = dict(progress), saved


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    made = JobStore(str(tmp_path), "a")
    made.write_submission(Submission(JobSpec("train"), 1.0, "0"))
    return made


def until(condition: Any) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.02)
    pytest.fail("it never came to that")


def tree(number: int) -> IterationDone:
    return IterationDone(number, {"learn": {"RMSE": 1.0 / (number + 1)}}, number, 1.0 / (number + 1))


def test_a_training_from_start_to_end(store: JobStore) -> None:
    told, clock = Told(), Clock()
    recorder = Recorder(store, JobState("running", attempt=2, submitted=1.0), told, clock)
    recorder.say("a line")
    recorder.hear(RunStarted(iterations=10, rows=50, features=3, ranks=2, resumed=4))
    assert told.saved == 4
    voice = Voice(recorder)
    voice.say("from a fit")
    voice.hear(Happened("lost", "worker w left"))
    voice.close()
    clock.now = 100.5  # no part of the log is due
    for number in range(4, 8):
        recorder.hear(tree(number))
    assert told.progress == {
        "trees": 8,
        "resumed": 4,
        "iterations": 10,
        "counted": "trees",
        "rows": 50,
        "features": 3,
        "ranks": 2,
        "rate": 8.0,
        "left": 0.25,
        "metrics": {"learn": {"RMSE": 0.125}},
        "best": [7, 0.125],
    }
    recorder.hear(RunFinished(8, "overfitting"))
    recorder.close("done", None)
    lines = LogReader(store).new()
    assert [(line["attempt"], line["kind"], line["text"]) for line in lines] == [
        (2, "note", "a line"),
        (2, "started", "training on 50 rows × 3 features, ranks: 2, after 4 trees"),
        (2, "note", "from a fit"),
        (2, "lost", "worker w left"),
        (2, "tree", "tree 7: learn RMSE 0.125  best 0.125 (7)"),
        (2, "finished", "8 trees (overfitting)"),
        (2, "ended", "the job is done"),
    ]
    state = store.read_state()
    assert (state.state, state.attempt, state.progress["trees"]) == ("done", 2, 8)
    assert state.ended is not None


def test_the_log_comes_in_parts_while_the_job_runs(store: JobStore) -> None:
    clock = Clock()
    recorder = Recorder(store, JobState("running", attempt=1), Told(), clock)
    reader = LogReader(store)
    recorder.say("one")
    clock.now += 1.1
    until(lambda: store.names("log") == ["0001-000001.jsonl"])
    assert [line["text"] for line in reader.new()] == ["one"]
    recorder.say("two")
    clock.now += 20.0
    until(lambda: store.names("log") == ["0001-000001.jsonl", "0001-000002.jsonl"])
    assert [line["text"] for line in reader.new()] == ["two"]
    until(lambda: store.read_state().sequence > 0)  # progress is written down now and then
    recorder.close("cancelled", None)
    assert [line["text"] for line in reader.new()] == ["the job is cancelled"]


def test_an_error_is_in_the_log_with_its_traceback(store: JobStore) -> None:
    recorder = Recorder(store, JobState("running", attempt=1), Told())
    recorder.failed(ValueError("a defect"))
    recorder.close("failed", {"kinds": ["ValueError"], "text": "ValueError: a defect"})
    line = LogReader(store).new()[0]
    assert (line["kind"], line["text"]) == ("error", "ValueError: a defect")
    assert line["traceback"].endswith("ValueError: a defect\n")
    assert store.read_state().error == {"kinds": ["ValueError"], "text": "ValueError: a defect"}


def test_who_does_not_speak_for_the_job_writes_no_end(store: JobStore) -> None:
    recorder = Recorder(store, JobState("running", attempt=1), Told())
    recorder.close("failed", None, speaks=False)
    assert store.read_state().state == "running"


def test_a_folder_that_cannot_be_written_to_for_a_while(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, tried = Clock(), threading.Event()
    recorder = Recorder(store, JobState("running", attempt=1), Told(), clock)
    write = store.write

    def full(name: str, data: bytes) -> None:
        tried.set()
        raise OutputError(name, "No space left on device", "Make room.")

    monkeypatch.setattr(store, "write", full)
    recorder.say("kept")
    clock.now += 1.1
    assert tried.wait(10)
    monkeypatch.setattr(store, "write", write)
    recorder.close("done", None)
    assert [line["text"] for line in LogReader(store).new()] == ["kept", "the job is done"]


def test_rows_that_are_scored(store: JobStore) -> None:
    told = Told()
    recorder = Recorder(store, JobState("running", attempt=1), told)
    recorder.count("rows scored", 500, 3)
    assert told.progress == {"what": "rows scored", "done": 500, "parts_left": 3}
    recorder.close("done", None)
    assert store.read_state().progress == told.progress


def test_a_search_is_told_with_its_trials(store: JobStore) -> None:
    told = Told()
    recorder = Recorder(store, JobState("running", attempt=1, submitted=1.0), told, Clock())
    stands = {"study": "s", "earlier": 4, "ended": 5, "rows": []}
    row = {"number": 3, "state": "failed", "score": None, "error": "no such tree"}
    recorder.search(stands, None)
    recorder.search(stands, {**row, "state": "complete", "score": 0.25, "error": ""})
    recorder.search(stands, row)
    assert (told.progress, told.saved) == ({"search": stands}, 4)
    recorder.close("done", None)
    lines = [line for line in LogReader(store).new() if line["kind"] == "trial"]
    assert [line["text"] for line in lines] == ["trial 3 complete, score 0.25", "trial 3 failed: no such tree"]
    assert lines[1]["trial"] == row
    assert store.read_state().progress == {"search": stands}
