"""SHAP values are CatBoost's own, and dots lie where they say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gbdist.report.shap import explain, ranks_of, shap_section, spread


@pytest.mark.parametrize(("kind", "n_values"), [("numbers", 1), ("binary", 1), ("several", 4), ("quantiles", 3)])
def test_values_are_catboosts(case: Callable[..., Any], kind: str, n_values: int) -> None:
    found = case(kind, True)
    explained = explain(found.subject())
    expected = found.model.get_feature_importance(found.pool(), type="ShapValues").reshape(200, n_values, 7)[..., :-1]
    np.testing.assert_allclose(explained.values, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(explained.mean, np.abs(expected).mean(axis=0))
    section = shap_section(found.subject())
    swarms = section.charts[-1].model
    plots = [swarms] if n_values == 1 else [panel.child for panel in swarms.tabs]
    assert len(plots) == n_values
    for value, plot in enumerate(plots):
        drawn = {each.name: each.data_source.data["x"] for each in plot.renderers}
        for feature, name in enumerate(found.model.feature_names_):
            np.testing.assert_array_equal(drawn[name], expected[:, value, feature].astype(np.float32))
    names = [panel.title for panel in swarms.tabs] if n_values > 1 else []
    assert names == {
        "several": ["class 0", "class 10", "class 20", "class 30"],
        "quantiles": ["quantile 0.1", "quantile 0.5", "quantile 0.9"],
    }.get(kind, [])
    if n_values > 1:
        rights = np.max([each.data_source.data["right"] for each in section.charts[0].model.renderers], axis=0)
        np.testing.assert_allclose(rights, np.sort(explained.mean.sum(axis=0))[::-1])


def test_few_rows_of_many_are_explained(case: Callable[..., Any]) -> None:
    found = case("numbers")
    subject = found.subject()
    many = pd.concat([found.features] * 30, ignore_index=True)
    rows = type(subject.rows)(many, None, "y", "6,000 of the 9,999 rows of big.parquet")
    section = shap_section(type(subject)(found.model, "m", None, rows, ""))
    assert section.notes == ("Explained are 2,000 of 6,000 of the 9,999 rows of big.parquet.",)
    assert rows.some(2_000).features.iloc[[0, -1]].equals(many.iloc[[0, -1]])


def test_without_rows_it_says_what_rows_would_show(case: Callable[..., Any]) -> None:
    section = shap_section(case("numbers").subject(rows=False))
    assert section.charts == ()
    assert section.notes == (
        "With rows this shows how each feature moved each prediction, and which way. "
        "Run: gbdist report m.cbm --data DATA --target COLUMN",
    )


def test_ranks_from_low_to_high_and_none_for_categories_and_gaps() -> None:
    numbers = pd.Series([3.0, 1.0, np.nan, 2.0], dtype=np.float32)
    np.testing.assert_array_equal(ranks_of(numbers), np.array([1.0, 0.0, np.nan, 0.5], dtype=np.float32))
    np.testing.assert_array_equal(ranks_of(numbers * 0), np.array([0.5, 0.5, np.nan, 0.5], dtype=np.float32))
    assert np.isnan(ranks_of(pd.Series(["b", "a"], dtype=object))).all()
    assert np.isnan(ranks_of(pd.Series([np.nan, np.nan], dtype=np.float32))).all()


def test_dots_spread_as_far_as_there_are_others_beside_them() -> None:
    x = np.concatenate([np.full(101, 1.0), np.linspace(-1.0, 0.5, 5)])
    across = spread(x)
    assert np.abs(across).max() == pytest.approx(0.4, rel=0.02)
    assert len(np.unique(across[:101])) == 101  # none hides another
    assert across[101:].tolist() == [0.0] * 5
    assert spread(np.zeros(3)).shape == (3,)
