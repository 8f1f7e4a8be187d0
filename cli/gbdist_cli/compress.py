"""``gbdist compress``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.jobs.options import compress_job
from gbdist_cli import completion
from gbdist_cli.groups import TALK, WORKERS, takes
from gbdist_cli.options import CatNanOption, OptionalModelArgument, WeightOption, require_address
from gbdist_cli.output import out, table_of

DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Parquet or CSV with rows to compress on; may be repeated.",
        autocompletion=completion.files(*completion.DATA),
    ),
]
HoldoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--holdout",
        metavar="DATA",
        help="Rows that the model was not trained on, to choose by and to report on; may be repeated.  [default: some of DATA]",
        autocompletion=completion.files(*completion.DATA),
    ),
]
LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--label", metavar="COL", help="The column of the labels; repeated for a loss of several labels a row."
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="TARGET",
        help="size:0.25, size:200KB, latency:0.5, trees:250, loss:+0.2%, loss:0.3471; or several, with commas.",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="SMALL.CBM",
        help="Where the model goes.  [default: small.cbm]",
        autocompletion=completion.files(".cbm"),
    ),
]
BestOption = Annotated[bool, typer.Option("--best", help="Write the nearest model where none reaches the target.")]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="PAGE.HTML",
        help="Write a page with the curve of size against quality here.",
        autocompletion=completion.files(".html"),
    ),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, help="What all draws follow from.  [default: 0]")
]


@takes(
    {
        "model": OptionalModelArgument,
        "data": DataOption,
        "label": LabelOption,
        "target": TargetOption,
        "output": OutputOption,
    },
    {"holdout": HoldoutOption, "weight": WeightOption, "cat_nan": CatNanOption, "seed": SeedOption},
    {"best": BestOption, "report": ReportOption},
    WORKERS,
    TALK,
)
def compress(**typed: Any) -> None:
    """Make a model smaller: try ways to do it on some rows, choose by others, and report on rows that neither has seen.

    The result is a CatBoost model as the one that was given. Nothing is written if no model reaches the target, unless `--best`
    is there.

    **Examples**

    * gbdist compress model.cbm --data sales.parquet --label bought --target size:0.25
    * gbdist compress model.cbm --data train/ --holdout new.parquet --label price --target loss:+0.2% -o small.cbm
    * gbdist compress model.cbm --data clicks/ --label clicked --target latency:0.5 --report page.html
    * gbdist compress model.cbm --data train/ --label price --target trees:100 --best --scheduler tcp://host:8786 --json
    """
    require_address(typed["scheduler"], typed["tls"])
    job = compress_job({name.replace("_", "-"): value for name, value in typed.items() if value is not None})
    from gbdist.jobs import compress as jobs  # numba and dask load only when needed
    from gbdist_cli.live import reporter_for

    with reporter_for(out.screen, str(job.output)) as reporter:
        result = jobs.compress(job, say=out.note, reporter=reporter)
    say_result(result)


def say_result(result: Any) -> None:
    """Print a ``CompressResult``: the table of before and after, and where files went."""
    report = result.report
    title = f"{report.name}, for {report.target}"
    rows = [dict(zip(("figure", "before", "after", "change"), line, strict=True)) for line in report.lines]
    files = {"model": result.model, "page": result.page}
    out.result(title, {**files, "reached": result.reached, **report.to_dict()}, table_of(title, rows))
    out.note(f"chosen: {report.tried[report.chosen].pipeline}")
    out.note(f"why: {report.reason}")
    for what, path in files.items():
        if path is not None:
            out.note(f"{what}: {path}")
    out.hint(f"gbdist predict {result.model} NEW_DATA -o predictions.parquet")
