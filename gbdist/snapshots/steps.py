"""One step of a run as bytes and back: how steps lie in snapshots, and how they travel from ranks to the client.

A record is the length of a JSON text (uint32), the text, and float64 numbers: the text has the structure and the shapes, the
numbers follow in their order. All is little-endian. Reading checks everything before it is used; nothing is evaluated.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.progress import Iteration, Step
from gbdist.models.history import MetricTable
from gbdist.models.statistics import Projection, StatisticFeature
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit

Numbers = NDArray[np.float64]

_LENGTH = 4
#: In place of that length, where the steps of several folds follow.
_FOLDS = b"\xff\xff\xff\xff"
#: Numbers of features, borders and leaves are below this.
_MOST = 1 << 40
_KINDS = ("Borders", "Buckets", "Counter")


class MalformedError(ValueError):
    """Bytes that are no step."""


def encode_step(step: Step) -> bytes:
    """A step as a record; equal steps, bit for bit, are equal records."""
    tree = step.tree
    values = [value for table in step.metrics.values() for value in table.values()]
    priors = [feature.prior for feature in step.statistics]
    arrays = [tree.leaf_values, tree.leaf_weights, np.array(values, float), np.array(priors, float), *step.values]
    structure = {
        "tree": _written_tree(tree),
        "chosen": _pairs(step.chosen),
        "statistics": [_written_statistic(feature) for feature in step.statistics],
        "metrics": [[data_set, list(table)] for data_set, table in step.metrics.items()],
        "left_out": int(step.left_out),
        "shapes": [list(array.shape) for array in arrays],
    }
    text = json.dumps(structure, separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(_LENGTH, "little"), text, *(_bytes_of(array) for array in arrays)])


def decode_step(record: bytes) -> Step:
    """The step of a record. Raises MalformedError."""
    length = int.from_bytes(record[:_LENGTH], "little")
    text = record[_LENGTH : _LENGTH + length]
    _require(len(record) >= _LENGTH and len(text) == length)
    try:
        structure = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedError("no JSON") from None
    _require(isinstance(structure, dict))
    arrays = _arrays(_listed(structure.get("shapes")), record[_LENGTH + length :])
    leaf_values, leaf_weights, metrics, priors = (next(arrays, None) for _ in range(4))
    _require(leaf_values is not None and leaf_weights is not None and metrics is not None and priors is not None)
    values = tuple(arrays)
    tree = _read_tree(structure.get("tree"), leaf_values, leaf_weights)  # type: ignore[arg-type]
    _require(all(each.shape == tree.leaf_values.shape for each in values))
    return Step(
        tree=tree,
        metrics=_read_metrics(_listed(structure.get("metrics")), metrics),  # type: ignore[arg-type]
        chosen=_read_splits(structure.get("chosen")),
        statistics=_read_statistics(_listed(structure.get("statistics")), priors),  # type: ignore[arg-type]
        values=values,
        left_out=_number(structure.get("left_out")),
    )


def encode_iteration(iteration: Iteration) -> bytes:
    """A step, or the steps of folds, as a record: a mark, then for each fold the length of its record, and the record."""
    if isinstance(iteration, Step):
        return encode_step(iteration)
    records = [encode_step(step) for step in iteration]
    return b"".join([_FOLDS, *(part for one in records for part in (len(one).to_bytes(_LENGTH, "little"), one))])


def decode_iteration(record: bytes) -> Iteration:
    """What ``encode_iteration`` wrote. Raises MalformedError."""
    if not record.startswith(_FOLDS):
        return decode_step(record)
    steps, at = [], _LENGTH
    while at < len(record):
        begin = at + _LENGTH
        at = begin + int.from_bytes(record[at:begin], "little")
        _require(at <= len(record))
        steps.append(decode_step(record[begin:at]))
    return tuple(steps)


# ---- writing


def _bytes_of(array: Numbers) -> bytes:
    return np.ascontiguousarray(array, dtype="<f8").tobytes()


def _pairs(splits: tuple[TreeSplit, ...]) -> list[list[int]]:
    return [[int(split.feature), int(split.border)] for split in splits]


def _written_tree(tree: Tree) -> dict[str, Any]:
    if isinstance(tree, ObliviousTree):
        return {"splits": _pairs(tree.splits)}
    return {
        "nodes": [
            [int(node.split.feature), int(node.split.border), int(node.left), int(node.right)] for node in tree.nodes
        ]
    }


def _written_statistic(feature: StatisticFeature) -> list[Any]:
    of = feature.projection
    parts = [list(map(int, of.cats)), *([list(map(int, pair)) for pair in pairs] for pairs in _splits_of(of))]
    return [*parts, feature.kind, int(feature.target_border), int(feature.border_count)]


def _splits_of(projection: Projection) -> tuple[tuple[tuple[int, int], ...], ...]:
    return projection.float_splits, projection.one_hot_splits


# ---- reading


def _require(condition: bool) -> None:
    if not condition:
        raise MalformedError("not a step")


def _listed(value: Any, length: int | None = None) -> list[Any]:
    _require(isinstance(value, list) and length in (None, len(value)))
    return list(value)


def _number(value: Any, low: int = 0) -> int:
    _require(type(value) is int and low <= value < _MOST)
    return int(value)


def _text(value: Any) -> str:
    _require(isinstance(value, str))
    return str(value)


def _two(value: Any) -> tuple[int, int]:
    first, second = _listed(value, 2)
    return _number(first), _number(second)


def _arrays(shapes: list[Any], data: bytes) -> Iterator[Numbers]:
    """Arrays of these shapes, which take up all of the bytes."""
    sizes = [tuple(_number(size) for size in _listed(shape)) for shape in shapes]
    _require(all(1 <= len(size) <= 2 for size in sizes) and 8 * sum(map(math.prod, sizes)) == len(data))
    start = 0
    for size in sizes:
        n = math.prod(size)
        # A copy: of memory of its own, aligned, in this machine's order of bytes, and not held by the record.
        yield np.frombuffer(data, dtype="<f8", count=n, offset=start).reshape(size).astype(np.float64)
        start += 8 * n


def _read_splits(value: Any) -> tuple[TreeSplit, ...]:
    return tuple(TreeSplit(*_two(pair)) for pair in _listed(value))


def _read_tree(value: Any, leaf_values: Numbers, leaf_weights: Numbers) -> Tree:
    _require(isinstance(value, dict) and len(value) == 1)
    tree: Tree
    if "splits" in value:
        tree = ObliviousTree(_read_splits(value["splits"]), leaf_values, leaf_weights)
        _require(tree.depth < 32)
    else:
        nodes = [_listed(node, 4) for node in _listed(value.get("nodes"))]
        tree = NonSymmetricTree(tuple(_read_node(node, len(nodes)) for node in nodes), leaf_values, leaf_weights)
        # As it is met from the root on each node but the root, and each leaf, is somebody's child once.
        children = sorted(child for node in tree.nodes for child in (node.left, node.right))
        _require(not nodes or children == [*range(-len(nodes) - 1, 0), *range(1, len(nodes))])
        _require(
            all(child < 0 or child > at for at, node in enumerate(tree.nodes) for child in (node.left, node.right))
        )
    _require(leaf_values.ndim == 2 and leaf_values.shape[0] == tree.n_leaves == leaf_weights.size)
    _require(leaf_weights.ndim == 1)
    return tree


def _read_node(node: list[Any], n_nodes: int) -> Node:
    split = TreeSplit(_number(node[0]), _number(node[1]))
    left, right = (_number(child, low=-n_nodes - 1) for child in node[2:])
    return Node(split, left, right)


def _read_metrics(tables: list[Any], values: Numbers) -> MetricTable:
    _require(values.ndim == 1)
    left = iter(values.tolist())
    metrics: MetricTable = {}
    for table in tables:
        data_set, names = _listed(table, 2)
        found = [(_text(name), next(left, None)) for name in _listed(names)]
        _require(all(value is not None for _, value in found))
        metrics[_text(data_set)] = {name: float(value) for name, value in found if value is not None}
    _require(next(left, None) is None and sum(map(len, metrics.values())) == values.size)
    return metrics


def _read_statistics(features: list[Any], priors: Numbers) -> tuple[StatisticFeature, ...]:
    _require(priors.shape == (len(features),))
    found = []
    for feature, prior in zip(features, priors.tolist(), strict=True):
        cats, float_splits, one_hot_splits, kind, target_border, border_count = _listed(feature, 6)
        _require(kind in _KINDS and math.isfinite(prior))
        projection = Projection(
            tuple(_number(cat) for cat in _listed(cats)),
            tuple(_two(pair) for pair in _listed(float_splits)),
            tuple(_two(pair) for pair in _listed(one_hot_splits)),
        )
        found.append(StatisticFeature(projection, kind, _number(target_border), prior, _number(border_count)))
    return tuple(found)
