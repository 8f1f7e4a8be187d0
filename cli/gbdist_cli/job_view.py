"""How a job stands, as ``gbdist job`` shows it: in a table, drawn until it ends, or in lines where there is no terminal."""

import time
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType

from gbdist.counted import rate_words
from gbdist_cli.live import Drawn, LiveView
from gbdist_cli.output import out, readable
from gbdist_cli.trials import TrialsDrawn, head_of
from gbdist_cli.view import RunView, view_of

_SAY_SECONDS = 5.0


def say_view(view: Any) -> None:
    """Print a job."""
    facts = {"id": view.job_id, "kind": view.spec.kind, "state": view.state, "attempt": view.attempt}
    if out.as_json:
        times = {name: getattr(view, name) for name in ("submitted", "started", "ended")}
        rest = {name: getattr(view, name) for name in ("worker", "scheduler", "progress", "error", "folder")}
        out.result("", {**facts, **times, **rest, "options": view.spec.options})
        return
    options = dict(view.spec.options)
    over_kind = options.pop("kind", None)  # of a prediction: labels, probabilities or raw values
    known: dict[str, Any] = {
        **facts,
        "attempt": view.attempt or None,
        "progress": progress_of(view),
        "submitted": moment(view.submitted),
        "seconds": seconds_of(view),
        "worker": view.worker,
        "folder": view.folder,
        "error": None if view.error is None else view.error["text"],
        **({} if over_kind is None else {"predicts": over_kind}),
        **options,
    }
    out.result(f"job {view.job_id}", {name: value for name, value in known.items() if value not in ("", {}, [])})


def draw(views: Iterator[Any]) -> Any:
    """Draw a job until it ends; how it stands then."""
    view = next(views)
    latest = [drawn(view)]
    with LiveView(out.screen, lambda: latest[0]):
        for view in views:
            latest[0] = drawn(view)
    return view


def drawn(view: Any) -> RenderableType:
    """How a job stands, as it is drawn: the trials of a search, else a run."""
    if "search" in view.progress:
        return TrialsDrawn(view.progress["search"], float(seconds_of(view) or 0))
    return Drawn(run_view(view))


def run_view(view: Any) -> RunView:
    """A job as the live view draws it: as its newest run on the board, else what the job itself says."""
    progress = view.progress
    if view.run is not None:
        made = view_of(view.run, time.time())
    else:
        made = RunView(view.job_id, trees=progress.get("trees", 0), iterations=progress.get("iterations", 0))
        made.counted = progress.get("counted", made.counted)
        made.seconds = float(seconds_of(view) or 0)
        if words := progress_of(view):
            made.events.append((made.seconds, words))
    made.title, made.state = view.job_id, view.state + (f", attempt {view.attempt}" if view.attempt > 1 else "")
    if view.is_over:
        made.left = None
    return made


def say_progress(views: Iterator[Any]) -> Any:
    """Say in lines how a job goes on until it ends; how it stands then."""
    said: tuple[Any, ...] = ()
    last = 0.0
    for view in views:
        now, words = time.monotonic(), progress_of(view)
        news = (view.state, view.attempt)
        if news != said[:2] or (words != said[2] and now - last >= _SAY_SECONDS) or view.is_over:
            again = f", attempt {view.attempt}" if view.attempt > 1 else ""
            out.note(f"{view.job_id} {view.state}{again}" + (f": {words}" if words else ""))
            said, last = (*news, words), now
    return view


def progress_of(view: Any) -> str:
    """How far a job is, in words."""
    progress = view.progress
    if "search" in progress:
        return head_of(progress["search"])
    if "what" in progress:
        return f"{progress['done']:,} {progress['what']}, {progress['parts_left']:,} parts left"
    if "behind" in progress and not view.is_over:
        return f"behind {progress['behind']}"
    if "iterations" not in progress:
        return ""
    counted = progress.get("counted", "trees")
    words = [f"{progress['trees']:,} of {progress['iterations']:,} {counted}"]
    if progress.get("rate") and not view.is_over:
        words.append(rate_words(progress["rate"], counted))
    if progress.get("left") and not view.is_over:
        words.append(f"{progress['left']:.0f} s left")
    words += [f"{name} {readable(values)}" for name, values in progress.get("metrics", {}).items()]
    return ", ".join(words)


def seconds_of(view: Any) -> int | None:
    """How long a job has run, or ran."""
    if view.started is None:
        return None
    return round(float((view.ended or time.time()) - view.started))


def moment(seconds: float) -> str:
    """A time of this machine's clock, as people read it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
