"""What the page says of a search follows from its trials alone."""

import numpy as np
import pytest

from gbdist.report.study.facts import Dimension, StudyFacts, TrialFacts, in_short


def of_values(values: list[float | None], greater: bool = False) -> StudyFacts:
    trials = [
        TrialFacts(number, "failed" if value is None else "complete", value, {}) for number, value in enumerate(values)
    ]
    return StudyFacts("s", "loss", greater, tuple(trials), (), "")


@pytest.mark.parametrize(("greater", "number"), [(False, 1), (True, 0)])
def test_best_is_the_first_of_equal_complete_trials(greater: bool, number: int) -> None:
    facts = of_values([3.0, 1.0, 1.0, None, np.inf if not greater else -np.inf, 3.0], greater)
    assert facts.best is not None
    assert facts.best.number == number
    assert of_values([None]).best is None


def test_pruned_trials_are_never_the_best() -> None:
    trials = (TrialFacts(0, "pruned", 9.0, {}), TrialFacts(1, "complete", 5.0, {}))
    facts = StudyFacts("s", "auc", True, trials, (), "")
    assert facts.best is trials[1]


def test_values_that_went_astray_are_drawn_at_the_edge() -> None:
    values: list[float | None] = [1.0, 1.1, 1.2, 1.3, 1e9, None]
    facts = of_values(values)
    assert facts.edge == pytest.approx(1.3 + 3 * 0.3)  # three quarters are at or below 1.3
    assert facts.shown(np.array([1.0, 1e9, np.nan])).tolist() == pytest.approx([1.0, 2.2, np.nan], nan_ok=True)
    mirrored = of_values([None if value is None else -value for value in values], greater=True)
    assert mirrored.edge == pytest.approx(-2.2)
    assert mirrored.shown(np.array([-1.0, -1e9])).tolist() == pytest.approx([-1.0, -2.2])
    assert of_values([1.0, 1.1, 1.2]).edge is None
    assert of_values([None]).edge is None


def test_categories_have_places_and_numbers_are_their_own() -> None:
    told = Dimension("policy", "category", choices=("a", "b")).places(["b", None, "other"])
    assert told.tolist() == pytest.approx([1.0, np.nan, np.nan], nan_ok=True)
    assert Dimension("depth", "integer").places([3, None]).tolist() == pytest.approx([3.0, np.nan], nan_ok=True)


def test_values_in_few_letters() -> None:
    assert [in_short(value) for value in (0.123456789, 12_345, "Depthwise", 1e-9)] == [
        "0.123457", "12,345", "Depthwise", "1e-09",
    ]  # fmt: skip
