"""``gbdist cv``."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.jobs.options import cv_job, ignored_on_all_rows
from gbdist_cli import completion
from gbdist_cli.config import CV
from gbdist_cli.groups import FOLDED, TALK, WORKERS, job_options, takes
from gbdist_cli.options import PlotOption, TableOption, require_address, with_progress
from gbdist_cli.output import out, table_of

InvertedOption = Annotated[
    bool | None, typer.Option("--inverted", help="Train on the rows of one fold, and score on all others.")
]

ReturnModelsOption = Annotated[
    Path | None,
    typer.Option(
        "--return-models",
        metavar="DIR",
        help="Write the model of each fold here.",
        autocompletion=completion.files("/"),
    ),
]


@takes(
    FOLDED,
    {"inverted": InvertedOption},
    WORKERS,
    {"out": TableOption, "return_models": ReturnModelsOption},
    {"plot": PlotOption},
    TALK,
)
def cv(**typed: Any) -> None:
    """Train a model for each of some folds, side by side, and show the means of all metrics on the rows held out.

    The data and the parameters are those of `gbdist train`; with `early_stopping_rounds` the mean over the folds decides when
    all of them stop.

    **Examples**

    * gbdist cv sales.parquet --target bought
    * gbdist cv sales.parquet --target price --folds 10 -p iterations=2000 -p early_stopping_rounds=50
    * gbdist cv clicks/ --target clicked --group user --cat shop,city
    * gbdist cv days.csv --target sold --time day --out curves.csv
    * gbdist cv sales.parquet --target bought --return-models folds --plot curves.html
    * gbdist cv --config job.toml --scheduler tcp://host:8786 --json
    """
    options = job_options(typed, CV)
    require_address(options.get("scheduler"), options.get("tls"))
    job = cv_job({**options, "params": with_progress(options["params"])})
    from gbdist.jobs.cv import cross_validate  # numba and dask load only when needed
    from gbdist_cli.live import reporter_for

    with reporter_for(out.screen, f"{job.folds} folds") as reporter:
        result = cross_validate(job, say=out.note, reporter=reporter)
    say_result(result)
    params = params_for_all(options["params"], result.best_iteration, result.learning_rate)
    out.hint(shlex.join(train_words({**options, "params": params}, ranks=job.ranks)))


def params_for_all(params: Mapping[str, Any], best_iteration: int, learning_rate: float) -> dict[str, Any]:
    """The parameters of folds as those of a fit on all rows: of the best size, and without what looks at rows held out."""
    from gbdist.estimators.parameters.table import ALIASES, STOPS

    found = {"iterations": best_iteration + 1, "learning_rate": learning_rate}
    left_out = (*found, *STOPS, "use_best_model")
    kept = {name: value for name, value in params.items() if ALIASES.get(name, name) not in left_out}
    return {**kept, **found}


def train_words(options: Mapping[str, Any], *, ranks: bool) -> list[str]:
    """The command that trains on all rows by the options of ``gbdist cv``, as words."""
    group = options.get("group")
    ignore = ignored_on_all_rows(options.get("ignore", ()), group, options.get("time"), ranks=ranks)
    said: dict[str, Any] = {"target": options["target"], "weight": options.get("weight"), "ignore": ignore}
    said |= {"group": group if ranks else None, "cat": [",".join(options["cat"])] if options.get("cat") else None}
    said |= {name: options.get(name) for name in ("cat-nan", "task", "workers", "threads", "scheduler", "tls")}
    words = ["gbdist", "train", *options["data"]]
    for name, value in said.items():
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            words += [f"--{name}", str(one)]
    for name, value in options["params"].items():
        words += ["-p", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    return words


def say_result(result: Any) -> None:
    """Print a ``CvResult``: a row for each metric, and where files went."""
    stopped = f", stopped by {result.stopped}" if result.stopped not in ("", "iterations") else ""
    title = (
        f"{result.task}: {result.folds} folds, {result.trees:,} trees{stopped}, best at tree {result.best_iteration:,}"
    )
    out.result(title, asdict(result), table_of(title, result.scores))
    for what, path in (("curves", result.out), ("models", result.models)):  # the page has been told of
        if path is not None:
            out.note(f"{what}: {path}")
