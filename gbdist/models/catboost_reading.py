"""From a plain CatBoost model to gbdist's ensemble, by way of CatBoost's JSON: what ``catboost_format`` writes, read back.

CatBoost writes JSON exactly, leaf values included (measured on all magnitudes of doubles; −0.0 becomes 0.0, which no sum
tells apart); it is the import that is not exact.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import catboost
import numpy as np

from gbdist.categories.values import border_values
from gbdist.errors import ModelError
from gbdist.models.catboost_format import json_document
from gbdist.models.categories_reading import CategoriesReader
from gbdist.models.ensemble import Ensemble
from gbdist.models.loss import training_params
from gbdist.models.statistics import CategoricalPart
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, Tree, TreeSplit
from gbdist.quantize.borders import FeatureBorders


def from_catboost(model: catboost.CatBoost) -> Ensemble:
    """The trees of a model that CatBoost or gbdist trained, with the borders, values, statistics and tables that it has.

    Leaf values, leaf weights and the start value are those of the model, bit for bit; a scale other than 1 is multiplied into
    the leaf values. Leaves of non-symmetric trees are numbered from left to right, whatever their order in the model.
    The model stays as it is.

    Raises
    ------
    ModelError
        For what an ensemble cannot hold: text and embedding columns, statistics other than those of ``StatisticFeature``, or
        several tables of one statistic; and for an estimator that is not fitted.
    """
    _require_readable(model)
    document, params = json_document(model), training_params(model)
    info = document["features_info"]
    borders = tuple(
        FeatureBorders(np.array(each["borders"] or (), dtype=np.float32), each["nan_value_treatment"])
        for each in info.get("float_features", ())
    )
    categories = CategoriesReader(document, borders, params).read()
    trees = _trees(document, _places(info, borders, categories))
    bias = np.atleast_1d(np.asarray(document["scale_and_bias"][1], dtype=np.float64))
    return Ensemble(
        tuple(_scaled(tree, float(document["scale_and_bias"][0])) for tree in trees),
        borders,
        bias,
        tuple(model.feature_names_),
        tuple(np.asarray(model.classes_).tolist()) or None,
        params,
        categories,
    )


def _require_readable(model: catboost.CatBoost) -> None:
    if not model.is_fitted():
        raise ModelError(f"{type(model).__name__} is not fitted: it has no trees", "Fit it, or load a saved model.")
    for kind, columns in (
        ("text", model.get_text_feature_indices()),
        ("embedding", model.get_embedding_feature_indices()),
    ):
        if columns:
            names = [model.feature_names_[column] for column in columns]
            problem = f"the model has {kind} columns ({names}), whose features CatBoost writes in .cbm files alone"
            raise ModelError(problem, "Use a model that was trained without these columns.")


def _places(info: Any, borders: Sequence[FeatureBorders], categories: CategoricalPart) -> list[TreeSplit]:
    """What each ``split_index`` of CatBoost's JSON stands for: it counts the features as they are listed (model.cpp)."""
    places = [TreeSplit(f, border) for f, each in enumerate(borders) for border in range(len(each.values))]
    listed = {
        each["feature_index"]: each["values"] for each in info.get("categorical_features", ()) if "values" in each
    }
    for feature, one_hot in enumerate(categories.one_hot, len(borders)):
        numbers = {value: number for number, value in enumerate(one_hot.values)}
        places += [TreeSplit(feature, numbers[value % (1 << 32)]) for value in listed[one_hot.cat]]
    first = len(borders) + len(categories.one_hot)
    for feature, (statistic, each) in enumerate(zip(categories.statistics, info.get("ctrs") or (), strict=True), first):
        # Not the whole part of a border: k + 0.999999 is k + 1 in float32 where k is large.
        borders_of = np.searchsorted(border_values(statistic), np.array(each["borders"], dtype=np.float32))
        places += [TreeSplit(feature, border) for border in borders_of.tolist()]
    return places


def _trees(document: Any, places: Sequence[TreeSplit]) -> list[Tree]:
    # There may be no list: of a model that was shrunk to no tree.
    if "oblivious_trees" in document:
        return [_oblivious(tree, places) for tree in document["oblivious_trees"] or ()]
    return [_non_symmetric(root, places) for root in document.get("trees") or ()]


def _oblivious(tree: Any, places: Sequence[TreeSplit]) -> ObliviousTree:
    splits = tuple(places[split["split_index"]] for split in tree["splits"] or ())
    leaves = 1 << len(splits)
    values = np.array(tree["leaf_values"], dtype=np.float64).reshape(leaves, -1)
    return ObliviousTree(splits, values, _weights(tree.get("leaf_weights") or (), leaves))


def _non_symmetric(root: Any, places: Sequence[TreeSplit]) -> NonSymmetricTree:
    nodes: list[Node] = []
    leaves: list[Any] = []

    def number_of(node: Any) -> int:
        if "split" not in node:
            leaves.append(node)
            return ~(len(leaves) - 1)
        number = len(nodes)
        nodes.append(Node(places[node["split"]["split_index"]], 0, 0))  # its place, before those below it
        left = number_of(node["left"])
        nodes[number] = replace(nodes[number], left=left, right=number_of(node["right"]))
        return number

    number_of(root)
    values = np.array([np.atleast_1d(leaf["value"]) for leaf in leaves], dtype=np.float64)
    weights = [leaf["weight"] for leaf in leaves if "weight" in leaf]
    return NonSymmetricTree(tuple(nodes), values, _weights(weights, len(leaves)))


def _weights(written: Sequence[float], n_leaves: int) -> Any:
    """float64 [n_leaves]: zeros in a model that has none."""
    return np.array(written, dtype=np.float64) if len(written) == n_leaves else np.zeros(n_leaves)


def _scaled(tree: Tree, scale: float) -> Tree:
    return tree if scale == 1.0 else replace(tree, leaf_values=tree.leaf_values * scale)
