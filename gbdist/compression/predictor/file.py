"""Predictors written and read: an archive of arrays, of a header, and of the package that predicts with them."""

import io
import json
import os
import zipfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.given import trees_of
from gbdist.compression.predictor.contents import contents_of
from gbdist.compression.predictor.standalone import Predictor, PredictorError
from gbdist.compression.predictor.standalone import load_predictor as read
from gbdist.compression.predictor.standalone.reading import DIGEST, HEADER, digest_of
from gbdist.errors import ModelError
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.whole_file import require_folder, whole_file

#: Name of the package inside a file.
PACKAGE = "gbdist_predictor"
_MAIN = f"import sys\n\nfrom {PACKAGE}.command import main\n\nsys.exit(main())\n"


def save_predictor(model: Any, path: str | os.PathLike[str], leaves: str | int = "float64") -> Predictor:
    """Write a model of trees as one file that predicts with NumPy alone, and return what reading it gives.

    ``python FILE rows.csv`` predicts for the rows of a CSV file; with the file on ``sys.path``, ``gbdist_predictor`` is a package
    whose ``load_predictor`` reads it. Equal models give equal files.

    Parameters
    ----------
    model : a CatBoost model, a fitted estimator of trees, or the path of a .cbm; of columns of numbers
    path : the file; ``.pyz`` is what Python calls such archives
    leaves : "float64", "fp16", "int8" or an int
        How leaf values are stored: as they are; rounded as ``QuantizeLeaves`` rounds them; or an int, as that many levels.

    Raises
    ------
    ModelError
        For a model that is not fitted or cannot be read, whose trees test categories, that has texts or embeddings, or whose leaf
        values are too large for "fp16".
    ParameterError
        For other ``leaves``, what is no model, or a folder that is not there.
    """
    require_folder(Path(path))
    model = trees_of(model, "save_predictor")
    write_predictor(from_catboost(model), model, Path(path), leaves)
    return load_predictor(path)


def write_predictor(ensemble: Ensemble, model: Any, path: Path, leaves: str | int) -> float:
    """Write the file of ``save_predictor``, of a model that is read already, and return its error bound.

    Parameters
    ----------
    ensemble : the model, read
    model : the CatBoost model
    """
    header, arrays = contents_of(ensemble, model, leaves)
    members = {HEADER: json.dumps(header, indent=1).encode(), "__main__.py": _MAIN.encode(), **_sources()}
    members |= {f"{name}.npy": _as_bytes(array) for name, array in arrays.items()}
    members[DIGEST] = digest_of(members).encode()
    with whole_file(path) as unfinished:
        _write(unfinished, members)
    return float(header["error_bound"])


def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """Read a file of ``save_predictor``; the code in it is not run. ``ModelError`` where it is none, or is damaged."""
    try:
        return read(path)
    except PredictorError as error:
        problem, _, fix = str(error).rstrip(".").rpartition(". ")
        raise ModelError(problem, f"{fix}.") from error


def _sources() -> dict[str, bytes]:
    folder = resources.files(f"{__package__}.standalone")
    return {
        f"{PACKAGE}/{file.name}": file.read_bytes()
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".py")
    }


def _as_bytes(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            # The time of a ZipInfo that is told none is always the same.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
