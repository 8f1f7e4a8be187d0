"""What members say about rows, as columns of numbers, and what an ensemble makes of it: in memory, or lazily on collections."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from dask import delayed
from numpy.typing import NDArray

from gbdist.errors import DataError, ModelError
from gbdist.estimators.fusion.forms import Chunks, frame_like, lengths_of
from gbdist.estimators.fusion.places import lazily
from gbdist.estimators.prediction.answers import SERIES_NAME
from gbdist.estimators.preparation.inputs import is_lazy, is_lazy_frame
from gbdist.estimators.preparation.lazy_parts import LazyParts


@dataclass(frozen=True, eq=False)
class Voice:
    """How a member is asked, and how its answers become columns.

    Parameters
    ----------
    method : "predict_proba", "decision_function" or "predict"
    name : the member's, for messages
    classes : array [n_classes] or None
        The ensemble's labels in their order; None for numbers.
    known : array or None
        The labels that the member knows, in the order of its answers; None where it gives numbers.
    """

    method: str
    name: str
    classes: NDArray[Any] | None = None
    known: NDArray[Any] | None = None

    @classmethod
    def of(cls, member: Any, method: str, name: str, classes: NDArray[Any] | None) -> "Voice":
        """Of a fitted member."""
        return cls(method, name, classes, None if classes is None else np.asarray(member.classes_))

    def columns(self, answers: Any) -> NDArray[np.float64]:
        """float64 [n_rows, n_columns]: one a class for probabilities, else numbers of classes, or numbers.

        Classes that the member has not met have the probability 0. ModelError for answers of another shape.
        """
        values = np.asarray(answers)
        if self.classes is None:
            return self._one_number(values)
        if self.method == "predict":
            return codes_of(values, classes=self.classes).astype(np.float64)[:, None]
        places = codes_of(np.asarray(self.known), classes=self.classes)
        values = values.astype(np.float64, copy=False)
        if self.method == "decision_function":
            if len(places) < len(self.classes):
                raise DataError(
                    f"y of a fold of {self.name!r}",
                    f"{len(places)} of {len(self.classes)} labels",
                    "all of them in every fold for stack_method='decision_function'",
                    "Use fewer folds (cv), or predict_proba.",
                )
            return values[:, None] if values.ndim == 1 else values
        out = np.zeros((len(values), len(self.classes)))
        out[:, places] = values
        return out

    def _one_number(self, values: NDArray[Any]) -> NDArray[np.float64]:
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise ModelError(
                f"{self.name!r} predicts {values.shape[1]} numbers a row and an ensemble takes one",
                "Give it a loss with one prediction, such as RMSE",
            )
        return values.astype(np.float64)[:, None]


def codes_of(labels: Any, *, classes: NDArray[Any]) -> NDArray[np.int64]:
    """Number of each label among ``classes``; ModelError for one that is not there."""
    table: dict[Hashable, int] = {label: code for code, label in enumerate(classes.tolist())}
    values = np.asarray(labels)
    values = values[:, 0] if values.ndim == 2 else values
    found, inverse = pd.factorize(pd.Series(values), use_na_sentinel=False)[::-1]
    try:
        codes = np.array([table[label] for label in found.tolist()], dtype=np.int64)
    except KeyError as error:
        unknown = f"the label {error.args[0]!r} is not among those of y, {classes.tolist()!r}"
        raise ModelError(f"A member cannot take part: {unknown}", "Train it on the same labels") from None
    return np.asarray(codes[inverse])


class Fusion(Protocol):
    """What an ensemble makes of its members' answers. Picklable; asked about some rows at a time."""

    @property
    def voices(self) -> Sequence[Voice]:
        """How each member is asked."""
        ...

    @property
    def sees_rows(self) -> bool:
        """Whether rows of X are needed too."""
        ...

    def answer(self, kind: str, rows: Any, columns: Sequence[NDArray[np.float64]]) -> NDArray[Any]:
        """The method ``kind``, [n_rows, …], from the columns of each member and, if it sees them, the rows."""
        ...


def ask(members: Sequence[Any], voices: Sequence[Voice], X: Any) -> list[Any]:
    """What each member says about X; lazily for a Dask collection."""
    return [getattr(member, voice.method)(X) for member, voice in zip(members, voices, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question to an ensemble: the method, the shape of a row's answer, its dtype, and names of columns if it has any."""

    kind: str
    tail: tuple[int, ...]
    dtype: Any
    names: tuple[Hashable, ...] = ()


def fused(fusion: Fusion, members: Sequence[Any], X: Any, asked: Asked) -> Any:
    """Answers of an ensemble about X: a NumPy array for data in memory, else a collection like X, lazily.

    A Dask DataFrame gives a Series or DataFrame with its index and divisions, an Array one with its chunks of rows.
    """
    answers = ask(members, fusion.voices, X)
    if not is_lazy(X):
        columns = [voice.columns(each) for voice, each in zip(fusion.voices, answers, strict=True)]
        return fusion.answer(asked.kind, X if fusion.sees_rows else None, columns)
    frame = is_lazy_frame(X)
    parts = LazyParts([X, *answers], X.npartitions)
    # A frame's own rows tell its index; an array's are left alone unless they are needed.
    first = parts.delayed(0) if frame or fusion.sees_rows else [None] * X.npartitions
    others = [parts.delayed(number) for number in range(1, len(answers) + 1)]
    shipped = delayed(fusion, traverse=False)
    pieces = lazily(
        _fused_piece,
        first or [],
        *[each or [] for each in others],
        fusion=shipped,
        asked=delayed(asked, traverse=False),
    )
    if frame:
        meta = _as_frame(np.empty((0, *asked.tail), asked.dtype), X._meta.index[:0], asked)
        return frame_like(X, meta).join(pieces, lengths_of(X))
    return Chunks(asked.dtype, asked.tail).join(pieces, lengths_of(X))


def _fused_piece(rows: Any, *answers: Any, fusion: Fusion, asked: Asked) -> Any:
    columns = [voice.columns(each) for voice, each in zip(fusion.voices, answers, strict=True)]
    values = fusion.answer(asked.kind, rows if fusion.sees_rows else None, columns)
    return _as_frame(values, rows.index, asked) if hasattr(rows, "index") else values


def _as_frame(values: NDArray[Any], index: Any, asked: Asked) -> Any:
    """A pandas Series or DataFrame whose dtypes do not depend on how many values there are."""
    if asked.tail:
        return pd.DataFrame(values, index=index, columns=list(asked.names))
    dtype = object if asked.dtype == np.dtype(object) else pd.Series(np.empty(1, asked.dtype)).dtype
    return pd.Series(values, index=index, name=SERIES_NAME, dtype=dtype)
