"""The parts of docs/cli.md that follow from the code: the help of every command, and every error.

usage: python -m gbdist_cli.document [PATH]

They stand between two comments each and are written anew; what is around them is written by hand. A test fails where they are
out of date, or where a kind of error has no example here.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gbdist.compression.errors import TargetNotReached
from gbdist.errors import (
    ClusterError,
    DataError,
    GbdistError,
    ModelError,
    ParameterError,
    SettingError,
    SnapshotError,
)
from gbdist.jobs.outputs import OutputError
from gbdist.jobs.submitted.errors import JobCancelled, JobError, JobFailed, JobLost, JobNotReady
from gbdist_cli.config import ConfigError
from gbdist_cli.errors import ENDINGS, Ending, exit_codes, next_step, text_of

DOCUMENT = Path(__file__).parents[2] / "docs/cli.md"

#: Of each kind of error in ``ENDINGS``: one as it may happen, and what was typed.
EXAMPLES: dict[type[BaseException], tuple[BaseException, str]] = {
    ParameterError: (
        ParameterError("dept", 3, "a parameter of CatBoost", "Did you mean depth?"),
        "train sales.parquet --target price -p dept=3",
    ),
    SettingError: (
        SettingError("cluster.toml:7: port", 99999, "a number from 0 to 65535", "Correct it there."),
        "cluster up --config cluster.toml",
    ),
    ConfigError: (
        ConfigError("job.toml:3", "unknown key 'traget'", "Did you mean 'target'?"),
        "train --config job.toml",
    ),
    DataError: (
        DataError(
            "sales.parquet", "no column 'prise'", "every column that is asked for", "Did you mean 'price'?"
        ),
        "train sales.parquet --target prise",
    ),
    ClusterError: (
        ClusterError("The cluster at tcp://host:8786 has no workers after 30 s", "Start workers with: dask worker tcp://host:8786"),
        "train sales.parquet --target price --scheduler tcp://host:8786",
    ),
    ModelError: (
        ModelError("notes.txt is not a CatBoost model in .cbm format", "Name a file that gbdist train wrote."),
        "predict notes.txt new.parquet",
    ),
    OutputError: (
        OutputError("no/model.cbm", "the folder /data/no does not exist", "Make it with: mkdir -p /data/no"),
        "train sales.parquet --target price -o no/model.cbm",
    ),
    SnapshotError: (
        SnapshotError(
            "runs/price.000002",
            "a snapshot of another run (depth: 6 in the snapshot, 8 here)",
            "one of this run",
            "Train with the same parameters and data to go on from it, or give another snapshot_file to begin anew.",
        ),
        "train sales.parquet --target price --snapshot runs/price -p depth=8",
    ),
    TargetNotReached: (
        TargetNotReached(
            "size:1KB",
            "the bound is 1,000 bytes, and the nearest of 9 models has 6,212 bytes at a loss of 0.61",
            None,
            None,
        ),
        "compress model.cbm --data sales.parquet --label price --target size:1KB",
    ),
    JobNotReady: (JobNotReady("job sales is running", "Watch it with: gbdist job watch sales"), "job result sales"),
    JobFailed: (JobFailed("job sales failed: no.parquet: found no such file", "See gbdist job logs sales"), "job watch sales"),
    JobCancelled: (JobCancelled("job sales was cancelled", "Go on with: gbdist job resume sales"), "job result sales"),
    JobLost: (JobLost("job sales is lost: its cluster is gone", "Go on with: gbdist job resume sales"), "job watch sales"),
    JobError: (JobError("there is no job 'sale' in /shared/jobs", "Did you mean 'sales'?"), "job show sale"),
    GbdistError: (GbdistError("something that has no kind of its own"), "train sales.parquet --target price"),
    Exception: (KeyError("x"), "train sales.parquet --target price"),
    KeyboardInterrupt: (KeyboardInterrupt(), "train sales.parquet --target price"),
}  # fmt: skip


def commands(group: Any, path: str = "gbdist") -> Iterator[tuple[str, Any]]:
    """Every command with the words that it is typed by, in the order of the help."""
    for name, command in group.commands.items():
        words = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


def all_commands() -> list[tuple[str, Any]]:
    """Every command of ``gbdist``."""
    from typer.main import get_command

    from gbdist_cli.main import app

    return list(commands(get_command(app)))


def help_of(words: str, command: Any) -> str:
    """The help of one command: what it does, examples, arguments and options."""
    lines = [f"### {words}", "", inspect.cleandoc(command.help or "").replace("\f", ""), ""]
    shown = [one for one in command.params if one.name != "help" and not getattr(one, "hidden", False)]
    rows = [_row(parameter) for parameter in shown]
    return "\n".join([*lines, "| | |", "|---|---|", *rows])


def _row(parameter: Any) -> str:
    named = parameter.opts[0].startswith("-")
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts)) if named else ""
    value = parameter.metavar or ""
    shown = f"{names} `{value}`" if named and value else names or f"`{value}`"
    text = re.sub(r"\s+", " ", parameter.help or "").strip()
    default = parameter.default
    if getattr(parameter, "show_default", False) and default not in (None, False, ()) and not callable(default):
        text += f" [default: {default}]"
    return f"| {shown.replace('|', chr(92) + '|')} | {text.replace('|', chr(92) + '|')} |"


def errors() -> str:
    """Every kind of error with its code, an example and the next step, and what every code means."""
    parts = [_of_error(ending) for ending in ENDINGS]
    codes = ["| code | meaning |", "|---|---|", *(f"| {code} | {meaning} |" for code, meaning in exit_codes())]
    return "\n".join([*codes, "", "\n\n".join(parts)])


def _of_error(ending: Ending) -> str:
    if ending.error not in EXAMPLES:
        raise LookupError(f"an example for {ending.error} in gbdist_cli/document.py is missing: add one to EXAMPLES")
    error, typed = EXAMPLES[ending.error]
    words = typed.split()
    command = " ".join(words[:2] if words[0] in ("cluster", "job") else words[:1])
    shown = f"Error: {text_of(error)}\nNext: {next_step(error, command, words)}"
    return f"**{ending.error.__name__}** (exit code {ending.code}): {ending.meaning}.\n\n```\n$ gbdist {typed}\n{shown}\n```"


def updated(text: str) -> str:
    """The document with its generated parts written anew; LookupError where their place is not marked."""
    every = "\n\n".join(help_of(words, command) for words, command in all_commands())
    for name, content in (("commands", every), ("errors", errors())):
        begin, end = f"<!-- {name}: generated by python -m gbdist_cli.document -->\n", f"<!-- end of {name} -->\n"
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise LookupError(f"no place for {name} in the document: expected {begin!r} and {end!r}")
        text = f"{before}{begin}\n{content}\n\n{end}{after}"
    return text


def main() -> None:
    """Write the document anew."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENT
    path.write_text(updated(path.read_text()))


if __name__ == "__main__":
    main()
