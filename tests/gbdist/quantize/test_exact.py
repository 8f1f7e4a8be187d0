"""Exact sums equal sums of fractions, whatever the order and the cut."""

from fractions import Fraction

import numpy as np

from gbdist.quantize.exact import exact_count, exact_sums, to_float


def test_sums_of_any_floats_are_exact() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=3000) * 10.0 ** generator.integers(-300, 300, 3000)
    values[:6] = [5e-324, -5e-324, 1.7e308, -1.7e308, 0.0, -0.0]
    groups = generator.integers(0, 5, 3000)
    for group, total in enumerate(exact_sums(values, groups, 5)):
        assert Fraction(total, exact_count(1)) == sum((Fraction(v) for v in values[groups == group]), Fraction(0))


def test_cutting_and_shuffling_do_not_change_the_sum() -> None:
    values = np.random.default_rng(1).lognormal(sigma=9, size=5000)
    whole = exact_sums(values)[0]
    assert whole == sum(exact_sums(part)[0] for part in np.array_split(np.sort(values), 13))
    assert to_float(whole) == float(sum(Fraction(v) for v in values))
    assert to_float(exact_count(3)) == 3.0
    assert exact_sums(values[:0]) == [0]
