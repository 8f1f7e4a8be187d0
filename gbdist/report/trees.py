"""The first trees of a model as nodes: CatBoost's JSON of them, read. Symmetric trees and others become the same nodes."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from catboost import CatBoost, CatBoostError, Pool
from numpy.typing import NDArray

from gbdist.models.catboost_format import cbm_bytes, read_cbm

#: Models of other than symmetric trees cannot be cut before they are written as text; larger ones are left alone.
_LARGEST_UNCUT = 64 << 20
#: What stands before the number of a category whose name is not known.
UNNAMED = "category no."
_FREQUENCIES = ("Counter", "FeatureFreq")


@dataclass(frozen=True, eq=False)
class Node:
    """A node: ``test`` with children for no and yes; or a leaf with ``values`` float64 [n_raw] and the rows' ``weight``."""

    test: str = ""
    children: tuple["Node", ...] = ()
    values: NDArray[np.float64] | None = None
    weight: float = 0.0

    @property
    def depth(self) -> int:
        """Tests on the longest way to a leaf."""
        return 1 + max(child.depth for child in self.children) if self.children else 0


def first_trees(model: CatBoost, most: int, pool: Pool | None) -> list[Node] | str:
    """The first ``most`` trees, or why they cannot be had; ``pool`` tells the names of single categories."""
    if model.get_text_feature_indices() or model.get_embedding_feature_indices():
        return "CatBoost does not describe trees of models with text or embedding features."
    if not model.tree_count_:
        return "The model has no trees."
    blob = cbm_bytes(model)
    copy = read_cbm(blob)
    try:
        copy.shrink(min(most, copy.tree_count_))
    except CatBoostError:  # which cuts symmetric trees alone
        if len(blob) > _LARGEST_UNCUT:
            return f"The model's trees are not symmetric, and its {len(blob) >> 20} MB are too many to look at the first ones."
    document = _as_json(copy, pool)
    tests = _Tests(document["features_info"])
    dimension = len(np.ravel(document["scale_and_bias"][1]))
    if "oblivious_trees" in document:
        return [_symmetric(tree, tests, dimension) for tree in document["oblivious_trees"][:most]]
    return [_node(tree, tests) for tree in document["trees"][:most]]


def cut(node: Node, depth: int) -> Node:
    """The tree down to a depth; a node there becomes a leaf with the mean of its leaves, weighted by their rows."""
    if not node.children:
        return node
    if depth > 0:
        return Node(node.test, tuple(cut(child, depth - 1) for child in node.children))
    found = list(leaves(node))
    weights = np.array([leaf.weight for leaf in found])
    values = np.array([leaf.values for leaf in found])
    mean = np.average(values, axis=0, weights=weights) if weights.sum() > 0 else values.mean(axis=0)
    return Node(values=mean, weight=float(weights.sum()))


def leaves(node: Node) -> Iterator[Node]:
    """All leaves, those that say no first."""
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)


def tests_of(node: Node) -> set[str]:
    """All tests of a tree."""
    return {node.test}.union(*map(tests_of, node.children)) if node.children else set()


def _as_json(model: CatBoost, pool: Pool | None) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json", pool=pool)
        return json.loads(path.read_text())


def _symmetric(tree: Any, tests: "_Tests", dimension: int) -> Node:
    """A symmetric tree: the first split is the root's, and the lowest bit of a leaf's number."""
    splits = tree["splits"] or []
    values = np.asarray(tree["leaf_values"], dtype=np.float64).reshape(-1, dimension)
    weights = tree.get("leaf_weights") or [0.0] * len(values)

    def below(level: int, leaf: int) -> Node:
        if level == len(splits):
            return Node(values=values[leaf], weight=float(weights[leaf]))
        return Node(tests.words(splits[level]), (below(level + 1, leaf), below(level + 1, leaf | 1 << level)))

    return below(0, 0)


def _node(node: Any, tests: "_Tests") -> Node:
    if "split" not in node:
        return Node(values=np.ravel(np.asarray(node["value"], dtype=np.float64)), weight=float(node.get("weight", 0.0)))
    return Node(tests.words(node["split"]), (_node(node["left"], tests), _node(node["right"], tests)))


class _Tests:
    """What splits of a model test, in words."""

    def __init__(self, info: Any) -> None:
        self._numbers = {each["feature_index"]: each["feature_id"] for each in info.get("float_features", ())}
        self._categories = {each["feature_index"]: each["feature_id"] for each in info.get("categorical_features", ())}
        self._texts = {each["hash"]: each["value"] for each in info.get("cat_features_hash") or ()}
        self._statistics = info.get("ctrs", ())
        binned = sum(len(each["borders"] or ()) for each in info.get("float_features", ()))
        one_hot = sum(len(each.get("values") or ()) for each in info.get("categorical_features", ()))
        # Splits are numbered over borders, single values and statistics (catboost/libs/model/model.cpp, CalcBinFeatures).
        self._of_split: list[Any] = [None] * (binned + one_hot)
        self._of_split += [each for each in self._statistics for _ in each["borders"]]

    def words(self, split: Any) -> str:
        """The test whose answer "yes" goes right."""
        match split["split_type"]:
            case "FloatFeature":
                return f"{self._numbers[split['float_feature_index']]} > {split['border']:.5g}"
            case "OneHotFeature":
                number = split["value"] & 0xFFFFFFFF
                value = self._texts.get(number)
                shown = repr(value) if value is not None else f"{UNNAMED} {number:08x}"
                return f"{self._categories[split['cat_feature_index']]} is {shown}"
            case _:
                return self._statistic(self._of_split[split["split_index"]], split["border"])

    def _statistic(self, statistic: Any, border: float) -> str:
        names = [self._part(element) for element in statistic["elements"]]
        kind = "frequency" if statistic["ctr_type"] in _FREQUENCIES else "target"
        return f"{kind} of {' and '.join(names)} > {border / statistic['scale'] - statistic['shift']:.4g}"

    def _part(self, element: Any) -> str:
        if "float_feature_index" in element:
            return f"({self._numbers[element['float_feature_index']]} > {element['border']:.5g})"
        return str(self._categories[element["cat_feature_index"]])
