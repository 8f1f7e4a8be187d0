"""The page about folds shows means with bands, marks the best iteration, and lists what each fold had there."""

from typing import Any

import numpy as np
import pytest

from gbdist.report.folds import FoldsFacts, MetricCurves, Spread, folds_page
from gbdist.report.folds import _sections as sections_of_folds

from .test_page import Reader


def spread(values: list[list[float]], *, known: bool = True) -> Spread:
    folds = np.array(values, dtype=np.float64)
    return Spread(folds.mean(axis=0), folds.std(axis=0, ddof=1), folds if known else None)


TEST = [[3.0, 1.0, 2.0], [5.0, 2.0, 2.0]]
TRAIN = [[3.0, 1.0, 0.5], [3.0, 2.0, 0.5]]


def facts(*, known: bool = True, **changed: Any) -> FoldsFacts:
    given: dict[str, Any] = {
        "metric": "RMSE", "greater_is_better": False, "iterations": np.array([0, 5, 10]), "test": spread(TEST, known=known),
        "train": spread(TRAIN, known=known), "decides": True,
    }  # fmt: skip
    auc = MetricCurves("AUC", True, np.array([0, 10]), spread([[0.5, 0.7], [0.6, 0.9]], known=known))
    return FoldsFacts("five", 2, (MetricCurves(**(given | changed)), auc), (("Loss", "RMSE"),))


def test_best_iteration_is_that_of_the_mean() -> None:
    rmse, auc = facts().metrics
    assert (rmse.best, auc.best) == (1, 1)
    assert facts(greater_is_better=True).metrics[0].best == 0
    assert facts(test=spread([[np.nan, 2.0, 2.0], [1.0, 2.0, 2.0]])).metrics[0].best == 1
    assert facts(test=spread([[np.nan], [1.0]]), iterations=np.array([0])).metrics[0].best == -1


def test_bands_folds_and_marks_are_drawn() -> None:
    curves, *tables = sections_of_folds(facts())
    assert [chart.heading for chart in curves.charts] == ["RMSE", "AUC"]
    plot = curves.charts[0].model
    bands = [each.data_source.data for each in plot.renderers if type(each.glyph).__name__ == "VArea"]
    assert [band["mean"].tolist() for band in bands] == [
        [3.0, 1.5, 0.5],
        [4.0, 1.5, 2.0],
    ]  # those of training lie below
    deviation = np.sqrt(2.0)
    assert bands[1]["high"].tolist() == pytest.approx([4 + deviation, 1.5 + deviation / 2, 2.0])
    assert bands[1]["low"].tolist() == pytest.approx([4 - deviation, 1.5 - deviation / 2, 2.0])
    folds = [each.data_source.data["ys"] for each in plot.renderers if type(each.glyph).__name__ == "MultiLine"]
    assert [[each.tolist() for each in one] for one in folds] == [TRAIN, TEST]
    assert [each.location for each in plot.center if type(each).__name__ == "Span"] == [5]
    assert [section.title for section in tables] == ["Best and last values", "Fold by fold"]
    rows = [[[cell.text for cell in row] for row in one.table.rows] for one in tables if one.table is not None]
    assert rows == [
        [["RMSE", "1.5 ± 0.71", "5", "2 ± 0", "0.5 ± 0"], ["AUC", "0.8 ± 0.14", "10", "0.8 ± 0.14", ""]],
        [["0", "1"], ["1", "2"]],  # AUC was not computed at iteration 5
    ]


def test_long_curves_are_thinned_and_keep_their_best() -> None:
    n = 5_001
    values = np.abs(np.arange(n) - 1_234.0)
    (plot,) = (chart.model for chart in sections_of_folds(facts(
        iterations=np.arange(n), test=spread([list(values), list(values)]), train=None
    ))[0].charts[:1])  # fmt: skip
    (band,) = [each.data_source.data for each in plot.renderers if type(each.glyph).__name__ == "VArea"]
    assert len(band["x"]) <= 1_001
    assert {0, 1_234, n - 1} <= set(band["x"].tolist())
    (fold, _) = next(each for each in plot.renderers if type(each.glyph).__name__ == "MultiLine").data_source.data["ys"]
    assert len(fold) == 300


def test_page_is_one_file_and_says_what_is_best() -> None:
    html = folds_page(facts())
    read = Reader(html)
    assert (read.charts, read.loads) == (["curve_0", "curve_1"], [])
    for told in (
        "Cross-validation report by gbdist",
        "5, by RMSE",
        "1.5 ± 0.71",
        "Thin lines are the folds; each is drawn.",
    ):
        assert told in read.text
    assert len(html.encode()) < 2_000_000
    means = Reader(folds_page(facts(known=False)))
    assert "Thin lines" not in means.text
    assert "Fold by fold" not in means.text


def test_words_where_nothing_was_computed() -> None:
    read = Reader(folds_page(FoldsFacts("f", 3, ())))
    assert read.charts == []
    assert "No metric was computed, so there is no curve." in read.text
    single = facts(iterations=np.array([0]), test=spread([[1.0], [2.0]]), train=None)
    assert "1.5 ± 0.71" in Reader(folds_page(single)).text
