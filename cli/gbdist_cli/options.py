"""Arguments and options that commands share, each written once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.talk import TALK
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
TrainCatNanOption = Annotated[
    str | None,
    typer.Option(
        "--cat-nan", metavar="TEXT", help="What stands for missing values in categorical columns.  [default: an error]"
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
FoldGroupOption = Annotated[
    str | None,
    typer.Option(
        "--group", metavar="COL", help="The column of groups, which folds keep whole; a ranker ranks in them."
    ),
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
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        metavar="TASK",
        help="auto, binary, multiclass, regression or ranking.  [default: auto]",
        autocompletion=completion.words(completion.TASKS),
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
FoldsOption = Annotated[int | None, typer.Option("--folds", metavar="N", min=2, help="How many folds.  [default: 5]")]
StratifiedOption = Annotated[
    bool | None,
    typer.Option(
        "--stratified/--no-stratified",
        help="Whether folds have the same shares of all classes.  [default: where there are classes]",
        show_default=False,
    ),
]
ShuffleOption = Annotated[
    bool | None,
    typer.Option(
        "--shuffle/--no-shuffle",
        help="Whether rows are dealt to folds by hash, or folds are neighbouring rows.  [default: shuffle]",
        show_default=False,
    ),
]
TimeSeriesOption = Annotated[
    bool | None,
    typer.Option("--time-series", help="Train on the rows before those that are scored: rows are in order of time."),
]
TimeOption = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COL",
        help="The same, and rows must be in the order of this column, which is no feature; checked before training.",
    ),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, help="What the folds are drawn by.  [default: 0]")
]
TableOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write the curves of all metrics, or the trials, here: .csv, .parquet or .json.",
        autocompletion=completion.files(".csv", ".parquet", ".json"),
    ),
]
PlotOption = Annotated[
    Path | None,
    typer.Option(
        "--plot", metavar="PAGE.HTML", help="Write a page of charts here.", autocompletion=completion.files(".html")
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


def with_progress(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters, with a line of progress for every fiftieth tree (a bar in a terminal) unless they say otherwise."""
    return params if TALK & params.keys() else {**params, "verbose": 50}


def require_address(scheduler: str | None, tls: str | None) -> None:
    """Raise a ``ParameterError`` where there are certificates, but no address that they are for."""
    if tls is not None and scheduler is None:
        raise ParameterError("--tls", tls, "an address with it", "For example: --scheduler tls://host:8786")
