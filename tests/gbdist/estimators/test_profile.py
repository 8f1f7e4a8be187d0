"""``fit(profile=DIR)`` writes where the time went, on a cluster and in this process, and changes nothing else."""

import json
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRanker, DaskPool
from gbdist.boosting.spans import SpansTaken
from gbdist.errors import ParameterError
from gbdist.estimators import profile as module
from gbdist.estimators.profile import Profile
from gbdist.models.catboost_format import fixed_cbm_bytes

TREES = 6


def model(client: Client | None, **more: Any) -> DaskCatBoostClassifier:
    return DaskCatBoostClassifier(**{"iterations": TREES, "depth": 3, "client": client, "verbose": False, **more})


def read(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "trace.json").read_text())["traceEvents"]
    return found


def spans_of(found: list[dict[str, Any]]) -> dict[tuple[int, int], list[tuple[float, float, str]]]:
    """Start, end and name of the spans of each thread."""
    of_thread: dict[tuple[int, int], list[tuple[float, float, str]]] = {}
    for one in found:
        if one["ph"] == "X":
            of_thread.setdefault((one["pid"], one["tid"]), []).append((one["ts"], one["ts"] + one["dur"], one["name"]))
    return of_thread


def lie_in_each_other(spans: list[tuple[float, float, str]]) -> bool:
    """Whether spans of a thread are nested or apart, as viewers require."""
    open_ends: list[float] = []
    for start, end, _ in sorted(spans, key=lambda one: (one[0], -one[1])):
        while open_ends and open_ends[-1] <= start + 1e-3:
            open_ends.pop()
        if open_ends and end > open_ends[-1] + 1e-3:
            return False
        open_ends.append(end)
    return True


def test_a_gang_is_drawn_rank_by_rank(client: Client, table: pd.DataFrame, tmp_path: Path) -> None:
    data = dd.from_pandas(table, npartitions=6)
    plain = model(client).fit(data, "y")
    seen = model(client).fit(data, "y", profile=tmp_path / "made" / "here")
    assert fixed_cbm_bytes(seen.model_) == fixed_cbm_bytes(plain.model_)
    found = read(tmp_path / "made" / "here")
    names = {one["pid"]: one["args"]["name"] for one in found if one["name"] == "process_name"}
    workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
    assert sorted(names[pid].split(", ")[1] for pid in range(3)) == workers
    threads = spans_of(found)
    assert all(map(lie_in_each_other, threads.values()))
    (training,) = [one for one in found if one["name"] == "training"]
    for rank in range(3):
        spans = threads[rank, 1]
        assert [name for _, _, name in spans if name.startswith("tree")] == [
            f"tree {number}" for number in range(TREES)
        ]
        assert {"loading", "start", "level 0", "level 2", "histograms", "waiting", "leaves", "derivatives"} <= {
            name for _, _, name in spans
        }
        # Of one clock, as far as heartbeats tell it.
        assert min(start for start, _, _ in spans) > training["ts"] - 50_000
        assert max(end for _, end, _ in spans) < training["ts"] + training["dur"] + 50_000
    tasks = {one["name"] for one in found if one.get("cat") == "task"}
    assert any("fill" in name or "arena" in name or "survey" in name for name in tasks), tasks
    text = (tmp_path / "made" / "here" / "summary.txt").read_text()
    assert text.startswith("DaskCatBoostClassifier: 5,000 rows x 7 features, ranks: 3\n")
    assert f"{TREES} trees" in text


