"""The file: a ZIP archive of JSON and of NumPy's arrays, which is read without running or unpickling anything in it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PredictorError
from .predictor import Column, Predictor
from .trees import OtherTrees, Splits, SymmetricTrees

FORMAT = "gbdist-predictor"
#: Of the header and the arrays. It goes up whenever a reader of the version before would go wrong; what only adds leaves it.
VERSION = 1
HEADER, DIGEST = "header.json", "digest.txt"


def load_predictor(path: str | os.PathLike[str] | None = None) -> Predictor:
    """Read a predictor.

    Parameters
    ----------
    path : the file; left out, the one that this package was itself imported from

    Raises
    ------
    PredictorError
        For a file that is not there, is none of these, has been changed or cut short, or is of a later version.
    """
    file = _own_file() if path is None else os.fspath(path)
    members = _members(file)
    if DIGEST not in members or members.pop(DIGEST).decode("ascii", "replace").strip() != digest_of(members):
        raise PredictorError(f"{file!r} is damaged or changed: its digest is another one. Copy or save it again.")
    header = json.loads(members[HEADER])
    if header["version"] > VERSION:
        raise PredictorError(
            f"{file!r} is of version {header['version']}, and this reader knows versions up to {VERSION}. "
            "Import gbdist_predictor from the file itself, which brings its own reader, or install a later gbdist."
        )
    return _predictor(header, _arrays(members))


def digest_of(members: Mapping[str, bytes]) -> str:
    """SHA-256 of the names and contents of all members but the digest, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(members):
        for part in (name.encode(), members[name]):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()


def _own_file() -> str:
    inside = Path(__file__).resolve().parents[1]
    if not inside.is_file():
        raise PredictorError("load_predictor was given no path, and was not imported from a predictor. Pass the file.")
    return str(inside)


def _members(file: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except FileNotFoundError:
        raise PredictorError(f"there is no file {file!r}. Pass the path of a file that save_predictor wrote.") from None
    except (zipfile.BadZipFile, zlib.error, OSError) as error:
        raise PredictorError(f"{file!r} cannot be read as a predictor ({error}). Copy or save it again.") from error
    if FORMAT.encode() not in members.get(HEADER, b""):
        raise PredictorError(
            f"{file!r} is no predictor: it has no header of one. Pass a file that save_predictor wrote."
        )
    return members


def _arrays(members: Mapping[str, bytes]) -> dict[str, NDArray[Any]]:
    return {
        name[: -len(".npy")]: np.load(io.BytesIO(content), allow_pickle=False)
        for name, content in members.items()
        if name.endswith(".npy")
    }


def _predictor(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Predictor:
    ends = np.cumsum(arrays["border_counts"], dtype=np.int64)[:-1]
    columns = [
        Column(number, borders, nan_above)
        for number, borders, nan_above in zip(
            arrays["columns"].tolist(), np.split(arrays["borders"], ends), arrays["nan_above"].tolist(), strict=True
        )
    ]
    leaf_values, borders = _leaf_values(arrays), arrays["split_borders"]
    first = np.concatenate(([0], ends))[arrays["split_columns"]]
    splits = Splits(arrays["split_columns"], borders, arrays["borders"][first + borders])
    if "depths" in arrays:
        trees: Any = SymmetricTrees(arrays["depths"], splits, leaf_values)
        n_trees = arrays["depths"].shape[0]
    else:
        trees = OtherTrees(arrays["node_counts"], splits, arrays["left"], arrays["right"], leaf_values)
        n_trees = arrays["node_counts"].shape[0]
    return Predictor(
        tuple(header["features"]),
        None if header["classes"] is None else tuple(header["classes"]),
        header["loss"],
        header["leaves"],
        header["error_bound"],
        n_trees,
        leaf_values.shape[0],
        header["answer"],
        header["threshold"],
        columns,
        trees,
        arrays["bias"],
        borders.dtype,
    )


def _leaf_values(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Leaf values of all trees, float64 [n_leaves, dimension], from what the file has of them."""
    stored = arrays["leaf_values"]
    if "scales" in arrays:  # a scale a tree
        return stored * np.repeat(arrays["scales"].astype(np.float64), arrays["leaf_counts"])[:, None]
    if "codebook" in arrays:
        return np.asarray(arrays["codebook"][stored])
    return stored.astype(np.float64)
