"""Categories hash alike whatever holds them, and what is no category is refused with its place."""

import pickle
from enum import Enum, IntEnum
from typing import Any

import catboost
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gbdist.categories.hashing import category_hashes
from gbdist.errors import DataError
from gbdist.quantize.categories import MOST_LISTED, bytes_of_column, listed, read_categories

PLACE = "column 'c' of partition 7"
WORDS = ["b", "a", "b", "é", "12", ""]


def hashes(values: Any, missing: str | None = None) -> list[int]:
    found = read_categories(values, PLACE, missing).hashes()
    assert found.dtype == np.uint32
    return found.tolist()


def of_texts(texts: list[str]) -> list[int]:
    distinct = sorted(set(texts))
    return [int(category_hashes(distinct)[distinct.index(text)]) for text in texts]


STRINGS = {
    "objects": pd.Series(WORDS, dtype=object),
    "python strings": pd.Series(WORDS, dtype="string[python]"),
    "arrow strings in pandas": pd.Series(WORDS, dtype="string[pyarrow]"),
    "arrow's own type in pandas": pd.Series(WORDS, dtype=pd.ArrowDtype(pa.string())),
    "arrow's dictionaries in pandas": pd.Series(WORDS, dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    "pandas categories": pd.Series(pd.Categorical(WORDS, ["unused", "12", "é", "a", "", "b"])),
    "NumPy objects": np.array(WORDS, dtype=object),
    "NumPy strings": np.array(WORDS),
    "arrow strings": pa.array(WORDS),
    "arrow large strings in chunks": pa.chunked_array([WORDS[:2], WORDS[2:]], pa.large_string()),
    "arrow dictionaries": pa.chunked_array([pa.array(WORDS[:3]), pa.array(WORDS[3:])]).dictionary_encode(),
    "polars strings": pl.Series(WORDS),
    "polars categories": pl.Series(WORDS, dtype=pl.Categorical),
    "polars enum": pl.Series(WORDS, dtype=pl.Enum(["12", "a", "b", "", "é", "unused"])),
}


@pytest.mark.parametrize("values", STRINGS.values(), ids=STRINGS.keys())
def test_strings_in_every_container(values: Any) -> None:
    assert hashes(values) == of_texts(WORDS)
    categories = read_categories(values, PLACE, None)
    assert categories.strings().to_pylist() == WORDS
    assert categories.strings().type == pa.large_string()
    assert categories.distinct() == tuple(sorted(set(of_texts(WORDS))))
    assert bytes_of_column(values, PLACE) > 0


NUMBERS = {
    "int8": pd.Series([3, -1, 3, 12], dtype="int8"),
    "uint64": pd.Series([3, 2**64 - 1, 3, 12], dtype="uint64"),
    "nullable": pd.Series([3, -1, 3, 12], dtype="Int64"),
    "objects": pd.Series([3, np.int64(-1), np.uint8(3), 12], dtype=object),
    "beyond 64 bits": pd.Series([3, 10**30, 3, 12], dtype=object),
    "arrow": pa.array([3, -1, 3, 12], pa.int16()),
    "arrow in pandas": pd.Series([3, -1, 3, 12], dtype=pd.ArrowDtype(pa.int32())),
    "polars": pl.Series([3, -1, 3, 12]),
    "pandas categories": pd.Series([3, -1, 3, 12], dtype="category"),
    "text": pd.Series(["3", "-1", "3", "12"]),
    "both": pd.Series([3, "-1", "3", 12], dtype=object),
    "sparse": pd.Series(pd.arrays.SparseArray([3, -1, 3, 12])),
}


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS.keys())
def test_integers_are_their_digits(values: Any) -> None:
    second = {"uint64": "18446744073709551615", "beyond 64 bits": "1" + 30 * "0"}
    name = next(name for name, each in NUMBERS.items() if each is values)
    assert hashes(values) == of_texts(["3", second.get(name, "-1"), "3", "12"])
    assert read_categories(values, PLACE, None).strings().to_pylist() == ["3", second.get(name, "-1"), "3", "12"]


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([True, False, True]),
        pd.Series([True, False, True], dtype="boolean"),
        pd.Series([True, 0, "1"], dtype=object),
        pd.Series([np.True_, False, 1], dtype=object),
        pa.array([True, False, True]),
        pl.Series([True, False, True]),
    ],
)
def test_booleans_are_1_and_0(values: Any) -> None:
    assert hashes(values) == of_texts(["1", "0", "1"])


