"""Groups of options that commands share, and commands that take them: each name is written once for all of them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args

from gbdist_cli.config import Rule, merge, read_config
from gbdist_cli.options import (
    CatOption,
    ConfigOption,
    DataArgument,
    DebugOption,
    EvalOption,
    FoldGroupOption,
    FoldsOption,
    GroupOption,
    IgnoreOption,
    JsonOption,
    ParamOption,
    SchedulerOption,
    SeedOption,
    ShuffleOption,
    StratifiedOption,
    TargetOption,
    TaskOption,
    ThreadsOption,
    TimeOption,
    TimeSeriesOption,
    TlsOption,
    TrainCatNanOption,
    WeightOption,
    WorkersOption,
)
from gbdist_cli.params import parse_columns, parse_params

Group = Mapping[str, Any]
"""Names of a command's arguments, and their annotated types."""

_LEARNING: Group = {
    "ignore": IgnoreOption,
    "cat": CatOption,
    "cat_nan": TrainCatNanOption,
    "task": TaskOption,
    "param": ParamOption,
    "config": ConfigOption,
}
TRAINED: Group = {
    "data": DataArgument,
    "target": TargetOption,
    "eval": EvalOption,
    "weight": WeightOption,
    "group": GroupOption,
    **_LEARNING,
}
"""What a model is trained on, and scored on meanwhile."""
FOLDED: Group = {
    "data": DataArgument,
    "target": TargetOption,
    "weight": WeightOption,
    "group": FoldGroupOption,
    **_LEARNING,
    "folds": FoldsOption,
    "stratified": StratifiedOption,
    "shuffle": ShuffleOption,
    "time_series": TimeSeriesOption,
    "time": TimeOption,
    "seed": SeedOption,
}
"""What rows are learned from, and how they are dealt to folds."""
CLUSTER: Group = {"scheduler": SchedulerOption, "tls": TlsOption}
WORKERS: Group = {"workers": WorkersOption, "threads": ThreadsOption, **CLUSTER}
TALK: Group = {"as_json": JsonOption, "debug": DebugOption}


def takes(*groups: Group) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Have a command that takes ``**typed`` take the options of some groups; all are None, flags that are True or False False."""
    kinds = {name: kind for group in groups for name, kind in group.items()}

    def given(command: Callable[..., None]) -> Callable[..., None]:
        command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_default(kind), annotation=kind)
                for name, kind in kinds.items()
            ]
        )
        command.__annotations__ = {**kinds, "return": None}
        return command

    return given


def _default(kind: Any) -> bool | None:
    return False if get_args(kind)[0] is bool else None


def job_options(
    typed: Mapping[str, Any], keys: Mapping[str, Rule], before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a command of ``takes`` was given, over the job file that it names, over the options of a job ``before``.

    ``keys`` are those of the job file; what was typed under other names is left out.
    """
    of_file = read_config(typed["config"], keys) if typed["config"] else {}
    words = {name.replace("_", "-"): value for name, value in typed.items()}
    given = {name: value for name, value in words.items() if name in keys}
    given |= {"cat": parse_columns(typed["cat"] or ()), "params": parse_params(typed["param"] or ())}
    return merge(merge(dict(before or {}), {"params": {}, **of_file}), given)
