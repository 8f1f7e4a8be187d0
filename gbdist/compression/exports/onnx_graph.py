"""An ensemble of numbers as an ONNX model, written here because CatBoost's own export lies more often than need be.

CatBoost's adds leaf values up in float32 (1000 trees: an error of 1e-6 of the largest value), gives softmax to one-vs-all, the
labels 0 and 1 to any two whole numbers, and makes files that no runtime loads of models with several targets. Here sums are
of float64, of which the result alone is rounded to float32; names of input and outputs are CatBoost's.

Operators: https://onnx.ai/onnx/operators; fields: onnx.proto3 of ONNX 1.16.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.exports.protobuf import field, packed
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree, Tree, TreeSplit

_FLOAT, _INT64, _STRING, _DOUBLE = 1, 7, 8, 11
_IR_VERSION, _OPSET, _ML_OPSET = 8, 13, 3
_ML = "ai.onnx.ml"


@dataclass(frozen=True)
class OnnxAnswer:
    """What the model answers.

    Parameters
    ----------
    labels : None for raw values; else the labels of the classes, whole numbers or texts, or () for several labels a row
    each : whether each class has a probability of its own (a sigmoid), in place of those that add up to 1
    threshold : the raw value above which a row has the second of two classes
    """

    labels: tuple[Any, ...] | None = None
    each: bool = False
    threshold: float = 0.0


def onnx_model(ensemble: Ensemble, answer: OnnxAnswer) -> bytes:
    """The bytes of an ONNX file: input ``features`` float32 [n_rows, n_features].

    Outputs are ``predictions`` float32 [n_rows, dimension], the raw values; or ``label`` and ``probabilities``, which is a list
    of {label: probability}, as of CatBoost, and float32 [n_rows, dimension] where rows have several labels.
    """
    nodes = [
        _node("Cast", ["features"], ["numbers"], [_int("to", _DOUBLE)]),
        _node("TreeEnsembleRegressor", ["numbers"], ["predictions"], _tree_attributes(ensemble), _ML),
    ]
    tensors: list[bytes] = []
    outputs = [_value("predictions", _tensor_type(_FLOAT, "N", ensemble.dimension))]
    if answer.labels is not None:
        more, tensors, outputs = _classes(ensemble.dimension, answer, answer.labels)
        nodes += more
    graph = [
        *(field(1, node) for node in nodes),
        field(2, "gbdist"),
        *(field(5, tensor) for tensor in tensors),
        field(11, _value("features", _tensor_type(_FLOAT, "N", len(ensemble.borders)))),
        *(field(12, output) for output in outputs),
    ]
    opsets = [field(1, "") + field(2, _OPSET), field(1, _ML) + field(2, _ML_OPSET)]
    header = field(1, _IR_VERSION) + field(2, "gbdist")
    return header + field(7, b"".join(graph)) + b"".join(field(8, opset) for opset in opsets)


def _classes(
    dimension: int, answer: OnnxAnswer, labels: tuple[Any, ...]
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What follows the raw values of a classifier: nodes, tensors and outputs."""
    threshold = _tensor("threshold", np.array([answer.threshold], dtype=np.float32))
    if not labels:
        nodes = [
            _node("Greater", ["predictions", "threshold"], ["above"]),
            _node("Cast", ["above"], ["label"], [_int("to", _INT64)]),
            _node("Sigmoid", ["predictions"], ["probabilities"]),
        ]
        kinds = {"label": _INT64, "probabilities": _FLOAT}
        return nodes, [threshold], [_value(name, _tensor_type(kind, "N", dimension)) for name, kind in kinds.items()]
    texts = isinstance(labels[0], str)
    names = _tensor("labels", np.array(labels, dtype=object if texts else np.int64))
    if dimension == 1:
        nodes = [
            _node("Greater", ["predictions", "threshold"], ["above"]),
            _node("Cast", ["above"], ["class_of"], [_int("to", _INT64)]),
            _node("Reshape", ["class_of", "flat"], ["class"]),
            _node("Sigmoid", ["predictions"], ["second"]),
            _node("Neg", ["predictions"], ["against"]),
            _node("Sigmoid", ["against"], ["first"]),  # not 1 − second, which is 0 for small values
            _node("Concat", ["first", "second"], ["table"], [_int("axis", 1)]),
        ]
        tensors = [names, threshold, _tensor("flat", np.array([-1], dtype=np.int64))]
    else:
        nodes = [
            _node("ArgMax", ["predictions"], ["class"], [_int("axis", 1), _int("keepdims", 0)]),
            _node("Sigmoid", ["predictions"], ["table"])
            if answer.each
            else _node("Softmax", ["predictions"], ["table"], [_int("axis", 1)]),
        ]
        tensors = [names]
    keys = _strings("classlabels_strings", labels) if texts else _ints("classlabels_int64s", labels)
    nodes += [
        _node("Gather", ["labels", "class"], ["label"]),
        _node("ZipMap", ["table"], ["probabilities"], [keys], _ML),
    ]
    kind = _STRING if texts else _INT64
    row = field(5, field(1, kind) + field(2, _tensor_type(_FLOAT)))
    outputs = [_value("label", _tensor_type(kind, "N")), _value("probabilities", field(4, field(1, row)))]
    return nodes, tensors, outputs


