"""Help and version are quick, because nothing heavy is loaded for them, and the documents show the same options."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from gbdist.jobs.outputs import OutputError
from gbdist_cli import document
from gbdist_cli.errors import ENDINGS

HEAVY = {"numba", "dask", "distributed", "catboost", "numpy", "pandas", "pyarrow", "sklearn", "bokeh"}
ROOT = Path(__file__).parents[2]


def test_version(gbdist: Callable[..., Any]) -> None:
    ran = gbdist("--version")
    assert (ran.code, ran.stdout, ran.stderr) == (0, f"gbdist {version('gbdist')}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["train", "--help"],
        ["train", "--target", "y"],
        ["report"],
        ["cluster", "up", "--help"],
    ],
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


def every_command() -> list[str]:
    return [words for words, _ in document.all_commands()]


@pytest.mark.parametrize("words", every_command())
def test_help_of_each_command_has_examples(run: Callable[..., Any], words: str) -> None:
    ran = run(*words.split()[1:], "--help")
    assert ran.code == 0
    _, found, examples = ran.stdout.partition("Examples")
    assert found
    assert words in examples


def test_the_document_has_the_help_of_every_command_and_every_error() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    assert document.updated(text) == text, "out of date: run python -m gbdist_cli.document"
    assert all(f"\n### {words}\n" in text for words in every_command())


def test_a_document_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(LookupError, match="no place for commands in the document"):
        document.updated("# The command line\n")


def test_an_error_without_an_example_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(document.EXAMPLES, OutputError)
    with pytest.raises(LookupError, match=r"an example for .*OutputError.* is missing: add one to EXAMPLES"):
        document.errors()


def test_every_kind_of_error_has_a_code_of_its_own_or_its_base_has() -> None:
    """A class that comes from ``GbdistError`` alone would end with the code for anything else."""
    bases: dict[str, str] = {}
    for folder in ("gbdist", "cluster/gbdist_cluster", "cli/gbdist_cli"):
        for path in (ROOT / folder).rglob("*.py"):
            bases |= dict(re.findall(r"^class (\w+)\((\w+)[,)]", path.read_text(), re.MULTILINE))
    with_code = {ending.error.__name__ for ending in ENDINGS if ending.error}
    direct = {name for name, base in bases.items() if base == "GbdistError"}
    assert {"DataError", "OutputError", "ConfigError"} <= direct
    assert direct - with_code == set()
