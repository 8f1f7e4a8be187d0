"""A timeline becomes what trace viewers read, and a text."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gbdist.boosting.spans import SPAN, SpansTaken
from gbdist.profiling.summary import summary_of
from gbdist.profiling.timeline import SECOND, Note, Phase, RankTrack, Task, Timeline
from gbdist.profiling.trace import write_trace

NAMES = ("waiting", "all_reduce", "leaves", "level", "tree")


def at(seconds: float) -> int:
    return round(seconds * SECOND)


def told(rank: int, seconds: dict[str, float], *, cut: bool = False) -> SpansTaken:
    """A tree of one level, on a clock that is 2 s behind."""
    spans = [
        (0, at(3.0), at(3.5), -1, 0),
        (1, at(2.5), at(4.0), -1, 50 + rank),
        (3, at(2.0), at(4.0), 0, 0),
        (2, at(4.0), at(4.5), -1, 0),
        (4, at(1.0), at(5.0), 7, 0),
    ]
    return SpansTaken(rank, NAMES, 2.0, np.array(spans, SPAN).tobytes(), cut, seconds, 50 + rank)


def track(epoch: int, rank: int, worker: str, seconds: dict[str, float], *, cut: bool = False) -> RankTrack:
    made = RankTrack(epoch, rank, worker, 1_000)
    made.take(told(rank, seconds, cut=cut))
    return made


def timeline(**more: Any) -> Timeline:
    phases = [Phase("preparing", at(0), at(2)), Phase("training", at(2), at(8)), Phase("the model", at(8), at(8.5))]
    tracks = [
        track(0, 0, "tcp://a:1", {"other": 1.0, "leaves": 2.0, "waiting": 1.0, "tiny": 0.001}),
        track(0, 1, "tcp://b:1", {"other": 1.0, "leaves": 2.5, "waiting": 0.5}),
    ]
    tasks = [
        Task("fill_arena", "compute", "tcp://a:1", 77, at(0.5), at(1.0)),
        Task("fill_arena", "transfer", "tcp://a:1", 77, at(0.2), at(0.6)),
        Task("survey", "compute", "tcp://c:1", 5, at(0.5), at(1.0)),
    ]
    return Timeline(
        **{
            "title": "DaskCatBoostRegressor",
            "features": 28,
            "phases": phases,
            "tracks": tracks,
            "tasks": tasks,
            "notes": [],
            **more,
        }
    )


def events(folder: Path, what: Timeline) -> list[dict[str, Any]]:
    write_trace(folder / "trace.json", what)
    written = json.loads((folder / "trace.json").read_text())
    assert written.keys() == {"displayTimeUnit", "otherData", "traceEvents"}
    found: list[dict[str, Any]] = written["traceEvents"]
    return found


def named(found: list[dict[str, Any]], what: str) -> dict[int, str]:
    return {one["pid"]: one["args"]["name"] for one in found if one["name"] == what}


def test_a_process_a_rank(tmp_path: Path) -> None:
    found = events(tmp_path, timeline())
    processes = named(found, "process_name")
    assert list(processes.values()) == [
        "rank 0, tcp://a:1, 1,000 rows",
        "rank 1, tcp://b:1, 1,000 rows",
        "worker tcp://c:1",
        "client",
    ]
    assert list(processes)[:2] == [0, 1]
    assert len(set(processes)) == 4


def test_spans_of_a_rank_are_in_microseconds_since_the_fit_began(tmp_path: Path) -> None:
    of_rank = [one for one in events(tmp_path, timeline()) if one["pid"] == 1 and one["tid"] == 1 and one["ph"] != "M"]
    assert of_rank == [
        {"name": "waiting", "cat": "waiting", "ph": "X", "pid": 1, "tid": 1, "ts": 5e6, "dur": 0.5e6},
        {"name": "all_reduce", "cat": "network", "ph": "X", "pid": 1, "tid": 1, "ts": 4.5e6, "dur": 1.5e6, "args": {"bytes": 51}},
        {"name": "level 0", "cat": "other", "ph": "X", "pid": 1, "tid": 1, "ts": 4e6, "dur": 2e6},
        {"name": "leaves", "cat": "leaves", "ph": "X", "pid": 1, "tid": 1, "ts": 6e6, "dur": 0.5e6},
        {"name": "tree 7", "cat": "other", "ph": "X", "pid": 1, "tid": 1, "ts": 3e6, "dur": 4e6},
        {"name": "bytes sent for each tree", "ph": "C", "pid": 1, "tid": 1, "ts": 7e6, "args": {"bytes": 51}},
    ]  # fmt: skip


def test_tasks_lie_with_the_rank_of_their_worker_and_do_not_overlap_transfers(tmp_path: Path) -> None:
    found = events(tmp_path, timeline())
    tasks = [one for one in found if one.get("cat") in ("task", "transfer")]
    assert [(one["name"], one["cat"], one["pid"], one["ts"], one["dur"]) for one in tasks] == [
        ("fill_arena", "transfer", 0, 0.2e6, 0.4e6),
        ("fill_arena", "task", 0, 0.5e6, 0.5e6),
        ("survey", "task", tasks[2]["pid"], 0.5e6, 0.5e6),
    ]
    assert tasks[0]["tid"] != tasks[1]["tid"]
    assert named(found, "process_name")[tasks[2]["pid"]] == "worker tcp://c:1"


def test_phases_and_what_happened_are_the_clients(tmp_path: Path) -> None:
    found = events(tmp_path, timeline(notes=[Note(at(3), "worker tcp://b:1 was lost")]))
    (client,) = [pid for pid, name in named(found, "process_name").items() if name == "client"]
    assert [(one["name"], one["ts"], one["dur"]) for one in found if one.get("cat") == "phase"] == [
        ("preparing", 0, 2e6),
        ("training", 2e6, 6e6),
        ("the model", 8e6, 0.5e6),
    ]
    instants = [one for one in found if one["ph"] == "i"]
    assert instants == [
        {"name": "worker tcp://b:1 was lost", "cat": "event", "ph": "i", "s": "g", "pid": client, "tid": 1, "ts": 3e6}
    ]


def test_ranks_of_later_gangs_are_processes_of_their_own(tmp_path: Path) -> None:
    tracks = [track(0, 0, "tcp://a:1", {}), track(1, 0, "tcp://a:1", {})]
    found = events(tmp_path, timeline(tracks=tracks, tasks=[]))
    assert list(named(found, "process_name").values()) == [
        "rank 0 of gang 0, tcp://a:1, 1,000 rows",
        "rank 0 of gang 1, tcp://a:1, 1,000 rows",
        "client",
    ]


def test_summary() -> None:
    assert summary_of(timeline()).splitlines() == [
        "DaskCatBoostRegressor: 2,000 rows x 28 features, ranks: 2",
        "  preparing           2.00 s",
        "  training            6.00 s   1 trees, 6.0 s/tree",
        "  the model           0.50 s",
        "",
        "  stage           share    mean of ranks      least       most",
        "  leaves          56.2%          2.250 s    2.000 s    2.500 s",
        "  waiting         18.7%          0.750 s    0.500 s    1.000 s",
        "  other           25.0%          1.000 s    1.000 s    1.001 s",
        "Ranks sent 101 bytes in all, 101 bytes for each tree.",
        "The others waited for rank 1 (tcp://b:1), 0.50 s at least.",
    ]


def test_a_network_has_epochs(tmp_path: Path) -> None:
    of_network = track(0, 0, "tcp://a:1", {"other": 1.0})
    of_network.names = (*NAMES[:-1], "epoch")
    made = timeline(tracks=[of_network])
    assert "1 epochs, 6.0 s/epoch" in summary_of(made)
    assert "50 bytes for each epoch." in summary_of(made)
    assert [one["name"] for one in events(tmp_path, made) if one["ph"] == "C"] == ["bytes sent for each epoch"]
    assert json.loads((tmp_path / "trace.json").read_text())["otherData"]["epochs"] == 1


def test_summary_of_a_run_that_lost_a_worker_and_became_too_long() -> None:
    tracks = [track(0, 0, "tcp://a:1", {"other": 1.0}), track(1, 0, "tcp://a:1", {"other": 1.0}, cut=True)]
    notes = [Note(at(number), f"thing {number}") for number in range(1, 11)]
    lines = summary_of(timeline(tracks=tracks, notes=notes, tasks=None)).splitlines()
    assert lines[0] == "DaskCatBoostRegressor: 1,000 rows x 28 features, ranks: 1"
    assert lines[-12:] == [
        "The timeline has whole trees alone from where it became too long; the sums above are whole.",
        "The scheduler could not be asked when tasks were done: the timeline has none.",
        "Gangs: 2. Trees that were lost and done again are counted twice.",
        *(f"  {number:8.2f} s  thing {number}" for number in range(1, 9)),
        "  and 2 more",
    ]


def test_summary_of_a_run_that_ended_before_it_trained() -> None:
    lines = summary_of(timeline(tracks=[], features=0, phases=[Phase("preparing", 0, at(1))])).splitlines()
    assert lines == [
        "DaskCatBoostRegressor: 0 features, ranks: 0",
        "  preparing           1.00 s",
        "no rank told where its time went",
    ]
