"""The files that describe the project agree with each other."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lower_ends() -> dict[str, str]:
    """The lowest version of every requirement that users and tests install, by distribution."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {}
    extras = project["optional-dependencies"]
    *needed, own = extras["test"]
    # Tests render what the first three would start, and search with the last.
    assert own == "gbdist[ssh,jobqueue,kubernetes,search]"
    of_extras = [one for name in ("ssh", "jobqueue", "kubernetes", "search") for one in extras[name]]
    for requirement in [*project["dependencies"], *needed, *of_extras]:
        match = re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z,]+\])?>=([0-9.]+)(?:,<[0-9.]+)?", requirement)
        assert match, f"{requirement} has no lower end"
        found[match[1]] = match[2]
    return found


def test_lowest_versions_tested_are_those_that_are_promised() -> None:
    ours, _, others = (ROOT / "constraints/lowest.txt").read_text().partition("# Not ours")
    pinned = dict(line.split("==") for line in ours.splitlines() if line and not line.startswith("#"))
    assert pinned == lower_ends()
    assert f"distributed=={pinned['dask']}\n" in others  # one release, two distributions


def test_readme_opens_with_two_commands_that_set_everything_up() -> None:
    commands = re.findall(r"^    (pip install .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert commands == ["pip install . && gbdist demo", "pip install '.[test]' && pytest"]
