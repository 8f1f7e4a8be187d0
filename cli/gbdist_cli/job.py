"""``gbdist job``: jobs that run on a cluster by themselves."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from gbdist_cli import job_submit
from gbdist_cli.cv import params_for_all, train_words
from gbdist_cli.job_submit import where_of
from gbdist_cli.job_view import draw, moment, progress_of, say_progress, say_view, seconds_of
from gbdist_cli.live import can_draw
from gbdist_cli.options import DebugOption, JobArgument, JobsDirOption, JsonOption, SchedulerOption, TlsOption
from gbdist_cli.output import out, readable, table_of

FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where the result goes.  [default: ID.cbm, or ID.parquet]"),
]

#: Of the record of a job, where people read it.
_TOLD = ("task", "folds", "trials", "best_params", "trees", "best_iteration", "best_score", "scores", "rows",
         "models", "trials_table", "job_file", "page", "study", "storage")  # fmt: skip

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(job_submit.app, name="submit")


@app.callback()
def job() -> None:
    """Jobs that run on a cluster by themselves, and outlive whoever submits them.

    **Examples**

    * gbdist job submit train sales/ --target price
    * gbdist job watch train-kavobe
    * gbdist job result train-kavobe -o model.cbm
    """


@app.command("list")
def list_jobs(
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the jobs of a folder, the newest first; it needs no cluster.

    **Examples**

    * gbdist job list
    * gbdist job list --jobs-dir /shared/jobs --json
    """
    from gbdist.jobs.submitted import views  # dask loads only when needed

    where = where_of(jobs_dir, scheduler, tls)
    found = views.list_jobs(where)
    rows = [
        {
            "id": view.job_id,
            "kind": view.spec.kind,
            "state": view.state,
            "progress": progress_of(view),
            "submitted": moment(view.submitted),
            "seconds": seconds_of(view),
        }
        for view in found
    ]
    place = where.folder.url
    out.result("jobs", {"jobs": rows}, table_of(f"jobs in {place}", rows) if rows else Text(f"no jobs in {place}"))
    if not rows:
        out.next_job_step("gbdist job submit train DATA --target COL")


@app.command()
def show(
    job: JobArgument,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what a job does, how it stands, and why it ended.

    **Examples**

    * gbdist job show train-kavobe
    * gbdist job show train-k --json
    """
    from gbdist.jobs.submitted import views  # dask loads only when needed

    say_view(views.show(where_of(jobs_dir, scheduler, tls), job))


@app.command()
def logs(
    job: JobArgument,
    follow: FollowOption = False,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Print what a job has said; with `--json` all that is known of each line, an object a line.

    **Examples**

    * gbdist job logs train-kavobe
    * gbdist job logs train-kavobe -f
    * gbdist job logs train-kavobe --json > log.jsonl
    """
    from gbdist.jobs.submitted import follow as jobs  # dask loads only when needed

    where = where_of(jobs_dir, scheduler, tls)
    with jobs.left_running(job):
        for line in jobs.follow_logs(where, job) if follow else jobs.logs(where, job):
            text = f"{moment(line['time'])}  {line['text']}"
            out.row(f"{text}\n{line['traceback']}" if "traceback" in line else text, line)


@app.command()
def watch(
    job: JobArgument,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Watch a job until it ends. The exit code says how it ended; Ctrl-C leaves it running.

    **Examples**

    * gbdist job watch train-kavobe
    * gbdist job watch train-kavobe && gbdist job result train-kavobe
    """
    from gbdist.jobs.submitted import follow as jobs  # dask loads only when needed
    from gbdist.jobs.submitted.views import require_done

    draws = can_draw(out.screen)
    with jobs.left_running(job):
        views = jobs.follow(where_of(jobs_dir, scheduler, tls), job, board=draws)
        view = draw(views) if draws else say_progress(views)
    require_done(view)
    say_view(view)
    out.next_job_step(f"gbdist job result {view.job_id}")


@app.command()
def cancel(
    job: JobArgument,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Call a job off. What it has trained so far is kept, and `gbdist job resume` goes on from it.

    **Examples**

    * gbdist job cancel train-kavobe
    """
    from gbdist.jobs.submitted import submit as jobs  # dask loads only when needed

    view = jobs.cancel(where_of(jobs_dir, scheduler, tls), job)
    out.result(f"job {view.job_id}", {"id": view.job_id, "state": view.state})
    if view.state == "cancelled":
        out.next_job_step(f"gbdist job resume {view.job_id}")
    elif view.is_over:
        out.note(f"job {view.job_id} had ended already: there was nothing to call off")


@app.command()
def result(
    job: JobArgument,
    output: OutputOption = None,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Copy the model, the curves or the predictions of a job that is done.

    **Examples**

    * gbdist job result train-kavobe -o model.cbm
    * gbdist job result predict-lutami -o scores.parquet
    """
    from gbdist.jobs.submitted import fetch as jobs  # dask loads only when needed

    path, record = jobs.result(where_of(jobs_dir, scheduler, tls), job, output)
    told = record if out.as_json else {name: a_line_each(record[name]) for name in _TOLD if name in record}
    out.result("result copied", {"output": str(path), **told})
    if record["kind"] in ("train", "tune"):
        out.hint(f"gbdist predict {path} NEW_DATA -o predictions.parquet")
    elif record["kind"] == "cv":
        out.next_job_step(shlex.join(["gbdist", "job", "submit", *words_after(record)[1:]]))


@app.command()
def resume(
    job: JobArgument,
    jobs_dir: JobsDirOption = None,
    scheduler: SchedulerOption = None,
    tls: TlsOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Take up a job again that failed, was cancelled or lost; a training goes on from its last snapshot.

    **Examples**

    * gbdist job resume train-kavobe
    * gbdist job resume train-kavobe --scheduler tcp://host:8786
    """
    from gbdist.jobs.submitted import submit as jobs  # dask loads only when needed

    view = jobs.resume(where_of(jobs_dir, scheduler, tls), job)
    out.result(f"job {view.job_id}", {"id": view.job_id, "state": view.state})
    out.next_job_step(f"gbdist job watch {view.job_id}")


# ---- what a job has found


def a_line_each(value: Any) -> Any:
    """The parts of a list in a line each; all else as it is."""
    return "\n".join(map(readable, value)) if isinstance(value, list) else value


def words_after(record: dict[str, Any]) -> list[str]:
    """The command that trains on all rows by what a job of cross-validation has found."""
    from gbdist.jobs.options import cv_job

    options = record["options"]
    params = params_for_all(options.get("params", {}), record["best_iteration"], record["learning_rate"])
    return train_words({**options, "params": params}, ranks=cv_job(options).ranks)
