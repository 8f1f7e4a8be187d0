"""The merged survey is the same for any partitioning, and finds everything that is wrong with the data."""

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gbdist.errors import DataError
from gbdist.quantize.exact import to_float
from gbdist.quantize.merge_surveys import DataSurvey, merge_surveys
from gbdist.quantize.raw import RawPart
from gbdist.quantize.survey import survey_part
from gbdist.quantize.vectors import LabelCoding, baseline_matrix, encode_label, number_vector

X = np.zeros((2, 1))


def survey(*parts: Sequence[Any]) -> DataSurvey:
    """Survey partitions given as (X, y, weight, baseline), the last ones optional; merged in reverse order."""
    raw = [RawPart(*[*part, None, None, None][:4], number=number) for number, part in enumerate(parts)]
    surveys = [pickle.loads(pickle.dumps(survey_part(part))) for part in raw]
    return merge_surveys(surveys[::-1])


def refused(*parts: Sequence[Any]) -> str:
    with pytest.raises(DataError) as caught:
        survey(*parts)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    return str(caught.value)


def test_facts_of_one_partition() -> None:
    features = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [1, 2, 3]})
    found = survey((features, np.array([3, 1, 3]), np.array([0.5, 2.0, 0.25]), np.ones((3, 2))))
    assert (found.names, found.named, found.has_nan, found.n_rows) == (("a", "b"), True, (True, False), 3)
    assert found.part_nbytes == (48,)
    label, weight = found.label, found.weight
    assert label is not None
    assert weight is not None
    assert (label.kind, label.minimum, label.maximum) == ("integer", 1.0, 3.0)
    assert (label.values, label.rows_of_value) == ((1, 3), (1, 2))
    assert [to_float(total) for total in label.weight_of_value] == [2.0, 0.75]
    assert (to_float(weight.total), weight.maximum) == (2.75, 2.0)
    assert found.baseline is not None
    assert found.baseline.dimension == 2


@pytest.mark.parametrize("labels", ["few", "many", "strings"])
def test_partitioning_does_not_change_the_survey(labels: str) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(6000, 3))
    features[17, 1] = np.nan
    weight = generator.lognormal(sigma=8, size=6000)
    label = {
        "few": generator.integers(0, 5, 6000) / 4,
        "many": generator.normal(size=6000),
        "strings": np.array(["a", "bb", "c"])[generator.integers(0, 3, 6000)],
    }[labels]
    whole = survey((features, label, weight))
    for n_parts in (2, 13):
        cuts = np.array_split(np.arange(6000), n_parts)
        parts = [(features[rows], label[rows], weight[rows]) for rows in cuts]
        parts.insert(1, (features[:0], label[:0], weight[:0]))
        found = survey(*parts)
        assert (found.label, found.weight, found.has_nan) == (whole.label, whole.weight, whole.has_nan)
    assert (whole.labels.values is None) == (labels == "many")


def test_without_weights_every_row_counts_one() -> None:
    found = survey((X, [0, 1]), (X, [1, 1]))
    assert found.weight is None
    assert found.label is not None
    assert [to_float(total) for total in found.label.weight_of_value] == [1, 3]


def test_more_labels_than_the_limit_in_all_partitions_together_are_kept_as_values() -> None:
    numbers = np.arange(3000)
    features = np.zeros((1500, 1))
    found = survey((features, numbers[:1500]), (features, numbers[1500:]))
    assert found.labels == LabelCoding("integer", None)
    encoded = encode_label(numbers, found.labels, "y")
    np.testing.assert_array_equal(encoded, numbers.astype(np.float32))


