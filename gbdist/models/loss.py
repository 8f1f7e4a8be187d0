"""Which loss a CatBoost model was trained with, and what it predicts by default."""

import json
from typing import Any

from gbdist.description import described, name_of

#: Losses of which CatBoost's own ``predict`` gives e to the raw value (core.py, _get_default_prediction_type).
_EXPONENTIAL = ("Poisson", "Tweedie")
#: Losses of several labels a row, each 0 or 1 or a probability.
_OF_LABELS = ("MultiLogloss", "MultiCrossEntropy")
#: The loss whose predictions are a mean and a variance.
WITH_VARIANCE = "RMSEWithUncertainty"
#: What CatBoost keeps beside a loss's options.
_NOTES = ("__params_key_order", "hints")


def loss_of(model: Any) -> str | None:
    """Name of the loss, without options, as the model's metadata tell it; None where they do not."""
    loss = described_loss(model)
    return None if loss is None else name_of(loss)


def described_loss(model: Any) -> str | None:
    """The loss as CatBoost writes it, "Quantile:alpha=0.9"; None where the model does not tell."""
    for found in (_read(model, "loss_function"), training_params(model).get("loss_function")):
        if (loss := written_loss(found)) is not None:
            return loss
    return None


def written_loss(found: object) -> str | None:
    """The loss that CatBoost's options tell under "loss_function", {"type": …, "params": …}; None where they do not."""
    if not isinstance(found, dict) or not isinstance(name := found.get("type"), str):
        return None
    options = found.get("params") or {}
    return described(name, {key: value for key, value in options.items() if key not in _NOTES})


def training_params(model: Any) -> dict[str, Any]:
    """CatBoost's nested training options, as the model's metadata tell them; nothing where they do not."""
    found = _read(model, "params")
    return found if isinstance(found, dict) else {}


def default_prediction(model: Any) -> str:
    """The prediction type of a regressor's ``predict`` where none is asked for."""
    loss = loss_of(model)
    return WITH_VARIANCE if loss == WITH_VARIANCE else "Exponent" if loss in _EXPONENTIAL else "RawFormulaVal"


def has_several_labels(model: Any) -> bool:
    """Whether a classifier's rows have several labels, each of which is or is not."""
    return loss_of(model) in _OF_LABELS


def threshold_of(model: Any) -> float:
    """The probability above which a row is of the second of two classes."""
    return float(dict(model.get_metadata()).get("binclass_probability_threshold", 0.5))


def _read(model: Any, key: str) -> Any:
    try:
        return json.loads(dict(model.get_metadata())[key])
    except (KeyError, ValueError):
        return None
