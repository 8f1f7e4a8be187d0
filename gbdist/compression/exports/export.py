"""A model as a file of another format: written beside its place, checked by predicting with it, and only then put there."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd

from gbdist.compression.exports.onnx_graph import OnnxAnswer, onnx_model
from gbdist.compression.exports.probes import N_PROBES, Probes, probes_for
from gbdist.compression.exports.readers import raw_values, reader_of
from gbdist.compression.exports.refusals import (
    require_all_categories,
    require_ascii_categories,
    require_expressible,
    whole_or_text_labels,
)
from gbdist.compression.predictor.file import write_predictor
from gbdist.errors import ModelError, ParameterError
from gbdist.estimators.base import DaskCatBoost
from gbdist.models.catboost_format import save_file
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.loss import has_several_labels, loss_of, threshold_of
from gbdist.models.rewriting import rewritten
from gbdist.whole_file import require_folder, whole_file

#: Formats and the ends of their files' names.
FORMATS = {
    "cbm": ".cbm",
    "json": ".json",
    "onnx": ".onnx",
    "python": ".py",
    "cpp": ".cpp",
    "pmml": ".pmml",
    "coreml": ".mlmodel",
    "predictor": ".pyz",
}

#: An export's predictions are the model's to this part of the largest of them, and of 1.
TOLERANCE = 1e-6

_WITHOUT_MISSING = ("pmml",)
_BORDERS = re.compile(r"(float_feature_borders = \[\n)(.*?)(\n    \])", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d.e+-]*")


@dataclass(frozen=True)
class Export:
    """What was written.

    Parameters
    ----------
    path : Path
    format : str
    size : int
        Bytes of the file.
    rows_checked : int
        Rows that were predicted with it: 0 where nothing on this machine reads the format.
    difference : float or None
        The largest difference from the model's own predictions on them: raw values, or probabilities of ONNX classifiers.
    error_bound : float or None
        Of a predictor: raw values of any row are no further away.
    """

    path: Path
    format: str
    size: int
    rows_checked: int
    difference: float | None
    error_bound: float | None = None


def export_model(
    model: Any,
    path: str | Path,
    format: str | None = None,
    rows: pd.DataFrame | None = None,
    leaves: str | int = "float64",
) -> Export:
    """Write a model of trees in one of the ``FORMATS``, and check the file by predicting with it.

    Parameters
    ----------
    model : catboost.CatBoost, or a fitted estimator of trees of gbdist's
    path : str or Path
        Where the file goes; nothing is there, or what was there before, if it is refused.
    format : str or None
        By default what the end of the name says.
    rows : pandas.DataFrame or None
        Rows with all categories that the model knows: C++ and Python files of models with categorical columns need them, for
        they take any other category for an unknown one.
    leaves : "float64", "fp16", "int8" or an int
        Of a predictor, how leaf values are stored (``predictor.save_predictor``); its values may then be as far away as the file
        itself states.

    Raises
    ------
    ParameterError
        An unknown format, a folder that is not there, ``rows`` where they are needed, or ``leaves`` of another format than a
        predictor.
    ModelError
        The file would not predict as the model does, with the reason; or it cannot be written.
    DataError
        ``rows`` have other columns than the model, or lack categories.
    """
    path = Path(path)
    require_folder(path)
    format_ = _format_of(path, format)
    if format_ != "predictor" and leaves != "float64":
        raise ParameterError("leaves", leaves, f'"float64" in the format {format_!r}', 'Use the format "predictor".')
    trees = getattr(model, "model_", model)
    if isinstance(trees, DaskCatBoost):
        raise ModelError(f"{type(model).__name__} is not fitted: it has no trees", "Fit it, or load a saved model.")
    if not isinstance(trees, catboost.CatBoost):
        raise ModelError(f"{type(model).__name__} is no model of trees", "Networks are saved by their own save_model.")
    try:
        ensemble = from_catboost(trees)
    except ModelError:
        if format_ != "cbm" or not trees.is_fitted():
            raise
        save_file(trees, path, format_, {})  # CatBoost's own file holds what no ensemble does, to make rows from
        return Export(path, format_, path.stat().st_size, 0, None)
    require_expressible(ensemble, format_)
    if format_ in ("python", "cpp") and ensemble.categories.positions and rows is None:
        expected = "rows with all categories of the model, for the file takes others for unknown ones"
        raise ParameterError("rows", rows, expected, "Give the rows that it was trained on.")
    probes = probes_for(ensemble, rows, missing=format_ not in _WITHOUT_MISSING)
    if format_ in ("python", "cpp") and rows is not None:
        require_all_categories(ensemble, rows)
    if format_ == "python" and rows is not None:
        require_ascii_categories(ensemble, rows, format_)
    with whole_file(path) as draft:
        if format_ == "predictor":
            kind, bound = "RawFormulaVal", write_predictor(ensemble, trees, draft, leaves)
        else:
            kind, bound = _write(trees, ensemble, draft, format_, rows), 0.0
        checked = _check(trees, draft, format_, kind, probes, bound)
    n_checked = 0 if checked is None else N_PROBES
    return Export(path, format_, path.stat().st_size, n_checked, checked, bound if format_ == "predictor" else None)


def _format_of(path: Path, format_: str | None) -> str:
    if format_ in FORMATS:
        return str(format_)
    by_end = {end: name for name, end in FORMATS.items()}
    if format_ is None and path.suffix in by_end:
        return by_end[path.suffix]
    raise ParameterError("format", format_, f"one of {', '.join(FORMATS)}", f"The file is {path.name!r}; say which.")


def _write(model: Any, ensemble: Ensemble, path: Path, format_: str, rows: pd.DataFrame | None) -> str:
    """Write the file; the kind of CatBoost's predictions that it answers with."""
    if format_ == "onnx":
        answer = _answer(ensemble, model)
        path.write_bytes(onnx_model(ensemble, answer))
        return "RawFormulaVal" if answer.labels is None else "Probability"
    options = {}
    if format_ in ("python", "cpp") and ensemble.categories.positions:
        options["pool"] = catboost.Pool(rows, cat_features=list(ensemble.categories.positions))
    # CatBoost's CoreML has no scale, and an ensemble none that it would need.
    save_file(rewritten(ensemble, model) if format_ == "coreml" else model, path, format_, options)
    if format_ == "python":
        path.write_text(_with_exact_borders(path.read_text(encoding="utf-8")), encoding="utf-8")
    return "RawFormulaVal"


