"""Which loss a CatBoost model was trained with, and what it predicts by default."""

import json
from typing import Any

#: Losses of which CatBoost's own ``predict`` gives e to the raw value (core.py, _get_default_prediction_type).
_EXPONENTIAL = ("Poisson", "Tweedie")


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
    return "Exponent" if loss_of(model) in _EXPONENTIAL else "RawFormulaVal"
