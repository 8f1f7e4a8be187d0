"""The live view as a terminal shows it: wide, narrow, without colour, and elsewhere plain lines."""

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gbdist.boosting.events import Happened, RunFinished, RunStarted
from gbdist_cli.live import Drawn, LiveReporter, LiveView, reporter_for, sparkline
from gbdist_cli.view import RankView, RunView

from .test_view import Clock, grown

VIEW = RunView(
    title="price.cbm",
    state="training",
    trees=120,
    iterations=1_000,
    rate=38.25,
    left=23.0,
    seconds=3.0,
    rows=1_000_000,
    features=28,
    workers=2,
    ranks=[
        RankView(0, "tcp://10.0.0.1:40001", 500_000, {"histograms": 4.0, "waiting": 2.0, "leaves": 1.0, "rows": 1.0}),
        RankView(1, "tcp://10.0.0.2:40001", 500_000, {}),
    ],
    curves={
        "learn": {"RMSE": [(10 * number, 0.9 - number / 10) for number in range(8)]},
        "validation": {"RMSE": [(10 * number, 1.0 - number / 10) for number in range(8)]},
    },
    best=(70, 0.3),
    events=deque([(number, f"thing {number}") for number in range(1, 7)]),
)


def drawn(view: RunView, width: int, **more: Any) -> list[str]:
    file = io.StringIO()
    Console(**{"file": file, "width": width, "force_terminal": True, "color_system": None, **more}).print(Drawn(view))
    return file.getvalue().splitlines()


def test_a_network_has_epochs() -> None:
    lines = drawn(replace(VIEW, counted="epochs", rate=0.2), 120)
    assert lines[0].endswith("5.0 s/epoch")
    assert "best 0.3 (epoch 70)" in lines[2]


def test_wide() -> None:
    lines = [line.rstrip() for line in drawn(VIEW, 120)]
    assert lines == [
        "price.cbm training ━━━╸                           120/1000 12% 0:00:23 left 38.2 trees/s",
        "learn      RMSE █▇▆▅▄▃▂▁ 0.2",
        "validation RMSE █▇▆▅▄▃▂▁ 0.3  best 0.3 (tree 70)",
        "1,000,000 rows x 28 features, workers: 2",
        "  rank 0  tcp://10.0.0.1:40001  500,000 rows  histograms 50%, waiting 25%, leaves 12%, rows 12%",
        "  rank 1  tcp://10.0.0.2:40001  500,000 rows",
        "  0:00:03  thing 3",
        "  0:00:04  thing 4",
        "  0:00:05  thing 5",
        "  0:00:06  thing 6",
    ]


@pytest.mark.parametrize("width", [20, 30, 44, 60, 80])
def test_narrow_terminals_cut_lines_and_wrap_none(width: int) -> None:
    lines = drawn(VIEW, width)
    assert len(lines) == 10
    assert all(len(line) <= width for line in lines)
    assert lines[0].rstrip() == {
        20: "training 120/1000",
        30: "price.c… training 120/1000 12%",
        44: "price.cbm training 120/1000 12% 0:00:23 left",
        60: "price.cbm training 120/1000 12% 0:00:23 left 38.2 trees/s",
        80: "price.cbm training ━━╸                    120/1000 12% 0:00:23 left 38.2 trees/s",
    }.get(width, "")


def test_terminals_without_unicode() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=file, width=80, force_terminal=True, color_system=None).print(Drawn(VIEW))
    file.seek(0)
    text = file.read()
    assert "validation RMSE" in text
    assert re.search(r"learn      RMSE \S+ 0\.2", text)


def test_colour_unless_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with_colour = "\n".join(drawn(VIEW, 80, color_system="standard"))
    assert "\x1b[36m" in with_colour
    monkeypatch.setenv("NO_COLOR", "1")
    without = "\n".join(drawn(VIEW, 80, color_system="standard"))
    assert "\x1b[36m" not in without
    assert "training" in without


def test_before_and_after_training() -> None:
    empty = RunView("m.cbm", seconds=4.0)
    assert [line.rstrip() for line in drawn(empty, 60)] == ["m.cbm preparing 0:00:04"]
    failed = replace(VIEW, state="failed", left=None, ranks=[], curves={}, events=deque(), error="no room")
    assert [line.rstrip() for line in drawn(failed, 100)] == [
        "price.cbm failed ━━━╸                           120/1000 12% 0:00:03 38.2 trees/s",
        "1,000,000 rows x 28 features, workers: 2",
        "no room",
    ]


def test_many_ranks_are_counted() -> None:
    many = replace(VIEW, ranks=[RankView(number, "tcp://a", 1, {}) for number in range(30)], events=deque())
    lines = [line.rstrip() for line in drawn(many, 100)]
    assert lines[-2:] == ["  rank 7  tcp://a  1 rows", "  and 22 more"]


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([], 10, ""),
        ([1.0], 10, "▁"),
        ([5.0, 5.0, 5.0], 10, "▁▁▁"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8, "▁▂▃▄▅▆▇█"),
        ([7.0, 6.0, 1.0, 0.0], 2, "▇▁"),
        ([1.0, float("nan"), float("inf"), 2.0], 4, "▁█"),
        ([1.0, 2.0], 0, ""),
    ],
)
def test_sparkline(values: list[float], width: int, expected: str) -> None:
    assert sparkline(list(enumerate(values)), width) == expected


