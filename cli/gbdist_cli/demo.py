"""``gbdist demo``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gbdist_cli.options import DebugOption, JsonOption
from gbdist_cli.output import out, table_of

OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="MODEL.CBM", help="Where the model goes.")]


def demo(output: OutputOption = Path("model.cbm"), as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Train on real data with two workers on this machine, and compare with CatBoost alone.

    **Examples**

    * gbdist demo
    * gbdist demo --json -o /tmp/demo.cbm
    """
    from gbdist.jobs import demo as jobs  # numba and dask load only when needed

    result = jobs.demo(output, say=out.note)
    out.result("gbdist demo", asdict(result), table_of(result.title, [asdict(row) for row in result.rows]))
    out.note(result.remark)
    out.hint(f"gbdist predict {result.model} {result.holdout} --proba -o predictions.parquet")
