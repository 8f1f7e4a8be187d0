"""MVS's threshold draws as many rows as it was asked for, whatever the gradients are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.crew import Crew
from gbdist.boosting.gradients import GradientSurvey
from gbdist.boosting.params import Bootstrap


def expected_share(derivatives: np.ndarray, subsample: float, ridge: float, bound: float) -> float:
    n_rows = derivatives.shape[1]
    survey = GradientSurvey(Bootstrap("MVS", subsample), 1, n_rows, bound, ridge)
    with Crew(1) as crew:
        facts = survey.read(survey.local_sums(derivatives, crew))
    assert facts.threshold is not None
    norms = np.sqrt(derivatives[0] ** 2 + ridge)
    return float(np.minimum(1.0, norms / facts.threshold).mean())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.floats(0.0, 6.0),
    subsample=st.floats(0.05, 0.99),
    ridge=st.sampled_from([0.0, 1e-6, 1.0, 1e6]),
    slack=st.sampled_from([1.0, 1.5, 1e6]),
)
def test_the_expected_sample_is_what_was_asked_for(
    seed: int, spread: float, subsample: float, ridge: float, slack: float
) -> None:
    derivatives = np.random.default_rng(seed).lognormal(sigma=spread, size=(1, 500))
    bound = slack * float(derivatives.max())
    assert expected_share(derivatives, subsample, ridge, bound) == pytest.approx(subsample, rel=0.04)


def test_equal_gradients_are_sampled_too() -> None:
    assert expected_share(np.ones((1, 500)), 0.8, 0.0, 1.0) == pytest.approx(0.8, rel=1e-9)


def test_without_any_gradient_the_threshold_is_an_ordinary_number() -> None:
    assert expected_share(np.zeros((1, 500)), 0.8, 0.0, 0.0) == 0.0
