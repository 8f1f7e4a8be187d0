"""What can be asked of a CatBoost model about rows: each question answers for some rows, and names its columns."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from catboost import CatBoost, Pool
from numpy.typing import NDArray


class Question(Protocol):
    """One question about each row. Instances are small and picklable; the model travels apart from them."""

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """Answer for the rows of ``matrix``; [n_rows, …] with the same trailing shape and dtype whatever the rows."""
        ...

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """Names of the answer's columns in a frame, as many as ``tail`` has cells, last axis fastest."""
        ...


@dataclass(frozen=True, slots=True)
class Trees:
    """Which trees to use: ``start … end−1``; ``end`` 0 means all, as in CatBoost."""

    start: int = 0
    end: int = 0

    @property
    def arguments(self) -> dict[str, int]:
        """As CatBoost's methods take them."""
        return {"ntree_start": self.start, "ntree_end": self.end}


@dataclass(frozen=True)
class Values:
    """Raw values, probabilities, or whatever CatBoost's ``prediction_type`` names."""

    prediction_type: str
    class_names: tuple[str, ...]
    trees: Trees = Trees()

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """float64 [n_rows] or [n_rows, n_values]."""
        how = {"prediction_type": self.prediction_type, "thread_count": threads, **self.trees.arguments}
        answer = CatBoost.predict(model, matrix, **how)  # CatBoostRanker's own takes no type
        return np.asarray(answer, dtype=np.float64)

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """Class names, else numbers."""
        return column_names_of(self.class_names, tail[-1])


@dataclass(frozen=True)
class Labels:
    """Labels as they went into ``fit``, whatever their type.

    CatBoost's file keeps labels as numbers or text, so the class is found here from raw values: the largest of several
    (the first one of equals, as CatBoost), or for two classes whether the raw value is above ``border``, the logit of the
    probability threshold.
    """

    classes: NDArray[Any]
    border: float = 0.0
    trees: Trees = Trees()

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """Labels [n_rows] of the dtype of ``classes``."""
        raw = model.predict(matrix, prediction_type="RawFormulaVal", thread_count=threads, **self.trees.arguments)
        return self.of_raw(np.asarray(raw))

    def of_raw(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Labels [n_rows] of raw values [n_rows] or [n_rows, n_classes]."""
        number = raw.argmax(axis=1) if raw.ndim == 2 else (raw > self.border).astype(np.intp)
        return cast(NDArray[Any], self.classes[number])

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """One column; never asked."""
        return column_names_of((), tail[-1])


@dataclass(frozen=True)
class LabelFlags:
    """Which of several labels a row has: those whose raw value is above ``border``."""

    names: tuple[str, ...]
    border: float = 0.0
    trees: Trees = Trees()

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """1 or 0, int64 [n_rows, n_labels]."""
        raw = CatBoost.predict(
            model, matrix, prediction_type="RawFormulaVal", thread_count=threads, **self.trees.arguments
        )
        return self.of_raw(np.asarray(raw))

    def of_raw(self, raw: NDArray[Any]) -> NDArray[Any]:
        """Those of raw values [n_rows] or [n_rows, n_labels]."""
        return (raw.reshape(raw.shape[0], -1) > self.border).astype(np.int64)

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """The labels."""
        return column_names_of(self.names, tail[-1])


@dataclass(frozen=True)
class LeafIndexes:
    """The leaf of each tree that a row falls into."""

    trees: Trees = Trees()

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """uint32 [n_rows, n_trees]."""
        return np.asarray(model.calc_leaf_indexes(matrix, thread_count=threads, **self.trees.arguments))

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """tree_0, tree_1, …, by the trees' own numbers."""
        return [f"tree_{self.trees.start + i}" for i in range(tail[0])]


@dataclass(frozen=True)
class VirtualEnsembles:
    """CatBoost's virtual ensembles: members' raw values, or the uncertainties derived from them."""

    prediction_type: str
    count: int
    end: int
    class_names: tuple[str, ...]

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """float64 [n_rows, count, n_values] for VirtEnsembles, [n_rows, n_uncertainties] for TotalUncertainty."""
        answer = model.virtual_ensembles_predict(
            matrix,
            prediction_type=self.prediction_type,
            virtual_ensembles_count=self.count,
            ntree_end=self.end,
            thread_count=threads,
        )
        return np.asarray(answer, dtype=np.float64)

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """ensemble_i or ensemble_i[class]; uncertainty_i."""
        if len(tail) == 1:
            return [f"uncertainty_{i}" for i in range(tail[0])]
        members = [f"ensemble_{i}" for i in range(tail[0])]
        return members if tail[1] == 1 else _with_classes(members, column_names_of(self.class_names, tail[1]))


@dataclass(frozen=True)
class Shap:
    """SHAP values of every feature (``ShapValues``) or pair of features (``ShapInteractionValues``), expected value last."""

    kind: str
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]

    def ask(self, model: Any, matrix: Any, threads: int) -> NDArray[Any]:
        """float64 [n_rows, …, n_features + 1], a class axis second if there are several raw values."""
        pool = matrix if isinstance(matrix, Pool) else Pool(matrix, feature_names=list(self.feature_names))
        return np.asarray(model.get_feature_importance(pool, type=self.kind, thread_count=threads), dtype=np.float64)

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """Names of features, then expected_value; class[feature] with several classes; a×b for pairs."""
        names = [*self.feature_names, "expected_value"]
        pairs = self.kind == "ShapInteractionValues"
        cells = [f"{a}×{b}" for a in names for b in names] if pairs else names
        many = len(tail) == (3 if pairs else 2)
        return (
            [f"{label}[{cell}]" for label in column_names_of(self.class_names, tail[0]) for cell in cells]
            if many
            else cells
        )


def stages(
    model: Any, matrix: Any, question: Values | Labels | LabelFlags, period: int, threads: int
) -> Iterator[NDArray[Any]]:
    """Answers with ever more of the question's trees, each stage at the cost of its own ``period`` trees alone."""
    kind = question.prediction_type if isinstance(question, Values) else "RawFormulaVal"
    how = {"prediction_type": kind, "eval_period": period, "thread_count": threads, **question.trees.arguments}
    asked = CatBoost.staged_predict(model, matrix, **how)  # CatBoostRanker's own takes no type
    for answer in asked:
        values = np.asarray(answer, dtype=np.float64)
        yield values if isinstance(question, Values) else question.of_raw(values)


def column_names_of(names: Sequence[str], count: int) -> list[str]:
    """The names, if there is one for each column; else the columns' numbers."""
    return list(names) if len(names) == count else [str(i) for i in range(count)]


def _with_classes(names: Iterable[str], classes: Sequence[str]) -> list[str]:
    return [f"{name}[{label}]" for name in names for label in classes]


def text_of(labels: Iterable[Hashable]) -> tuple[str, ...]:
    """Labels as text, so that a frame of probabilities can be written to Parquet."""
    return tuple(str(label) for label in labels)
