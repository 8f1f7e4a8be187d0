"""What the page is told to show: the run that was asked for, escaped words, numbers that JSON has, bounded bars."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest

from gbdist_cluster.monitor.board import Board
from gbdist_cluster.monitor.drawing import Choice, WorkerMemory, chosen, drawing
from gbdist_cluster.monitor.figures import roots
from gbdist_cluster.monitor.words import bytes_words, count_words, duration_words, moment_words, number_words

from .told import A, B, about, began, board_of, ended, epoch, event, progress

GIB = 1 << 30
MEMORY = [WorkerMemory(A, 2 * GIB, 8 * GIB), WorkerMemory(B, 7 * GIB, 8 * GIB), WorkerMemory("tcp://c:1", GIB, 0)]
BUSY = [
    began("old"),
    ended("failed", "Error: <b>no</b>", run="old"),
    began(),
    about(),
    epoch(),
    progress(5),
    progress(5, rank=1),
    event("lost", "B left"),
    epoch(1, 4, workers=(A,)),
    progress(
        4,
        epoch=1,
        points=[("learn", "Loss", 7, 0.5), ("learn", "AUC", 7, 0.9), ("validation", "Loss", 7, 0.7)],
        best=(7, 0.7),
    ),
]


def drawn(board: Board, choice: Choice = Choice(), memory: list[WorkerMemory] = MEMORY) -> dict[str, dict[str, Any]]:  # noqa: B008
    made = json.loads(json.dumps(drawing(board, choice, memory, 1_020.0), allow_nan=False))
    return dict(made)


def data(made: dict[str, dict[str, Any]], name: str) -> dict[str, list[Any]]:
    return dict(made[name]["data"])


def test_every_property_has_a_model_on_the_page() -> None:
    names = {model.name for root in roots() for model in root.references() if model.name}
    made = drawn(board_of(*BUSY))
    assert set(made) == names - {"curves", "traffic"} - {
        f"{each}-axis" for each in ("times-x", "times-y", "timeline-x", "timeline-y", "memory-x", "memory-y")
    }
    models = {model.name: model for root in roots() for model in root.references() if model.name}
    for name, properties in made.items():
        for each, value in properties.items():
            setattr(models[name], each, value)  # Bokeh checks the types
    for name, properties in made.items():
        if columns := properties.get("data"):
            assert set(columns) == set(models[name].data), name
            assert len({len(values) for values in columns.values()}) == 1, name


def test_the_run_that_goes_on_is_shown_or_the_one_that_was_asked_for() -> None:
    board = board_of(*BUSY, began("newer"), ended(run="newer"))
    assert [getattr(chosen(board, Choice(asked)), "run_id", None) for asked in ("", "old", "no such")] == [
        "r",
        "old",
        "r",
    ]
    over = board_of(began("a"), ended(run="a"), began("b"), ended(run="b"))
    assert getattr(chosen(over, Choice()), "run_id", None) == "b"
    assert chosen(Board(), Choice()) is None


def test_without_a_run_the_page_says_so() -> None:
    made = drawn(Board(), memory=[])
    assert "No run has begun" in made["headline"]["text"]


def test_curves_are_those_of_the_metric_that_decides_or_was_asked_for() -> None:
    board = board_of(*BUSY)
    made = drawn(board)
    assert data(made, "curves-data")["name"] == ["learn", "validation"]
    assert data(made, "curves-data")["xs"] == [[4, 7], [7]]
    assert data(made, "curves-best") == {"x": [7], "y": [0.7]}
    assert made["curves-y-axis"] == {"axis_label": "Loss"}
    other = drawn(board, Choice("r", "AUC"))
    assert data(other, "curves-data")["ys"] == [[0.9]]
    assert data(other, "curves-best") == {"x": [], "y": []}
    assert drawn(board, Choice("r", "nonsense")) == drawn(board, Choice("r"))


def test_a_network_has_epochs() -> None:
    made = drawn(board_of(began(), {**about(), "counted": "epochs"}, epoch(0, 3), progress(5, best=(4, 0.5))))
    assert "5 / 100 epochs" in made["runs"]["text"]
    assert "best 0.5 at epoch 4" in made["headline"]["text"]
    assert made["curves-x-axis"] == made["traffic-x-axis"] == {"axis_label": "epochs"}
    (run,) = board_of(began(), {**about(), "counted": "epochs"}, epoch(0, 3)).read()
    assert (run["counted"], run["events"][-1]["text"]) == ("epochs", "from 3 epochs")


def test_values_that_json_lacks_are_gaps() -> None:
    points = [("learn", "Loss", 0, float("nan")), ("learn", "Loss", 1, float("inf")), ("learn", "Loss", 2, 0.5)]
    made = drawn(board_of(began(), epoch(), progress(3, points=points, best=(0, float("nan")))))
    assert data(made, "curves-data")["ys"] == [[None, None, 0.5]]
    assert data(made, "curves-best")["x"] == []


def test_time_of_the_ranks_of_this_epoch_is_stacked() -> None:
    made = drawn(board_of(*BUSY))
    assert made["times-y"]["factors"] == ["rank 0"]
    bars = data(made, "times-data")
    stacked = list(zip(bars["name"], bars["left"], bars["right"], strict=True))
    assert stacked == [("computing", 0.0, 2.0), ("waiting", 2.0, 3.0)]


def test_spans_that_have_no_colour_are_others() -> None:
    spans = {"start": 1.0, "waiting": 0.5, "replay": 2.0, "other": 0.25, "histograms": 4.0}
    bars = data(drawn(board_of(began(), epoch(workers=(A,)), progress(3, spans=spans))), "times-data")
    assert list(zip(bars["name"], bars["left"], bars["right"], strict=True)) == [
        ("histograms", 0.0, 4.0),
        ("waiting", 4.0, 4.5),
        ("other", 4.5, 7.75),
    ]


def test_epochs_follow_one_another_on_the_time_line() -> None:
    made = drawn(board_of(*BUSY))
    bars, dots = data(made, "timeline-bars"), data(made, "timeline-dots")
    assert list(zip(bars["epoch"], bars["left"], bars["right"], strict=True)) == [
        ("preparing", 0.0, 2.0),
        ("epoch 0", 2.0, 6.0),
        ("epoch 1", 6.0, 17.0),
    ]
    assert list(zip(dots["kind"], dots["at"], dots["epoch"], strict=True)) == [
        ("started", 2.0, "epoch 0"),
        ("lost", 5.0, "epoch 0"),
        ("regrouped", 6.0, "epoch 1"),
    ]


def test_memory_that_is_nearly_full_has_another_colour() -> None:
    bars = data(drawn(Board()), "memory-data")
    assert bars["worker"] == ["10.0.0.1:1", "10.0.0.2:1", "c:1"]
    assert (bars["used"], bars["limit"]) == ([2.0, 7.0, 1.0], [8.0, 8.0, 0.0])
    assert bars["colour"][0] == bars["colour"][2] != bars["colour"][1]


def test_five_hundred_workers_fit_on_the_page() -> None:
    workers = tuple(f"tcp://10.0.{number // 250}.{number % 250}:1" for number in range(500))
    board = board_of(began(), epoch(workers=workers), *(progress(3, rank=rank) for rank in range(500)))
    made = drawn(board, memory=[WorkerMemory(worker, number, 1000) for number, worker in enumerate(workers)])
    for name in ("times-y", "memory-y"):
        assert len(made[name]["factors"]) == 48
    assert made["memory"]["height"] < 1_300
    assert len(json.dumps(made)) < 100_000


def test_fifty_runs_are_a_short_message() -> None:
    told: list[dict[str, Any]] = []
    for number in range(50):
        told += [began(f"{number:032x}"), about(f"{number:032x}"), ended(run=f"{number:032x}")]
    board = board_of(*told, began(), about(iterations=20_000), epoch())
    for tree in range(1, 10_001, 25):
        points = [(each, "Loss", tree - 1, 0.123456789 * tree) for each in ("learn", "validation")]
        board.take(progress(tree, points=points), "Client-1", 2_000.0 + tree)
    assert len(json.dumps(drawn(board))) < 80_000


class Words(HTMLParser):
    """Tags and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_words_of_users_are_never_markup() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>'\""
    board = board_of(
        began(hostile, job=hostile) | {"label": hostile},
        epoch(run=hostile),
        progress(1, run=hostile, points=[("learn", hostile, 0, 1.0), ("learn", "b", 0, 1.0)]),
        ended("failed", hostile, run=hostile),
    )
    made = drawn(board, Choice(hostile, "b"))
    for name in ("runs", "headline"):
        words = Words(made[name]["text"])
        assert not {"script", "img"} & set(words.tags)
        assert hostile in words.text
    assert made["headline"]["text"].count("<a ") == 1


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (duration_words(None), "–"),
        (duration_words(0.4), "0 s"),
        (duration_words(59.6), "1 min"),
        (duration_words(185.0), "3 min 5 s"),
        (duration_words(8_040.0), "2 h 14 min"),
        (duration_words(273_600.0), "3 d 4 h"),
        (count_words(12_345), "12,345"),
        (number_words(None), "–"),
        (number_words(0.12345), "0.123"),
        (number_words(12.345), "12.3"),
        (number_words(1234.5), "1,234"),
        (bytes_words(12), "12 B"),
        (bytes_words(3_400), "3.4 kB"),
        (bytes_words(5_600_000), "5.6 MB"),
        (bytes_words(7.85e12), "7,850.0 GB"),
        (moment_words(0.0), "01 Jan 00:00 UTC"),
    ],
)
def test_words(made: str, expected: str) -> None:
    assert made == expected
