"""The tables of target statistics in CatBoost's JSON: written piece by piece, for they may hold many millions of numbers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

import numpy as np

from gbdist.errors import ModelError
from gbdist.models.features_format import elements
from gbdist.models.statistics import StatisticFeature, StatisticTable
from gbdist.quantize.borders import FeatureBorders

_ROWS_AT_ONCE = 1 << 16
_LARGEST = (1 << 31) - 1  # CatBoost counts in int32


def tables_in_use(
    statistics: Iterable[StatisticFeature], tables: Iterable[StatisticTable], borders: Sequence[FeatureBorders]
) -> dict[str, StatisticTable]:
    """Tables that the ``statistics`` need, by the identifiers that CatBoost finds them under.

    A table of classes is written for "Borders" and once more for "Buckets".
    """
    known = {(table.projection, table.counter): table for table in tables}
    needed = {(feature.projection, feature.kind) for feature in statistics}
    found = {
        json.dumps({"identifier": elements(projection, borders), "type": kind}, separators=(",", ":")): known[
            projection, kind == "Counter"
        ]
        for projection, kind in sorted(needed)
    }
    for table in found.values():
        _require_int32(table)
    return found


def write_tables(tables: Mapping[str, StatisticTable], file: TextIO) -> None:
    """Write ``ctr_data``: for each table a flat list of each category's key, as text, and its counts."""
    file.write("{")
    for number, (identifier, table) in enumerate(tables.items()):
        largest = int(table.counts.max()) if table.counter else 0
        file.write("," if number else "")
        file.write(f'{json.dumps(identifier)}:{{"counter_denominator":{largest},')
        file.write(f'"hash_stride":{1 + table.counts.shape[1]},"hash_map":[')
        _write_rows(table, file)
        file.write("]}")
    file.write("}")


def _write_rows(table: StatisticTable, file: TextIO) -> None:
    pattern = ",".join(['"%d"', *["%d"] * table.counts.shape[1]])
    for start in range(0, table.keys.shape[0], _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        rows = np.column_stack([table.keys[part], table.counts[part].astype(np.uint64)])
        file.write("," if start else "")
        file.write(",".join([pattern] * rows.shape[0]) % tuple(rows.ravel().tolist()))


def _require_int32(table: StatisticTable) -> None:
    largest = int(table.counts.sum(axis=1).max())
    if largest > _LARGEST:
        raise ModelError(
            f"a category has {largest} rows, and CatBoost's tables of target statistics count {_LARGEST} at most",
            "Use fewer rows, or leave the column out of cat_features.",
        )
