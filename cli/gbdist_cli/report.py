"""``gbdist report``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gbdist_cli.options import CatNanOption, DebugOption, JsonOption, ModelArgument
from gbdist_cli.output import out

DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="DATA", help="Parquet or CSV with rows to look at; may be repeated."),
]
TargetOption = Annotated[str | None, typer.Option("--target", metavar="COL", help="The column of their labels.")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="OUT.HTML", help="Where the page goes.")]


def report(
    model: ModelArgument,
    data: DataOption = None,
    target: TargetOption = None,
    output: OutputOption = Path("report.html"),
    cat_nan: CatNanOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a page about a model: one HTML file that opens in any browser and loads nothing.

    It shows learning curves, feature importances and the first trees. With `--data` also what moved the predictions of rows
    (SHAP), and with `--target` how much the loss depends on each feature, and calibration or residuals.

    **Examples**

    * gbdist report model.cbm
    * gbdist report model.cbm --data holdout.parquet --target price -o price.html
    * gbdist report model.cbm --data 'new/*.parquet' --data old/
    """
    from gbdist.jobs import report as jobs  # catboost and bokeh load only when needed

    result = jobs.report(jobs.ReportJob(model, output, tuple(data or ()), target, cat_nan), say=out.note)
    out.result("report written", asdict(result))
    if not data or target is None:
        out.note(f"the page would show more {'with --target COLUMN' if data else 'with --data DATA --target COLUMN'}")
    out.hint(f"open {result.report} in a browser")
