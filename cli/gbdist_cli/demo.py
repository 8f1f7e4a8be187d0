"""``gbdist demo``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group

from gbdist_cli.options import DebugOption, JsonOption
from gbdist_cli.output import out, table_of

OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="MODEL.CBM", help="Where the model goes.")]
CategoriesOption = Annotated[
    bool, typer.Option("--categories", help="Train on generated data with columns of categories instead.")
]


def demo(
    output: OutputOption = Path("model.cbm"),
    categories: CategoriesOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train on real data with two workers on this machine, and compare with CatBoost alone.

    With `--categories` the data are generated, with columns of three to thousands of distinct texts. It shows how the model
    uses them, and plain CatBoost predicting from texts.

    **Examples**

    * gbdist demo
    * gbdist demo --categories
    * gbdist demo --json -o /tmp/demo.cbm
    """
    result = _demo_of_categories(output) if categories else _demo(output)
    out.note(result.remark)
    out.hint(f"gbdist predict {result.model} {result.holdout} --proba -o predictions.parquet")


def _demo(output: Path) -> Any:
    from gbdist.jobs import demo as jobs  # numba and dask load only when needed

    result = jobs.demo(output, say=out.note)
    out.result("gbdist demo", asdict(result), table_of(result.title, [asdict(row) for row in result.rows]))
    return result


def _demo_of_categories(output: Path) -> Any:
    from gbdist.jobs import demo_categories as jobs  # numba and dask load only when needed

    result = jobs.demo_categories(output, say=out.note)
    examples = [
        dict(zip(result.columns, each.row, strict=True)) | {"probability": each.probability} for each in result.examples
    ]
    tables = Group(
        table_of(result.title, [asdict(row) for row in result.rows]),
        table_of("splits of the model, by what they test", [asdict(row) for row in result.features]),
        table_of(f'catboost.CatBoostClassifier().load_model("{output}").predict_proba(rows)[:, 1]', examples),
    )
    out.result("gbdist demo", asdict(result), tables)
    return result
