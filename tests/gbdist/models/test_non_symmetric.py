"""Trees whose nodes have tests of their own: rows come to the leaves that a walk from the root finds, here and in CatBoost."""

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdist.boosting.crew import Crew
from gbdist.boosting.routes import find_leaves
from gbdist.models.apply import raw_predictions
from gbdist.models.catboost_format import fixed_cbm_bytes, to_catboost
from gbdist.models.ensemble import Ensemble
from gbdist.models.merge import require_same_trees, sum_with_initial
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

from .test_catboost_format import assert_same_predictions, raw

Maker = Callable[..., Ensemble]


def grown(generator: np.random.Generator, n_splits: int, split: Callable[[], TreeSplit], dimension: int = 1) -> Any:
    """A tree of random shape; ``split`` makes a test."""
    nodes: list[Node] = []
    n_leaves = 0

    def below(n_nodes: int, depth: int) -> int:
        nonlocal n_leaves
        if not n_nodes:
            n_leaves += 1
            return ~(n_leaves - 1)
        number, test = len(nodes), split()
        nodes.append(Node(test, 0, 0))
        n_left = int(generator.integers(n_nodes))
        left = below(n_left, depth + 1)
        nodes[number] = Node(test, left, below(n_nodes - 1 - n_left, depth + 1))
        return number

    below(n_splits, 0)
    values, weights = generator.normal(size=(n_leaves, dimension)) / 3, generator.random(n_leaves) * 10
    return NonSymmetricTree(tuple(nodes), values, weights)


def with_other_trees(ensemble: Ensemble, sizes: Sequence[int], seed: int = 1) -> Ensemble:
    """The ensemble with trees of so many splits, which test what its own trees test."""
    generator = np.random.default_rng(seed)
    known = [split for tree in ensemble.trees for split in tree.splits]
    trees = [
        grown(generator, size, lambda: known[generator.integers(len(known))], ensemble.dimension) for size in sizes
    ]
    return replace(ensemble, trees=tuple(trees))


def leaf_by_walking(tree: NonSymmetricTree, row: np.ndarray) -> int:
    number = 0 if tree.nodes else ~0
    while number >= 0:
        node = tree.nodes[number]
        number = node.right if row[node.split.feature] > node.split.border else node.left
    return ~number


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_splits=st.integers(0, 60))
def test_rows_come_to_the_leaf_that_a_walk_from_the_root_finds(seed: int, n_splits: int) -> None:
    generator = np.random.default_rng(seed)
    bins = generator.integers(0, 7, (4, 60)).astype(np.uint8)
    tree = grown(generator, n_splits, lambda: TreeSplit(int(generator.integers(4)), int(generator.integers(6))))
    found = np.full(60, 9, np.uint16)
    with Crew(2) as crew:
        find_leaves(tree, lambda feature: bins[feature], lambda _: False, found, crew)
    assert found.tolist() == [leaf_by_walking(tree, row) for row in bins.T]
    borders = FeatureBorders(np.arange(6, dtype=np.float32) + np.float32(0.5), "AsIs")
    ensemble = Ensemble((tree,), (borders,) * 4, np.zeros(1), tuple("abcd"), None)
    assert raw_predictions(ensemble, bins.T.astype(np.float32))[0].tolist() == tree.leaf_values[found, 0].tolist()


@pytest.mark.parametrize("sizes", [[9] * 20, [0, 4, 1, 0, 16], [0], [1], [300]], ids=str)
@pytest.mark.parametrize(("dimension", "class_names"), [(1, None), (1, ("no", "yes")), (4, (0, 1, 2, 3))])
def test_raw_predictions_equal_the_ensembles(
    make_ensemble: Maker, raw_features: np.ndarray, sizes: list[int], dimension: int, class_names: Any
) -> None:
    ensemble = with_other_trees(make_ensemble([6] * 20, dimension=dimension, class_names=class_names), sizes)
    model = to_catboost(ensemble)
    assert model.tree_count_ == len(sizes)
    assert_same_predictions(model, ensemble, raw_features)


def test_leaf_values_are_exact_and_survive_the_binary_file(
    make_ensemble: Maker, raw_features: np.ndarray, tmp_path: Path
) -> None:
    ensemble = with_other_trees(make_ensemble([6] * 20, dimension=3, class_names=("a", "b", "c")), [30] * 20)
    model = to_catboost(ensemble)
    model.save_model(str(tmp_path / "model.cbm"))
    loaded = catboost.CatBoostClassifier().load_model(str(tmp_path / "model.cbm"))
    expected = np.concatenate([tree.leaf_values.ravel() for tree in ensemble.trees])
    for each in (model, loaded, pickle.loads(pickle.dumps(model))):
        assert np.asarray(each.get_leaf_values()).tobytes() == expected.tobytes()
        assert raw(each, raw_features).tobytes() == raw(model, raw_features).tobytes()
    assert fixed_cbm_bytes(to_catboost(ensemble)) == fixed_cbm_bytes(model)


def test_it_answers_what_a_trained_model_answers(make_ensemble: Maker, raw_features: np.ndarray) -> None:
    ensemble = with_other_trees(make_ensemble([4] * 10, class_names=(0, 1)), [12] * 10)
    model = to_catboost(ensemble)
    assert model.feature_importances_.sum() == pytest.approx(100)
    shap = model.get_feature_importance(catboost.Pool(raw_features), type="ShapValues")
    np.testing.assert_allclose(shap.sum(axis=1), raw_predictions(ensemble, raw_features)[0], atol=1e-9)


