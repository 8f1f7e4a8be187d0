"""What the benches of faults draw, and what they make of results; their fits are run by hand."""

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a script of the bench, which imports those beside it."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module


def test_a_seed_draws_the_same_schedule_every_time(load: Any) -> None:
    run = load("schedule_run")
    every = list(run.EVENTS)
    drawn = [run.draw(seed, every) for seed in range(60)]
    assert drawn == [run.draw(seed, every) for seed in range(60)]
    assert len(set(drawn)) == 60
    assert {one.workers for one in drawn} == {2, 3, 4}
    assert {one.data for one in drawn} == set(run.DATA)
    assert {one.task for one in drawn} == set(run.TASKS)
    kinds = Counter(event.kind for one in drawn for event in one.events)
    assert set(kinds) == set(run.EVENTS)
    assert {len(one.events) for one in drawn} == {1, 2, 3, 4}
    assert all(event.tree < run.TASKS[one.task]["iterations"] - 1 for one in drawn for event in one.events)


def test_fewer_kinds_of_events_leave_everything_else_as_it_is(load: Any) -> None:
    run = load("schedule_run")
    for seed in range(20):
        full, joins, none = (run.draw(seed, kinds) for kinds in (list(run.EVENTS), ["join"], []))
        assert (joins.workers, joins.data, joins.task) == (full.workers, full.data, full.task)
        assert [event.tree for event in joins.events] == [event.tree for event in full.events]
        assert {event.kind for event in joins.events} == {"join"}
        assert none.events == ()


def test_seeds_are_read(load: Any) -> None:
    assert load("schedules").seeds_of("0-3,7") == [0, 1, 2, 3, 7]


def told(end: str, **more: Any) -> dict[str, Any]:
    return {"end": end, "digest": "a", "error": None, "seconds": 12.0, "after": 4.0, **more}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "not run"),
        (told("model"), "same model, +2.0 s"),
        (told("model", digest="b"), "**another model**, +2.0 s"),
        (told("hangs", after=60.0), "**hangs**: no end within 60 s"),
        (told("error", error="Bad: a | b\n<c>"), "**error** after 4 s: Bad: a \\| b &lt;c>"),
        (told("skipped", error="not permitted"), "skipped: not permitted"),
    ],
)
def test_cell_of_the_table(load: Any, result: Any, words: str) -> None:
    assert load("faults").in_words(result, told("model", seconds=10.0), "killed") == words


def test_the_page_has_the_table_of_what_is_kept(load: Any) -> None:
    faults = load("faults")
    kept = json.loads(faults.RESULTS.read_text(encoding="utf-8"))
    page = faults.PAGE.read_text(encoding="utf-8")
    assert f"{faults.BEGIN}\n{faults.table(kept)}\n{faults.END}" in page, "run: python bench/faults.py --no-run"
