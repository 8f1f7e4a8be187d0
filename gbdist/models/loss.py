"""Which loss a CatBoost model was trained with, and what it predicts by default."""

import json
from typing import Any

#: Losses of which CatBoost's own ``predict`` gives e to the raw value (core.py, _get_default_prediction_type).
_EXPONENTIAL = ("Poisson", "Tweedie")
#: Losses of several labels a row, each 0 or 1 or a probability.
_OF_LABELS = ("MultiLogloss", "MultiCrossEntropy")
#: The loss whose predictions are a mean and a variance.
WITH_VARIANCE = "RMSEWithUncertainty"


def loss_of(model: Any) -> str | None:
    """Name of the loss, without options, as the model's metadata tell it; None where they do not."""
    metadata = dict(model.get_metadata())
    for text, keys in ((metadata.get("loss_function"), ("type",)), (metadata.get("params"), ("loss_function", "type"))):
        try:
            found: Any = json.loads(text) if text else None
            for key in keys:
                found = found[key]
        except (KeyError, TypeError, ValueError):
            continue
        if isinstance(found, str):
            return found
    return None


def default_prediction(model: Any) -> str:
    """The prediction type of a regressor's ``predict`` where none is asked for."""
    loss = loss_of(model)
    return WITH_VARIANCE if loss == WITH_VARIANCE else "Exponent" if loss in _EXPONENTIAL else "RawFormulaVal"


def has_several_labels(model: Any) -> bool:
    """Whether a classifier's rows have several labels, each of which is or is not."""
    return loss_of(model) in _OF_LABELS
