"""Which columns of files are no numbers: those that are named, else those whose type says so."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from gbdist.errors import DataError, ParameterError
from gbdist.jobs.columns import ColumnKinds, categorical_by_type, in_words, kinds_named
from gbdist.jobs.files import DataFile, read_schema
from gbdist.jobs.train import TrainJob, prepare

NAMES = ["a", "b", "c", "d"]


def test_columns_are_named_by_name_and_by_position() -> None:
    assert kinds_named({"cat_features": ("d", 1, "b")}, NAMES, {}) == ColumnKinds(("b", "d"))
    assert kinds_named({"cat": ("c",), "text_features": (0,)}, NAMES, {}) == ColumnKinds(("c",), ("a",))


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (
            {"cat": ("a", "y")},
            "cat=['a', 'y'] cannot be used: expected features, and 'y' is the target. Leave it out of cat.",
        ),
        (
            {"cat_features": (0, 4)},
            "cat_features=[0, 4] cannot be used: expected positions from 0 to 3. X has: a, b, c, d.",
        ),
    ],
)
def test_what_is_no_feature_is_refused(named: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        kinds_named(named, NAMES, {"y": "the target"})
    assert str(caught.value) == message


def test_types_of_categories_are_found(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "number": [1.5, 2.5],
            "text": ["a", "b"],
            "category": pd.Categorical(["a", "b"]),
            "numbers": pd.Categorical([1, 2]),
            "integer": [1, 2],
            "boolean": [True, False],
            "day": pd.to_datetime(["2024-01-01"] * 2),
            "arrow": pd.Series(["a", "b"], dtype=pd.ArrowDtype(pa.large_string())),
        }
    )
    table.to_parquet(tmp_path / "a.parquet")
    table.to_csv(tmp_path / "a.csv", index=False)
    of_parquet = read_schema(DataFile(str(tmp_path / "a.parquet"), "parquet"))
    assert categorical_by_type(of_parquet, list(table)) == ("text", "category", "numbers", "arrow")
    assert categorical_by_type(of_parquet, ["integer", "text"]) == ("text",)
    of_csv = read_schema(DataFile(str(tmp_path / "a.csv"), "csv"))
    assert categorical_by_type(of_csv, list(table)) == ("text", "category", "arrow")


def test_many_columns_are_counted() -> None:
    assert in_words(["a"], by_type=False) == "categorical columns: 'a'"
    names = [f"c{number}" for number in range(12)]
    assert in_words(names, by_type=True).startswith(
        "categorical columns (by their types; --cat says otherwise): 'c0', 'c1'"
    )
    assert in_words(names, by_type=True).endswith("'c9' and 2 more")


@pytest.fixture
def job(tmp_path: Path) -> Any:
    """A job on a file of two texts, two integers, a target and a weight."""
    table = pd.DataFrame({"t": ["a", "b"], "y": [0, 1], "i": [1, 2], "w": [1.0, 2.0], "s": ["c", "d"], "j": [3, 4]})
    table.to_parquet(tmp_path / "a.parquet")

    def make(**options: Any) -> TrainJob:
        return TrainJob((str(tmp_path / "a.parquet"),), "y", "w", output=tmp_path / "model.cbm", **options)

    return make


def test_a_job_takes_columns_by_type_or_as_they_are_named(job: Any) -> None:
    found = prepare(job())
    assert (found.kinds.categorical, found.by_type) == (("t", "s"), True)
    assert found.params["cat_features"] == ["t", "s"]
    # Positions are those among the features, without target and weight.
    for named in (
        prepare(job(cat=("i", "t", "s"))),
        prepare(job(params={"cat_features": [0, 1, "s"]})),
    ):
        assert (named.kinds.categorical, named.by_type) == (("t", "i", "s"), False)
        assert named.params["cat_features"] == ["t", "i", "s"]
    assert prepare(job(ignore=("t", "s"))).kinds.names == ()
    said: list[str] = []
    found.tell(said.append)
    assert said == ["categorical columns (by their types; --cat says otherwise): 't', 's'"]


def test_columns_of_models_have_to_be_named(job: Any) -> None:
    with pytest.raises(DataError, match=r"^columns 't', 's': found text, expected numbers. Name categories with --cat"):
        prepare(job(params={"aggregate": "models"}))
    kinds = prepare(job(cat=("t",), params={"aggregate": "models", "merge": "best", "text_features": ["s"]})).kinds
    assert kinds == ColumnKinds(("t",), ("s",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"cat": ("t",), "params": {"cat_features": ["s"]}},
            "cat=['t'] cannot be used: expected it in one place, and the parameter cat_features=['s'] is given too. "
            "Leave out one of the two.",
        ),
        (
            {"cat_nan": "none", "params": {"cat_nan": "missing"}},
            "cat_nan='none' cannot be used: expected it in one place, and the parameter cat_nan='missing' is given too. "
            "Leave out one of the two.",
        ),
        ({"cat": ("w",)}, "cat=['w'] cannot be used: expected features, and 'w' is the weight. Leave it out of cat."),
    ],
)
def test_what_is_said_twice_or_is_no_feature_is_refused(job: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        prepare(job(**options))
    assert str(caught.value) == message


def test_column_that_is_not_there_is_named_with_the_file(job: Any) -> None:
    with pytest.raises(DataError, match=r"/a.parquet: found no column 'tt', expected .* Did you mean 't'\?"):
        prepare(job(cat=("tt",)))