LABELS = [
    ([5, 3, 5, 9], "integer", (3, 5, 9)),
    ([0.5, 2.0, 0.5, -1.0], "float", (-1.0, 0.5, 2.0)),
    ([True, False, True, True], "boolean", (False, True)),
    (["b", "a", "ü", "b"], "string", ("a", "b", "ü")),
]
CONTAINERS = {
    "list": list,
    "numpy": np.array,
    "numpy column": lambda y: np.array(y)[:, np.newaxis],
    "numpy objects": lambda y: np.array(y, dtype=object),
    "pandas": pd.Series,
    "pandas frame": lambda y: pd.DataFrame({"y": y}),
    "pandas category": lambda y: pd.Series(y).astype("category"),
    "pandas nullable": lambda y: pd.Series(y).convert_dtypes(),
    "pandas arrow": lambda y: pd.Series(y).convert_dtypes(dtype_backend="pyarrow"),
    "arrow": pa.array,
    "arrow table": lambda y: pa.table({"y": y}),
    "arrow chunks": lambda y: pa.chunked_array([y[:1], y[1:]]),
    "arrow dictionary": lambda y: pa.array(y).dictionary_encode(),
    "polars": pl.Series,
}


@pytest.mark.parametrize(("label", "kind", "values"), LABELS, ids=[kind for _, kind, _ in LABELS])
@pytest.mark.parametrize("container", CONTAINERS)
def test_labels_of_any_container_and_type_get_codes(
    label: list[Any], kind: str, values: tuple[Any, ...], container: str
) -> None:
    wrapped = CONTAINERS[container](label)  # type: ignore[no-untyped-call]
    found = survey((np.zeros((4, 1)), wrapped))
    # Nullable conversion turns whole floats into integers, so the kind is compared with the values'.
    assert found.labels == LabelCoding(kind, values)
    assert [type(value) for value in found.labels.values or ()] == [type(value) for value in values]
    codes = encode_label(wrapped, found.labels, "y")
    assert codes.dtype == np.float32
    assert [values[int(code)] for code in codes] == label
    if kind != "string":
        numbers = found.labels.label_values()[codes.astype(np.int64)]
        np.testing.assert_array_equal(numbers, np.array(label, dtype=np.float32))


def test_integers_beside_floats_are_floats() -> None:
    found = survey((X, [1, 2]), (X, [2.0, 0.5]))
    assert found.labels == LabelCoding("float", (0.5, 1.0, 2.0))
    assert encode_label([2, 1], found.labels, "y").tolist() == [2.0, 1.0]


def test_integers_that_equal_a_float_of_another_partition_are_one_label() -> None:
    # 2**53 + 1 is no float64: as a float it is 2**53.
    found = survey((X, [2**53 + 1, 0]), (X, [float(2**53), 0.5]))
    assert found.labels == LabelCoding("float", (0.0, 0.5, float(2**53)))
    assert encode_label([2**53 + 1, 0], found.labels, "y").tolist() == [2.0, 0.0]


@pytest.mark.parametrize("kind", [np.int64, np.uint64, object])
def test_integers_above_the_exact_floats_stay_apart(kind: type) -> None:
    label = np.array([2**60 + 1, 2**60, 2**63 - 1, 2**60], dtype=kind)
    found = survey((np.zeros((4, 1)), label))
    assert found.labels == LabelCoding("integer", (2**60, 2**60 + 1, 2**63 - 1))
    assert encode_label(label, found.labels, "y").tolist() == [1.0, 0.0, 2.0, 0.0]


@pytest.mark.parametrize(
    "label", [np.array([1, 2**63], dtype=np.uint64), np.array([2**70, 0], dtype=object), pd.Series([1, 2**63])]
)
def test_integers_that_no_model_can_name_are_refused(label: Any) -> None:
    assert refused((X, label)) == (
        "y of partition 0: found integers beyond 64 bits with a sign, expected integers below 2⁶³. "
        "Pass them as text; labels may be floats too."
    )


@pytest.mark.parametrize(
    "label",
    [
        pd.Series(pa.array([1.0, np.nan]), dtype=pd.ArrowDtype(pa.float64())),
        pd.Series(pd.arrays.FloatingArray(np.array([1.0, np.nan]), np.zeros(2, dtype=bool))),
        pd.Series([None, 1.0], dtype="Float32"),
    ],
    ids=["arrow", "nullable", "missing"],
)
def test_nan_that_pandas_does_not_count_as_missing_is_missing(label: Any) -> None:
    assert refused((X, [0.0, 1.0]), (X, label)) == (
        "y of partition 1: found 1 missing or infinite value(s), expected a finite label in every row. "
        "Drop or repair those rows."
    )


