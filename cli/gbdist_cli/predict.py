"""``gbdist predict``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gbdist.errors import ParameterError
from gbdist_cli import completion
from gbdist_cli.options import (
    CatNanOption,
    DebugOption,
    JsonOption,
    ModelArgument,
    SchedulerOption,
    TlsOption,
    require_address,
)
from gbdist_cli.output import out

DataArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Parquet or CSV: files, folders or patterns.",
        show_default=False,
        autocompletion=completion.files(*completion.DATA),
    ),
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="OUT.PARQUET", help="Where the predictions go.")]
ProbaOption = Annotated[bool, typer.Option("--proba", help="Probabilities, a column for each class.")]
RawOption = Annotated[bool, typer.Option("--raw", help="Raw values: log-odds, or what trees add up to.")]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="N", min=1, help="Threads on this machine.  [default: all cores]")
]


def predict(
    model: ModelArgument,
    data: DataArgument,
    output: OutputOption = Path("predictions.parquet"),
    proba: ProbaOption = False,
    raw: RawOption = False,
    cat_nan: CatNanOption = None,
    threads: ThreadsOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score files with a model, in the order of their rows.

    The output is one Parquet file, or a folder of part files where the data are read in several pieces; either way
    it is read as one table. Without an option it has the predicted label, or the value of a regression.

    **Examples**

    * gbdist predict model.cbm new.parquet
    * gbdist predict model.cbm 'new/*.parquet' --proba -o scores.parquet
    * gbdist predict model.cbm new/ --scheduler tcp://host:8786 -o /shared/scores.parquet
    """
    if proba and raw:
        raise ParameterError("--raw", True, "one kind of prediction", "Leave out --raw or --proba.")
    if scheduler and threads:
        raise ParameterError("--threads", threads, "no size for a cluster that runs already", "Leave out --threads.")
    require_address(scheduler, tls)
    from gbdist.jobs import predict as jobs  # catboost and pyarrow load only when needed

    kind: jobs.Kind = "probability" if proba else "raw" if raw else "prediction"
    job = jobs.PredictJob(model, tuple(data), output, kind, threads, scheduler, cat_nan, tls)
    with out.progress("rows scored") as progress:
        result = jobs.predict(job, on_rows=progress.add)
    out.result("predictions written", asdict(result))
