"""Curves are the values that CatBoost reports, at the iterations it computed them at."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.models.history import TrainingRecord
from gbdist.report.curves import _thinned, curves_of, curves_section


@pytest.mark.parametrize("period", [1, 4])
def test_curves_are_catboosts_history(case: Callable[..., Any], period: int) -> None:
    found = case("binary", custom_metric="AUC", metric_period=period)
    curves = curves_of(found.subject().record)
    told = {
        name: {metric: each.values.tolist() for metric, of in curves.items() for each in of if each.data_set == name}
        for name in ("learn", "validation")
    }
    assert told == {
        name: {metric: pytest.approx(values) for metric, values in of.items()}
        for name, of in found.model.evals_result_.items()
    }
    expected = sorted({*range(0, 25, period), 24})
    assert {tuple(curve.iterations) for of in curves.values() for curve in of} == {tuple(expected)}


def test_best_iteration_is_marked_and_told(case: Callable[..., Any]) -> None:
    found = case("numbers", learning_rate=1.0, iterations=40)
    section = curves_section(found.subject())
    best = found.model.best_iteration_
    assert best + 1 == found.model.tree_count_ < 40
    (chart,) = section.charts
    spans = [each for each in chart.model.center if type(each).__name__ == "Span"]
    assert [span.location for span in spans] == [best]
    (mark,) = [each for each in chart.model.renderers if type(each.glyph).__name__ == "Scatter"]
    assert mark.data_source.data["x"].tolist() == [best]
    assert section.notes == (
        f"The best iteration, {best}, is marked; 40 were done, and the model has {best + 1} trees.",
    )


def test_long_curves_keep_their_last_point_and_the_best() -> None:
    tables = tuple({"learn": {"RMSE": 1.0 / (i + 1)}} for i in range(10_001))
    (curve,) = curves_of(TrainingRecord(tables, -1, {}, None))["RMSE"]
    kept = _thinned(curve, best=4_321)
    assert len(kept) <= 2_001
    assert {0, 4_321, 10_000} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_words_where_there_is_nothing_to_draw(case: Callable[..., Any]) -> None:
    subject = case("numbers").subject()
    silent = type(subject)(subject.model, "m", None, None, "")
    assert curves_section(silent).notes == (
        "This file does not say how metrics went in training, so there are no curves to draw. Files that gbdist or CatBoost "
        "wrote after a fit say it; sums of models do not.",
    )
    empty = type(subject)(subject.model, "m", TrainingRecord(({}, {}), -1, {}, None), None, "")
    assert curves_section(empty).notes == ("No metric was computed in training, so there is no curve.",)
    assert curves_section(silent).charts == curves_section(empty).charts == ()
