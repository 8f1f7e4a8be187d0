"""The scale of losses in half precision: halved where a gradient is not finite, doubled after many good steps."""

import pytest

from gbdist.errors import ParameterError
from gbdist.neural.training.precision import FIRST_SCALE, PATIENCE, SMALLEST_SCALE, loss_scale


def test_it_is_halved_and_the_step_counted_where_a_gradient_is_not_finite() -> None:
    scale = loss_scale("fp16").after(finite=True).after(finite=False)
    assert (scale.value, scale.good, scale.skipped) == (FIRST_SCALE / 2, 0, 1)


def test_it_is_doubled_after_enough_good_steps_in_a_row() -> None:
    scale = loss_scale("fp16", good=PATIENCE - 2)
    scale = scale.after(finite=True)
    assert (scale.value, scale.good) == (FIRST_SCALE, PATIENCE - 1)
    scale = scale.after(finite=True)
    assert (scale.value, scale.good) == (FIRST_SCALE * 2, 0)


@pytest.mark.parametrize("precision", ["float64", "float32", "bf16"])
def test_other_precisions_have_none(precision: str) -> None:
    scale = loss_scale(precision, 64.0, 3, 1)
    assert scale.value == 1.0
    assert scale.after(finite=False) == scale


def test_gradients_that_are_never_finite_are_an_error() -> None:
    with pytest.raises(ParameterError) as caught:
        loss_scale("fp16", SMALLEST_SCALE).after(finite=False)
    assert str(caught.value) == (
        "precision='fp16' cannot be used: expected gradients that are finite at some scale of the loss; they are not at "
        "6.10352e-05. Use precision='bf16' or 'float32', or lower learning_rate_init."
    )
