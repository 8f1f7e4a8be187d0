"""``gbdist job submit``: a kind of job with the options of its own command, or a job like another one."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gbdist.errors import ParameterError
from gbdist_cli.config import CV, TRAIN, TUNE, Rule
from gbdist_cli.cv import InvertedOption
from gbdist_cli.groups import CLUSTER, FOLDED, TALK, TRAINED, Group, job_options, takes
from gbdist_cli.options import (
    CatNanOption,
    DataArgument,
    DebugOption,
    JobsDirOption,
    JsonOption,
    OptionalModelArgument,
    SchedulerOption,
    TlsOption,
)
from gbdist_cli.output import out
from gbdist_cli.predict import ProbaOption, RawOption
from gbdist_cli.tune import SEARCH, STUDY, with_space

IdOption = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="NAME", help="What the job is called; the same job again is one job.  [default: a new id]"
    ),
]
LikeOption = Annotated[
    str | None, typer.Option("--like", metavar="ID", help="Begin with the options of this job; those typed here win.")
]
SnapshotOption = Annotated[
    str | None,
    typer.Option(
        "--snapshot", metavar="PATH", help="Keep what is trained so far here.  [default: in the folder of the job]"
    ),
]
#: Taken for the error alone that says where the page is.
NoPlotOption = Annotated[str | None, typer.Option("--plot", hidden=True)]
_OF_JOB: Group = {"like": LikeOption, "job_id": IdOption, "jobs_dir": JobsDirOption}
_OF_FOLDED: Group = {**_OF_JOB, "plot": NoPlotOption}
_PAGES = {"cv": "result/folds.html", "tune": "result/study.html"}
app = typer.Typer(rich_markup_mode="markdown", invoke_without_command=True)


@app.callback()
def submit(
    context: typer.Context,
    like: LikeOption = None,
    job_id: IdOption = None,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Submit a job, and leave it to the cluster: what it does comes after `submit`, or from another job.

    These options may stand before the word `train`, `cv`, `tune` or `predict`, or behind them.

    **Examples**

    * gbdist job submit train sales/ --target price
    * gbdist job submit predict model.cbm new/
    * gbdist job submit --like train-kavobe
    """
    if context.invoked_subcommand is not None:
        before = {"like": like, "job_id": job_id, "jobs_dir": jobs_dir, "scheduler": scheduler, "tls": tls}
        given = {name: value for name, value in before.items() if value is not None}
        context.default_map = {context.invoked_subcommand: given}
        return
    if like is None:
        fix = "For example: gbdist job submit train sales/ --target price"
        from gbdist.jobs.options import OptionMissing

        raise OptionMissing("KIND", None, "the word train, cv, tune or predict, or --like ID", fix)
    from gbdist.jobs.submitted import submit as jobs  # dask loads only when needed

    where = where_of(jobs_dir, scheduler, tls)
    spec = jobs.spec_like(where, like)
    leave(spec.kind, spec.options, job_id, where)


@app.command()
@takes(TRAINED, {"snapshot": SnapshotOption}, _OF_JOB, CLUSTER, TALK)
def train(**typed: Any) -> None:
    """Submit a training; the options are those of `gbdist train`.

    **Examples**

    * gbdist job submit train /shared/sales --target price -p iterations=5000
    * gbdist job submit train --config job.toml --id churn-2024
    * gbdist job submit train --like churn-2024 -p depth=8
    * gbdist job submit train /shared/sales --target price --scheduler tcp://host:8786 --jobs-dir /shared/jobs
    """
    submit_learning("train", typed, TRAIN)


@app.command()
@takes(FOLDED, {"inverted": InvertedOption}, _OF_FOLDED, CLUSTER, TALK)
def cv(**typed: Any) -> None:
    """Submit a cross-validation; the options are those of `gbdist cv`, but for those of outputs.

    Curves, models and a page, `result/folds.html`, are kept in the job's folder; `gbdist job result` says where.

    **Examples**

    * gbdist job submit cv /shared/sales --target price --folds 10 -p iterations=5000
    * gbdist job submit cv --like cv-nomiza -p depth=8
    """
    submit_learning("cv", typed, CV)


