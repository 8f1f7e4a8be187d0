"""Write the page about a model: what ``gbdist report`` does, callable from Python."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from gbdist.errors import ModelError, ParameterError
from gbdist.jobs.files import find_files
from gbdist.jobs.models import load_model
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.whole_file import whole_file

#: Rows that a page is made of, and cells of them.
MOST_ROWS, _MOST_CELLS, _LEAST_ROWS = 20_000, 20_000_000, 500


@dataclass(frozen=True, slots=True)
class ReportJob:
    """What the page is about, which rows it may look at, and where it goes.

    ``data`` are files, folders or patterns, ``target`` is the column of their labels; ``cat_nan`` as in ``PredictJob``.
    """

    model: Path
    output: Path
    data: tuple[str, ...] = ()
    target: str | None = None
    cat_nan: str | None = None


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What was written: the page, the sections with charts, and the rows it shows of those there are, None without data.

    ``rows_of_data`` is an estimate where CSV files are large.
    """

    report: Path
    sections: tuple[str, ...]
    rows: int | None
    rows_of_data: int | None
    megabytes: float
    seconds: float


def report(job: ReportJob, say: Callable[[str], None] = lambda _: None) -> ReportResult:
    """Write the page; everything that can be checked beforehand is checked before data are read.

    Raises
    ------
    ModelError
        The model is not there, or is none.
    DataError
        Files or columns are missing, or hold something else than the model was trained on.
    ParameterError
        There is a target, and no data.
    OutputError
        The page cannot be written.
    """
    started = perf_counter()
    if job.target is not None and not job.data:
        raise ParameterError(
            "target", job.target, "data that have this column", "Name files with --data, or leave it out."
        )
    require_writable_file(job.output)
    require_not_read(job.output, [str(job.model)])
    model = _load(job.model)
    from gbdist.models.history import record_of
    from gbdist.report.page import report_page, sections_of
    from gbdist.report.subject import Subject

    rows, among = _rows(job, model, say) if job.data else (None, None)
    subject = Subject(model, job.model.name, record_of(model), rows, _remedy(job))
    sections = sections_of(subject)
    html = report_page(subject, sections)
    with whole_file(job.output) as unfinished:
        unfinished.write_text(html, encoding="utf-8")
    return ReportResult(
        report=job.output,
        sections=tuple(section.title for section in sections if section.charts),
        rows=None if rows is None else rows.n,
        rows_of_data=among,
        megabytes=len(html.encode()) / 1e6,
        seconds=perf_counter() - started,
    )


def _load(path: Path) -> Any:
    if not path.is_file():
        problem = f"the model {path} cannot be read: there is no such file"
        raise ModelError(problem, "Train one with: gbdist train DATA --target COLUMN -o model.cbm")
    return load_model(str(path), fname=str(path))


def _remedy(job: ReportJob) -> str:
    if job.data:
        return "Name the column of the labels: --target COLUMN."
    return f"Run: gbdist report {job.model} --data DATA --target COLUMN"


def _rows(job: ReportJob, model: Any, say: Callable[[str], None]) -> tuple[Any, int]:
    """Some rows of the files, as the page takes them, and how many rows there are."""
    from gbdist.jobs.model_rows import frame_for, sample_for  # load numba
    from gbdist.report.labels import labels_for
    from gbdist.report.subject import Rows

    files = find_files(job.data)
    require_not_read(job.output, [file.path for file in files])
    features = [str(name) for name in model.feature_names_]
    target = [] if job.target is None else [job.target]
    if job.target in features:
        raise ParameterError(
            "target", job.target, "no feature of the model, and this is one", "Name the labels' column."
        )
    most = max(_LEAST_ROWS, min(MOST_ROWS, _MOST_CELLS // len(features)))
    name, fix = ", ".join(job.data), "Leave out --data, or fit in Python with plot=True."
    sampled = sample_for(model, files, most, name=name, beside=target, fix=fix)
    origin = _origin(sampled.n, sampled.among, sampled.counted, name)
    say(f"rows: {origin}")
    frame, label = frame_for(model, sampled, job.cat_nan), None
    if job.target is not None:
        values = [value for table, _ in sampled.tables for value in table.column(job.target).to_pylist()]
        label = labels_for(model, values, f"column {job.target!r} of {name}")
    return Rows(frame, label, job.target or "label", origin), sampled.among


def _origin(n: int, among: int, counted: bool, name: str) -> str:
    if n == among:
        return f"all {n:,} rows of {name}"
    return f"{n:,} of the {'' if counted else 'about '}{among:,} rows of {name}, chosen by a hash of their places"
