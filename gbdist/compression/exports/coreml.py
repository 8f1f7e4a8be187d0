"""The trees of a CoreML file, read without CoreML, to check what CatBoost has written.

Fields: TreeEnsemble.proto and Model.proto of https://apple.github.io/coremltools/mlmodel
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.exports.probes import Probes
from gbdist.compression.exports.protobuf import fields

_ENSEMBLES = (302, 303)  # treeEnsembleRegressor; treeEnsembleClassifier
_GREATER, _LEAF = 3, 6


@dataclass(frozen=True, slots=True)
class _Node:
    feature: int
    value: float
    behaviour: int
    true: int
    false: int
    missing_is_true: bool
    evaluations: list[tuple[int, float]]


def coreml_predictions(path: Path, probes: Probes) -> NDArray[np.float64]:
    """Raw values of the probes, float64 [n_rows, dimension]."""
    parts = dict(fields(path.read_bytes()))
    ensemble: Any = next(parts[number] for number in _ENSEMBLES if number in parts)
    trees: defaultdict[int, dict[int, _Node]] = defaultdict(dict)
    base: list[float] = []
    for number, value in _within(ensemble, 1):
        match number:
            case 1:
                tree, at, node = _node(value)
                trees[tree][at] = node
            case 3:
                base = np.frombuffer(value, "<f8").tolist() if isinstance(value, bytes) else [*base, value]
    rooted = [(_root(tree), tree) for tree in trees.values()]
    return np.array([_row(row, rooted, base) for row in probes.numbers.tolist()])


def _within(message: bytes, number: int) -> Any:
    """Fields of the message in field ``number``, TreeEnsembleParameters, of a regressor or classifier."""
    return fields(next(value for found, value in fields(message) if found == number and isinstance(value, bytes)))


def _node(message: Any) -> tuple[int, int, _Node]:
    """Number of the tree, number in it, and the node; a field that is 0 may be left out."""
    found = list(fields(message))
    parts: dict[int, Any] = dict(found)
    evaluations = [dict(fields(value)) for number, value in found if number == 20 and isinstance(value, bytes)]
    node = _Node(
        feature=int(parts.get(10, 0)),
        value=float(parts.get(11, 0.0)),
        behaviour=int(parts.get(3, 0)),
        true=int(parts.get(12, 0)),
        false=int(parts.get(13, 0)),
        missing_is_true=bool(parts.get(14, False)),
        evaluations=[(int(each.get(1, 0)), float(each.get(2, 0.0))) for each in evaluations],
    )
    return int(parts.get(1, 0)), int(parts.get(2, 0)), node


def _root(tree: dict[int, _Node]) -> int:
    """The node that is below no other."""
    below = {child for node in tree.values() if node.behaviour == _GREATER for child in (node.true, node.false)}
    return next(at for at in tree if at not in below)


def _row(row: list[float], trees: list[tuple[int, dict[int, _Node]]], base: list[float]) -> list[float]:
    sums = list(base)
    for root, tree in trees:
        node = tree[root]
        while node.behaviour != _LEAF:
            value = row[node.feature]
            goes = value > node.value or (node.missing_is_true and math.isnan(value))
            node = tree[node.true if goes else node.false]
        for at, value in node.evaluations:
            sums[at] += value
    return sums
