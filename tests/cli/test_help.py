"""Help and version are quick, because nothing heavy is loaded for them, and the documents show the same options."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

HEAVY = {"numba", "dask", "distributed", "catboost", "numpy", "pandas", "pyarrow", "sklearn", "bokeh"}
DOCUMENT = Path(__file__).parents[2] / "docs/cli.md"


def test_version(gbdist: Callable[..., Any]) -> None:
    ran = gbdist("--version")
    assert (ran.code, ran.stdout, ran.stderr) == (0, f"gbdist {version('gbdist')}\n", "")


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["train", "--help"], ["train", "--target", "y"], ["report"]]
)
def test_nothing_heavy_is_loaded_to_read_the_command_line(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom gbdist_cli.main import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write('loaded: ' + ' '.join(sorted({HEAVY!r} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines()[-1] == "loaded: "


@pytest.mark.parametrize("command", ["train", "predict", "report", "demo"])
def test_help_of_each_command_has_examples(run: Callable[..., Any], command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert "Examples" in ran.stdout
    assert f"gbdist {command}" in ran.stdout


def test_documents_name_every_option(run: Callable[..., Any]) -> None:
    from typer.main import get_command

    from gbdist_cli.main import app

    text = DOCUMENT.read_text()
    commands = get_command(app).commands  # type: ignore[attr-defined]
    options = {name for command in commands.values() for parameter in command.params for name in parameter.opts}
    assert sorted(name for name in options if name.startswith("--") and f"`{name}" not in text) == []