def test_hashes_are_those_of_catboosts_pool() -> None:
    # CatBoost splits by the hash, so a model of a column of ours predicts alike where the hashes are alike.
    values = [*"abcdefgh", *range(8), True, False]
    label = np.arange(len(values), dtype=float)
    texts = read_categories(pd.Series(values, dtype=object), PLACE, None).strings().to_pylist()
    model = catboost.CatBoostRegressor(
        iterations=30, one_hot_max_size=50, verbose=False, allow_writing_files=False, depth=4
    )
    model.fit(pd.DataFrame({"c": pd.Series(values, dtype=object)}), label, cat_features=["c"])
    assert np.ptp(model.predict(pd.DataFrame({"c": texts}))) > 1.0
    assert model.predict(pd.DataFrame({"c": texts})).tolist() == (
        model.predict(pd.DataFrame({"c": pd.Series(values, dtype=object)})).tolist()
    )


MISSING = {
    "None": pd.Series(["a", None, "b"], dtype=object),
    "NaN": pd.Series(["a", np.nan, "b"], dtype=object),
    "pandas": pd.Series(["a", pd.NA, "b"], dtype="string"),
    "categories": pd.Series(["a", None, "b"], dtype="category"),
    "arrow": pa.array(["a", None, "b"]),
    "dictionaries": pa.array(["a", None, "b"]).dictionary_encode(),
    "dictionaries with none": pa.DictionaryArray.from_arrays(pa.array([1, 0, 2]), pa.array([None, "a", "b"])),
    "polars": pl.Series(["a", None, "b"], dtype=pl.Categorical),
}


@pytest.mark.parametrize("values", MISSING.values(), ids=MISSING.keys())
def test_missing_values(values: Any) -> None:
    with pytest.raises(DataError) as caught:
        read_categories(values, PLACE, None)
    assert str(caught.value) == (
        "column 'c' of partition 7: found 1 missing value(s), expected a category in every row: CatBoost takes none without. "
        'Fill them first, or set cat_nan="missing".'
    )
    assert hashes(values, "none") == of_texts(["a", "none", "b"])
    assert hashes(values, "b") == of_texts(["a", "b", "b"])
    assert read_categories(values, PLACE, "b").strings().to_pylist() == ["a", "b", "b"]


def test_enumerations_are_their_values() -> None:
    class Color(str, Enum):  # noqa: UP042  # whose own text is its name
        RED = "red"

    class Size(IntEnum):
        LARGE = 3

    values = pd.Series([Color.RED, Size.LARGE, "red", np.str_("red")], dtype=object)
    assert hashes(values) == of_texts(["red", "3", "red", "red"])


def test_nothing_but_missing_values() -> None:
    for values in (pd.Series([None, None], dtype=object), pd.Series([np.nan, np.nan])):
        assert hashes(values, "none") == of_texts(["none", "none"])


@pytest.mark.parametrize("dtype", ["object", "category", "int64", "string"])
def test_no_rows(dtype: str) -> None:
    categories = read_categories(pd.Series([], dtype=dtype), PLACE, None)
    assert categories.hashes().shape == (0,)
    assert categories.hashes().dtype == np.uint32
    assert categories.strings().to_pylist() == []
    assert categories.distinct() == ()


OTHERS = (
    "expected strings or integers. "
    'Convert the column first: to integers (pandas: "Int64" where some are missing), or to text.'
)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (pd.Series([1.5, 2.0]), "1.5"),
        (pd.Series([1, 1.0], dtype=object), "1.0"),
        (pd.Series(["a", 1, 1.0], dtype=object), "1.0"),
        (pd.Series(["a", [1]], dtype=object), "[1]"),
        (pd.Series(["a", b"b"], dtype=object), "b'b'"),
        (pd.Series([1.5, 2.0], dtype="category"), "1.5"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "Timestamp('2020-01-01 00:00:00')"),
        (pd.Series([("x" * 60,)], dtype=object), "('" + "x" * 38 + "…"),
        (pa.array([1.5]), "1.5"),
        (pl.Series([1.5]), "1.5"),
    ],
)
def test_what_is_no_category(values: Any, found: str) -> None:
    with pytest.raises(DataError) as caught:
        read_categories(values, PLACE, None)
    assert str(caught.value) == f"{PLACE}: found {found}, {OTHERS}"


def test_half_a_character() -> None:
    with pytest.raises(DataError) as caught:
        read_categories(pd.Series(["a", "b\ud800"], dtype=object), PLACE, None)
    assert str(caught.value) == (
        "column 'c' of partition 7: found text with '\\ud800', expected text that UTF-8 can hold. "
        "Repair the text, or drop those rows."
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_distinct_values_are_listed_up_to_a_limit() -> None:
    assert MOST_LISTED == 256
    for count, known in ((1, True), (256, True), (257, False), (5_000, False)):
        distinct = read_categories(pd.Series(range(count)), PLACE, None).distinct()
        assert distinct == (tuple(sorted(of_texts([str(i) for i in range(count)]))) if known else None)
    assert listed([3, 1, 3]) == (1, 3)
    assert listed(range(257)) is None
