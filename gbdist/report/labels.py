"""Labels as the page needs them: places among the model's classes, or numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gbdist.errors import DataError
from gbdist.report.subject import task_of

_SHOWN = 10


def labels_for(model: Any, values: Any, where: str) -> NDArray[Any]:
    """Labels of rows as ``Rows`` takes them; ``values`` [n] are those of the data set, ``where`` is what errors call them.

    A class is found by its value, else by how it is written: 1, 1.0 and "1" are one class where the model has one of them.

    Raises
    ------
    DataError
        A label is missing, is none of the model's classes, or is no number where the model predicts numbers.
    """
    column = pd.Series(np.asarray(values, dtype=object))
    missing = int(column.isna().sum())
    if missing:
        raise DataError(where, f"{missing:,} missing value(s)", "a label in every row", "Leave those rows out.")
    if task_of(model) == "classes":
        return _codes(column, np.asarray(model.classes_).tolist(), where)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        fix = "Name the column of numbers that the model was trained to predict."
        raise DataError(where, f"the value {column[int(wrong.argmax())]!r}", "finite numbers", fix)
    return np.asarray(numbers)


def _codes(column: Any, classes: Sequence[Any], where: str) -> NDArray[np.int64]:
    place: dict[Any, int] = {}
    for number, label in enumerate(classes):
        place.setdefault(_written(label), number)
    place |= {_value(label): number for number, label in enumerate(classes)}
    found: dict[Any, int] = {}
    for label in column.unique():
        known = next((place[key] for key in (_value(label), _written(label)) if key in place), None)
        if known is None:
            more = f" and {len(classes) - _SHOWN:,} more" if len(classes) > _SHOWN else ""
            expected = f"the model's classes {', '.join(map(repr, classes[:_SHOWN]))}{more}"
            fix = "Name the column that the model was trained to predict, or leave those rows out."
            raise DataError(where, f"the label {label!r}", expected, fix)
        found[label] = known
    return np.asarray(column.map(found), dtype=np.int64)


def _value(label: Any) -> Any:
    return label if isinstance(label, str) else float(label)


def _written(label: Any) -> str:
    whole = not isinstance(label, str | bool | np.bool_) and float(label).is_integer()
    return str(int(label)) if whole else str(label)
