"""Prometheus reads the board's numbers; labels go with their runs; the Grafana dashboard asks for nothing else."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from gbdist_cluster.monitor.board import Board
from gbdist_cluster.monitor.metrics import BoardCollector, hide, show

from .told import A, B, about, began, board_of, ended, epoch, event, progress

GRAFANA = Path(__file__).parents[3] / "cluster/deploy/grafana/gbdist.json"


def samples_of(board: Board) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    collector = BoardCollector()
    collector.board = board
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def busy() -> Board:
    """One run that goes on, after a loss, and one that is over."""
    told = [began("over"), ended(run="over"), began(job="j"), about(), epoch(), progress(5), progress(5, rank=1)]
    return board_of(*told, event("lost"), epoch(1, 4, workers=(B,)), progress(2, epoch=1), progress(4, epoch=1))


def test_every_number() -> None:
    found = samples_of(busy())
    run = (("job", "j"), ("label", "Trainer Loss"), ("run", "r"))
    rank = (("rank", "0"), ("run", "r"))
    expected = {
        ("gbdist_trees_total", ()): 9.0,
        ("gbdist_epochs_total", ()): 2.0,
        ("gbdist_workers_lost_total", ()): 1.0,
        ("gbdist_sent_bytes_total", ()): 14_000.0,
        ("gbdist_runs_ended_total", (("state", "done"),)): 1.0,
        ("gbdist_runs_ended_total", (("state", "failed"),)): 0.0,
        ("gbdist_runs_ended_total", (("state", "cancelled"),)): 0.0,
        ("gbdist_span_seconds_total", (("span", "computing"),)): 7.0,
        ("gbdist_span_seconds_total", (("span", "waiting"),)): 3.5,
        ("gbdist_runs", (("state", "preparing"),)): 0.0,
        ("gbdist_runs", (("state", "training"),)): 1.0,
        ("gbdist_run_trees", run): 4.0,
        ("gbdist_run_iterations", run): 100.0,
        ("gbdist_run_rows", run): 3_000.0,
        ("gbdist_run_epoch", run): 1.0,
        ("gbdist_run_trees_per_second", run): 2.0,
        ("gbdist_run_seconds_left", run): 48.0,
        ("gbdist_run_metric", (("metric", "Loss"), ("run", "r"), ("set", "learn"))): 0.2,
        ("gbdist_rank_sent_bytes", (*rank, ("worker", B))): 4_000.0,
        ("gbdist_rank_span_seconds", (*rank, ("span", "computing"), ("worker", B))): 2.0,
        ("gbdist_rank_span_seconds", (*rank, ("span", "waiting"), ("worker", B))): 1.0,
    }
    assert found == expected


def test_labels_go_with_their_runs() -> None:
    board = busy()
    assert [name for name, labels in samples_of(board) if ("run", "r") in labels]
    board.remove_client("Client-1", 2_000.0)
    after = samples_of(board)
    assert [name for name, labels in after if ("run", "r") in labels] == []
    assert after[("gbdist_runs_ended_total", (("state", "failed"),))] == 1.0
    assert after[("gbdist_trees_total", ())] == 9.0


@pytest.fixture
def shown() -> Iterator[Board]:
    board = busy()
    show(board)
    yield board
    hide(board)


def test_the_registry_of_the_process_has_the_newest_board(shown: Board) -> None:
    assert REGISTRY.get_sample_value("gbdist_trees_total") == 9.0
    second = Board()
    show(second)
    hide(shown)  # of a scheduler that closes after another one began
    assert REGISTRY.get_sample_value("gbdist_trees_total") == 0.0
    hide(second)
    assert REGISTRY.get_sample_value("gbdist_trees_total") is None
    hide(second)


def test_labels_with_quotes_and_lines_are_readable(shown: Board) -> None:
    shown.take(began("q") | {"label": 'a"b\nc\\'}, "Client-1", 1.0)
    text = generate_latest(REGISTRY).decode()
    assert 'label="a\\"b\\nc\\\\"' in text
    assert A not in text  # that worker is no rank's any more


# ---- Grafana


def panels() -> list[dict[str, Any]]:
    return list(json.loads(GRAFANA.read_text())["panels"])


def test_the_dashboard_asks_for_metrics_and_labels_that_exist() -> None:
    found = samples_of(busy())
    labels: dict[str, set[str]] = {}
    for name, pairs in found:
        labels.setdefault(name, set()).update(label for label, _ in pairs)
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    variables = json.loads(GRAFANA.read_text())["templating"]["list"]
    asked += [one["query"]["query"] for one in variables if one["type"] == "query"]
    assert len(asked) >= 10
    for expression in asked:
        names = set(re.findall(r"gbdist_\w+", expression))
        assert names, expression
        assert names <= set(labels), expression
        used = {
            one
            for group in re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", expression)
            for one in re.split(r",\s*", group)
        }
        used |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expression))
        known = set().union(*(labels[name] for name in names)) | {"instance", "job", "le"}
        assert used <= known, expression


def test_every_metric_is_on_the_dashboard() -> None:
    text = GRAFANA.read_text()
    assert {name for name, _ in samples_of(busy()) if name not in text} == set()


def test_panels_have_titles_places_and_the_data_source_of_the_variable() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        assert panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
