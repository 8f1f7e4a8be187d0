"""What a predictor's file holds of a model: borders, tests as small whole numbers, leaf values in the bits that are asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.quantize import QuantizeLeaves, bound_of, is_quantized
from gbdist.compression.passes.rounding import to_codes
from gbdist.compression.predictor.standalone.reading import FORMAT, VERSION
from gbdist.errors import ModelError, ParameterError
from gbdist.models.ensemble import Ensemble
from gbdist.models.loss import (
    WITH_VARIANCE,
    default_prediction,
    described_loss,
    has_several_labels,
    loss_of,
    threshold_of,
)
from gbdist.models.tree import NonSymmetricTree, ObliviousTree, TreeSplit

Arrays = dict[str, NDArray[Any]]
_ANSWERS = {"RawFormulaVal": "raw", "Exponent": "exponent", WITH_VARIANCE: "variance"}
#: Borders of a column that a byte can count.
_BYTE = 255


def contents_of(ensemble: Ensemble, model: Any, leaves: str | int) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays of a file; see ``save_predictor`` for ``leaves`` and errors.

    Parameters
    ----------
    ensemble : the model, read
    model : the CatBoost model, whose metadata tell what it predicts
    """
    _require_numbers(ensemble)
    rounded = _rounded(ensemble, leaves)
    used = rounded.tested
    arrays = _features(rounded, used) | _trees(rounded, used) | _leaf_values(rounded, leaves)
    arrays["bias"] = np.asarray(rounded.bias, dtype=np.float64)
    answer = _answer(ensemble, model)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "features": list(ensemble.feature_names),
        "classes": None if ensemble.class_names is None or answer == "labels" else list(ensemble.class_names),
        "loss": described_loss(model),
        "answer": answer,
        "threshold": threshold_of(model),
        "leaves": f"{leaves} levels" if isinstance(leaves, int) else leaves,
        "error_bound": 0.0 if rounded is ensemble else float(bound_of(ensemble, rounded).max()),
    }
    return header, arrays


def _require_numbers(ensemble: Ensemble) -> None:
    if max(ensemble.tested, default=0) >= len(ensemble.borders):
        names = [ensemble.feature_names[position] for position in ensemble.categories.positions]
        raise ModelError(
            f"the model's trees test categories (columns {names}), and a predictor of NumPy alone holds none: it would need "
            "CatBoost's hashes of texts and the tables of their statistics",
            "Use the model itself with CatBoost, or one that was trained on columns of numbers.",
        )


def _rounded(ensemble: Ensemble, leaves: str | int) -> Ensemble:
    """The ensemble with leaf values that can be stored so; itself where they can be already."""
    if leaves == "float64":
        return ensemble
    if isinstance(leaves, int) and not isinstance(leaves, bool):
        if leaves >= 2 and np.unique(_all_values(ensemble)).shape[0] <= leaves:
            return ensemble
        return QuantizeLeaves(levels=leaves).apply(ensemble, None)
    if leaves not in ("fp16", "int8"):
        expected = '"float64", "fp16", "int8", or a whole number of levels'
        raise ParameterError("leaves", leaves, expected, 'Use "float64" for the model\'s own values.')
    return ensemble if is_quantized(ensemble, leaves) else QuantizeLeaves(to=leaves).apply(ensemble, None)


def _features(ensemble: Ensemble, used: Mapping[int, Sequence[int]]) -> Arrays:
    """The columns that trees test, with the borders that they test."""
    positions = ensemble.binned
    borders = [ensemble.borders[feature].values[used[feature]] for feature in used]
    counts = [values.shape[0] for values in borders]
    return {
        "columns": np.array([positions[feature] for feature in used], dtype=np.uint32),
        "nan_above": np.array([ensemble.borders[feature].nan_treatment == "AsTrue" for feature in used], dtype=bool),
        "border_counts": np.array(counts, dtype=np.uint16),
        "borders": np.concatenate([*borders, np.empty(0)]).astype(np.float32),
    }


def _trees(ensemble: Ensemble, used: Mapping[int, Sequence[int]]) -> Arrays:
    columns = {feature: number for number, feature in enumerate(used)}
    borders = {
        TreeSplit(feature, border): number
        for feature, of_feature in used.items()
        for number, border in enumerate(of_feature)
    }
    splits = [split for tree in ensemble.trees for split in tree.splits]
    most = max((len(of_feature) for of_feature in used.values()), default=0)
    arrays: Arrays = {
        "split_columns": _narrow([columns[split.feature] for split in splits]),
        "split_borders": np.array([borders[split] for split in splits], dtype=np.uint8 if most <= _BYTE else np.uint16),
    }
    symmetric = [tree for tree in ensemble.trees if isinstance(tree, ObliviousTree)]
    if symmetric:
        return arrays | {"depths": np.array([tree.depth for tree in symmetric], dtype=np.uint8)}
    others = [tree for tree in ensemble.trees if isinstance(tree, NonSymmetricTree)]
    nodes = [node for tree in others for node in tree.nodes]
    return arrays | {
        "node_counts": _narrow([len(tree.nodes) for tree in others]),
        "left": np.array([node.left for node in nodes], dtype=np.int32),
        "right": np.array([node.right for node in nodes], dtype=np.int32),
    }


def _narrow(numbers: Sequence[int]) -> NDArray[Any]:
    """Whole numbers of at least 0 in as few bytes as hold the largest."""
    return np.array(numbers, dtype=np.min_scalar_type(max(numbers, default=0)))


def _leaf_values(ensemble: Ensemble, leaves: str | int) -> Arrays:
    """Leaf values [n_leaves of all trees, dimension], which these bits hold exactly."""
    values = np.concatenate([tree.leaf_values for tree in ensemble.trees])
    if leaves == "float64":
        return {"leaf_values": values}
    if leaves == "fp16":
        return {"leaf_values": values.astype(np.float16)}
    if leaves == "int8":
        coded = [to_codes(tree.leaf_values) for tree in ensemble.trees]
        return {
            "leaf_values": np.concatenate([each.codes for each in coded]),
            "scales": np.array([each.scale for each in coded], dtype=np.float32),
            "leaf_counts": _narrow([tree.n_leaves for tree in ensemble.trees]),
        }
    codebook, places = np.unique(values, return_inverse=True)
    return {"leaf_values": _narrow(places.ravel().tolist()).reshape(values.shape), "codebook": codebook}


def _all_values(ensemble: Ensemble) -> NDArray[np.float64]:
    return np.concatenate([tree.leaf_values.ravel() for tree in ensemble.trees])


def _answer(ensemble: Ensemble, model: Any) -> str:
    """What ``predict`` makes of raw values, in the words of ``standalone.Predictor``."""
    if ensemble.class_names is None:
        return _ANSWERS[default_prediction(model)]
    if has_several_labels(model):
        return "labels"
    if ensemble.dimension == 1:
        return "binary"
    return "one_vs_all" if loss_of(model) == "MultiClassOneVsAll" else "softmax"
