"""What a compression says where its target is out of reach."""

from typing import TYPE_CHECKING, Any

from gbdist.errors import GbdistError

if TYPE_CHECKING:
    from gbdist.compression.report import CompressionReport


class TargetNotReached(GbdistError):
    """No model that was tried keeps the target's bound.

    Attributes
    ----------
    model : the CatBoost model that is nearest to it
    report : the ``CompressionReport`` of that one
    """

    def __init__(self, target: str, found: str, model: Any, report: "CompressionReport | None") -> None:
        super().__init__(target, found, model, report)  # unpickling calls cls(*args)
        self.model, self.report = model, report

    def __str__(self) -> str:
        target, found, _, _ = self.args
        return f"target {target!r} cannot be reached: {found}. Ask for less, or take the nearest model as it is."
