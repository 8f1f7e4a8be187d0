"""``gbdist model``: model files looked at, compared, exported and put together."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist_cli import completion
from gbdist_cli.options import CatNanOption, DebugOption, JsonOption, ModelArgument
from gbdist_cli.output import out, readable

FORMATS = ("cbm", "json", "onnx", "python", "cpp", "pmml", "coreml", "predictor")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
)

_OTHER = typer.Argument(
    metavar="OTHER",
    help="The model to compare it with.",
    show_default=False,
    autocompletion=completion.files(".cbm"),
)
_MODELS = typer.Argument(
    metavar="MODEL...",
    help="Models in CatBoost's .cbm format.",
    show_default=False,
    autocompletion=completion.files(".cbm"),
)
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="DATA",
        help="Parquet or CSV with rows; may be repeated.",
        autocompletion=completion.files(*completion.DATA),
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"One of {', '.join(FORMATS)}.  [default: what the end of the file's name says]",
        autocompletion=completion.words(FORMATS),
    ),
]
LeavesOption = Annotated[
    str,
    typer.Option(
        "--leaves",
        metavar="KIND",
        help="Of a predictor, how leaf values are stored: float64, fp16, int8, or a number of levels.",
        autocompletion=completion.words(("float64", "fp16", "int8")),
    ),
]
ExportOption = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where the file goes.")]
MergedOption = Annotated[Path, typer.Option("--output", "-o", metavar="OUT.CBM", help="Where the model goes.")]
WeightsOption = Annotated[
    list[float] | None,
    typer.Option(
        "--weight",
        "-w",
        metavar="NUMBER",
        help="What the values of a model are multiplied by, repeated: one for each.  [default: their mean is taken]",
    ),
]


@app.callback()
def model() -> None:
    """Look into model files, compare them, write them in other formats, and make one of several.

    **Examples**

    * gbdist model show model.cbm
    * gbdist model diff model.cbm smaller.cbm --data holdout.parquet
    * gbdist model export model.cbm -o model.onnx
    * gbdist model merge fold-*.cbm -o model.cbm
    """


@app.command()
def show(model: ModelArgument, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Show what a model holds: trees, columns in use, borders, tables of categories, and bytes of its file by part.

    **Examples**

    * gbdist model show model.cbm
    * gbdist model show model.cbm --json
    """
    from gbdist.jobs import model_files  # catboost and pandas load only when needed

    facts = asdict(model_files.show(model))
    out.result("model", facts if as_json else _for_people(facts))


@app.command()
def diff(
    model: ModelArgument,
    other: Annotated[Path, _OTHER],
    data: DataOption = None,
    cat_nan: CatNanOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show in what two models differ: trees, borders, parameters and, with data, predictions.

    **Examples**

    * gbdist model diff model.cbm other.cbm
    * gbdist model diff model.cbm smaller.cbm --data holdout.parquet
    """
    from gbdist.jobs import model_diff  # catboost and pandas load only when needed

    found = asdict(model_diff.diff(model, other, tuple(data or ()), cat_nan))
    out.result("differences", found if as_json else _pairs(found))
    if not data:
        out.note("with --data DATA their predictions would be compared too")


@app.command()
def export(
    model: ModelArgument,
    output: ExportOption,
    format: FormatOption = None,
    leaves: LeavesOption = "float64",
    data: DataOption = None,
    cat_nan: CatNanOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a model in another format, checked by predicting with the file, or refuse where it would predict otherwise.

    Files of C++ and Python of a model with categorical columns need `--data` with all categories that it knows.

    **Examples**

    * gbdist model export model.cbm -o model.onnx
    * gbdist model export model.cbm -o model.txt --format json
    * gbdist model export model.cbm -o model.py --data train.parquet
    * gbdist model export model.cbm -o model.pyz --leaves int8
    """
    from gbdist.jobs import model_files  # catboost and pandas load only when needed

    kind = int(leaves) if leaves.isdecimal() else leaves
    written = model_files.export(model, output, format, tuple(data or ()), cat_nan, kind)
    out.result("model exported", asdict(written))
    if not written.rows_checked:
        fix = "; pip install onnxruntime does" if written.format == "onnx" else ""
        out.note(f"not checked: nothing on this machine reads the file{fix}")


@app.command()
def merge(
    models: Annotated[list[Path], _MODELS],
    output: MergedOption = Path("merged.cbm"),
    weight: WeightsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make one model of several, of folds or of workers: its raw values are their mean, or their weighted sum.

    **Examples**

    * gbdist model merge fold-1.cbm fold-2.cbm -o model.cbm
    * gbdist model merge old.cbm new.cbm -w 0.3 -w 0.7 -o model.cbm
    """
    from gbdist.jobs import model_files  # catboost and pandas load only when needed

    merged = model_files.merge(models, output, weight)
    out.result("models merged", asdict(merged))
    out.hint(f"gbdist model diff {models[0]} {output}")


def _for_people(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts without those that are not there, and with the most used columns only."""
    used = facts["columns_in_use"]
    most = dict(list(used.items())[:10])
    more = f", {len(used) - len(most)} more" if len(used) > len(most) else ""
    told = {name: value for name, value in facts.items() if value not in (None, (), {})}
    return told | {"columns_in_use": f"{len(used)}: {readable(most)}{more}"}


def _pairs(found: Mapping[str, Any]) -> dict[str, Any]:
    """Differences in words."""
    told: dict[str, Any] = {}
    for name, value in found.items():
        if name in ("trees", "structures", "tests"):
            told[name] = f"{value['both']:,} in both, {value['first_only']:,} and {value['second_only']:,} in one only"
        elif isinstance(value, tuple):
            told[name] = _against(value)
        elif isinstance(value, Mapping):
            told[name] = "; ".join(f"{key} {_against(pair)}" for key, pair in value.items()) or None
        else:
            told[name] = value
    return told


def _against(pair: tuple[Any, Any]) -> str:
    return f"{readable(pair[0])} against {readable(pair[1])}"
