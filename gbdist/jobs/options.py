"""What commands and job files say, as jobs: options under their names on the command line, without the dashes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbdist.errors import ParameterError

if TYPE_CHECKING:
    from gbdist.jobs.compress import CompressJob
    from gbdist.jobs.cv import CvJob
    from gbdist.jobs.train import TrainJob
    from gbdist.jobs.tune import TuneJob

#: What jobs have under the same names, and where options say nothing their own defaults: all that learn from rows, those that
#: deal rows to folds, and searches.
_LEARNING = ("weight", "group", "cat-nan", "task", "workers", "threads", "scheduler", "tls")
_FOLDS = ("folds", "stratified", "shuffle", "time-series", "time", "seed")
_SEARCH = ("space", "search", "trials", "jobs", "trial-workers", "scoring", "pruner", "timeout", "study", "storage")


class OptionMissing(ParameterError):
    """Something that is needed was neither typed nor is it in the job file."""

    def __str__(self) -> str:
        name, _, expected, fix = self.args
        return f"{name} is missing: expected {expected}. {fix}"


def train_job(options: Mapping[str, Any]) -> "TrainJob":
    """The job of ``gbdist train``; raises what ``require_consistent`` raises."""
    require_consistent(options)
    from gbdist.jobs.train import TrainJob  # pyarrow loads only when needed

    return TrainJob(
        **_learning(options),
        output=Path(options.get("output", "model.cbm")),
        eval_data=tuple(options.get("eval", ())),
        snapshot=options.get("snapshot"),
        profile=_path(options, "profile"),
    )


def cv_job(options: Mapping[str, Any]) -> "CvJob":
    """The job of ``gbdist cv``; raises what ``require_consistent`` raises."""
    require_consistent(options, "cv")
    from gbdist.jobs.cv import CvJob  # pyarrow loads only when needed

    return CvJob(
        **_learning(options),
        **_said(options, (*_FOLDS, "inverted")),
        out=_path(options, "out"),
        models=_path(options, "return-models"),
        plot=_path(options, "plot"),
    )


def tune_job(options: Mapping[str, Any]) -> "TuneJob":
    """The job of ``gbdist tune``; raises what ``require_consistent`` raises."""
    require_consistent(options, "tune")
    from gbdist.jobs.tune import TuneJob  # pyarrow loads only when needed

    if not options.get("space"):
        raise OptionMissing("--space", None, "a file that says what each parameter may be", "See: gbdist tune --help")
    return TuneJob(
        **_learning(options),
        **_said(options, (*_FOLDS, *_SEARCH)),
        output=Path(options.get("output", "best.cbm")),
        out=_path(options, "out"),
        params_out=_path(options, "params-out"),
        plot=_path(options, "plot"),
    )


def compress_job(options: Mapping[str, Any]) -> "CompressJob":
    """The job of ``gbdist compress``; OptionMissing for what is needed and not there, ParameterError as ``require_no_size``."""
    example = "For example: gbdist compress model.cbm --data sales.parquet --label price --target size:0.25"
    needed = {
        "MODEL": "the model to make smaller",
        "--data": "rows to compress on",
        "--label": "the column of their labels",
        "--target": "what to reach, such as size:0.25, latency:0.5 or loss:+0.2%",
    }
    for name, words in needed.items():
        if not options.get(name.strip("-").lower()):
            raise OptionMissing(name, None, words, example)
    require_no_size(options)
    from gbdist.jobs.compress import CompressJob  # pyarrow loads only when needed

    return CompressJob(
        model=Path(options["model"]),
        data=tuple(options["data"]),
        label=tuple(options["label"]),
        target=options["target"],
        holdout=tuple(options.get("holdout", ())),
        **_said(options, ("weight", "cat-nan", "best", "seed", "workers", "threads", "scheduler", "tls")),
        output=Path(options.get("output", "small.cbm")),
        report=_path(options, "report"),
    )


def ignored_on_all_rows(ignore: Sequence[str], group: str | None, time: str | None, *, ranks: bool) -> list[str]:
    """Columns that a training on all rows ignores, after one on folds that ``ignore`` some.

    Of groups that rows are not ranked in, training knows nothing, nor of times.
    """
    return [*ignore, *([group] if group and not ranks else []), *([time] if time else [])]


def _learning(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a ``LearningJob``."""
    return {
        "data": tuple(options["data"]),
        "target": tuple(options["target"]),
        "ignore": tuple(options.get("ignore", ())),
        "cat": tuple(options.get("cat", ())),
        "params": dict(options.get("params", {})),
        **_said(options, _LEARNING),
    }


def _said(options: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of some options that are there, as fields of a job."""
    return {name.replace("-", "_"): options[name] for name in names if name in options}


def _path(options: Mapping[str, Any], name: str) -> Path | None:
    return Path(options[name]) if options.get(name) else None


def require_consistent(options: Mapping[str, Any], command: str = "train") -> None:
    """Raise OptionMissing if something needed is missing, ParameterError if two options exclude each other."""
    if not options.get("data"):
        example = f"For example: gbdist {command} sales.parquet --target price"
        raise OptionMissing("DATA", None, "a file, a folder or a pattern", example)
    if not options.get("target"):
        raise OptionMissing("--target", None, "the column to learn", "For example: --target price")
    require_no_size(options)


def require_no_size(options: Mapping[str, Any]) -> None:
    """Raise a ParameterError for a number of workers or threads beside a cluster that runs already."""
    for name in ("workers", "threads"):
        if options.get("scheduler") and options.get(name):
            fix = f"Leave out --{name} or --scheduler."
            raise ParameterError(f"--{name}", options[name], "no size for a cluster that runs already", fix)
