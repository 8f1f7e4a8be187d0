"""Categorical, text and embedding columns are read as CatBoost would see them, and refused as it would, with their name."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gbdist.categories.hashing import category_hashes
from gbdist.errors import DataError
from gbdist.quantize.raw import RawColumn
from gbdist.quantize.unbinned import (
    HASHED,
    UnbinnedFacts,
    frame_for_catboost,
    joined,
    merge_unbinned,
    read_column,
    survey_columns,
)


def read(kind: str, values: Any) -> Any:
    return read_column(RawColumn(2, "col", kind, values), 7)


def test_vectors_are_float32() -> None:
    column = read("embedding", pd.Series([[1, 2], np.array([3.5, 4.0])]))
    assert column.values.dtype == np.float32
    assert column.values.tolist() == [[1.0, 2.0], [3.5, 4.0]]
    assert read("embedding", pa.array([[1.0, 2.0]])).values.tolist() == [[1.0, 2.0]]


FILL = "Fill them first, or leave those rows out."
REFUSALS: list[tuple[str, list[Any], str]] = [
    (
        "cat",
        ["a", None],
        "1 missing value(s), expected a category in every row: CatBoost takes none without. "
        'Fill them first, or set cat_nan="missing".',
    ),
    (
        "cat",
        [1.5, 2.0],
        "1.5, expected strings or integers. "
        'Convert the column first: to integers (pandas: "Int64" where some are missing), or to text.',
    ),
    (
        "text",
        ["a", float("nan")],
        "1 missing value(s), expected a text in every row: CatBoost takes none without. "
        "Fill them first, for example with ''.",
    ),
    ("text", ["a", 3], "3, expected strings. Convert the column to text."),
    (
        "embedding",
        [[1.0], None],
        f"1 missing value(s), expected a vector in every row: CatBoost takes none without. {FILL}",
    ),
    (
        "embedding",
        ["[1. 2.]"],
        "'[1. 2.]', expected vectors of numbers. If Dask made text of them: "
        'dask.config.set({"dataframe.convert-string": False}) before X is made.',
    ),
    (
        "embedding",
        [[1.0], [1.0, 2.0]],
        "vectors of different lengths, or none, expected vectors of numbers. "
        "Give every row a list or array of as many numbers.",
    ),
    ("embedding", [1.0, 2.0], "1.0, expected vectors of numbers. Give every row a list or array of as many numbers."),
    ("embedding", [[1.0, float("nan")]], f"missing or infinite numbers, expected finite ones. {FILL}"),
]


@pytest.mark.parametrize(("kind", "values", "words"), REFUSALS)
def test_what_catboost_does_not_take_is_named(kind: str, values: list[Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(kind, pd.Series(values, dtype=object))
    assert str(caught.value) == f"column 'col' of partition 7: found {words}"


def test_categories_as_text_and_as_hashes() -> None:
    text, hashes = (read(kind, pd.Series(["b", "a", "b"])) for kind in ("cat", HASHED))
    assert (text.position, text.kind, text.values.to_pylist()) == (2, "cat", ["b", "a", "b"])
    assert (hashes.position, hashes.kind, hashes.values.dtype) == (2, "hash", np.uint32)
    assert hashes.values.tolist() == category_hashes(["a", "b"])[[1, 0, 1]].tolist()
    assert hashes.nbytes == 12
    filled = read_column(RawColumn(2, "col", HASHED, pd.Series(["b", None, "b"]), "a"), 7)
    assert filled.values.tolist() == hashes.values.tolist()


def test_frame_has_all_columns_in_the_users_order() -> None:
    number = np.array([1.5, 2.5], np.float32)
    columns = [
        read_column(RawColumn(at, "c", "cat", pd.Series(values)), 0) for at, values in ((0, ["a", "b"]), (2, [1, 2]))
    ]
    frame = frame_for_catboost(["x", "y", "z"], [number], columns)
    assert frame.to_dict("list") == {"x": ["a", "b"], "y": [1.5, 2.5], "z": ["1", "2"]}


def test_runs_of_rows_are_joined_and_facts_added_up() -> None:
    raw = [
        [RawColumn(0, "t", "text", [values]), RawColumn(3, "e", "embedding", pd.Series([[i]]))]
        for i, values in enumerate("ab")
    ]
    read_parts = [[read_column(column, 0) for column in columns] for columns in raw]
    text, vectors = joined(read_parts)
    assert (text.position, text.values.to_pylist()) == (0, ["a", "b"])
    assert (vectors.position, vectors.values.tolist()) == (3, [[0.0], [1.0]])
    assert joined([]) == ()
    facts = merge_unbinned((i, survey_columns(raw[i], 0)[0]) for i in range(2))
    sizes = [read_parts[0][i].nbytes + read_parts[1][i].nbytes for i in range(2)]
    assert facts == (UnbinnedFacts(0, "t", "text", 0, sizes[0]), UnbinnedFacts(3, "e", "embedding", 1, sizes[1]))
    assert sum(sizes) == sum(survey_columns(raw[i], 0)[1] for i in range(2))


def test_distinct_hashes_of_all_partitions() -> None:
    def surveyed(values: Any) -> tuple[UnbinnedFacts, ...]:
        facts, raw_bytes = survey_columns([RawColumn(1, "c", HASHED, pd.Series(values))], 0)
        assert raw_bytes >= 8 * len(values)
        return facts

    few = merge_unbinned((i, surveyed(values)) for i, values in enumerate((["a", "b"], ["b"], [7])))
    assert few == (UnbinnedFacts(1, "c", "hash", 0, 16, tuple(sorted(category_hashes(["a", "b", "7"]).tolist()))),)
    for parts in ([range(300), [1]], [[1], range(300)], [range(200), range(100, 300)]):
        assert merge_unbinned((i, surveyed(list(part))) for i, part in enumerate(parts))[0].values is None


def test_bytes_in_memory_are_the_users_and_not_those_of_hashes() -> None:
    long = pd.Series(["x" * 1_000 + str(i) for i in range(100)])
    (facts,), raw_bytes = survey_columns([RawColumn(1, "c", HASHED, long)], 0)
    assert facts.nbytes == 400
    assert raw_bytes > 100_000


def test_vectors_of_another_length_than_the_first_partitions() -> None:
    parts = [(number, (UnbinnedFacts(0, "e", "embedding", length, 0),)) for number, length in ((0, 4), (2, 3))]
    with pytest.raises(DataError) as caught:
        merge_unbinned(parts)
    assert str(caught.value) == (
        "column 'e' of partition 2: found vectors of 3 numbers, expected 4, as in the partitions before. "
        "Give all vectors of a column the same length."
    )
