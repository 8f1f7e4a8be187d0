"""What a format cannot say, or CatBoost 1.2.10 does not write as it is: found by experiment, and refused by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gbdist.categories.hashing import category_hashes
from gbdist.compression.exports.probes import known_hashes
from gbdist.errors import DataError, ModelError
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import NonSymmetricTree
from gbdist.quantize.borders import FeatureBorders

_OTHERWISE = 'Export it as "cbm" or "json", which hold it.'


def require_expressible(ensemble: Ensemble, format_: str) -> None:
    """ModelError unless a file of the format can predict what the ensemble does; it says what stands in the way."""
    problem = _problem(ensemble, format_)
    if problem is not None:
        raise ModelError(f"a file of the format {format_!r} would not predict as the model does: {problem}", _OTHERWISE)


def whole_or_text_labels(classes: Sequence[Any], format_: str) -> tuple[Any, ...]:
    """The labels as ONNX has them: whole numbers (of booleans 0 and 1) or texts; ModelError for others."""
    if all(isinstance(label, bool | int) for label in classes):
        return tuple(map(int, classes))
    if all(isinstance(label, str) for label in classes):
        return tuple(classes)
    raise ModelError(
        f"a file of the format {format_!r} has labels that are texts or whole numbers, not {list(classes)}",
        "Train on labels of one of these kinds, or export it in another format.",
    )


def require_ascii_categories(ensemble: Ensemble, rows: pd.DataFrame, format_: str) -> None:
    """ModelError for a category that is not ASCII, of which CatBoost's Python files make another hash than its models."""
    for position in ensemble.categories.positions:
        other = next((text for text in map(str, pd.unique(rows.iloc[:, position])) if not text.isascii()), None)
        if other is not None:
            column = ensemble.feature_names[position]
            problem = f"categories that are not ASCII, as {other!r} of column {column!r}, are lost in it"
            raise ModelError(
                f"a file of the format {format_!r} would not predict as the model does: {problem}",
                'Export it as "cpp", "json" or "cbm", which hold them.',
            )


def require_all_categories(ensemble: Ensemble, rows: pd.DataFrame) -> None:
    """DataError unless the rows have each single category that the model knows; of combinations nothing can be said."""
    names, positions = ensemble.feature_names, ensemble.categories.positions
    for cat, position in enumerate(positions):
        texts = [str(value) for value in pd.unique(rows.iloc[:, position])]
        lacking = len(set(known_hashes(ensemble, cat)).difference(category_hashes(texts).tolist()))
        if lacking:
            raise DataError(
                f"column {names[position]!r} of rows",
                f"{len(texts)} categories, without {lacking} of those that the model knows",
                "all of them, for the file takes others for unknown ones",
                "Give all rows that the model was trained on.",
            )


def _problem(ensemble: Ensemble, format_: str) -> str | None:
    used = _borders_in_use(ensemble)
    names = [ensemble.feature_names[at] for at in ensemble.binned]
    highest = [names[f] for f, borders in used.items() if borders.nan_treatment == "AsTrue"]
    missing = [names[f] for f, borders in used.items() if borders.nan_treatment != "AsIs"]
    if format_ in ("onnx", "pmml", "coreml") and ensemble.categories.positions:
        columns = [ensemble.feature_names[position] for position in ensemble.categories.positions]
        return f"it has categorical columns ({columns})"
    if format_ in ("python", "cpp", "coreml") and any(isinstance(tree, NonSymmetricTree) for tree in ensemble.trees):
        return "its trees are not symmetric"
    if format_ in ("python", "cpp", "coreml") and highest:
        return f"missing values (NaN) of {highest} are above all others (nan_mode='Max'), and would be below"
    if format_ == "coreml" and ensemble.dimension > 1 and ensemble.bias.any():
        return f"the start values of its {ensemble.dimension} values a row would be lost"
    if format_ == "pmml" and missing:
        return f"missing values (NaN) of {missing} have a place among the others, and would have none"
    if format_ == "pmml" and ensemble.dimension > 1:
        return f"it has {ensemble.dimension} values a row"
    if format_ == "pmml" and (rounded := [names[f] for f, borders in used.items() if not _has_six_digits(borders)]):
        return f"borders of {rounded} would be rounded to six digits"
    return None


def _borders_in_use(ensemble: Ensemble) -> dict[int, FeatureBorders]:
    """Of each feature of numbers that a tree tests, the borders that are tested."""
    return {
        f: FeatureBorders(ensemble.borders[f].values[numbers], ensemble.borders[f].nan_treatment)
        for f, numbers in ensemble.tested.items()
        if f < len(ensemble.borders)
    }


def _has_six_digits(borders: FeatureBorders) -> bool:
    return bool(all(np.float32(f"{value:.6g}") == value for value in borders.values))
