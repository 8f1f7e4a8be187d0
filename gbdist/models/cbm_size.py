"""How many bytes of a ``.cbm`` hold what: read from the file itself, so the parts add up to it exactly.

A ``.cbm`` is "CBM1", the length of its core (uint32), the core, and the tables of categories. The core is a flatbuffer,
TModelCore (catboost/libs/model/flatbuffers/model.fbs), of which only the lengths of vectors are looked at here.
"""

import struct
from dataclasses import dataclass
from typing import Any

from gbdist.errors import ModelError
from gbdist.models.catboost_format import cbm_bytes

_MAGIC = b"CBM1"
_HEAD = 8
#: Numbers of fields in model.fbs: of TModelCore, of TModelTrees, of TFloatFeature and of TCtrFeature.
_MODEL_TREES = 1
_SPLITS, _SIZES, _STARTS, _STEP_NODES, _LEAF_OF_NODE, _PACKED_SPLITS = 1, 2, 3, 10, 11, 17
_FLOAT_FEATURES, _CTR_FEATURES, _LEAF_VALUES, _LEAF_WEIGHTS = 5, 7, 8, 9
_FLOAT_BORDERS, _CTR_BORDERS = 3, 1
#: Bytes of an element: ints, pairs of 16-bit steps, borders (float32); leaf values and weights (float64).
_WORD, _DOUBLE = 4, 8


@dataclass(frozen=True)
class ModelSize:
    """Bytes of a ``.cbm`` by what they hold.

    Parameters
    ----------
    trees : splits, and where each tree begins
    leaf_values, leaf_weights : of all trees
    borders : of numbers and of statistics of categories
    tables : statistics of categories
    rest : names of features, what the model was trained with, and the history of its training
    """

    trees: int
    leaf_values: int
    leaf_weights: int
    borders: int
    tables: int
    rest: int

    @property
    def total(self) -> int:
        """Bytes of the whole file."""
        return self.trees + self.leaf_values + self.leaf_weights + self.borders + self.tables + self.rest


def size_of(model: Any) -> ModelSize:
    """Size of a CatBoost model's ``.cbm``, which is made in order to see."""
    return size_of_cbm(cbm_bytes(model))


def size_of_cbm(blob: bytes) -> ModelSize:
    """Size of the parts of a ``.cbm``, given as its bytes; ``ModelError`` if they are none."""
    if len(blob) < _HEAD or blob[: len(_MAGIC)] != _MAGIC:
        problem = f"these {len(blob)} bytes are no .cbm: they begin with {blob[: len(_MAGIC)]!r}, not with {_MAGIC!r}"
        raise ModelError(problem, 'Pass a file that CatBoost saved with format="cbm".')
    length = struct.unpack_from("<I", blob, len(_MAGIC))[0]
    core = _Flatbuffer(blob[_HEAD : _HEAD + length])
    trees = core.table_at(core.field(core.table_at(0), _MODEL_TREES))
    counts = {
        field: core.length(trees, field)
        for field in (_SPLITS, _SIZES, _STARTS, _STEP_NODES, _LEAF_OF_NODE, _PACKED_SPLITS, _LEAF_VALUES, _LEAF_WEIGHTS)
    }
    values, weights = counts.pop(_LEAF_VALUES) * _DOUBLE, counts.pop(_LEAF_WEIGHTS) * _DOUBLE
    splits = sum(counts.values()) * _WORD
    n_borders = sum(
        core.length(feature, field)
        for features, field in ((_FLOAT_FEATURES, _FLOAT_BORDERS), (_CTR_FEATURES, _CTR_BORDERS))
        for feature in core.tables(trees, features)
    )
    borders = n_borders * _WORD
    tables = len(blob) - _HEAD - length
    return ModelSize(splits, values, weights, borders, tables, len(blob) - splits - values - weights - borders - tables)


class _Flatbuffer:
    """Tables and vectors of a flatbuffer, by their places in it (flatbuffers.dev, "Internals")."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def table_at(self, place: int) -> int:
        """Place of what the offset at ``place`` leads to."""
        return place + int(struct.unpack_from("<I", self._data, place)[0])

    def field(self, table: int, number: int) -> int:
        """Place of a table's field; 0 for one that is left out."""
        fields = table - int(struct.unpack_from("<i", self._data, table)[0])
        at = 4 + 2 * number  # the lengths of the list of fields and of the table come first
        if at >= struct.unpack_from("<H", self._data, fields)[0]:
            return 0
        inside = int(struct.unpack_from("<H", self._data, fields + at)[0])
        return table + inside if inside else 0

    def length(self, table: int, number: int) -> int:
        """Elements of the vector in a table's field."""
        place = self.field(table, number)
        return int(struct.unpack_from("<I", self._data, self.table_at(place))[0]) if place else 0

    def tables(self, table: int, number: int) -> list[int]:
        """Places of the tables in a field that is a vector of tables."""
        place = self.field(table, number)
        if not place:
            return []
        first = self.table_at(place) + 4
        return [self.table_at(first + 4 * k) for k in range(self.length(table, number))]
