"""A quantized data set on the cluster: who holds which shards, and what is known of all rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.rows import Rows
from gbdist.errors import DataError
from gbdist.estimators.preparation.shard import RowShape, Shard, assemble
from gbdist.estimators.preparation.stored import Stored, futures_of
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import Encoding, borders_in, cells_type, scales_in
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist.quantize.scales import ColumnScale
from gbdist.quantize.survey import LABEL_LIMIT


@dataclass(frozen=True, eq=False)
class QuantizedSet:
    """Quantized rows by rank.

    Parameters
    ----------
    members : addresses of the workers, by rank
    shards : by rank; a rank may have none
    encodings : one a feature: borders, or scales where it was made for a network
    survey : facts of all rows
    dimension : of the baseline, 0 without one
    on_disk : whether the bins lie on the workers' disks
    stays : whether runs are to use the members alone: they do not take in others, and end with an error if one is lost
    """

    members: tuple[str, ...]
    shards: tuple[tuple[Stored, ...], ...]
    encodings: tuple[Encoding, ...]
    survey: DataSurvey
    dimension: int
    on_disk: bool = False
    stays: bool = False

    @property
    def borders(self) -> tuple[FeatureBorders, ...]:
        """Of each feature that became bins."""
        return borders_in(self.encodings)

    @property
    def scales(self) -> tuple[ColumnScale, ...]:
        """Of each feature that became numbers."""
        return scales_in(self.encodings)

    @property
    def row(self) -> RowShape:
        """What a row has."""
        return RowShape.of(self.survey, self.dimension, cells_type(self.encodings))

    @property
    def nbytes(self) -> int:
        """Bytes of all shards."""
        return self.survey.n_rows * self.row.nbytes

    @property
    def rows_by_worker(self) -> dict[str, int]:
        """Rows of each member, by rank."""
        return {
            address: sum(one.n_rows for one in of_rank)
            for address, of_rank in zip(self.members, self.shards, strict=True)
        }

    def without_source(self) -> "QuantizedSet":
        """The same without what it was made of, which would be kept as long: Dask alone makes lost shards again, if it can."""
        return replace(self, shards=tuple(tuple(replace(one, again=None) for one in each) for each in self.shards))

    def release(self) -> None:
        """Free the shards."""
        for future in futures_of(self.shards):
            future.release()


@dataclass(frozen=True, eq=False)
class SetLayout:
    """What a rank must know to put its rows of a data set together.

    ``counts`` is the number of futures of each rank. ``label_of_code`` float32, if any, maps what the shards keep as label
    to what the trainer wants; ``class_weights`` float64, if any, multiplies the weight of each row of that class.
    """

    counts: tuple[int, ...]
    row: RowShape
    label_of_code: NDArray[np.float32] | None
    class_weights: NDArray[np.float64] | None = None

    def rows_of(self, shards: Sequence[Shard]) -> Rows:
        """Assemble one rank's rows."""
        rows = assemble(shards, self.row)
        label, weight = self.meant(rows.label, rows.weight)
        return replace(rows, label=label, weight=weight)

    def meant(
        self, label: NDArray[np.float32], weight: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """What labels and weights of shards mean to the trainer, class weights included."""
        if self.label_of_code is not None:
            label = self.label_of_code[label.astype(np.uint16)]  # codes number at most LABEL_LIMIT
        if self.class_weights is not None:
            of_class = self.class_weights[label.astype(np.uint16)]
            # In float64 and rounded once, so that the result does not depend on who computes it.
            weight = (of_class if weight is None else of_class * weight).astype(np.float32)
        return label, weight


def rows_of_rank(layouts: Sequence[SetLayout], stored: Sequence[Sequence[Shard]], rank: int) -> list[Rows]:
    """One rank's rows of each data set, from what its futures left, one set after the other."""
    shards = shards_of_rank(layouts, stored, rank)
    return [layout.rows_of(of_set) for layout, of_set in zip(layouts, shards, strict=True)]


def shards_of_rank(layouts: Sequence[SetLayout], stored: Sequence[Sequence[Shard]], rank: int) -> list[list[Shard]]:
    """One rank's shards of each data set, from what its futures left; more may lie behind them."""
    sets, taken = [], 0
    for layout in layouts:
        count = layout.counts[rank]
        sets.append([shard for batch in stored[taken : taken + count] for shard in batch])
        taken += count
    return sets


def layout_of(data: QuantizedSet, label_of_code: NDArray[np.float32] | None) -> SetLayout:
    """How each rank puts its rows of the data set together."""
    return SetLayout(tuple(len(of_rank) for of_rank in data.shards), data.row, label_of_code)


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
            "Use a regressor for numbers, or pass y as text if they name classes.",
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
