"""The profile of a run that loses a worker has both gangs."""

import json
from pathlib import Path

from distributed import Client

from .conftest import TREES, Small
from .injection import inject
from .plan import Fault


def test_both_gangs_are_drawn(fragile: Client, small: Small, tmp_path: Path) -> None:
    with inject(fragile, Fault("kill", "tree grown", rank=1, tree=3)) as injected:
        assert small.fit(fragile, profile=tmp_path) == small.model
        killed = injected.wait().address
    found = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    names = {one["pid"]: one["args"]["name"] for one in found if one["name"] == "process_name"}
    # Whoever is killed has told of some trees.
    assert {name.split(", ")[0] for name in names.values()} >= {
        "rank 0 of gang 0",
        "rank 1 of gang 0",
        "rank 0 of gang 1",
    }
    last = [pid for pid, name in names.items() if "of gang" in name and "of gang 0" not in name]
    trees = [{one["name"] for one in found if one["pid"] == pid and one["name"].startswith("tree")} for pid in last]
    assert f"tree {TREES - 1}" in set.union(*trees)
    assert any(one["name"].startswith(f"worker {killed} ") for one in found if one["ph"] == "i")
    assert any(one["name"] == "replay" for one in found if one["pid"] in last)
    assert "Gangs: 2." in (tmp_path / "summary.txt").read_text()
