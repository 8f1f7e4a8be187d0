"""Passes: what makes an ensemble smaller, on ranks that hold the rows. Nothing here knows of a cluster."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gbdist.compression.passes.base import Pass, PassData
    from gbdist.compression.passes.borders import FewerBorders
    from gbdist.compression.passes.depth import ReduceDepth
    from gbdist.compression.passes.distil import Distil
    from gbdist.compression.passes.drop import Drop
    from gbdist.compression.passes.features import DropFeatures
    from gbdist.compression.passes.merge import MergeTrees
    from gbdist.compression.passes.quantize import QuantizeLeaves
    from gbdist.compression.passes.refit import Refit
    from gbdist.compression.passes.reweight import Reweight
    from gbdist.compression.passes.tables import PruneTables

__all__ = [
    "Distil",
    "Drop",
    "DropFeatures",
    "FewerBorders",
    "MergeTrees",
    "Pass",
    "PassData",
    "PruneTables",
    "QuantizeLeaves",
    "ReduceDepth",
    "Refit",
    "Reweight",
]

#: Imported when first asked for; a pass that is added is told here.
_WHERE = {
    "Distil": "distil",
    "Drop": "drop",
    "DropFeatures": "features",
    "FewerBorders": "borders",
    "MergeTrees": "merge",
    "Pass": "base",
    "PassData": "base",
    "PruneTables": "tables",
    "QuantizeLeaves": "quantize",
    "ReduceDepth": "depth",
    "Refit": "refit",
    "Reweight": "reweight",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"gbdist.compression.passes.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'gbdist.compression.passes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
