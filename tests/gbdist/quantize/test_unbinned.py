"""Categorical, text and embedding columns are read as CatBoost would see them, and refused as it would, with their name."""

from typing import Any

import catboost
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gbdist.errors import DataError
from gbdist.quantize.raw import RawColumn
from gbdist.quantize.unbinned import UnbinnedFacts, facts_of, frame_for_catboost, joined, merge_unbinned, read_column


def read(kind: str, values: Any) -> Any:
    return read_column(RawColumn(2, "col", kind, values), 7)


CATEGORIES = {
    "strings": pd.Series(["b", "a", "b", "c"] * 50),
    "arrow strings": pd.Series(["b", "a", "b", "c"] * 50, dtype="string[pyarrow]"),
    "integers": pd.Series([3, -1, 3, 70] * 50),
    "nullable integers": pd.Series([3, -1, 3, 70] * 50, dtype="Int64"),
    "booleans": pd.Series([True, False, True, True] * 50),
    "both": pd.Series(["x", 1, "1", 2] * 50, dtype=object),
    "pandas categories": pd.Series(["b", "a", "b", "c"] * 50, dtype="category"),
}


@pytest.mark.parametrize("values", CATEGORIES.values(), ids=CATEGORIES.keys())
def test_catboost_sees_the_same_categories(values: pd.Series) -> None:
    # A model of the user's column predicts the same from ours, so the categories hash alike.
    label = 10.0 * pd.factorize(values.astype(str))[0]
    model = catboost.CatBoost({"iterations": 5, "verbose": False, "allow_writing_files": False})
    model.fit(pd.DataFrame({"col": values}), label, cat_features=["col"])
    ours = frame_for_catboost(["col"], [], [read_column(RawColumn(0, "col", "cat", values), 0)])
    assert np.ptp(model.predict(ours)) > 1.0
    assert model.predict(ours).tolist() == model.predict(pd.DataFrame({"col": values})).tolist()


@pytest.mark.parametrize(
    "values", [np.array(["a", 3], dtype=object), pa.array(["a", "3"]), pa.chunked_array([["a"], ["3"]])], ids=type
)
def test_other_containers(values: Any) -> None:
    assert read("cat", values).values.to_pylist() == ["a", "3"]


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
        "Fill them first, for example with 'missing'.",
    ),
    ("cat", [1.5, 2.0], "1.5, expected strings or integers. Convert the column first: to integers, or to text."),
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
    facts = merge_unbinned((i, facts_of(raw[i], read_parts[i])) for i in range(2))
    sizes = [read_parts[0][i].nbytes + read_parts[1][i].nbytes for i in range(2)]
    assert facts == (UnbinnedFacts("t", "text", 0, sizes[0]), UnbinnedFacts("e", "embedding", 1, sizes[1]))


def test_vectors_of_another_length_than_the_first_partitions() -> None:
    parts = [(number, (UnbinnedFacts("e", "embedding", length, 0),)) for number, length in ((0, 4), (2, 3))]
    with pytest.raises(DataError) as caught:
        merge_unbinned(parts)
    assert str(caught.value) == (
        "column 'e' of partition 2: found vectors of 3 numbers, expected 4, as in the partitions before. "
        "Give all vectors of a column the same length."
    )
