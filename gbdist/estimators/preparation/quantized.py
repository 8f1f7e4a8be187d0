"""A quantized data set on the cluster: who holds which shards, and what is known of all rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from distributed import Future
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.errors import DataError
from gbdist.estimators.preparation.shard import Shard, assemble
from gbdist.quantize.binning import bins_dtype
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.survey import LABEL_LIMIT
from gbdist.quantize.unbinned import HASH_BYTES


@dataclass(frozen=True, eq=False)
class QuantizedSet:
    """Quantized rows by rank.

    Parameters
    ----------
    members : addresses of the workers, by rank
    shards : futures of handles of ``Shards``, by rank; a rank may have none
    borders : one a feature
    survey : facts of all rows
    dimension : of the baseline, 0 without one
    """

    members: tuple[str, ...]
    shards: tuple[tuple[Future, ...], ...]
    borders: tuple[FeatureBorders, ...]
    survey: DataSurvey
    dimension: int

    @property
    def nbytes(self) -> int:
        """Bytes of all shards."""
        layout = layout_of(self, None)
        shape = (layout.n_features, layout.wide, layout.weighted, layout.dimension, len(layout.hashed), layout.n_labels)
        return self.survey.n_rows * row_bytes(*shape)

    def release(self) -> None:
        """Free the shards."""
        for futures in self.shards:
            for future in futures:
                future.release()


@dataclass(frozen=True, eq=False)
class SetLayout:
    """What a rank must know to put its rows of a data set together.

    ``counts`` is the number of futures of each rank; ``hashed`` are the positions of columns that are kept as hashes.
    ``label_of_code`` float32, if any, maps what the shards keep as label
    to what the trainer wants; ``class_weights`` float64, if any, multiplies the weight of each row of that class.
    """

    counts: tuple[int, ...]
    n_features: int
    wide: bool
    weighted: bool
    dimension: int
    hashed: tuple[int, ...]
    label_of_code: NDArray[np.float32] | None
    class_weights: NDArray[np.float64] | None = None
    n_labels: int = 1

    def rows_of(self, shards: Sequence[Shard]) -> Rows:
        """Assemble one rank's rows."""
        rows = assemble(
            shards,
            self.n_features,
            weighted=self.weighted,
            dimension=self.dimension,
            wide=self.wide,
            hashed=self.hashed,
            n_labels=self.n_labels,
        )
        label = rows.label
        if self.label_of_code is not None:
            label = self.label_of_code[label.astype(np.uint16)]  # codes number at most LABEL_LIMIT
        weight = rows.weight
        if self.class_weights is not None:
            of_class = self.class_weights[label.astype(np.uint16)]
            # In float64 and rounded once, so that the result does not depend on who computes it.
            weight = (of_class if weight is None else of_class * weight).astype(np.float32)
        return replace(rows, label=label, weight=weight)


def rows_of_rank(layouts: Sequence[SetLayout], stored: Sequence[Sequence[Shard]], rank: int) -> list[Rows]:
    """One rank's rows of each data set, from what its futures left, one set after the other."""
    sets = []
    taken = 0
    for layout in layouts:
        count = layout.counts[rank]
        sets.append(layout.rows_of([shard for batch in stored[taken : taken + count] for shard in batch]))
        taken += count
    return sets


def layout_of(data: QuantizedSet, label_of_code: NDArray[np.float32] | None) -> SetLayout:
    """How each rank puts its rows of the data set together."""
    return SetLayout(
        counts=tuple(len(futures) for futures in data.shards),
        n_features=len(data.borders),
        wide=bins_dtype(data.borders) is np.uint16,
        weighted=data.survey.weight is not None,
        dimension=data.dimension,
        hashed=data.survey.hashed,
        label_of_code=label_of_code,
        n_labels=max(1, len(data.survey.targets)),
    )


def row_bytes(n_features: int, wide: bool, weighted: bool, dimension: int, n_hashed: int = 0, n_labels: int = 1) -> int:
    """Bytes that one quantized row takes: bins, hashes, labels, weight, baseline."""
    return n_features * (2 if wide else 1) + HASH_BYTES * n_hashed + 4 * n_labels + 4 * weighted + 8 * dimension


def class_names(survey: DataSurvey) -> tuple[Any, ...]:
    """The classes of a training set: its sorted distinct labels; DataError if they are measured numbers."""
    values = _values(survey, "y")
    _refuse_continuous(values)
    return values


def _refuse_continuous(values: Sequence[Any]) -> None:
    """DataError for what scikit-learn calls continuous: several fractions are measured rather than name classes."""
    fractions = [v for v in values if isinstance(v, float | np.floating) and not float(v).is_integer()]
    if len(values) > 2 and fractions:
        raise DataError(
            "y",
            f"continuous values such as {float(fractions[0]):g}",
            "classes",
            "Use DaskCatBoostRegressor for numbers, or pass y as text if they name classes.",
        )


def codes_for_classes(survey: DataSurvey, classes: Sequence[Any], where: str) -> NDArray[np.float32] | None:
    """Number of the class behind each label code, None where it is the code; DataError for a label not in ``classes``."""
    number_of = {value: number for number, value in enumerate(classes)}
    values = _values(survey, where)
    for value in values:
        if value not in number_of:
            raise DataError(
                where,
                f"label {value!r}",
                f"one of the {len(classes)} training labels",
                "Add rows with that label to the training data or leave those rows out.",
            )
    return _unless_codes(np.array([number_of[value] for value in values], dtype=np.float32))


def numbers_of_codes(survey: DataSurvey, where: str) -> NDArray[np.float32] | None:
    """Number behind each label code for regression; None where the shards keep the numbers themselves."""
    if not survey.targets:
        raise _no_label(where)
    return None if survey.labels.values is None else _unless_codes(survey.labels.label_values())


def _unless_codes(meaning: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """None if each code means its own number, which saves every rank a copy of its labels."""
    return None if np.array_equal(meaning, np.arange(len(meaning))) else meaning


def _values(survey: DataSurvey, where: str) -> tuple[Any, ...]:
    if survey.label is None:
        raise _no_label(where)
    if survey.label.values is None:
        raise DataError(
            where,
            f"more than {LABEL_LIMIT} different labels",
            "classes",
            "Use a regressor for continuous values, or merge rare classes.",
        )
    return survey.label.values


def _no_label(where: str) -> DataError:
    return DataError(where, "no labels", "one label a row", "Give y beside X, or make the DaskPool with y.")
