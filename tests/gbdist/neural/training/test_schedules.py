"""Learning rates of each step: scikit-learn's three, warm-up and cosine; and powers and cosines of IEEE operations alone."""

import math

import numpy as np
import pytest

from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.schedules import Schedule, half_cosine, power, whole_power


def rates(n_epochs: int, factor: float = 1.0, **params: object) -> list[float]:
    schedule = Schedule(TrainParams(learning_rate_init=0.1, **params), n_rows=70, n_batches=4)  # type: ignore[arg-type]
    found = []
    for epoch in range(n_epochs):
        rate_of = schedule.of_epoch(epoch, factor)
        found += [rate_of(batch) for batch in range(4)]
    return found


def test_a_constant_rate_is_one() -> None:
    assert rates(3) == [0.1] * 12


def test_inverse_scaling_counts_the_samples_seen_and_is_for_sgd_alone() -> None:
    found = rates(3, solver="sgd", schedule="invscaling", power_t=0.4)
    expected = [0.1, 0.1 / 71**0.4, 0.1 / 141**0.4]
    assert found == pytest.approx(np.repeat(expected, 4).tolist(), rel=1e-13)
    assert rates(3, solver="adam", schedule="invscaling") == [0.1] * 12


def test_an_adaptive_rate_falls_by_fives_until_it_is_too_small() -> None:
    schedule = Schedule(TrainParams(solver="sgd", schedule="adaptive", learning_rate_init=1e-4), 70, 4)
    factors = [1.0]
    while (lowered := schedule.lowered(factors[-1])) is not None:
        factors.append(lowered)
    assert factors == pytest.approx([1.0, 0.2, 0.04, 0.008])  # 8e-7 is the first one that is not above 1e-6
    assert schedule.of_epoch(3, 0.04)(0) == pytest.approx(4e-6)
    assert Schedule(TrainParams(solver="adam", schedule="adaptive"), 70, 4).lowered(1.0) is None


def test_warm_up_rises_evenly_and_stops_where_it_was_told_to() -> None:
    found = rates(3, warm_up=1.5)
    assert found[:6] == pytest.approx([0.1 * k / 7 for k in range(1, 7)])
    assert found[6:] == [0.1] * 6


def test_a_cosine_falls_to_zero_at_the_end_of_the_last_epoch() -> None:
    found = rates(5, schedule="cosine", max_iter=5)
    assert found == pytest.approx([0.05 * (1 + math.cos(math.pi * k / 20)) for k in range(20)], rel=1e-12)
    with_warm_up = rates(5, schedule="cosine", max_iter=5, warm_up=1.0)
    assert with_warm_up[4:] == pytest.approx([0.05 * (1 + math.cos(math.pi * k / 16)) for k in range(16)], rel=1e-12)
    # A run that is longer than it was planned stays where it ended.
    assert rates(6, schedule="cosine", max_iter=5)[20:] == [0.0] * 4


def test_powers_and_cosines_are_right() -> None:
    for base, exponent in [(2.0, 0.5), (1e6, 0.3), (141.0, 0.4), (3.0, 0.0)]:
        assert power(base, exponent) == pytest.approx(base**exponent, rel=1e-13)
    for exponent in (0, 1, 2, 7, 1_000, 123_457):
        assert whole_power(0.999, exponent) == pytest.approx(0.999**exponent, rel=1e-13)
    for share in np.linspace(0, 1, 101).tolist():
        assert half_cosine(share) == pytest.approx(0.5 * (1 + math.cos(math.pi * share)), abs=1e-15)