def test_the_largest_trees_that_catboost_can_hold(tmp_path: Path) -> None:
    """Full trees of 15 levels: 32767 nodes and leaves to the left of the root's right child."""
    nodes: list[Node] = []

    def full(depth: int, leaf: int) -> int:
        """A full tree of so many levels, whose first leaf is given."""
        if not depth:
            return ~leaf
        number = len(nodes)
        nodes.append(Node(TreeSplit(15 - depth, 0), 0, 0))
        left = full(depth - 1, leaf)
        right = full(depth - 1, leaf + (1 << (depth - 1)))
        nodes[number] = Node(nodes[number].split, left, right)
        return number

    full(15, 0)
    tree = NonSymmetricTree(tuple(nodes), np.arange(2.0**15)[:, None], np.ones(1 << 15))
    borders = tuple(FeatureBorders(np.array([0.5], np.float32), "AsIs") for _ in range(15))
    model = to_catboost(Ensemble((tree,), borders, np.zeros(1), tuple(map(str, range(15))), None))
    model.save_model(str(tmp_path / "m.cbm"))
    loaded = catboost.CatBoostRegressor().load_model(str(tmp_path / "m.cbm"))
    rows = np.random.default_rng(0).integers(0, 2, (500, 15)).astype(np.float32)
    assert loaded.predict(rows).tolist() == (rows @ 2.0 ** np.arange(14, -1, -1)).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_trees_that_test_categorical_columns(make_categorical: Any, seed: int) -> None:
    case = make_categorical(seed, n_classes=3, dimension=3, class_names=("ant", "bee", "cow"))
    ensemble = with_other_trees(case.ensemble, [20] * 10)
    found = to_catboost(ensemble).predict(case.rows, prediction_type="RawFormulaVal")
    expected = raw_predictions(ensemble, case.features, case.hashes)
    np.testing.assert_allclose(found.T, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("policy", ["Depthwise", "Lossguide"])
def test_a_catboost_model_rewritten_as_an_ensemble_predicts_the_same(policy: str, tmp_path: Path) -> None:
    """Reads CatBoost's own JSON into an ensemble and back, so that both sides' conventions meet."""
    generator = np.random.default_rng(3)
    features = generator.normal(size=(600, 4)).astype(np.float32)
    features[generator.random((600, 4)) < 0.2] = np.nan
    target = np.nan_to_num(features[:, 0]) - np.nan_to_num(features[:, 3]) + np.isnan(features[:, 1])
    theirs = catboost.CatBoostRegressor(
        iterations=20, depth=5, grow_policy=policy, verbose=0, allow_writing_files=False
    ).fit(features, target)
    theirs.save_model(str(tmp_path / "m.json"), format="json")
    document = json.loads((tmp_path / "m.json").read_text())
    floats = document["features_info"]["float_features"]
    borders = tuple(
        FeatureBorders(np.array(each["borders"], dtype=np.float32), each["nan_value_treatment"]) for each in floats
    )
    place = [TreeSplit(f, b) for f, each in enumerate(borders) for b in range(len(each.values))]
    bias = np.atleast_1d(theirs.get_scale_and_bias()[1])
    trees = tuple(read(tree, place) for tree in document["trees"])
    ensemble = Ensemble(trees, borders, bias, tuple(theirs.feature_names_), None, document["model_info"]["params"])
    ours = to_catboost(ensemble)
    # CatBoost sorts leaf values by node once it has read a model.
    again = catboost.CatBoostRegressor().load_model(str(tmp_path / "m.json"), format="json")
    assert ours.get_leaf_values().tolist() == pytest.approx(again.get_leaf_values().tolist(), abs=1e-15)
    np.testing.assert_allclose(ours.predict(features), theirs.predict(features), rtol=0, atol=1e-13)
    np.testing.assert_allclose(raw_predictions(ensemble, features)[0], theirs.predict(features), rtol=0, atol=1e-13)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, atol=1e-9)


def read(tree: Any, place: Sequence[TreeSplit]) -> NonSymmetricTree:
    nodes: list[Node] = []
    leaves: list[tuple[float, float]] = []

    def below(node: Any) -> int:
        if "split" not in node:
            leaves.append((node["value"], node["weight"]))
            return ~(len(leaves) - 1)
        number = len(nodes)
        nodes.append(Node(place[node["split"]["split_index"]], 0, 0))
        left = below(node["left"])
        nodes[number] = Node(nodes[number].split, left, below(node["right"]))
        return number

    below(tree)
    values, weights = np.array(leaves).T
    return NonSymmetricTree(tuple(nodes), values[:, None].copy(), weights.copy())


def test_models_of_such_trees_are_added_up(make_ensemble: Maker, raw_features: np.ndarray) -> None:
    one, other = (with_other_trees(make_ensemble([4] * 5, highest=()), [7] * 5, seed) for seed in (1, 2))
    first, second = to_catboost(one), to_catboost(other)
    require_same_trees(first, 1, symmetric=False)
    both = sum_with_initial(first, second)
    assert both.tree_count_ == 10
    np.testing.assert_allclose(
        raw(both, raw_features), raw(first, raw_features) + raw(second, raw_features), atol=1e-12
    )


def test_trees_of_both_kinds_are_not_equal() -> None:
    leaf = np.zeros((1, 1)), np.zeros(1)
    assert NonSymmetricTree((), *leaf) != ObliviousTree((), *leaf)
    assert NonSymmetricTree((), *leaf) == NonSymmetricTree((), *leaf)
    split = Node(TreeSplit(0, 1), ~0, ~1)
    values, weights = np.array([[0.0], [-0.0]]), np.ones(2)
    assert NonSymmetricTree((split,), values, weights) != NonSymmetricTree((split,), np.abs(values), weights)
    assert NonSymmetricTree((split,), values, weights) != NonSymmetricTree((split,), values, 2 * weights)
    other = Node(TreeSplit(0, 2), ~0, ~1)
    assert NonSymmetricTree((split,), values, weights) != NonSymmetricTree((other,), values, weights)
