"""Jobs that deal rows to folds: cross-validations, and searches for the best parameters."""

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.talk import without_talk
from gbdist.jobs.options import cv_job, tune_job
from gbdist.jobs.submitted.kind import Workplace
from gbdist.passwords import without_password

CURVES: Final = "result/curves.parquet"
_MODELS: Final = "result/models"
#: Trials of a search that whoever watches it is shown.
_SHOWN: Final = 12


def check_cv(options: Mapping[str, Any]) -> None:
    """See ``Kind.check``."""
    from gbdist.jobs.cv import check_given

    check_given(cv_job(options))


def run_cv(options: Mapping[str, Any], place: Workplace) -> dict[str, Any]:
    """Cross-validate, and put curves and models into the job's folder. An attempt begins anew: folds have no snapshots."""
    from gbdist.jobs.cv import cross_validate

    with tempfile.TemporaryDirectory(prefix="gbdist-job-") as folder:
        here = Path(folder)
        paths = {"out": here / "curves.parquet", "plot": here / "folds.html", "return-models": here / "models"}
        job = cv_job({**options, **paths, "params": _aloud(options)})
        result = cross_validate(job, say=place.say, reporter=place.reporter, client=place.client)
        models = sorted(paths["return-models"].iterdir())
        for path in models:
            place.store.write(f"{_MODELS}/{path.name}", path.read_bytes())
        for name in ("out", "plot"):
            place.store.write(f"result/{paths[name].name}", paths[name].read_bytes())
    found = {name: value for name, value in asdict(result).items() if name not in ("out", "models", "plot")}
    urls = [place.store.url(f"{_MODELS}/{path.name}") for path in models]
    return {**found, "models": urls, "page": place.store.url("result/folds.html")}


def check_tune(options: Mapping[str, Any]) -> None:
    """See ``Kind.check``."""
    from gbdist.jobs.tune import check_given

    job = tune_job(options)
    if job.storage and without_password(job.storage) != job.storage:
        fix = (
            "Leave it out: drivers of databases find it on the workers, that of PostgreSQL in ~/.pgpass or PGPASSWORD."
        )
        expected = "a URL without a password, as a job is kept in a file"
        raise ParameterError("--storage", without_password(job.storage), expected, fix)
    check_given(job)


def run_tune(options: Mapping[str, Any], place: Workplace) -> dict[str, Any]:
    """Search, and put model, trials and best parameters into the job's folder, where the study is too, unless options say where.

    An attempt goes on with the study of the one before.
    """
    from gbdist.jobs.submitted.studies import JOURNAL, study_of
    from gbdist.jobs.tune import tune

    with tempfile.TemporaryDirectory(prefix="gbdist-job-") as folder, ExitStack() as stack:
        here = Path(folder)
        paths = {"output": here / "model.cbm", "out": here / "trials.parquet", "params-out": here / "best.toml"}
        paths["plot"] = here / "study.html"
        job = tune_job({**options, **paths, "params": _aloud(options)})
        study = None if job.storage else stack.enter_context(study_of(place.store))

        def told(trials: Any, ended: Mapping[str, Any] | None) -> None:
            if study is not None and ended is not None:
                study.keep()
            place.search(trials.summary(_SHOWN), ended)

        result = tune(job, say=place.say, told=told, client=place.client, storage=study and study.storage)
        for path in paths.values():
            place.store.write(f"result/{path.name}", path.read_bytes())
    found = {
        name: value for name, value in asdict(result).items() if name not in ("model", "out", "params_out", "plot")
    }
    files = {"trials_table": "result/trials.parquet", "job_file": "result/best.toml", "page": "result/study.html"}
    return {
        **found,
        "storage": job.storage or place.store.url(JOURNAL),
        **{name: place.store.url(path) for name, path in files.items()},
    }


def _aloud(options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that keep a terminal quiet: whoever reads the log is to have all of it."""
    return without_talk(options.get("params", {}))
