"""The board on its scheduler: what it cannot read, or cannot show, harms nobody."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from gbdist_cluster.monitor import station
from gbdist_cluster.monitor.station import Station

from .told import began


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is logged as an error. Not by ``caplog``: local clusters of other tests keep its handler silent."""
    lines: list[str] = []
    monkeypatch.setattr(station.logger, "exception", lambda text, *values: lines.append(text % values))
    return lines


def scheduler(*applications: Any) -> Any:
    http = SimpleNamespace(applications=list(applications))
    return SimpleNamespace(stream_handlers={}, handlers={}, http_application=http)


def test_what_cannot_be_read_is_logged_with_its_sender(said: list[str]) -> None:
    held = Station(scheduler())
    held.take(client="Client-1", **began())
    held.take(worker="tcp://a:1", run="r", kind="of a later version", strange=[1, 2])
    held.take(worker="tcp://a:1")
    assert [each.startswith("cannot read what tcp://a:1 tells of a run: {") for each in said] == [True, True]
    assert [run["state"] for run in held.board.read()] == ["preparing"]


def test_without_what_the_page_is_made_of_the_rest_works(said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gbdist_cluster.monitor.page", None)  # importing it raises, as without Bokeh
    made = scheduler(SimpleNamespace(app_paths=["/status"]))
    held = Station(made)
    held.start()
    try:
        assert said == ["this version of Dask or Bokeh cannot show the page /gbdist"]
        made.stream_handlers["gbdist-board"](client="Client-1", **began(job="j"))
        assert '"state": "preparing"' in made.handlers["gbdist_board"](job="j")
        held.cancel("j")
        assert '"state": "cancelled"' in made.handlers["gbdist_board"](job="j")
    finally:
        held.stop()
