"""Models in the formats of other programs: each file is checked by predicting with it, and refused where it would lie."""

from gbdist.compression.exports.export import FORMATS, Export, export_model

__all__ = ["FORMATS", "Export", "export_model"]
