"""Arguments and options that commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

from gbdist.errors import ParameterError
from gbdist_cli import completion
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
        metavar="DATA...",
        help="Parquet or CSV: files, folders or patterns. Workers read them.",
        show_default=False,
        autocompletion=completion.files(*completion.DATA),
    ),
]
_MODEL = typer.Argument(
    metavar="MODEL",
    help="A model in CatBoost's .cbm format.",
    show_default=False,
    autocompletion=completion.files(".cbm"),
)
ModelArgument = Annotated[Path, _MODEL]
OptionalModelArgument = Annotated[Path | None, _MODEL]
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
    list[str] | None,
    typer.Option(
        "--eval",
        metavar="DATA",
        help="Data to score while training; may be repeated.",
        autocompletion=completion.files(*completion.DATA),
    ),
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
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A CatBoost parameter; may be repeated.",
        autocompletion=completion.parameters,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="JOB.TOML",
        help="A file with these options; those typed here win.",
        autocompletion=completion.files(".toml"),
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, help="Start this many workers on this machine.  [default: one a core]"
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="N", min=1, help="Threads of each.  [default: cores / workers]")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS|NAME",
        help="Use a Dask cluster that runs already: tcp://host:8786, or the name given to gbdist cluster up.",
        autocompletion=completion.clusters,
    ),
]
TlsOption = Annotated[
    str | None,
    typer.Option(
        "--tls",
        metavar="FOLDER",
        help="Certificates for an address that begins with tls://, by gbdist cluster certs.",
        autocompletion=completion.files("/"),
    ),
]
JobArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The job, or as much of its id as tells it from others.", show_default=False)
]
JobsDirOption = Annotated[
    str | None,
    typer.Option(
        "--jobs-dir",
        metavar="DIR",
        help="The folder or URL of jobs.  [default: $GBDIST_JOBS, or a folder of the user's]",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object instead of a table.", callback=_as_json, is_eager=True)
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", callback=_debug, is_eager=True)
]


def require_address(scheduler: str | None, tls: str | None) -> None:
    """Raise a ``ParameterError`` where there are certificates, but no address that they are for."""
    if tls is not None and scheduler is None:
        raise ParameterError("--tls", tls, "an address with it", "For example: --scheduler tls://host:8786")