def _answer(ensemble: Ensemble, model: Any) -> OnnxAnswer:
    """What an ONNX file answers in place of the model."""
    if ensemble.class_names is None:
        return OnnxAnswer()
    if has_several_labels(model):
        return OnnxAnswer(labels=())
    labels = whole_or_text_labels(ensemble.class_names, "onnx")
    chance = min(max(threshold_of(model), 1e-30), 1.0 - 1e-16)
    return OnnxAnswer(labels, loss_of(model) == "MultiClassOneVsAll", math.log(chance / (1.0 - chance)))


def _with_exact_borders(text: str) -> str:
    """CatBoost's Python file with the borders in full: it rounds them to nine digits, and Python compares in float64."""

    def exact(block: re.Match[str]) -> str:
        numbers = _NUMBER.sub(lambda number: repr(float(np.float32(number[0]))), block[2])
        return f"{block[1]}{numbers}{block[3]}"

    return _BORDERS.sub(exact, text, count=1)


def _check(model: Any, path: Path, format_: str, kind: str, probes: Probes, bound: float) -> float | None:
    """The largest difference from the model's predictions, which may be ``bound`` beside the tolerance; None without a reader."""
    reader = reader_of(format_)
    if reader is None:
        return None
    found, expected = reader(path, probes), raw_values(model, probes.table, kind)
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else math.inf
    allowed = bound + TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if not difference <= allowed:
        raise ModelError(
            f"a file of the format {format_!r} does not predict as the model does: its values are up to {difference:.3g} "
            f"away, of {allowed:.3g} that are allowed",
            'Export it as "cbm", which holds every model.',
        )
    return difference
