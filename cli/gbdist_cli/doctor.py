"""``gbdist doctor``."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gbdist_cli.errors import FOUND
from gbdist_cli.options import DebugOption, JsonOption, SchedulerOption, TlsOption, require_address
from gbdist_cli.output import out

WarmOption = Annotated[
    bool, typer.Option("--warm", help="Compile the kernels on every worker, so that no run has to wait for it.")
]

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}
_NAMED = 3


def doctor(
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    warm: WarmOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Look whether a cluster is fit to train, or without `--scheduler` this machine, and say what to do if not.

    Versions everywhere, memory, threads and disk, clocks, GPUs, whether compiled kernels can be kept, and how quickly workers
    reach each other. The exit code is 12 if there is a problem; warnings alone leave it at 0.

    **Examples**

    * gbdist doctor
    * gbdist doctor --scheduler tcp://host:8786 --warm
    * gbdist doctor --scheduler mycluster --json
    """
    require_address(scheduler, tls)
    from gbdist.jobs.doctor import examine  # numba and dask load only when needed

    found = examine(scheduler, tls, warm=warm, say=out.note)
    problems, warnings = found.count("problem"), found.count("warning")
    values = {"problems": problems, "warnings": warnings, "findings": [asdict(one) for one in found.findings]}
    table = Table(show_header=False, box=None, padding=(0, 1))
    for one in found.findings:
        # As Text, for brackets in it are no markup.
        table.add_row(Text(one.level, _STYLES[one.level]), one.check, Text(named(one.where)), Text(one.text))
        if one.fix:
            table.add_row("", "", "", Text(one.fix, "dim"))
    out.result("gbdist doctor", values, table)
    out.note(f"problems: {problems}, warnings: {warnings}")
    if problems:
        raise typer.Exit(FOUND.code)


def named(where: tuple[str, ...]) -> str:
    """Places in a few words."""
    more = f" and {len(where) - _NAMED} more" if len(where) > _NAMED else ""
    return ", ".join(where[:_NAMED]) + more
