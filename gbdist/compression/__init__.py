"""Smaller ensembles: passes over trained models, what they cost, and which to take for a target (decision 0053)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gbdist.compression.data import compression_data
    from gbdist.compression.pipeline import CompressionPipeline, losses
    from gbdist.compression.shares import Shares

__all__ = ["CompressionPipeline", "Shares", "compression_data", "losses"]

#: Imported when first asked for: passes are pure, and need neither Dask nor scikit-learn.
_WHERE = {
    "CompressionPipeline": "pipeline",
    "Shares": "shares",
    "compression_data": "data",
    "losses": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"gbdist.compression.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'gbdist.compression' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
