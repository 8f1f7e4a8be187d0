"""Which text stands for missing values in categorical columns. CatBoost's models do not say it."""

from typing import Any

_KEY = "gbdist_cat_nan"


def note_cat_nan(model: Any, text: str | None) -> None:
    """Write the text into a model; nothing where there is none."""
    if text is not None:
        model.get_metadata()[_KEY] = text


def cat_nan_of(model: Any) -> str | None:
    """What ``note_cat_nan`` wrote; None for another model."""
    found = dict(model.get_metadata()).get(_KEY)
    return None if found is None else str(found)