def test_sparkline_of_trees_that_were_not_scored_holds_the_last_value() -> None:
    assert sparkline([(0, 0.0), (4, 7.0), (11, 7.0)], 3) == "▁██"
    assert (
        sparkline([(0, 7.0), (9, 0.0), (10, 0.0)], 3) == "█▁▁"[:1] + sparkline([(0, 7.0), (9, 0.0), (10, 0.0)], 3)[1:]
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_reporter_leaves_the_last_state_there() -> None:
    file, clock = Terminal(), Clock()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    reporter = LiveReporter(console, "m.cbm", clock)
    reporter.say("going on from 2 trees of a")
    reporter.hear(RunStarted(3, 100, 5, 2, resumed=2))
    clock.now += 1
    assert reporter.hear(grown(2, 0.5, 0.75)) is False
    reporter.hear(Happened("lost", "worker tcp://b:1 was lost"))
    reporter.hear(RunFinished(3, "iterations"))
    reporter.close()
    reporter.close()
    text = file.getvalue()
    assert text.startswith("going on from 2 trees of a\n")
    assert "\x1b[?25l" in text  # the cursor is hidden while it draws
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    last = text[text.rindex("m.cbm") :]
    assert "m.cbm done" in last
    assert "3/3 100%" in last
    assert "worker tcp://b:1 was lost" in last


def test_a_run_that_fails_is_left_as_failed() -> None:
    file = Terminal()
    reporter = LiveReporter(Console(file=file, width=80, force_terminal=True, color_system=None), "m.cbm", Clock())
    reporter.hear(RunStarted(3, 100, 5, 2))
    reporter.close()
    assert "m.cbm failed" in file.getvalue()


def test_a_run_that_ctrl_c_ends_is_left_as_stopped() -> None:
    file = Terminal()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)

    def press() -> None:
        with reporter_for(console, "m.cbm") as reporter:
            assert reporter is not None
            with closing(reporter):  # as the job does, which ends before the command
                reporter.hear(RunStarted(3, 100, 5, 2))
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        press()
    assert "m.cbm stopped" in file.getvalue()
    assert "m.cbm failed" not in file.getvalue()


def test_lines_above_the_view() -> None:
    file = Terminal()
    with LiveView(Console(file=file, width=60, force_terminal=True, color_system=None), lambda: Drawn(VIEW)) as live:
        live.say("something [bold]else")
    assert "something [bold]else" in file.getvalue()


@pytest.mark.parametrize("how", [{"force_terminal": False}, {"force_terminal": True, "_environ": {"TERM": "dumb"}}])
def test_elsewhere_nothing_is_drawn(how: dict[str, Any]) -> None:
    with reporter_for(Console(file=io.StringIO(), **how), "m.cbm") as reporter:
        assert reporter is None


def in_terminal(arguments: list[object], folder: Path, columns: int, **environment: str) -> tuple[int, str]:
    """Run ``gbdist`` in a pseudo-terminal; its exit code, and all that it wrote there."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [Path(sys.executable).with_name("gbdist"), *map(str, arguments)]
    variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        command, cwd=folder, stdin=slave, stdout=slave, stderr=slave, env={**variables, "TERM": "xterm", **environment}
    )
    os.close(slave)
    heard = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:  # what Linux says at the end
            break
        if not some:
            break
        heard += some
    os.close(master)
    return process.wait(timeout=60), heard.decode()


def test_train_in_a_terminal(cancer: Path, tmp_path: Path, scheduler: str) -> None:
    job = [
        "train",
        cancer,
        "--target",
        "malignant",
        "--weight",
        "importance",
        "--eval",
        cancer,
        "--scheduler",
        scheduler,
    ]
    code, text = in_terminal([*job, "-p", "iterations=40", "-o", "m.cbm"], tmp_path, 70, NO_COLOR="1")
    assert code == 0, text
    frame = text[text.rindex("m.cbm done") :]
    assert "40/40 100%" in frame
    assert re.search(r"learn +Logloss \S*[▁▂▃▄▅▆▇█]{3}", frame)
    assert re.search(r"validation +Logloss \S*[▁▂▃▄▅▆▇█]{3}", frame)
    assert "model saved" in frame
    assert "\x1b[3" not in text.replace("\x1b[3m", "")  # no colour; the title of the table is slanted


@pytest.mark.soak
def test_a_train_that_is_to_be_silent_is(cancer: Path, tmp_path: Path, scheduler: str) -> None:
    job = ["train", cancer, "--target", "malignant", "--weight", "importance", "--scheduler", scheduler]
    code, text = in_terminal([*job, "-p", "iterations=4", "-p", "verbose=false"], tmp_path, 70)
    assert code == 0, text
    assert "4/4" not in text
    assert "model saved" in text


def test_watching_a_job_in_a_terminal(run: Callable[..., Any], cancer: Path, tmp_path: Path, scheduler: str) -> None:
    place = ["--jobs-dir", tmp_path / "jobs"]
    job = ["train", cancer, "--target", "malignant", "--weight", "importance", "-p", "iterations=60", "--id", "drawn"]
    assert run("job", "submit", *job, "--scheduler", scheduler, *place).code == 0
    code, text = in_terminal(["job", "watch", "drawn", *place], tmp_path, 90, NO_COLOR="1")
    assert code == 0, text
    frame = text[text.rindex("drawn done") :]
    assert "60/60 100%" in frame
    # From the board: curves, and where the ranks' time went.
    assert re.search(r"learn +Logloss +[▁▂▃▄▅▆▇█]{3}", frame)
    assert re.search(r"rank 0  tcp://\S+  \d+ rows  \S+ \d+%", frame)
    assert "Next: gbdist job result drawn" in frame
