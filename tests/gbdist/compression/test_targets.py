"""A target is read from a text, bounds one thing of a model, and orders the models that keep the bound."""

from typing import Any

import pytest

from gbdist.compression.figures import ModelFigures
from gbdist.compression.targets import parse_target, parse_targets
from gbdist.errors import ParameterError

GIVEN = ModelFigures(size=10_000, trees=40, leaves=640, features=8, borders=90, tables=0, cost=200.0)
LOSS = 0.5


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("size:0.25", 2_500.0),
        ("size:25%", 2_500.0),
        ("size: 1", 10_000.0),
        ("size:1.5KB", 1_500.0),
        ("size:2KiB", 2_048.0),
        ("size:300b", 300.0),
        ("latency:0.5", 100.0),
        ("trees:30", 30.0),
        ("trees:.25", 10.0),
        ("trees:25%", 10.0),
        ("loss:+0.2%", 0.501),
        ("loss:0.2%", 0.501),
        ("loss:-1%", 0.495),
        ("loss:+0.25", 0.75),
        ("loss:-0.25", 0.25),
        ("loss:0.375", 0.375),
    ],
)
def test_bounds_of_a_model(text: str, bound: float) -> None:
    assert parse_target(text).bound(GIVEN, LOSS) == pytest.approx(bound, rel=1e-12)


def test_a_loss_below_zero_gets_worse_upwards() -> None:
    assert parse_target("loss:+1%").bound(GIVEN, -3.0) == pytest.approx(-2.97)


@pytest.mark.parametrize(
    ("text", "value"), [("size:0.5", 10_000), ("latency:0.5", 200.0), ("trees:5", 40), ("loss:+1%", 0.5)]
)
def test_what_is_bounded(text: str, value: float) -> None:
    assert parse_target(text).measure(GIVEN, LOSS) == value


def test_good_models_come_first_within_a_size_and_small_ones_within_a_loss() -> None:
    small = ModelFigures(100, 4, 64, 2, 9, 0, 20.0)
    assert parse_targets("size:0.5").order(GIVEN, 0.4) < parse_targets("size:0.5").order(small, 0.5)
    assert parse_targets("loss:+50%").order(small, 0.5) < parse_targets("loss:+50%").order(GIVEN, 0.4)


def test_several_bounds_are_kept_together() -> None:
    both = parse_targets("size:0.5, latency:0.1")
    bounds = both.bounds(GIVEN, LOSS)
    assert bounds == (5_000.0, 20.0)
    assert both.words(bounds) == "5,000 bytes and 20.0 units of cost"
    assert not both.of_loss
    for figures, fill in (
        (ModelFigures(4_000, 4, 64, 2, 9, 0, 10.0), 0.8),
        (ModelFigures(4_000, 4, 64, 2, 9, 0, 30.0), 1.5),
        (ModelFigures(6_000, 4, 64, 2, 9, 0, 20.0), 1.2),
    ):
        assert both.fill(bounds, figures) == pytest.approx(fill)
        assert both.kept(bounds, figures, LOSS) == (fill <= 1.0)
    of_loss = parse_targets("trees:10,loss:+10%")
    bounds = of_loss.bounds(GIVEN, LOSS)
    assert of_loss.of_loss
    assert of_loss.fill(bounds, GIVEN) == 4.0
    few = ModelFigures(100, 9, 64, 2, 9, 0, 20.0)
    assert [of_loss.kept(bounds, *one) for one in ((few, 0.54), (few, 0.56), (GIVEN, 0.5))] == [True, False, False]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("sise:0.25", "Did you mean 'size:'?"),
        ("size=0.25", "Did you mean 'size:'?"),
        ("Loss:0.3", "Did you mean 'loss:'?"),
        ("depth:3", "Say what the model has to reach, and how much; between several bounds there are commas."),
        (
            "size:0.25 latency:0.4",
            "Say what the model has to reach, and how much; between several bounds there are commas.",
        ),
    ],
)
def test_what_may_have_been_meant_is_said(text: str, fix: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_targets(text)
    assert str(caught.value).endswith(f" or 'loss:0.3471'. {fix}")


def test_bounds_on_the_same_are_refused() -> None:
    with pytest.raises(
        ParameterError, match=r"target='size:0.5, size:9KB' cannot be used: expected one bound on the size"
    ):
        parse_targets("size:0.5, size:9KB")
    for value in (None, "size:0.5,", "size:0.5;latency:0.5"):
        with pytest.raises(ParameterError, match="expected a target, as in"):
            parse_targets(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smaller", "a target"),
        ("speed:0.5", "a target"),
        ("size:", "a target"),
        ("size:half", "a target"),
        (0.25, "a target"),
        (None, "a target"),
        ("size:0", "a share above 0, up to 1, or bytes with their unit, such as KB"),
        ("size:5000", "a share above 0, up to 1, or bytes with their unit, such as KB"),
        ("size:0B", "at least one byte"),
        ("size:-0.5", "a share or a number without a sign"),
        ("latency:2ms", "a share above 0, up to 1"),
        ("trees:1.5", "a share above 0, up to 1, or a whole number of trees"),
        ("loss:1KB", "a number, or a share with %"),
        ("loss:1e999", "a finite number"),
    ],
)
def test_a_bad_target_is_named_with_the_forms(value: Any, expected: str) -> None:
    with pytest.raises(ParameterError) as caught:
        parse_target(value)
    name, told, words, _ = caught.value.args
    assert (name, told) == ("target", value)
    assert (
        words
        == f"{expected}, as in 'size:0.25', 'size:200KB', 'latency:0.5', 'trees:250', 'loss:+0.2%' or 'loss:0.3471'"
    )
