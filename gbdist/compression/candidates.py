"""The pipelines that are tried for a target: families with one knob each, the cheap ones first."""

from collections.abc import Callable
from dataclasses import dataclass

from gbdist.compression.passes.base import Pass


@dataclass(frozen=True)
class Family:
    """Pipelines that differ in how large a model they leave.

    Parameters
    ----------
    passes : callable
        The pipeline for a step from 1 to ``most``; larger steps leave larger models.
    whole : int
        The step at which a model would be about as large as the one that was given; it may be beyond ``most``.
    """

    name: str
    passes: Callable[[int], tuple[Pass, ...]]
    most: int
    whole: int

    def step(self, share: float) -> int:
        """The step for a share of the given model's size."""
        return max(1, min(self.most, int(share * self.whole)))
