"""The kinds of jobs, in one table; how trainings and predictions are checked, and how their driver runs them."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.talk import without_talk
from gbdist.jobs.options import train_job
from gbdist.jobs.submitted.folded import CURVES, check_cv, check_tune, run_cv, run_tune
from gbdist.jobs.submitted.kind import Kind, Reads, Workplace
from gbdist.jobs.submitted.spec import JobSpec, require_json

MODEL: Final = "result/model.cbm"
PREDICTIONS: Final = "result/predictions.parquet"
#: Seconds between two snapshots of a job, unless it says otherwise: CatBoost's ten minutes are long for what runs unwatched.
SNAPSHOT_SECONDS: Final = 30

#: Options of a job file that say where it runs and where its results go, which ``gbdist job`` says in its own way.
ELSEWHERE: Final = ("output", "workers", "threads", "scheduler", "tls", "out", "return-models", "params-out", "plot")
_PATHS: Final = ("data", "eval")
_SNAPSHOTS: Final = frozenset({"save_snapshot", "snapshot_file", "train_dir"})


def kind_of(name: str) -> Kind:
    """The kind of a name; ParameterError if there is none: a later gbdist may have it."""
    if name not in KINDS:
        raise ParameterError("kind", name, f"one of {', '.join(KINDS)}", "Name one of these, or use a later gbdist.")
    return KINDS[name]


def make_spec(kind: str, options: Mapping[str, Any]) -> JobSpec:
    """A checked job, with whole paths: its driver runs in another folder. Empty options, and ``ELSEWHERE``, are left out."""
    known = kind_of(kind)
    made: dict[str, Any] = {
        name: value
        for name, value in options.items()
        if name not in ELSEWHERE and value is not None and value not in ([], (), {})
    }
    for name in _PATHS:
        if name in made:
            made[name] = [_whole(path) for path in made[name]]
    for name in ("model", "snapshot", "profile", "storage"):
        if name in made:
            made[name] = _whole(str(made[name]))
    require_json(made)
    known.check(made)
    return JobSpec(kind, made)


def _whole(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)


# ---- train


def _check_training(options: Mapping[str, Any]) -> None:
    from gbdist.jobs.train import check_given

    check_given(train_job(_with_snapshots(options, "snapshot")))


def _with_snapshots(options: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The options, with a place for snapshots unless they say something of snapshots, or have rounds of CatBoost trained."""
    from gbdist.estimators.parameters.aggregation import AGGREGATION, aggregation_of

    params = dict(options.get("params", {}))
    of_rounds = aggregation_of({name: value for name, value in params.items() if name in AGGREGATION}) is not None
    if of_rounds or _SNAPSHOTS & params.keys():
        return {**options, "params": params}
    params.setdefault("snapshot_interval", SNAPSHOT_SECONDS)
    return {**options, "snapshot": options.get("snapshot", place), "params": params}


def _train(options: Mapping[str, Any], place: Workplace) -> dict[str, Any]:
    from gbdist.jobs.train import train

    options = _with_snapshots(options, place.store.url("snapshot/run"))
    # Whoever reads the log is to have all of it, however quiet a terminal was to be.
    options["params"] = without_talk(options["params"])
    with tempfile.TemporaryDirectory(prefix="gbdist-job-") as folder:
        model = Path(folder) / "model.cbm"
        job = train_job({**options, "output": str(model)})
        result = train(job, say=place.say, reporter=place.reporter, client=place.client)
        place.store.write(MODEL, model.read_bytes())
    found = {name: value for name, value in asdict(result).items() if name not in ("model", "profile")}
    return {**found, "data_digest": _digest_of_data(options.get("snapshot"))}


def _digest_of_data(snapshot: str | None) -> Any:
    """What the run's last snapshot says of the data that were trained on; None without one."""
    from gbdist.snapshots.store import Store

    loaded = None if snapshot is None else Store(snapshot).load()
    return None if loaded is None else loaded.content.identity.get("data")


def _read_by_training(options: Mapping[str, Any]) -> Reads:
    return Reads([options[name] for name in _PATHS if options.get(name)])


# ---- predict


def _check_scoring(options: Mapping[str, Any]) -> None:
    if not options.get("data"):
        raise ParameterError("DATA", None, "a file, a folder or a pattern", "Say what to score.")
    if options.get("kind", "prediction") not in ("prediction", "probability", "raw"):
        raise ParameterError("kind", options["kind"], "prediction, probability or raw", "Leave it out.")


def _score(options: Mapping[str, Any], place: Workplace) -> dict[str, Any]:
    from gbdist.jobs.predict import PredictJob, predict

    local = place.store.local
    output = None if local is None else local / PREDICTIONS
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        for left in output.parent.glob(f".{output.name}.*"):  # by an attempt whose worker was lost
            shutil.rmtree(left, ignore_errors=True)
    job = PredictJob(
        model=Path(options["model"]),
        data=tuple(options["data"]),
        output=output or Path("predictions.parquet"),
        kind=options.get("kind", "prediction"),
        cat_nan=options.get("cat-nan"),
    )
    rows = 0

    def on_rows(count: int, left: int) -> None:
        nonlocal rows
        rows += count
        place.count("rows scored", rows, left)

    parts = place.store.url(PREDICTIONS) if output is None else None
    result = predict(job, on_rows, client=place.client, parts=parts)
    return {name: value for name, value in asdict(result).items() if name != "output"}


def _read_by_scoring(options: Mapping[str, Any]) -> Reads:
    return Reads([options["data"]], [str(options["model"])])


KINDS: Final[Mapping[str, Kind]] = {
    "train": Kind(_check_training, _read_by_training, _train, MODEL),
    "cv": Kind(check_cv, _read_by_training, run_cv, CURVES),
    "tune": Kind(check_tune, _read_by_training, run_tune, MODEL),
    "predict": Kind(_check_scoring, _read_by_scoring, _score, PREDICTIONS),
}