def _tree_attributes(ensemble: Ensemble) -> list[bytes]:
    """Trees as lists of nodes: inner ones first, then leaves, each tree from 0."""
    tables = [_nodes_of(tree) for tree in ensemble.trees]
    inner = [len(splits) for splits, _ in tables]
    of_tree = [count + tree.n_leaves for count, tree in zip(inner, ensemble.trees, strict=True)]
    features: list[int] = []
    values: list[float] = []
    modes: list[str] = []
    children: list[tuple[int, int]] = []
    tracks: list[int] = []
    for (splits, false_true), tree in zip(tables, ensemble.trees, strict=True):
        borders = [ensemble.borders[split.feature] for split in splits]
        features += [split.feature for split in splits] + [0] * tree.n_leaves
        values += [float(each.values[split.border]) for each, split in zip(borders, splits, strict=True)]
        values += [0.0] * tree.n_leaves
        modes += ["BRANCH_GT"] * len(splits) + ["LEAF"] * tree.n_leaves
        children += [*false_true, *[(0, 0)] * tree.n_leaves]
        tracks += [int(each.nan_treatment == "AsTrue") for each in borders] + [0] * tree.n_leaves
    dimension = ensemble.dimension
    leaves = [
        (number, first + leaf, target)
        for number, (first, tree) in enumerate(zip(inner, ensemble.trees, strict=True))
        for leaf in range(tree.n_leaves)
        for target in range(dimension)
    ]
    weights = np.concatenate([tree.leaf_values.ravel() for tree in ensemble.trees])
    return [
        _ints("nodes_treeids", (tree for tree, count in enumerate(of_tree) for _ in range(count))),
        _ints("nodes_nodeids", (node for count in of_tree for node in range(count))),
        _ints("nodes_featureids", features),
        _strings("nodes_modes", modes),
        _tensor_attribute("nodes_values_as_tensor", np.array(values, dtype=np.float64)),
        _ints("nodes_falsenodeids", (false for false, _ in children)),
        _ints("nodes_truenodeids", (true for _, true in children)),
        _ints("nodes_missing_value_tracks_true", tracks),
        _ints("target_treeids", (tree for tree, _, _ in leaves)),
        _ints("target_nodeids", (node for _, node, _ in leaves)),
        _ints("target_ids", (target for _, _, target in leaves)),
        _tensor_attribute("target_weights_as_tensor", weights),
        _tensor_attribute("base_values_as_tensor", ensemble.bias),
        _int("n_targets", dimension),
    ]


def _nodes_of(tree: Tree) -> tuple[list[TreeSplit], list[tuple[int, int]]]:
    """Test of each of n inner nodes, and the node where it is false and where it is true; leaf ``i`` is node n + i."""
    if isinstance(tree, ObliviousTree):
        n_nodes = tree.n_leaves - 1
        # Of a level's nodes the number is the bits of a leaf that are known by then, the most significant first.
        splits = [split for level, split in enumerate(reversed(tree.splits)) for _ in range(1 << level)]
        return splits, [(2 * node + 1, 2 * node + 2) for node in range(n_nodes)]
    n_nodes = len(tree.nodes)

    def place(child: int) -> int:
        return child if child >= 0 else n_nodes + ~child

    return list(tree.splits), [(place(node.left), place(node.right)) for node in tree.nodes]


def _node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[bytes] = (), domain: str = ""
) -> bytes:
    parts = [
        *(field(1, name) for name in inputs),
        *(field(2, name) for name in outputs),
        field(3, outputs[0]),
        field(4, kind),
        *(field(5, attribute) for attribute in attributes),
        field(7, domain),
    ]
    return b"".join(parts)


def _int(name: str, value: int) -> bytes:
    return field(1, name) + field(3, value) + field(20, 2)


def _ints(name: str, values: Iterable[int]) -> bytes:
    # A negative label is written as protocol buffers write an int64: modulo 2^64.
    return field(1, name) + packed(8, (int(value) % (1 << 64) for value in values)) + field(20, 7)


def _strings(name: str, values: Iterable[str]) -> bytes:
    return field(1, name) + b"".join(field(9, value) for value in values) + field(20, 8)


def _tensor_attribute(name: str, values: NDArray[np.float64]) -> bytes:
    return field(1, name) + field(5, _tensor(name, values)) + field(20, 4)


def _tensor(name: str, values: NDArray[Any]) -> bytes:
    """A tensor of one dimension."""
    header = packed(1, values.shape) + field(8, name)
    if values.dtype == object:
        return header + field(2, _STRING) + b"".join(field(6, str(value)) for value in values)
    kinds = {np.dtype(np.float32): _FLOAT, np.dtype(np.int64): _INT64, np.dtype(np.float64): _DOUBLE}
    return header + field(2, kinds[values.dtype]) + field(9, values.astype(values.dtype.newbyteorder("<")).tobytes())


def _tensor_type(kind: int, *dimensions: int | str) -> bytes:
    """The type of a tensor, with a name in place of a size that is not known; of one value without dimensions."""
    shape = b"".join(field(1, field(2 if isinstance(size, str) else 1, size)) for size in dimensions)
    return field(1, field(1, kind) + field(2, shape))


def _value(name: str, kind: bytes) -> bytes:
    return field(1, name) + field(2, kind)
