"""Single columns are cut as CatBoost cuts them, and borders of one's own are those of the model."""

from pathlib import Path
from typing import Any

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostRegressor, DaskPool
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.cuts import QuantizeParams, quantize_params
from gbdist.models.catboost_format import fixed_cbm_bytes

rng = np.random.default_rng(0)
VALUES = rng.normal(size=(500, 3)).astype(np.float32)
VALUES[:50, 1] = np.nan
LABEL = VALUES[:, 0] * 2 + np.nan_to_num(VALUES[:, 1]) ** 2 + np.sin(VALUES[:, 2])
TABLE = pd.DataFrame(VALUES, columns=list("abc"))
SETTINGS = {"iterations": 40, "depth": 3, "learning_rate": 0.3, "bootstrap_type": "No", "random_strength": 0}


def theirs(**given: Any) -> catboost.CatBoostRegressor:
    model = catboost.CatBoostRegressor(**SETTINGS, **given, verbose=False, allow_writing_files=False)
    return model.fit(TABLE, LABEL)


def test_borders_get_catboosts_defaults() -> None:
    assert quantize_params({}, ["a"]) == QuantizeParams(254, "GreedyLogSum", "Min")
    given = canonical({"max_bin": 32, "nan_mode": "Max", "feature_border_type": "Median"}, classifier=False)
    assert quantize_params(given, ["a"]) == QuantizeParams(32, "Median", "Max")
    own = canonical({"per_float_feature_quantization": "1:border_count=300", "border_count": 7}, classifier=False)
    assert quantize_params(own, ["a", "b"]).most_borders == 300


@pytest.mark.parametrize(
    "cuts",
    [
        ["0:border_count=3"],
        ["0:border_count=3,border_type=Uniform", "1:nan_mode=Max"],
        "2:border_count=300",
        ["1:border_count=4", "1:border_type=Median"],
    ],
    ids=str,
)
def test_borders_of_single_columns_are_catboosts(cuts: Any) -> None:
    model = DaskCatBoostRegressor(**SETTINGS, per_float_feature_quantization=cuts).fit(TABLE, LABEL)
    expected = theirs(per_float_feature_quantization=cuts)
    assert model.model_.get_borders() == expected.get_borders()
    assert model.predict(TABLE) == pytest.approx(expected.predict(TABLE), abs=1e-9)


def test_borders_of_ones_own_are_those_of_the_model(client: Client, tmp_path: Path) -> None:
    pool = catboost.Pool(TABLE, LABEL)
    pool.quantize(border_count=9)
    path = tmp_path / "borders.tsv"
    pool.save_quantization_borders(str(path))
    expected = theirs(input_borders=str(path))
    model = DaskCatBoostRegressor(**SETTINGS, input_borders=path).fit(TABLE, LABEL)
    assert model.model_.get_borders() == expected.get_borders()
    assert model.predict(TABLE) == pytest.approx(expected.predict(TABLE), abs=1e-9)
    frame = dd.from_pandas(TABLE.assign(y=LABEL), npartitions=3)
    with DaskPool(frame, "y", client=client, input_borders=path) as data:
        again = DaskCatBoostRegressor(**SETTINGS, client=client).fit(data)
    assert fixed_cbm_bytes(again.model_) == fixed_cbm_bytes(model.model_)


def test_models_of_all_ranks_are_cut_alike() -> None:
    cuts = {"per_float_feature_quantization": ["0:border_count=2"], "aggregate": "models"}
    model = DaskCatBoostRegressor(**SETTINGS, **cuts).fit(TABLE, LABEL)
    assert len(model.model_.get_borders()[0]) == 2


def test_columns_that_a_file_leaves_out_are_cut_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "borders.tsv"
    path.write_text("0\t-0.5\n0\t0.5\n1\t0.1\tMax\n")
    borders = DaskCatBoostRegressor(**SETTINGS, input_borders=str(path)).fit(TABLE, LABEL).model_.get_borders()
    usual = DaskCatBoostRegressor(**SETTINGS).fit(TABLE, LABEL).model_.get_borders()
    assert borders[0] == [-0.5, 0.5]
    assert borders[1] == [np.float32(0.1), np.finfo(np.float32).max]
    assert len(borders[2]) > 9
    assert len(usual[0]) > 9


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        (["a:border_count=3"], "a description such as '0:border_count=1024,nan_mode=Max', by position of the column."),
        (["0:border_count"], "a description such as '0:border_count=1024,nan_mode=Max', by position of the column."),
        (["0:border_count=0"], "border_count from 1 to 65535, border_type or nan_mode, each as CatBoost has it."),
        (
            ["0:bogus=3"],
            "border_count from 1 to 65535, border_type or nan_mode, each as CatBoost has it. Correct 'bogus'.",
        ),
        (["7:border_count=3"], "positions from 0 to 2. X has no column 7; it has: a, b, c."),
        (["2:border_count=3"], "columns of numbers. 'c' is categorical: leave it out, or give it as numbers."),
        ({0: "border_count=3"}, "a list such as ['0:border_count=1024,nan_mode=Max'], by position of the column."),
    ],
    ids=str,
)
def test_cuts_that_are_refused(cuts: Any, message: str) -> None:
    table = TABLE.assign(c=np.where(VALUES[:, 2] > 0, "x", "y"))
    with pytest.raises(ParameterError) as refusal:
        DaskCatBoostRegressor(per_float_feature_quantization=cuts).fit(table, LABEL)
    assert str(refusal.value).startswith(f"per_float_feature_quantization={cuts!r} cannot be used: expected {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\tx\n", "position, border and maybe nan_mode in line 1, with tabs between them. The line is '0\\tx'."),
        ("0\t1.5\n1 2\n", "position, border and maybe nan_mode in line 2, with tabs between them. The line is '1 2'."),
        ("0\tnan\n", "position, border and maybe nan_mode in line 1, with tabs between them. The line is '0\\tnan'."),
        ("9\t0.5\n", "positions from 0 to 2. X has no column 9; it has: a, b, c."),
        (None, "the path of a file that is there. Check the path."),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "borders.tsv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ParameterError) as refusal:
        DaskCatBoostRegressor(input_borders=str(path)).fit(TABLE, LABEL)
    assert str(refusal.value) == f"input_borders={str(path)!r} cannot be used: expected {message}"


def test_a_column_that_may_miss_nothing_is_told() -> None:
    with pytest.raises(DataError, match="column 'b': found missing values"):
        DaskCatBoostRegressor(per_float_feature_quantization=["1:nan_mode=Forbidden"]).fit(TABLE, LABEL)
