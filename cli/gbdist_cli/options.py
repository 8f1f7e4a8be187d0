"""Arguments and options that commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

from gbdist_cli.output import out


def _as_json(value: bool) -> bool:
    out.as_json = out.as_json or value
    return value


def _debug(value: bool) -> bool:
    out.debug = out.debug or value
    return value


DataArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA...", help="Parquet or CSV: files, folders or patterns. Workers read them.", show_default=False
    ),
]
ModelArgument = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model in CatBoost's .cbm format.", show_default=False)
]
CatNanOption = Annotated[
    str | None,
    typer.Option(
        "--cat-nan",
        metavar="TEXT",
        help="What stands for missing values in categorical columns.  [default: what it was in training]",
    ),
]
TargetOption = Annotated[
    list[str] | None,
    typer.Option("--target", metavar="COL", help="The column to learn; repeated for a loss of several labels a row."),
]
EvalOption = Annotated[
    list[str] | None, typer.Option("--eval", metavar="DATA", help="Data to score while training; may be repeated.")
]
WeightOption = Annotated[str | None, typer.Option("--weight", metavar="COL", help="The column with row weights.")]
GroupOption = Annotated[
    str | None, typer.Option("--group", metavar="COL", help="The column of groups, whose rows are ranked together.")
]
IgnoreOption = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="COL", help="A column that is no feature; may be repeated.")
]
CatOption = Annotated[
    list[str] | None,
    typer.Option(
        "--cat",
        metavar="COL[,COL]",
        help="All categorical columns; may be repeated.  [default: those of texts and categories, by their types]",
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="NAME=VALUE", help="A CatBoost parameter; may be repeated."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="JOB.TOML", help="A file with these options; those typed here win.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Start this many workers on this machine.  [default: one a core]")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads of each.  [default: cores / workers]")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="Use a Dask cluster that runs already: tcp://host:8786."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of a table.", callback=_as_json, is_eager=True)
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", callback=_debug, is_eager=True)
]
