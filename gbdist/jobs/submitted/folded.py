"""Jobs that deal rows to folds: cross-validations."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from gbdist.jobs.learning import TALK
from gbdist.jobs.options import cv_job
from gbdist.jobs.submitted.kind import Workplace

CURVES: Final = "result/curves.parquet"
_MODELS: Final = "result/models"


def check_cv(options: Mapping[str, Any]) -> None:
    """See ``Kind.check``."""
    from gbdist.jobs.cv import check_given

    check_given(cv_job(options))


def run_cv(options: Mapping[str, Any], place: Workplace) -> dict[str, Any]:
    """Cross-validate, and put curves and models into the job's folder. An attempt begins anew: folds have no snapshots."""
    from gbdist.jobs.cv import cross_validate

    with tempfile.TemporaryDirectory(prefix="gbdist-job-") as folder:
        here = Path(folder)
        paths = {"out": here / "curves.parquet", "return-models": here / "models"}
        job = cv_job({**options, **paths, "params": _aloud(options)})
        result = cross_validate(job, say=place.say, reporter=place.reporter, client=place.client)
        models = sorted(paths["return-models"].iterdir())
        for path in models:
            place.store.write(f"{_MODELS}/{path.name}", path.read_bytes())
        place.store.write(CURVES, paths["out"].read_bytes())
    found = {name: value for name, value in asdict(result).items() if name not in ("out", "models", "plot")}
    return {**found, "models": [place.store.url(f"{_MODELS}/{path.name}") for path in models]}


def _aloud(options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that keep a terminal quiet: whoever reads the log is to have all of it."""
    return {name: value for name, value in options.get("params", {}).items() if name not in TALK}
