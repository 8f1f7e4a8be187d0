"""Borders are CatBoost's own, NaN rules included."""

from pathlib import Path

import numpy as np
import pytest
from catboost import CatBoostRegressor, Pool

from gbdist.errors import DataError
from gbdist.quantize.borders import FeatureBorders, choose_borders

TYPES = ["Median", "Uniform", "UniformAndQuantiles", "MaxLogSum", "MinEntropy", "GreedyLogSum", "GreedyMinEntropy"]
FLOAT_MAX = float(np.finfo(np.float32).max)


def columns() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(11)
    n = 700
    normal = generator.normal(size=n)
    return {
        "normal": normal,
        "heavy tails": generator.standard_cauchy(n) ** 3,
        "few values": generator.integers(0, 7, n).astype(float),
        "counts": generator.poisson(3, n).astype(float),
        "mostly zero": np.where(generator.random(n) < 0.9, 0.0, normal),
        "both zeros": np.where(generator.random(n) < 0.5, -0.0, np.round(normal, 1)),
        "constant": np.full(n, 2.5),
        "binary": (normal > 1).astype(float),
        "with NaN": np.where(generator.random(n) < 0.2, np.nan, normal),
        "one NaN": np.where(np.arange(n) == 3, np.nan, np.round(normal, 1)),
        "constant with NaN": np.where(generator.random(n) < 0.2, np.nan, 1.0),
        "only NaN": np.full(n, np.nan),
        "largest floats": np.where(generator.random(n) < 0.1, FLOAT_MAX, normal),
    }


def catboost_borders(matrix: np.ndarray, folder: Path, **options: object) -> dict[int, list[float]]:
    pool = Pool(matrix.astype(np.float32), label=np.arange(len(matrix)))
    pool.quantize(**options)
    pool.save_quantization_borders(str(folder / "borders.tsv"))
    found: dict[int, list[float]] = {f: [] for f in range(matrix.shape[1])}
    for line in (folder / "borders.tsv").read_text().splitlines():
        feature, border = line.split("\t")[:2]
        found[int(feature)].append(float(np.float32(border)))
    return found


@pytest.mark.parametrize("border_type", TYPES)
@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
@pytest.mark.parametrize("border_count", [1, 2, 5, 32, 254])
def test_borders_equal_catboosts(border_type: str, nan_mode: str, border_count: int, tmp_path: Path) -> None:
    named = columns()
    matrix = np.column_stack(list(named.values())).astype(np.float32)
    expected = catboost_borders(
        matrix, tmp_path, border_count=border_count, feature_border_type=border_type, nan_mode=nan_mode
    )
    for f, name in enumerate(named):
        shuffled = np.random.default_rng(f).permutation(matrix[:, f])
        has_nan = bool(np.isnan(shuffled).any())
        found = choose_borders(shuffled, border_count, border_type, nan_mode, has_nan, name)
        assert found.values.dtype == np.float32
        # CatBoost's equal steps overflow for the largest floats, and no value is above the border at infinity.
        assert found.values.tolist() == [border for border in expected[f] if border < np.inf], name
        assert found.nan_treatment == ("AsIs" if not has_nan else {"Min": "AsFalse", "Max": "AsTrue"}[nan_mode])


def test_a_model_trained_by_catboost_splits_at_these_borders() -> None:
    generator = np.random.default_rng(2)
    features = generator.normal(size=(3000, 2)).astype(np.float32)
    features[::9, 1] = np.nan
    model = CatBoostRegressor(iterations=60, depth=6, verbose=0, allow_writing_files=False, learning_rate=0.3)
    model.fit(features, np.sin(3 * features[:, 0]) + np.nan_to_num(features[:, 1]) ** 2)
    for f, used in model.get_borders().items():
        ours = choose_borders(features[:, f], 254, "GreedyLogSum", "Min", bool(np.isnan(features[:, f]).any()))
        assert len(used) > 20
        assert set(used) <= set(ours.values.tolist())


def test_nan_outside_the_sample_still_gets_its_bin() -> None:
    values = np.arange(100, dtype=np.float32)
    assert choose_borders(values, 3, "GreedyLogSum", "Min", has_nan=True).values[0] == -FLOAT_MAX
    assert choose_borders(values, 3, "GreedyLogSum", "Max", has_nan=True).values[-1] == FLOAT_MAX
    assert len(choose_borders(values, 3, "GreedyLogSum", "Max", has_nan=True).values) == 3


@pytest.mark.parametrize("border_type", TYPES)
@pytest.mark.parametrize("has_nan", [False, True])
def test_infinite_values_leave_finite_borders_that_tell_them_apart(border_type: str, has_nan: bool) -> None:
    values = np.array([-np.inf] * 20 + [1, 2, 3, 4] + [np.inf] * 30, dtype=np.float32)
    found = choose_borders(values, 8, border_type, "Min", has_nan)
    assert np.isfinite(found.values).all()
    assert (np.diff(found.values) > 0).all()
    if border_type != "Uniform":  # equal steps between infinities are none
        assert len(found.values) > 0


def test_forbidden_nan_names_the_column() -> None:
    values = np.zeros(5, dtype=np.float32)
    assert choose_borders(values, 3, "GreedyLogSum", "Forbidden", has_nan=False, name="age").nan_treatment == "AsIs"
    with pytest.raises(DataError) as caught:
        choose_borders(values, 3, "GreedyLogSum", "Forbidden", has_nan=True, name="age")
    assert str(caught.value) == (
        "column 'age': found missing values (NaN), expected none, as nan_mode=\"Forbidden\" asks. "
        'Use nan_mode="Min" or "Max".'
    )


def test_no_values_give_no_borders() -> None:
    empty = choose_borders(np.empty(0, dtype=np.float32), 254, "GreedyLogSum", "Min", has_nan=False)
    assert isinstance(empty, FeatureBorders)
    assert empty.values.shape == (0,)
