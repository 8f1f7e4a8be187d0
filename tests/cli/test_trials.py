"""Trials of a search, as a terminal shows them, and in lines."""

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from gbdist_cli import job_view
from gbdist_cli.trials import TrialsDrawn, TrialsShown, head_of, line_of


def row(number: int, state: str = "complete", score: float | None = 0.5, **more: Any) -> dict[str, Any]:
    params = {"depth": number, "learning_rate": 0.0312345}
    return {"number": number, "state": state, "params": params, "score": score, "trees": 1_000, "seconds": 2.25,
            "error": "", **more}  # fmt: skip


SEARCH = {
    "study": "s",
    "trials": 60,
    "ended": 12,
    "running": 1,
    "pruned": 2,
    "failed": 0,
    "best": 0.91234567,
    "best_trial": 7,
    "rows": [
        row(7, score=0.91234567),
        row(10, "running", None),
        row(11, "pruned"),
        row(12, "failed", None, error="no"),
    ],
}


def drawn(width: int, height: int = 40, **more: Any) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(TrialsDrawn({**SEARCH, **more}, 72.0))
    return file.getvalue().splitlines()


def test_a_table_marks_the_best() -> None:
    assert drawn(100) == [
        "12 of 60 trials, 1 running, 2 pruned, best 0.912346 (trial 7)  0:01:12",
        "  trial  state          score   trees  parameters",
        "*     7  complete    0.912346   1,000  depth=7 learning_rate=0.03123",
        "     10  running                1,000  depth=10 learning_rate=0.03123",
        "     11  pruned           0.5   1,000  depth=11 learning_rate=0.03123",
        "     12  failed                 1,000  no",
    ]


def test_a_table_fits_its_terminal() -> None:
    assert all(len(line) <= 40 for line in drawn(40))
    lines = drawn(100, height=6)
    assert [line[:7] for line in lines[2:]] == ["*     7", "     12"]


def test_what_there_is_not_is_not_told() -> None:
    least = {**SEARCH, "trials": None, "running": 0, "pruned": 0, "best": None}
    assert head_of(least) == "12 trials"
    assert head_of({**least, "ended": 1}) == "1 trial"
    assert head_of({**least, "ended": 0, "trials": 1}) == "0 of 1 trial"
    assert head_of({**SEARCH, "best_trial": None}) == "12 of 60 trials, 1 running, 2 pruned, best 0.912346"


def test_lines() -> None:
    assert line_of(row(3)) == "trial 3 complete: score 0.5, 1,000 trees, 2.2 s; depth=3 learning_rate=0.03123"
    failed = row(4, "failed", None, error="no such tree")
    assert line_of(failed) == "trial 4 failed: 1,000 trees, 2.2 s; depth=4 learning_rate=0.03123: no such tree"


def test_a_table_is_there_from_the_first_that_is_told() -> None:
    file = io.StringIO()
    shown = TrialsShown(Console(file=file, width=80, force_terminal=True, color_system=None))
    shown.close()
    assert file.getvalue() == ""
    shown.take(SEARCH)
    shown.close()
    shown.close()
    assert "12 of 60 trials" in file.getvalue()


def test_a_job_that_searches_is_watched_by_its_trials() -> None:
    view = SimpleNamespace(progress={"search": SEARCH}, started=100.0, ended=172.0, is_over=True)
    file = io.StringIO()
    Console(file=file, width=100, force_terminal=True, color_system=None).print(job_view.drawn(view))
    assert file.getvalue().splitlines() == drawn(100)
    assert job_view.progress_of(view) == "12 of 60 trials, 1 running, 2 pruned, best 0.912346 (trial 7)"
