"""Dask's and gbdist's commands that recipes and documents show are there, with those options; settings are Dask's."""

import ast
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import distributed  # noqa: F401  - its settings are among those that Dask knows
import pytest

from .recipes import DEPLOY, ROOT, SCRIPTS, containers, dask_commands, environments, manifests

COMMANDS = dask_commands()
DOCUMENTS = sorted([*DEPLOY.rglob("README.md"), ROOT / "docs/deploying.md", ROOT / "docs/security.md"])


@pytest.mark.parametrize(
    ("place", "words"), COMMANDS, ids=[f"{number} {place}" for number, (place, _) in enumerate(COMMANDS)]
)
def test_options_are_those_of_dask(place: str, words: list[str], tmp_path: Path) -> None:
    role, *arguments = words
    main = importlib.import_module(f"distributed.cli.dask_{role}").main
    # What the shell would put in: a number, as some are numbers and the others are not looked at; files have to be there.
    arguments = [re.sub(r"\$\{?\w+(:-[^}]*)?\}?", "1", word) for word in arguments]
    for index, word in enumerate(arguments):
        if word.startswith("--tls-"):
            arguments[index + 1] = str(tmp_path)
    main.make_context(role, [*arguments])  # raises for what it does not know
    assert ("--preload" in " ".join(arguments)) == (role == "scheduler"), f"{place}: the scheduler alone is preloaded"


def test_every_recipe_starts_a_scheduler_and_workers() -> None:
    started: dict[str, set[str]] = {}
    for place, words in COMMANDS:
        started.setdefault(place.partition(":")[0], set()).add(words[0])
    both = {"scheduler", "worker"}
    assert {name for name, roles in started.items() if roles == both} >= {"cluster.yaml", "job.yaml", *SCRIPTS}


@pytest.mark.parametrize(("place", "variables"), environments())
def test_settings_are_those_of_dask(place: str, variables: dict[str, str]) -> None:
    for name in variables:
        if name.startswith("DASK_"):
            (path,) = (path.replace("_", "-") for path in _paths(dask.config.collect_env({name: "1"})))
            known = dask.config.get(path, default=KeyError)
            assert path == "scheduler-address" or known is not KeyError, f"{place}: Dask has no setting {path}"


def _paths(config: dict[str, Any], before: str = "") -> list[str]:
    """Dotted names of the settings in a configuration."""
    return [
        path
        for key, value in config.items()
        for path in (_paths(value, f"{before}{key}.") if isinstance(value, dict) else [f"{before}{key}"])
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_is_one_of_bash(name: str) -> None:
    path = DEPLOY / name
    text = path.read_text()
    assert text.startswith("#!/bin/bash\n")
    assert "\nset -euo pipefail\n" in text
    checked = subprocess.run(["bash", "-n", path], capture_output=True, text=True, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, "")
    for body in re.findall(r"<<'EOF'\n(.*?)^EOF$", text, re.MULTILINE | re.DOTALL):
        ast.parse(body)


def test_every_script_is_looked_at() -> None:
    others = {".yaml", ".yml", ".md", ".toml", ".json"}
    found = {
        str(path.relative_to(DEPLOY)) for path in DEPLOY.rglob("*") if path.is_file() and path.suffix not in others
    }
    assert found == {*SCRIPTS, "Dockerfile"}


def typed() -> Iterator[tuple[str, str]]:
    """Where and what: every command line of documents, manifests and scripts that begins with gbdist."""
    for path in DOCUMENTS:
        text = path.read_text()
        lines = re.findall(r"^    (.*\S)$", text, re.MULTILINE) + re.findall(r"`(gbdist [^`]*)`", text)
        yield from ((str(path.relative_to(ROOT)), line) for line in lines)
    for name in SCRIPTS:
        text = re.sub(r"\\\n\s*", " ", (DEPLOY / name).read_text())
        yield from ((name, line) for line in text.splitlines() if not line.startswith("#"))
    for name in ("cluster.toml", "cluster-gpu.toml"):
        for path in sorted(DEPLOY.rglob(name)):
            found = re.findall(r"`(gbdist [^`]*)`|: (gbdist .*)$", path.read_text(), re.MULTILINE)
            yield from ((str(path.relative_to(DEPLOY)), one or other) for one, other in found)
    for name, document in manifests():
        for container in containers(document):
            yield name, shlex.join(container["args"])


GBDIST = [
    (place, re.sub(r"\s#\s.*", "", found[1]).strip())
    for place, line in typed()
    if (found := re.search(r"(?:^|client |\")(gbdist [a-z].*)", line.strip()))
]


@pytest.mark.parametrize(("place", "line"), GBDIST, ids=[line for _, line in GBDIST])
def test_command_is_there(place: str, line: str) -> None:
    from typer.main import get_command

    from gbdist_cli.main import app

    command: Any = get_command(app)
    words = shlex.split(line.rstrip('"') if line.count('"') % 2 else line)[1:]
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"{place}: gbdist has no {words[0]}"
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        name = word.partition("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", name):
            assert name in options, f"{place}: {line} has an option {name}, which is not there"


def test_lines_are_looked_at() -> None:
    assert len(GBDIST) > 20
    shown = {place for place, _ in GBDIST}
    assert {"slurm/train.sbatch", "pbs/train.pbs", "ssh/up.sh", "job.yaml", "cluster/deploy/ssh/README.md"} <= shown


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_shell_lines_of_documents_are_bash(path: Path) -> None:
    lines = "\n".join(re.findall(r"^    (.*\S)$", path.read_text(), re.MULTILINE))
    checked = subprocess.run(["bash", "-n"], input=lines, capture_output=True, text=True, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []
    if path.parent != ROOT / "docs":
        # Files that a recipe names are beside it.
        named = re.findall(r"`([\w/-]+\.(?:yaml|sh|sbatch|pbs))`", text)
        assert [name for name in named if not list(path.parent.rglob(name))] == []