def test_a_label_unseen_in_training_is_named() -> None:
    for seen, unseen in (((1, 2), 7), (("a", "b"), "c")):
        coding = LabelCoding("integer" if unseen == 7 else "string", seen)
        with pytest.raises(DataError) as caught:
            encode_label([seen[0], unseen], coding, "y of partition 3")
        assert str(caught.value) == (
            f"y of partition 3: found label {unseen!r}, expected one of the 2 training labels. "
            "Add rows with that label to the training data or leave those rows out."
        )


def test_strings_have_no_numbers_behind_them() -> None:
    with pytest.raises(DataError) as caught:
        LabelCoding("string", ("a", "b")).label_values()
    assert str(caught.value) == "y: found strings, expected numbers. Use a classifier, or convert y to numbers."


def test_weights_and_baselines_of_any_container() -> None:
    expected = [1.0, 0.0, 2.5]
    for wrap in (list, np.array, pd.Series, pa.array, pl.Series, lambda w: pd.array(w, dtype="Float64")):
        assert number_vector(wrap(expected), "w").tolist() == expected
        assert baseline_matrix(wrap(expected), "b").tolist() == [expected]
    columns = {"p": [1.0, 2.0], "q": [3.0, 4.0]}
    for wide in (pd.DataFrame(columns), pa.table(columns), pl.DataFrame(columns), np.array([[1, 3], [2, 4]])):
        assert baseline_matrix(wide, "b").tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            [],
            "X: found 0 rows in 0 partition(s), expected at least one row. "
            "Check the filter or the path that the data come from.",
        ),
        (
            [(X[:0], []), (X[:0], [])],
            "X: found 0 rows in 2 partition(s), expected at least one row. "
            "Check the filter or the path that the data come from.",
        ),
        (
            [(X[:, :0], [0, 1])],
            "X: found 0 feature(s) (shape=(2, 0)) while a minimum of 1 is required., expected at least one column. "
            "Give X at least one feature.",
        ),
        (
            [(pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), [0, 1])],
            "X: found column 'a' more than once, expected distinct column names. Rename or drop one.",
        ),
        (
            [(pd.DataFrame({"a": [1], "b": [2]}), [0]), (pd.DataFrame({"a": [1], "c": [2]}), [0])],
            "X of partition 1: found 2 columns, missing 'b', unexpected 'c', expected 2 columns. "
            "Give every part the same columns.",
        ),
        (
            [(pd.DataFrame({"a": [1], "b": [2]}), [0]), (pd.DataFrame({"b": [1], "a": [2]}), [0])],
            "X of partition 1: found column 'b' at position 0, expected 'a' there. "
            "Give every part its columns in the same order.",
        ),
        (
            [(X, [0, 1]), (X, [0, 1, 1])],
            "partition 1: found 2 rows in X but 3 in y, expected the same rows in both. "
            "Partition X and y alike, row by row.",
        ),
        (
            [(X, [0, 1], [1.0])],
            "partition 0: found 2 rows in X but 1 in sample_weight, expected the same rows in both. "
            "Partition X and sample_weight alike, row by row.",
        ),
        (
            [(X, [0, 1], None, [0.0])],
            "partition 0: found 2 rows in X but 1 in baseline, expected the same rows in both. "
            "Partition X and baseline alike, row by row.",
        ),
        (
            [(X, [0.0, 1.0]), (X, [np.nan, np.inf])],
            "y of partition 1: found 2 missing or infinite value(s), expected a finite label in every row. "
            "Drop or repair those rows.",
        ),
        (
            [(X, ["a", None])],
            "y of partition 0: found 1 missing or infinite value(s), expected a finite label in every row. "
            "Drop or repair those rows.",
        ),
        (
            [(X, [0, 1]), (X, ["a", "b"])],
            "y of partition 1: found string values, expected integer as in partition 0. "
            "Give y the same type in every partition.",
        ),
        (
            [(X, np.array([1, "b"], dtype=object))],
            "y of partition 0: found mixed objects (mixed-integer) values, expected numbers, booleans or strings. "
            "Convert y to one of these.",
        ),
        (
            [(X, np.array([1, 2], dtype="datetime64[ns]"))],
            "y of partition 0: found datetime64[ns] values, expected numbers, booleans or strings. "
            "Convert y to one of these.",
        ),
        (
            [(X, np.zeros((2, 3))), (X, np.zeros((2, 2)))],
            "y of partition 1: found 2 column(s), expected 3 column(s) as in partition 0. "
            "Give y the same columns in every partition.",
        ),
        (
            [(np.zeros((2001, 1)), [f"s{i}" for i in range(2001)])],
            "y: found more than 2000 different strings, expected at most 2000 classes. "
            "Merge rare classes, or convert y to numbers for regression.",
        ),
        (
            [(X, [0, 1]), (X, None)],
            "partition 1: found no y, expected a y as in the other partitions. Give every partition its y.",
        ),
        (
            [(X, [0, 1], [1.0, -1.0])],
            "sample_weight of partition 0: found 1 negative value(s), expected weights of 0 or more. "
            "Drop or repair those rows.",
        ),
        (
            [(X, [0, 1], [1.0, 1.0]), (X, [0, 1], [np.nan, 1.0])],
            "sample_weight of partition 1: found 1 missing or infinite value(s), expected finite weights. "
            "Drop or repair those rows.",
        ),
        (
            [(X, [0, 1], [0.0, 0.0])],
            "sample_weight: found only zeros, expected at least one weight above 0. Check how the weights are made.",
        ),
        (
            [(X, [0, 1], pd.Series(["a", "b"], dtype=object))],
            "sample_weight of partition 0: found objects of kind string such as 'a', expected numbers. "
            "Encode it as numbers or drop it.",
        ),
        (
            [(X, [0, 1], [1.0, 1.0]), (X, [0, 1])],
            "partition 1: found no sample_weight, expected one as in the others. Give every partition its weights.",
        ),
        (
            [(X, [0, 1], None, X), (X, [0, 1])],
            "partition 1: found no baseline, expected one as in the others. Give every partition its baseline.",
        ),
        (
            [(X, [0, 1], None, X), (X, [0, 1], None, np.zeros((2, 3)))],
            "baseline of partition 1: found 3 column(s), expected 1 as in partition 0. "
            "Give every row the same number of raw values.",
        ),
        (
            [(X, [0, 1], None, X * np.nan)],
            "baseline of partition 0: found 2 missing or infinite value(s), expected finite numbers. "
            "Drop or repair those rows.",
        ),
        (
            [(X, [0, 1]), ([[1]], [0])],
            "X of partition 1: found a builtins.list, expected a pandas or polars DataFrame, a pyarrow Table, a NumPy array "
            "or a scipy sparse matrix. Convert it to one of these.",
        ),
    ],
)
def test_bad_data_are_refused_by_name(parts: list[Any], message: str) -> None:
    assert refused(*parts) == message


def test_a_string_in_one_partition_of_a_numeric_column_is_named() -> None:
    good, bad = pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": pd.Series([1.0, "two"], dtype=object)})
    assert refused((good, [0, 1]), (good, [0, 1]), (bad, [0, 1])) == (
        "column 'a' of partition 2: found objects of kind mixed such as 'two', expected numbers. "
        "Encode it as numbers or drop it."
    )


def test_an_empty_partition_may_have_columns_of_any_type() -> None:
    empty = pd.DataFrame({"a": pd.Series([], dtype=object), "b": pd.Series([], dtype="datetime64[ns]")})
    full = pd.DataFrame({"a": [1.0, np.nan], "b": [1, 2]})
    found = survey((empty, []), (full, ["x", "y"]), (empty, pd.Series([], dtype=float)))
    assert found.part_rows == (0, 2, 0)
    assert found.has_nan == (True, False)
    assert found.labels == LabelCoding("string", ("x", "y"))


def test_a_survey_stays_small() -> None:
    part = RawPart(np.zeros((50_000, 4)), np.random.default_rng(0).normal(size=50_000), np.ones(50_000), None, 0)
    assert len(pickle.dumps(survey_part(part))) < 4_000
