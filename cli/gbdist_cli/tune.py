"""``gbdist tune``."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.jobs.options import tune_job
from gbdist_cli import completion
from gbdist_cli.config import TUNE, read_space
from gbdist_cli.groups import FOLDED, TALK, WORKERS, Group, job_options, takes
from gbdist_cli.live import can_draw
from gbdist_cli.options import PlotOption, TableOption, require_address
from gbdist_cli.output import out, table_of
from gbdist_cli.trials import ROWS, TrialsShown, head_of, line_of

SEARCHES = ("grid", "random", "bayesian", "genetic", "cmaes", "hyperband")

SpaceOption = Annotated[
    Path | None,
    typer.Option(
        "--space",
        metavar="SPACE.TOML",
        help="What each parameter may be.",
        autocompletion=completion.files(".toml"),
    ),
]
SearchOption = Annotated[
    str | None,
    typer.Option(
        "--search",
        metavar="HOW",
        help=f"{', '.join(SEARCHES)}.  [default: random]",
        autocompletion=completion.words(SEARCHES),
    ),
]
TrialsOption = Annotated[
    int | None, typer.Option("--trials", metavar="N", min=1, help="How many trials the study has.  [default: 50]")
]
SideBySideOption = Annotated[
    int | None,
    typer.Option(
        "--jobs", metavar="N", min=1, help="Trials side by side.  [default: one a worker, or 1 where each has all]"
    ),
]
TrialWorkersOption = Annotated[
    str | None,
    typer.Option(
        "--trial-workers",
        metavar="WHICH",
        help="Whether a trial uses one worker or all: auto, one, all.  [default: auto]",
        autocompletion=completion.words(("auto", "one", "all")),
    ),
]
ScoringOption = Annotated[
    str | None,
    typer.Option(
        "--scoring",
        "--metric",
        metavar="SCORE",
        help="What decides: a score of scikit-learn's or a metric of CatBoost's.  [default: accuracy, or R2]",
    ),
]
PrunerOption = Annotated[
    str | None,
    typer.Option(
        "--pruner",
        metavar="NAME",
        help="End trials early that are worse than others: median, halving, hyperband.",
        autocompletion=completion.words(("median", "halving", "hyperband")),
    ),
]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="End the search after this time.")
]
StudyOption = Annotated[
    str | None,
    typer.Option("--study", metavar="NAME", help="What the study is called.  [default: a name by data and space]"),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL|FILE",
        help="Where the study is kept, and gone on with.  [default: best.study, beside the model]",
    ),
]
BestOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="MODEL.CBM",
        help="Where the model goes that the best parameters train on all rows.  [default: best.cbm]",
        autocompletion=completion.files(".cbm"),
    ),
]
ParamsOutOption = Annotated[
    Path | None,
    typer.Option(
        "--params-out",
        metavar="JOB.TOML",
        help="Write the best parameters here, as gbdist train --config takes them.",
        autocompletion=completion.files(".toml"),
    ),
]
SEARCH: Group = {
    "space": SpaceOption,
    "search": SearchOption,
    "trials": TrialsOption,
    "jobs": SideBySideOption,
    "trial_workers": TrialWorkersOption,
    "scoring": ScoringOption,
    "pruner": PrunerOption,
    "timeout": TimeoutOption,
}
STUDY: Group = {"study": StudyOption, "storage": StorageOption}
RESULTS: Group = {"output": BestOption, "out": TableOption, "params_out": ParamsOutOption, "plot": PlotOption}


@takes(FOLDED, SEARCH, STUDY, WORKERS, RESULTS, TALK)
def tune(**typed: Any) -> None:
    """Search for the best parameters by cross-validation, and train them on all rows.

    The space is a TOML file with a table for each parameter: `[depth]` with `low = 4` and `high = 10`, `[learning_rate]` with
    `low = 0.01`, `high = 0.3` and `log = true`, `[grow_policy]` with `values = ["SymmetricTree", "Depthwise"]`.

    A study is kept; the same command again, after Ctrl-C or more `--trials`, goes on with it.

    **Examples**

    * gbdist tune sales.parquet --target bought --space space.toml
    * gbdist tune sales.parquet --target bought --space space.toml --scoring roc_auc --trials 200 -p iterations=500
    * gbdist tune clicks/ --target clicked --space space.toml --search bayesian --study clicks --storage sqlite:///studies.db
    * gbdist tune clicks/ --target clicked --space space.toml --search hyperband -p iterations=2000 --timeout 3600
    * gbdist tune sales.parquet --target price --space space.toml --out trials.csv --params-out best.toml --plot study.html
    """
    options = with_space(job_options(typed, TUNE))
    require_address(options.get("scheduler"), options.get("tls"))
    job = tune_job(options)
    from gbdist.jobs.tune import tune as search  # numba and dask load only when needed

    with shown() as told:
        result = search(job, say=out.note, told=told)
    say_result(result)


def with_space(options: dict[str, Any]) -> dict[str, Any]:
    """The options with the space itself in place of a file's name."""
    space = options.get("space")
    return {**options, "space": read_space(Path(space))} if isinstance(space, str | Path) else options


@contextmanager
def shown() -> Iterator[Any]:
    """Who is told of trials by ``gbdist.jobs.tune.tune``: a table in a terminal, else a line for each that has ended."""

    def say(trials: Any, ended: Mapping[str, Any] | None) -> None:
        if ended is not None:
            out.note(f"{line_of(ended)}  [{head_of(trials.summary(0))}]")

    if not can_draw(out.screen):
        yield say
        return
    with closing(TrialsShown(out.screen)) as table:
        yield lambda trials, ended: table.take(trials.summary(ROWS))


def say_result(result: Any) -> None:
    """Print a ``TuneResult``: the best parameters, and where files went."""
    counts = ", ".join(f"{count:,} {state}" for state, count in result.trials.items())
    title = f"{result.task}: best of {counts} is trial {result.best_trial}, score {result.best_score:.6g}"
    rows = [{"parameter": name, "value": value} for name, value in result.best_params.items()]
    out.result(title, asdict(result), table_of(title, rows))
    for what, path in (("trials", result.out), ("parameters", result.params_out), ("page", result.plot)):
        if path is not None:
            out.note(f"{what}: {path}")
    out.note(f"study {result.study} in {result.storage}")
    out.hint(f"gbdist predict {result.model} NEW_DATA -o predictions.parquet")
