"""What kind of task a target column asks for, seen from its type and, where that is not enough, its values."""

from typing import Any, Literal

from gbdist.description import name_of
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.parameters.table import (
    ALIASES,
    CLASSIFIER_LOSSES,
    LABELS_LOSSES,
    RANKER_LOSSES,
    REGRESSOR_LOSSES,
)

Task = Literal["binary", "multiclass", "multilabel", "regression", "ranking"]
TASKS = ("auto", "binary", "multiclass", "regression", "ranking")

MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are quantities, not classes."""

MOST_COUNTED = 10_000
"""Classes beyond this are not counted."""


def choose_task(
    task: str, params: dict[str, Any], table: Any, target: str, client: Any, *, grouped: bool = False
) -> Task:
    """The task to train for: as asked; else as the loss says; else as the target looks.

    ``grouped`` says that a column of groups is named: then rows are ranked.

    Raises
    ------
    ParameterError
        The task is not known, or the loss is for another one.
    DataError
        The target is constant.
    """
    require_known_task(task)
    loss = loss_of(params)
    if grouped or task == "ranking" or loss in RANKER_LOSSES:
        return _ranking(task, loss, grouped=grouped)
    if task == "regression" or (task == "auto" and loss in REGRESSOR_LOSSES):
        if loss in CLASSIFIER_LOSSES:
            raise ParameterError(
                "loss_function", loss, "a loss for regression", "Use --task binary or multiclass for it."
            )
        return "regression"
    if task != "auto" and loss in REGRESSOR_LOSSES:
        raise ParameterError("loss_function", loss, f"a loss for {task}", "Use --task regression for it.")
    if loss in LABELS_LOSSES and loss in CLASSIFIER_LOSSES:
        return "multilabel"
    if task == "multiclass" or (task == "auto" and loss in ("MultiClass", "MultiClassOneVsAll")):
        return "multiclass"
    if task == "binary" or (task == "auto" and loss in ("Logloss", "CrossEntropy", "Focal")):
        return "binary"
    return _task_of_target(table, target, client)


def _ranking(task: str, loss: str | None, *, grouped: bool) -> Task:
    """Ranking, if nothing speaks against it."""
    if not grouped:
        name, value = ("task", task) if task == "ranking" else ("loss_function", loss)
        raise ParameterError(
            name, value, "a column of groups beside it", "Say which rows are ranked together: --group COL."
        )
    if task not in ("auto", "ranking"):
        raise ParameterError("task", task, "ranking, as groups are named", "Leave out --task or --group.")
    return "ranking"


def require_known_task(task: str) -> None:
    """Raise a ``ParameterError`` unless ``task`` is one of ``TASKS``."""
    if task not in TASKS:
        fix = "Leave it out to have it chosen from the target."
        raise ParameterError("task", task, f"one of {', '.join(TASKS)}", fix)


def decided_by(task: str, params: dict[str, Any], target: str, *, grouped: bool) -> str:
    """What ``choose_task`` went by where nobody named the task, in brackets for the line that tells it; else nothing."""
    if task != "auto" or grouped:
        return ""
    if loss_of(params) in (*CLASSIFIER_LOSSES, *REGRESSOR_LOSSES, *RANKER_LOSSES):
        return " (from loss_function)"
    return f" (from the values of {target!r}; --task says otherwise)"


def require_targets(targets: tuple[str, ...], params: dict[str, Any]) -> None:
    """Raise a ``ParameterError`` unless each target is named once, and there is one, or as many as the loss takes."""
    loss = loss_of(params)
    if len(set(targets)) < len(targets):
        raise ParameterError("target", list(targets), "each column once", "Name it once.")
    if len(targets) > 1 and loss not in LABELS_LOSSES:
        expected = f"one column, as loss_function {f'is {loss}' if loss else 'is not for several'}"
        fix = f"Name one column, or set loss_function to one of {', '.join(LABELS_LOSSES)}."
        raise ParameterError("target", list(targets), expected, fix)


def values_a_row(targets: tuple[str, ...], params: dict[str, Any]) -> int:
    """Raw values that a model of these targets has for a row: one a target, but for the two ends of a time."""
    return 1 if loss_of(params) == "SurvivalAft" else len(targets)


def loss_of(params: dict[str, Any]) -> str | None:
    """The name of the loss among parameters, under whatever name; None where none is given."""
    return next((name_of(str(value)) for name, value in params.items() if is_loss(name)), None)


def is_loss(name: str) -> bool:
    """Whether a parameter is the loss."""
    return ALIASES.get(name, name) == "loss_function"


def count_classes(table: Any, target: str, client: Any) -> int:
    """Number of distinct values of a target, ``MOST_COUNTED`` at most."""
    return len(_values_of(table, target, client, MOST_COUNTED) or ())


def _task_of_target(table: Any, target: str, client: Any) -> Task:
    """Texts, booleans and at most ``MOST_CLASSES`` distinct whole numbers are classes."""
    values = _values_of(table, target, client, MOST_CLASSES + 1)
    if values is None:
        return "regression"
    if len(values) < 2:
        only = f"{len(values)} distinct value(s)"
        raise DataError(f"target {target!r}", only, "at least 2", "Name another column with --target.")
    # Texts of many kinds are classes all the same; the estimator says when they are too many.
    if len(values) > MOST_CLASSES and table.dtypes[target].kind in "iufb":
        return "regression"
    return "binary" if len(values) == 2 else "multiclass"


def _values_of(table: Any, target: str, client: Any, most: int) -> set[Any] | None:
    """Distinct values, ``most`` from each partition; None if there are fractions. Workers read the one column only."""
    import dask

    from gbdist_cluster.waiting import completed

    parts = [dask.delayed(distinct_values)(part, most) for part in table[[target]].to_delayed()]
    futures = client.compute(parts)
    try:
        values: set[Any] = set()
        for future in completed(client, futures):
            found = future.result()
            if found is None:
                return None
            values |= found
        return values
    finally:
        for future in futures:  # not cancelled: the scheduler would tell all clients
            future.release()


def distinct_values(frame: Any, most: int) -> set[Any] | None:
    """Distinct values of a frame's only column without gaps, ``most`` of them at most; None if there are fractions."""
    values = frame.iloc[:, 0].dropna().unique()
    if values.dtype.kind == "f" and (values % 1 != 0).any():
        return None
    return set(values[:most].tolist())
