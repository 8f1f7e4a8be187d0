"""Raw columns as a network takes them: scaled numbers, and codes of categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.estimators.prediction.features import Expected
from gbdist.estimators.preparation.tables import take_apart
from gbdist.neural.network.vocabulary import Vocabulary, codes_of
from gbdist.quantize.cells import scale_part
from gbdist.quantize.raw import RawPart
from gbdist.quantize.scales import ColumnScale
from gbdist.quantize.unbinned import read_columns


@dataclass(frozen=True, slots=True, eq=False)
class InputColumns:
    """What turns raw columns into inputs: scales of the numeric ones, vocabularies of the categorical ones, each in order."""

    scales: Sequence[ColumnScale]
    vocabularies: Sequence[Vocabulary]

    def read(self, raw: RawPart) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Scaled numbers, float32 [n_rows, n_numeric] in C order, and codes, int32 [n_rows, n_categorical], of a raw partition.

        DataError, which names column and partition, for what cannot be read or scaled.
        """
        n_rows = raw.open().n_rows
        numeric = np.empty((n_rows, len(self.scales)), np.float32)
        scale_part(raw, self.scales, numeric.T)
        if n_rows == 0:  # its columns may be of any type
            return numeric, np.empty((0, len(self.vocabularies)), np.int32)
        return numeric, self.codes([column.values for column in read_columns(raw.unbinned, raw.number)], n_rows)

    def codes(self, hashes: Sequence[NDArray[np.uint32]], n_rows: int) -> NDArray[np.int32]:
        """Codes, int32 [n_rows, n_categorical], from hashes of each categorical column, uint32 [n_rows]."""
        codes = np.empty((n_rows, len(self.vocabularies)), np.int32)
        for at, (column, vocabulary) in enumerate(zip(hashes, self.vocabularies, strict=True)):
            codes[:, at] = codes_of(column, vocabulary)
        return codes


def read_inputs(
    X: Any, expected: Expected, columns: InputColumns, part: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A table, or partition ``part`` of a collection, as ``InputColumns.read`` has it; its names are not looked at.

    ``expected.unbinned`` are the categorical columns, of the kind ``unbinned.HASHED``.
    """
    kinds = tuple((feature.position, feature.kind) for feature in expected.unbinned)
    features, unbinned = take_apart(X, kinds, part, expected.cat_nan)
    return columns.read(RawPart(features, None, None, None, part, unbinned=unbinned))
