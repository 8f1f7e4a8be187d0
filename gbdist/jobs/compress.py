"""Compress a model on files: what ``gbdist compress`` does, callable from Python."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbdist.jobs.cluster import workers_of
from gbdist.jobs.columns import kinds_of
from gbdist.jobs.files import find_files
from gbdist.jobs.models import model_of_file
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.jobs.tables import open_table
from gbdist.models.missing import cat_nan_of
from gbdist.whole_file import whole_file


@dataclass(frozen=True, slots=True)
class CompressJob:
    """What to make smaller, for which target, on which rows, and where the result goes.

    ``data`` and ``holdout`` are files, folders or patterns with the model's features and the column ``label``; ``holdout`` has
    rows that the model was not trained on. ``best`` writes the nearest model where none reaches the target. ``report`` is an
    HTML page. ``cat_nan`` is as in ``PredictJob``, ``scheduler``, ``tls``, ``workers`` and ``threads`` as in ``LearningJob``.
    """

    model: Path
    data: tuple[str, ...]
    label: tuple[str, ...]
    target: str
    output: Path = Path("small.cbm")
    holdout: tuple[str, ...] = ()
    weight: str | None = None
    best: bool = False
    report: Path | None = None
    cat_nan: str | None = None
    seed: int = 0
    workers: int | None = None
    threads: int | None = None
    scheduler: str | None = None
    tls: str | None = None


@dataclass(frozen=True, eq=False)
class CompressResult:
    """What came out: where the model and the page are, whether it reaches the target, and the ``CompressionReport``."""

    model: Path
    reached: bool
    report: Any
    page: Path | None


def compress(
    job: CompressJob, say: Callable[[str], None] = lambda _: None, client: Any = None, reporter: Any = None
) -> CompressResult:
    """Compress and save the model. Everything that can be checked beforehand is checked before a worker starts.

    The arguments are those of ``gbdist.jobs.train.train``.

    Raises
    ------
    TargetNotReached
        No model reaches the target, and the job does not ask for the nearest one; nothing is written.
    ParameterError, DataError, ModelError, OutputError, ClusterError
        With the value, what was expected and what to do.
    """
    from gbdist.compression.compress import compress as compressed
    from gbdist.compression.errors import TargetNotReached
    from gbdist.compression.targets import parse_targets
    from gbdist.estimators.listeners import told_to

    parse_targets(job.target)
    _check(job)
    model = model_of_file(job.model)
    kinds, cat_nan = kinds_of(model), cat_nan_of(model) if job.cat_nan is None else job.cat_nan
    features = [str(name) for name in model.feature_names_]
    given = [*job.label, *([] if job.weight is None else [job.weight])]
    tables = [
        open_table(data, given, [*features, *given], kinds=kinds, cat_nan=cat_nan) for data in (job.data, job.holdout) if data
    ]  # fmt: skip
    label: Any = job.label[0] if len(job.label) == 1 else list(job.label)
    holdout = (tables[1], label, job.weight) if job.holdout else None
    with workers_of(job, client, say) as (client, _), told_to(reporter):
        if holdout is None:
            say("no --holdout: of rows that the model was trained on its loss is too good to choose smaller ones by")
        report: Any
        try:
            small, report = compressed(
                job.model, tables[0], label, target=job.target, sample_weight=job.weight, holdout=holdout, cat_nan=cat_nan,
                seed=job.seed, client=client, verbose=True,
            )  # fmt: skip
            reached = True
        except TargetNotReached as error:
            if not job.best:
                raise
            small, report, reached = error.model, error.report, False
    with whole_file(job.output) as unfinished:
        small.save_model(str(unfinished))
    if job.report is not None:
        with whole_file(job.report) as unfinished:
            unfinished.write_text(report.page(), encoding="utf-8")
    return CompressResult(job.output, reached, report, job.report)


def _check(job: CompressJob) -> None:
    """Check what needs no row and no worker."""
    files = [file.path for data in (job.data, job.holdout) if data for file in find_files(data)]
    for path in filter(None, (job.output, job.report)):
        require_writable_file(path)
        require_not_read(path, [str(job.model), *files])
