"""``gbdist train``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.errors import ParameterError
from gbdist_cli.config import read_config
from gbdist_cli.options import (
    CatOption,
    ConfigOption,
    DataArgument,
    DebugOption,
    EvalOption,
    GroupOption,
    IgnoreOption,
    JsonOption,
    ParamOption,
    SchedulerOption,
    TargetOption,
    ThreadsOption,
    WeightOption,
    WorkersOption,
)
from gbdist_cli.output import out, table_of
from gbdist_cli.params import parse_columns, parse_params

TaskOption = Annotated[
    str | None,
    typer.Option("--task", metavar="TASK", help="auto, binary, multiclass, regression or ranking.  [default: auto]"),
]
CatNanOption = Annotated[
    str | None,
    typer.Option(
        "--cat-nan", metavar="TEXT", help="What stands for missing values in categorical columns.  [default: an error]"
    ),
]
ModelOutOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="MODEL.CBM", help="Where the model goes.  [default: model.cbm]")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say where rows would go and what memory each worker needs; train nothing.")
]


class OptionMissing(ParameterError):
    """Something that is needed was neither typed nor is it in the job file."""

    def __str__(self) -> str:
        name, _, expected, fix = self.args
        return f"{name} is missing: expected {expected}. {fix}"


def train(
    data: DataArgument = None,
    target: TargetOption = None,
    eval_data: EvalOption = None,
    weight: WeightOption = None,
    group: GroupOption = None,
    ignore: IgnoreOption = None,
    cat: CatOption = None,
    cat_nan: CatNanOption = None,
    task: TaskOption = None,
    param: ParamOption = None,
    config: ConfigOption = None,
    workers: WorkersOption = None,
    threads: ThreadsOption = None,
    scheduler: SchedulerOption = None,
    output: ModelOutOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a model from files and save it.

    **Examples**

    * gbdist train sales.parquet --target bought
    * gbdist train 'sales/2024-*.parquet' --target price --eval holdout.parquet -p iterations=500 -p depth=8
    * gbdist train clicks/ --target clicked --cat shop,city --cat-nan missing
    * gbdist train clicks/ --target relevance --group query -p eval_metric=NDCG:top=10
    * gbdist train rooms/ --target heat --target light -p loss_function=MultiRMSE
    * gbdist train data/ --target price --scheduler tcp://host:8786 -o price.cbm
    * gbdist train --config job.toml --dry-run
    """
    typed = {
        "data": data,
        "target": target,
        "eval": eval_data,
        "weight": weight,
        "group": group,
        "ignore": ignore,
        "cat": parse_columns(cat or ()),
        "cat-nan": cat_nan,
        "task": task,
        "workers": workers,
        "threads": threads,
        "scheduler": scheduler,
        "output": output,
        "params": parse_params(param or ()),
    }
    values = merge(read_config(config) if config else {}, typed)
    require_consistent(values)
    from gbdist.jobs import train as jobs  # numba and dask load only when needed

    job = jobs.TrainJob(
        data=tuple(values["data"]),
        target=tuple(values["target"]),
        output=Path(values.get("output", "model.cbm")),
        eval_data=tuple(values.get("eval", ())),
        weight=values.get("weight"),
        group=values.get("group"),
        ignore=tuple(values.get("ignore", ())),
        cat=tuple(values.get("cat", ())),
        cat_nan=values.get("cat-nan"),
        task=values.get("task", "auto"),
        params=with_progress(values["params"]),
        workers=values.get("workers"),
        threads=values.get("threads"),
        scheduler=values.get("scheduler"),
    )
    if dry_run:
        say_plan(job)
        return
    result = jobs.train(job, say=out.note)
    out.result("model saved", asdict(result))
    if job.params.get("embedding_features"):  # which gbdist predict does not read
        estimator = {"regression": "DaskCatBoostRegressor", "ranking": "DaskCatBoostRanker"}.get(
            result.task, "DaskCatBoostClassifier"
        )
        out.hint(f'in Python: gbdist.{estimator}().load_model("{result.model}").predict(X)')
    else:
        out.hint(f"gbdist predict {result.model} NEW_DATA -o predictions.parquet")


def merge(config: dict[str, Any], typed: dict[str, Any]) -> dict[str, Any]:
    """Options of a job file with what was typed over them; parameters are merged one by one."""
    given = {name: value for name, value in typed.items() if value not in (None, [])}
    return {**config, **given, "params": {**config.get("params", {}), **typed["params"]}}


def with_progress(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters, with a line of progress for every fiftieth tree (a bar in a terminal) unless they say otherwise."""
    asked = {"verbose", "silent", "logging_level", "verbose_eval"} & params.keys()
    return params if asked else {**params, "verbose": 50}


def require_consistent(values: dict[str, Any]) -> None:
    """Raise a ``ParameterError`` if something needed is missing, or two options exclude each other."""
    if not values.get("data"):
        example = "For example: gbdist train sales.parquet --target price"
        raise OptionMissing("DATA", None, "a file, a folder or a pattern", example)
    if not values.get("target"):
        raise OptionMissing("--target", None, "the column to learn", "For example: --target price")
    for name in ("workers", "threads"):
        if values.get("scheduler") and values.get(name):
            fix = f"Leave out --{name} or --scheduler."
            raise ParameterError(f"--{name}", values[name], "no size for a cluster that runs already", fix)


def say_plan(job: Any) -> None:
    """Print where rows would go."""
    from gbdist.jobs.plan import plan_training

    plan = plan_training(job, say=out.note)
    categorical = f" ({len(plan.categorical)} categorical)" if plan.categorical else ""
    title = f"{plan.task}: {plan.rows:,} rows x {plan.features} features{categorical} in {plan.partitions} partition(s)"
    out.result(title, asdict(plan), table_of(title, [asdict(row) for row in plan.placement]))
    out.hint("leave out --dry-run to train")
