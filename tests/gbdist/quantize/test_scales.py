"""Numbers of a column are scaled as scikit-learn's transformers of the same statistics scale them."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from gbdist.errors import DataError
from gbdist.quantize.scales import MOST_QUANTILES, SCALINGS, ColumnScale, ScaleRules

RNG = np.random.default_rng(5)
COLUMNS = {
    "normal": RNG.normal(3.0, 2.0, 3_000),
    "heavy tails": RNG.standard_cauchy(3_000),
    "few values": RNG.integers(0, 7, 3_000),
    "ties at an end": np.maximum(RNG.normal(size=3_000), 0.0),
    "ties within": np.where(RNG.random(3_000) < 0.5, 1.0, RNG.normal(size=3_000)),
    "small unit": RNG.normal(size=3_000) * 1e-3,
    "few rows": RNG.normal(size=17),
}
REFERENCES: dict[str, Any] = {
    "standard": StandardScaler,
    "robust": RobustScaler,
    "quantile": lambda: QuantileTransformer(n_quantiles=MOST_QUANTILES, output_distribution="normal", subsample=None),
}


def column(name: str) -> NDArray[np.float32]:
    """A column, with missing values where it is long."""
    values = COLUMNS[name].astype(np.float32)
    if values.size > 100:
        values[::37] = np.nan
    return values


@pytest.mark.filterwarnings("ignore:n_quantiles .* is greater than the total number of samples")
@pytest.mark.parametrize("scaling", REFERENCES)
@pytest.mark.parametrize("name", COLUMNS)
def test_scaled_as_scikit_learn_scales(name: str, scaling: str) -> None:
    values = column(name)
    scale = ScaleRules(scaling).choose(values, True, name)
    # It computes in the type that it is given, and takes statistics of what is not missing.
    wide = values.astype(np.float64)[:, np.newaxis]
    reference = REFERENCES[scaling]().fit(wide[~np.isnan(wide)][:, np.newaxis])
    other = np.concatenate([values, [-50.0, 50.0], values[:9] + np.float32(0.01)]).astype(np.float32)
    filled = SimpleImputer(strategy="median").fit(wide).transform(other.astype(np.float64)[:, np.newaxis])
    expected = reference.transform(filled)[:, 0]
    np.testing.assert_allclose(scale.encode(other, name), expected, rtol=1e-6, atol=1e-6)


def test_numbers_are_left_alone_with_none() -> None:
    values = column("normal")
    scale = ScaleRules("none").choose(values, True, "a")
    there = ~np.isnan(values)
    assert np.array_equal(scale.encode(values, "a")[there], values[there])
    assert (scale.encode(values, "a")[~there] == np.float32(np.median(values[there]))).all()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_order_of_the_sample_does_not_matter(scaling: str) -> None:
    values = column("heavy tails")
    first, second = (ScaleRules(scaling).choose(v, True, "a") for v in (values, RNG.permutation(values)))
    assert (first.fill, first.center, first.scale, first.edges) == (
        second.fill,
        second.center,
        second.scale,
        second.edges,
    )
    assert first.quantiles.tobytes() == second.quantiles.tobytes()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_columns_that_say_nothing(scaling: str) -> None:
    rules = ScaleRules(scaling)
    constant = rules.choose(np.full(50, 7.5, np.float32), False, "a")
    at = 7.5 if scaling == "none" else 0.0
    assert constant.encode(np.array([7.5, np.nan, 8.5], np.float32), "a").tolist() == [at, at, at + 1.0]
    assert constant.edges == (at, at + 1.0)
    empty = rules.choose(np.full(50, np.nan, np.float32), True, "a")
    assert empty.encode(np.array([np.nan, 2.0], np.float32), "a").tolist() == [0.0, 2.0]
    assert empty.edges == (0.0, 1.0)
    assert rules.choose(np.empty(0, np.float32), True, "a").edges == (0.0, 1.0)


def test_two_values_are_no_ends_of_normal_scores() -> None:
    values = np.array([0, 1, 1, 1] * 10, np.float32)
    scale = ScaleRules("quantile").choose(values, False, "a")
    assert np.allclose(scale.encode(values[:2], "a"), [-np.sqrt(3.0), np.sqrt(1 / 3)])


def test_column_of_mostly_one_value_has_a_unit() -> None:
    values = np.zeros(1_000, np.float32)
    values[:10] = 5_000.0
    scale = ScaleRules("robust").choose(values, False, "a")
    assert scale.center == 0.0
    assert scale.scale == pytest.approx(values.astype(np.float64).std())


def test_quartiles_that_nearly_agree_are_no_unit() -> None:
    values = np.array([0.0] * 20 + [-1e-33] * 6 + [-3e5], np.float32)
    scale = ScaleRules("robust").choose(values, False, "a")
    assert scale.scale == pytest.approx(values.astype(np.float64).std())
    assert np.abs(scale.encode(values, "a")).max() < 10.0
    near = ScaleRules("robust").choose(np.array([0.0, 1.0, 2.0, 3.0, 1e5], np.float32), False, "a")
    assert near.scale == 2.0


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("name", COLUMNS)
def test_edges_are_borders_of_trees_among_scaled_values(name: str, scaling: str) -> None:
    values = column(name)
    scale = ScaleRules(scaling).choose(values, True, name)
    assert 2 <= len(scale.edges) <= 130
    assert (np.diff(scale.edges) > 0).all()
    scaled = scale.encode(values, name)
    assert (scale.edges[0], scale.edges[-1]) == pytest.approx((scaled.min(), scaled.max()))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_column_of_mostly_one_value_is_cut_among_the_others(scaling: str) -> None:
    values = np.zeros(10_000, np.float32)
    values[:500] = np.arange(1, 501) ** 2
    scale = ScaleRules(scaling).choose(values, False, "a")
    inside = scale.encode(values[:500], "a")
    assert len(np.unique(np.digitize(inside, scale.edges))) > 60


def test_known_columns_keep_their_scale() -> None:
    known = ScaleRules("robust").choose(column("normal"), True, "a")
    rules = ScaleRules("quantile", known={"a": known})
    assert rules.choose(column("few values"), True, "a") is known
    assert rules.choose(column("few values"), True, "b") is not known


@settings(max_examples=60, deadline=None)
@example(np.array([0.0] * 20 + [-1e-33] * 6 + [-3e5], np.float32), "robust")
@given(
    arrays(np.float32, st.integers(1, 80), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)),
    st.sampled_from(SCALINGS),
)
def test_scaled_values_keep_their_order(values: NDArray[np.float32], scaling: str) -> None:
    scale = ScaleRules(scaling).choose(values, False, "a")
    scaled = scale.encode(np.sort(values), "a")
    assert np.isfinite(scaled).all()
    assert (np.diff(scaled) >= 0).all()
    again: ColumnScale = pickle.loads(pickle.dumps(scale))
    assert np.array_equal(again.encode(np.sort(values), "a"), scaled)


def test_what_cannot_be_scaled_is_refused() -> None:
    infinite = np.array([1.0, np.inf, 2.0, -np.inf], np.float32)
    with pytest.raises(DataError) as error:
        ScaleRules("robust").choose(infinite, False, "a")
    assert str(error.value) == (
        "column 'a': found 2 value(s) that are infinite or too large for float32, expected finite ones. "
        "Clip them, or leave those rows out."
    )
    for scaling in SCALINGS:
        scale = ScaleRules(scaling).choose(infinite[[0, 2]], False, "a")
        with pytest.raises(DataError, match=r"^column 'a' of partition 3: found 2 value"):
            scale.encode(infinite, "column 'a' of partition 3")
    tiny = ScaleRules("standard").choose(np.array([0, 1e-30, 2e-30], np.float32), False, "a")
    with pytest.raises(DataError) as error:
        tiny.encode(np.array([0, 3e30], np.float32), "column 'a'")
    assert str(error.value) == (
        "column 'a': found 3e+30, expected numbers of the order of the others. Correct it, or leave that row out."
    )


def test_missing_values_are_refused_where_nothing_stands_for_them() -> None:
    rules, values = ScaleRules("none", fill_missing=False), np.array([1, 2, np.nan], np.float32)
    with pytest.raises(DataError) as error:
        rules.choose(values[:2], True, "a")
    assert str(error.value) == (
        "column 'a': found missing values (NaN), expected none with scaling=\"none\". "
        'Fill them first, or set scaling to "standard", "robust" or "quantile", which put the median there.'
    )
    with pytest.raises(DataError, match="found missing values"):
        rules.choose(values[:2], False, "a").encode(values, "column 'a'")
