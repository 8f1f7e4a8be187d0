"""How long the vectors of embedding columns are. CatBoost's models do not say, and it reads beyond vectors that are too short."""

from collections.abc import Mapping
from typing import Any

_KEY = "gbdist_embedding_dimensions"


def note_dimensions(model: Any, dimensions: Mapping[int, int]) -> None:
    """Write into a model how long the vectors of its columns are, by position."""
    if dimensions:
        model.get_metadata()[_KEY] = ",".join(f"{at}:{length}" for at, length in sorted(dimensions.items()))


def embedding_dimensions(model: Any) -> dict[int, int]:
    """What ``note_dimensions`` wrote; nothing for another model."""
    written = dict(model.get_metadata()).get(_KEY, "")
    pairs = (pair.split(":") for pair in written.split(",") if pair)
    return {int(at): int(length) for at, length in pairs}
