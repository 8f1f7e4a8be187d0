"""The loss that passes take a model for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gbdist.compression.passes.base import measure_of
from gbdist.errors import ModelError
from gbdist.models.ensemble import Ensemble
from gbdist.objectives import make_objective


def with_loss(ensemble: Ensemble, loss: dict[str, Any] | None) -> Ensemble:
    options = {key: value for key, value in ensemble.options.items() if key != "loss_function"}
    return replace(ensemble, options=options if loss is None else {**options, "loss_function": loss})


def test_loss_has_the_options_that_the_model_tells(make_ensemble: Callable[..., Ensemble]) -> None:
    loss = {"type": "Quantile", "params": {"alpha": "0.9"}}
    measure = measure_of(with_loss(make_ensemble([1]), loss))
    assert measure.objective == make_objective("Quantile:alpha=0.9", 1)
    assert measure.metric.name == "Quantile:alpha=0.9"


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        (None, "the model does not tell which loss it was trained with"),
        ({"type": "YetiRank"}, "rows of a model of loss 'YetiRank' are ranked in groups, which passes do not heed"),
        ({"type": "PythonUserDefinedPerObject"}, "the model was trained with the loss 'PythonUserDefinedPerObject'"),
    ],
)
def test_a_loss_that_is_not_known_is_refused(
    make_ensemble: Callable[..., Ensemble], loss: dict[str, Any] | None, problem: str
) -> None:
    with pytest.raises(ModelError) as refused:
        measure_of(with_loss(make_ensemble([1]), loss))
    assert str(refused.value).startswith(problem)
    assert "eave" in str(refused.value)
