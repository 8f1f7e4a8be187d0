"""Calibration is scikit-learn's, residuals are labels less CatBoost's predictions, and coverage is a share of rows."""

from collections.abc import Callable
from typing import Any

import catboost
import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from gbdist.report.calibration import reliability
from gbdist.report.residuals import quartiles
from gbdist.report.style import Section
from gbdist.report.subject import Rows, Subject
from gbdist.report.trust import trust_section


def lines(section: Section, name: str, glyph: str) -> dict[str, Any]:
    (chart,) = [each for each in section.charts if each.name == name]
    found = [each for each in chart.model.renderers if type(each.glyph).__name__ == glyph]
    return {each.name: each.data_source.data for each in found if each.name}


@pytest.mark.parametrize("kind", ["binary", "several"])
def test_reliability_is_scikit_learns(case: Callable[..., Any], kind: str) -> None:
    found = case(kind)
    section = trust_section(found.subject())
    drawn = lines(section, "calibration", "Scatter")
    classes = found.model.classes_.tolist()
    said = found.model.predict(found.features, prediction_type="Probability")
    shown = classes[1:] if kind == "binary" else classes
    assert list(drawn) == [str(label) for label in shown]
    for label in shown:
        probability = said[:, classes.index(label)]
        was, given = calibration_curve(found.label == label, probability, n_bins=10, strategy="quantile")
        np.testing.assert_allclose(drawn[str(label)]["x"], given)
        np.testing.assert_allclose(drawn[str(label)]["y"], was)
    counted = lines(section, "probabilities", "Quad" if kind == "binary" else "Step")
    assert {name: int(np.sum(each["top"])) for name, each in counted.items()} == dict.fromkeys(drawn, 200)


def test_reliability_of_probabilities_a_little_above_one() -> None:
    was, given = reliability(np.array([True] * 20), np.full(20, 1.0 + 1e-12))
    assert (was.tolist(), given.tolist()) == ([1.0], [1.0])


@pytest.mark.parametrize(("kind", "prediction_type"), [("numbers", "RawFormulaVal"), ("counts", "Exponent")])
def test_residuals_are_label_less_prediction(case: Callable[..., Any], kind: str, prediction_type: str) -> None:
    found = case(kind)
    section = trust_section(found.subject())
    predicted = found.model.predict(found.features, prediction_type=prediction_type)
    (chart, histogram) = section.charts
    dots = chart.model.renderers[0].data_source.data
    np.testing.assert_allclose(dots["x"], predicted, rtol=1e-6)
    np.testing.assert_allclose(dots["y"], found.label - predicted, rtol=1e-4, atol=1e-6)
    assert histogram.model.renderers[0].data_source.data["top"].sum() == 200
    assert chart.model.yaxis[0].axis_label == "residual: price − prediction"


def test_quartiles_of_rows_with_like_predictions() -> None:
    predicted = np.repeat([3.0, 1.0, 2.0], 101)
    residual = np.tile(np.arange(101.0), 3) + predicted * 1_000
    middles, found = quartiles(predicted, residual, n_groups=3)
    assert middles.tolist() == [1.0, 2.0, 3.0]
    assert found.tolist() == [[base + 25, base + 50, base + 75] for base in (1_000, 2_000, 3_000)]
    assert quartiles(predicted[:4], residual[:4])[0].shape == (1,)


def test_coverage_of_quantiles(case: Callable[..., Any]) -> None:
    found = case("quantiles")
    (chart,) = trust_section(found.subject()).charts
    source = chart.model.renderers[-1].data_source.data
    assert source["x"].tolist() == [0.1, 0.5, 0.9]
    expected = [(found.label <= column).mean() for column in found.model.predict(found.features).T]
    assert source["y"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "shows"),
    [
        ("binary", "whether probabilities keep what they promise"),
        ("quantiles", "whether quantiles keep what they promise"),
        ("numbers", "where predictions miss, and by how much"),
    ],
)
def test_words_without_labels(case: Callable[..., Any], kind: str, shows: str) -> None:
    expected = f"With rows that have labels this shows {shows}. Run: gbdist report m.cbm --data DATA --target COLUMN"
    for given in ({"rows": False}, {"labels": False}):
        section = trust_section(case(kind).subject(**given))
        assert (section.charts, section.notes) == ((), (expected,))


def other_models() -> list[tuple[str, Any, str]]:
    draw = np.random.default_rng(2)
    X, y = draw.normal(size=(80, 2)), draw.random(80)
    few = {"iterations": 2, "verbose": False, "allow_writing_files": False}
    return [
        ("probabilities", catboost.CatBoostClassifier(loss_function="CrossEntropy", **few).fit(X, y), "Calibration"),
        ("ranking", catboost.CatBoostRanker(**few).fit(X, y > 0.5, group_id=np.arange(80) // 8), "Residuals"),
        ("other", catboost.CatBoostRegressor(loss_function="MultiRMSE", **few).fit(X, np.c_[y, y]), "Residuals"),
        ("other", catboost.CatBoostRegressor(loss_function="RMSEWithUncertainty", **few).fit(X, y), "Residuals"),
    ]


def test_words_for_models_that_have_neither() -> None:
    for task, model, title in other_models():
        rows = Rows(None, np.zeros(80), "y", "here")
        subject = Subject(model, "m", None, rows, "")
        assert subject.task == task
        section = trust_section(subject)
        assert (section.title, section.charts, len(section.notes)) == (title, (), 1)


def test_quantile_says_which_share_lies_below(case: Callable[..., Any]) -> None:
    for loss, level, reading in (
        ("Quantile:alpha=0.9", "0.9", "which is the quantile 0.9 here and not the middle"),
        ("MAE", "0.5", "have its middle at 0"),
        ("Quantile", "0.5", "have its middle at 0"),
    ):
        found = case("numbers", loss_function=loss)
        section = trust_section(found.subject())
        share = 100 * (found.label <= found.model.predict(found.features)).mean()
        assert section.notes[1] == (
            f"{share:.1f} % of the labels are not above the prediction; the quantile asked for is {level}."
        )
        assert reading in section.reading
    assert len(trust_section(case("numbers").subject()).notes) == 1