def test_sums_are_the_ranks_whole_time(
    client: Client, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[SpansTaken] = []
    monkeypatch.setattr(Profile, "take", lambda _, message: told.append(message))
    model(client).fit(dd.from_pandas(table, npartitions=3), "y", profile=tmp_path)
    for rank in range(3):
        last = [each for each in told if each.rank == rank][-1]
        trees = sum(
            end - start
            for each in told
            if each.rank == rank
            for name, start, end, _, _ in each.records().tolist()
            if each.names[name] in ("tree", "start")
        )
        assert sum(last.seconds.values()) >= trees / 1e9
        assert last.seconds["waiting"] + last.seconds["network"] > 0
        assert last.bytes_sent > 0


def test_small_data_of_this_process(table: pd.DataFrame, tmp_path: Path) -> None:
    few = table[:300]
    plain = model(None).fit(few.drop(columns="y"), few["y"])
    seen = model(None).fit(few.drop(columns="y"), few["y"], profile=str(tmp_path))
    assert fixed_cbm_bytes(seen.model_) == fixed_cbm_bytes(plain.model_)
    found = read(tmp_path)
    assert [one["args"]["name"] for one in found if one["name"] == "process_name"] == [
        "rank 0, this process, 300 rows",
        "client",
    ]
    assert all(map(lie_in_each_other, spans_of(found).values()))
    assert [one["name"] for one in found if one.get("cat") == "phase"] == ["preparing", "training", "the model"]
    assert "could not be asked" not in (tmp_path / "summary.txt").read_text()


def test_pool_and_ranker(client: Client, table: pd.DataFrame, tmp_path: Path) -> None:
    pool = DaskPool(dd.from_pandas(table, npartitions=3), "y", client=client)
    model(client).fit(pool, profile=tmp_path / "pool")
    assert len({one["pid"] for one in read(tmp_path / "pool") if one["name"] == "tree 0"}) == 3
    few = table[:200]
    ranker = DaskCatBoostRanker(iterations=3, depth=2, verbose=False)
    ranker.fit(few[["a", "b"]], few["y"], group_id=[number // 10 for number in range(200)], profile=tmp_path / "ranks")
    assert (tmp_path / "ranks" / "summary.txt").read_text().startswith("DaskCatBoostRanker: 200 rows x 2 features")


def test_a_fit_that_fails_is_drawn_as_far_as_it_came(table: pd.DataFrame, tmp_path: Path) -> None:
    class Fails:
        def after_iteration(self, info: Any) -> bool:
            if info.iteration == 2:
                raise RuntimeError("enough")
            return True

    few = table[:300]
    with pytest.raises(RuntimeError, match="enough"):
        model(None).fit(few.drop(columns="y"), few["y"], profile=tmp_path, callbacks=[Fails()])
    assert [one["name"] for one in read(tmp_path) if one["name"].startswith("tree")] == ["tree 0", "tree 1"]


def test_many_trees_are_drawn_in_part(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SPANS", 60)
    few = table[:300]
    model(None, iterations=20).fit(few.drop(columns="y"), few["y"], profile=tmp_path)
    found = read(tmp_path)
    assert len([one for one in found if one["name"].startswith("tree")]) == 20
    assert len([one for one in found if one.get("cat") == "histograms"]) < 20
    assert "whole trees alone" in (tmp_path / "summary.txt").read_text()


def test_a_scheduler_that_does_not_answer_costs_the_tasks_alone(
    client: Client, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(client: Client) -> float:
        raise TimeoutError

    monkeypatch.setattr(module, "scheduler_offset", silent)
    model(client).fit(dd.from_pandas(table, npartitions=3), "y", profile=tmp_path)
    assert "The scheduler could not be asked" in (tmp_path / "summary.txt").read_text()
    assert len({one["pid"] for one in read(tmp_path) if one["name"] == "tree 0"}) == 3


def test_a_profile_that_cannot_be_written_in_the_end_is_a_warning(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_trace", full)
    few = table[:300]
    with pytest.warns(UserWarning, match="profile could not be written to .*No space left on device"):
        fitted = model(None).fit(few.drop(columns="y"), few["y"], profile=tmp_path)
    assert fitted.tree_count_ == TREES


def refusal(what: Any, **more: Any) -> str:
    with pytest.raises(ParameterError) as refused:
        model(None, **more).fit([[1.0], [2.0]], [0, 1], profile=what)
    return str(refused.value)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(True) == (
        "profile=True cannot be used: expected the path of a folder. For example: profile='profile'."
    )
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file") == (
        f"profile={str(tmp_path / 'file')!r} cannot be used: expected a folder on this machine that can be written "
        "(File exists). Name another one."
    )


def test_rounds_of_models_cannot_be_drawn(tmp_path: Path) -> None:
    assert refusal(tmp_path / "new", aggregate="models") == (
        f"profile={str(tmp_path / 'new')!r} cannot be used: expected None with aggregate='models'. "
        "Leave out one of the two: CatBoost's own trainer does not tell what it is at."
    )
    assert not (tmp_path / "new").exists()