@app.command()
@takes(FOLDED, SEARCH, STUDY, _OF_FOLDED, CLUSTER, TALK)
def tune(**typed: Any) -> None:
    """Submit a search; the options are those of `gbdist tune`, but for those of outputs.

    Model, trials, best parameters and a page, `result/study.html`, are kept in the job's folder; `gbdist job result` says where.
    Without `--storage` the study is there, too.

    **Examples**

    * gbdist job submit tune /shared/sales --target price --space space.toml --trials 200
    * gbdist job submit tune --like tune-gofevu --id longer --trials 500
    """
    submit_learning("tune", typed, TUNE)


def submit_learning(kind: str, typed: Mapping[str, Any], keys: Mapping[str, Rule]) -> None:
    """Submit a job that learns from rows, by what its command was given; ``keys`` are those of its job file."""
    if typed.get("plot") is not None:
        expected = f"it to be left out: every such job writes a page, {_PAGES[kind]} in its folder"
        raise ParameterError("--plot", typed["plot"], expected, "gbdist job result says where.")
    typed = {name: value for name, value in typed.items() if name != "plot"}
    place = {name: typed[name] for name in ("scheduler", "tls")}
    before = options_like(kind, typed["like"], where_of(typed["jobs_dir"], **place))
    options = with_space(job_options(typed, keys, before))
    leave(kind, options, typed["job_id"], where_of(typed["jobs_dir"], options.get("scheduler"), options.get("tls")))


@app.command()
def predict(
    model: OptionalModelArgument = None,
    data: DataArgument = None,
    proba: ProbaOption = False,
    raw: RawOption = False,
    cat_nan: CatNanOption = None,
    like: LikeOption = None,
    job_id: IdOption = None,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Submit the scoring of files; the options are those of `gbdist predict`.

    **Examples**

    * gbdist job submit predict model.cbm /shared/new --proba
    * gbdist job submit predict --like predict-lutami --raw
    """
    if proba and raw:
        raise ParameterError("--raw", True, "one kind of prediction", "Leave out --raw or --proba.")
    where = where_of(jobs_dir, scheduler, tls)
    kind = "probability" if proba else "raw" if raw else None
    typed = {"model": None if model is None else str(model), "data": data, "kind": kind, "cat-nan": cat_nan}
    given = {name: value for name, value in typed.items() if value not in (None, [])}
    options = {**options_like("predict", like, where), **given}
    leave("predict", options, job_id, where)


def where_of(jobs_dir: str | None, scheduler: str | None, tls: str | None) -> Any:
    """Where jobs are, as the options say it."""
    from gbdist.jobs.submitted.where import Where  # dask loads only when needed

    return Where(jobs_dir, scheduler, tls)


def options_like(kind: str, like: str | None, where: Any) -> dict[str, Any]:
    """The options of another job of this kind; none without one."""
    if like is None:
        return {}
    from gbdist.jobs.submitted import submit as jobs  # dask loads only when needed

    spec = jobs.spec_like(where, like)
    if spec.kind != kind:
        raise ParameterError(
            "--like", like, f"a job of the kind {kind}, and it is one of {spec.kind}", "Name another job."
        )
    return dict(spec.options)


def leave(kind: str, options: Mapping[str, Any], job_id: str | None, where: Any) -> None:
    """Submit a job, and say what it is called."""
    from gbdist.jobs.submitted import submit as jobs  # dask loads only when needed
    from gbdist.jobs.submitted.kinds import ELSEWHERE

    unused = [name for name in ELSEWHERE if name in options and name not in ("scheduler", "tls")]
    if unused:
        out.note(f"not for a job on a cluster, and not used: {', '.join(unused)}")
    made = jobs.submit(jobs.make_spec(kind, options), where, job_id)
    view = made.view
    if made.was_there:
        out.note(f"job {view.job_id} is there already")
    facts = {"id": view.job_id, "kind": kind, "state": view.state, "was_there": made.was_there, "folder": view.folder}
    if not out.as_json:  # the note has said it
        del facts["was_there"]
    out.result("job submitted" if not made.was_there else f"job {view.job_id}", facts)
    watch = f"gbdist job watch {view.job_id}"
    again = view.is_over and view.state != "done"
    out.next_job_step(f"gbdist job resume {view.job_id}" if again else watch)
